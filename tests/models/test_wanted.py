"""What people write when they want a model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falconry.errors import FalconryError, InvalidRequest, NotAllowed
from falconry.models.safe_names import is_safe
from falconry.models.wanted import HubReference, Reference, ShortName, UrlReference, read_wanted

HUB = "https://huggingface.co"
HASH = "ab" * 32


def read(wanted: str, hub: str = HUB) -> Reference:
    return read_wanted(wanted, hub=hub, hosts=frozenset({"models.example.org", "localhost:8000"}))


@pytest.mark.parametrize(
    ("wanted", "reference"),
    [
        ("qwen3-4b", ShortName("qwen3-4b")),
        (" qwen3-4b:Q8_0 ", ShortName("qwen3-4b", "Q8_0")),
        ("qwen3:latest", ShortName("qwen3")),
        ("org/name", HubReference("org/name")),
        ("org/name:Q8_0", HubReference("org/name", "Q8_0")),
        ("org/name/file.gguf", HubReference("org/name", file="file.gguf")),
        ("org/name/a/b.GGUF", HubReference("org/name", file="a/b.GGUF")),
        ("hf.co/org/name:q4_k_m", HubReference("org/name", "q4_k_m")),
        ("huggingface.co/org/name", HubReference("org/name")),
        ("hf://org/name", HubReference("org/name")),
        ("https://huggingface.co/org/name", HubReference("org/name")),
        ("https://huggingface.co/org/name/", HubReference("org/name")),
        ("https://huggingface.co/org/name/tree/main", HubReference("org/name")),
        ("https://hf.co/org/name/tree/v2", HubReference("org/name", revision="v2")),
        (
            "https://huggingface.co/org/name/blob/main/a/b%20c.gguf?download=true",
            HubReference("org/name", file="a/b c.gguf"),
        ),
        (
            "https://huggingface.co/org/name/resolve/abc123/f.gguf",
            HubReference("org/name", file="f.gguf", revision="abc123"),
        ),
        ("https://models.example.org/f.gguf", UrlReference("https://models.example.org/f.gguf", "models.example.org")),
        (
            f"http://localhost:8000/f.gguf#sha256={HASH.upper()}",
            UrlReference("http://localhost:8000/f.gguf", "localhost", HASH),
        ),
    ],
)
def test_what_is_understood(wanted: str, reference: Reference) -> None:
    assert read(wanted) == reference


def test_the_urls_of_a_mirror_are_understood() -> None:
    assert read("http://mirror.lan:81/hf/org/name", hub="http://mirror.lan:81/hf") == HubReference("org/name")


@pytest.mark.parametrize(
    "wanted",
    [
        "",
        "   ",
        "a b",
        "org/",
        "/name",
        "org/name/file.bin",
        "org/name/../../etc/passwd.gguf",
        "org/name/a\\b.gguf",
        "../name",
        "org/..",
        "org/na--me",
        "org/name:",
        "org/name:Q8 0",
        "ftp://models.example.org/f.gguf",
        "file:///etc/passwd",
        "https://user:secret@huggingface.co/org/name",
        "https://huggingface.co:bad/org/name",
        "https://huggingface.co/org/name/resolve/../f.gguf",
        "https://",
        "https://[::1",
        "https://[abc]/m.gguf",
        "https://℀/m.gguf",
        "hf://[::1/name",
        "name\x00",
        "a" * 3000,
        "模型",
    ],
)
def test_what_is_not_understood_is_refused_with_a_sentence(wanted: str) -> None:
    with pytest.raises(InvalidRequest, match="names no model") as raised:
        read(wanted)
    assert raised.value.code == "bad_model_reference"


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/f.gguf", "http://127.0.0.1/f.gguf", "http://localhost/f.gguf"]
)
def test_urls_elsewhere_are_refused(wanted: str) -> None:
    with pytest.raises(NotAllowed, match="download_hosts"):
        read(wanted)


@given(st.text() | st.from_regex(r"(https?|hf)://[\[\]a-z:@%℀./?#]{0,20}", fullmatch=True))
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        reference = read(text)
    except FalconryError:
        return
    assert isinstance(reference, HubReference | UrlReference | ShortName)


@given(st.text(alphabet=st.sampled_from("ab./\\:~ \u202e\u00e9e\u0301CON\0"), min_size=1, max_size=12))
def test_a_safe_name_stays_where_it_is_put(name: str) -> None:
    if is_safe(name):
        parts = name.split("/")
        assert not {"", ".", ".."} & set(parts)
        assert not any(character in name for character in "\\:\0\u202e")
        assert not any(part.startswith((".", "~", " ")) or part.endswith((".", " ")) for part in parts)
        assert "CON" not in parts
