"""One file, from servers that do everything wrong: the right content in the end, or one clear sentence."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from falconry.errors import DownloadFailed, NotAllowed
from falconry.models.download import Download
from falconry.models.download_plan import FOLDER
from falconry.models.downloads import Downloads
from tests.models.conftest import MakeDownloads
from tests.models.hub_server import HubServer, model_bytes

FILE = "m-Q4_K_M.gguf"
THIRD = 100_000


@pytest.fixture
def content(hub: HubServer, tmp_path: Path) -> bytes:
    made = model_bytes(tmp_path)
    hub.add("org/name", {FILE: made})
    return made


async def fetched(downloads: Downloads, wanted: str = "org/name") -> Download:
    """The download at its end."""
    return await downloads.wait((await downloads.start(wanted)).id)


def is_right(download: Download, content: bytes) -> bool:
    return (
        download.state == "done"
        and download.done == download.total == len(content)
        and download.path.read_bytes() == content
        and not list(download.path.parents[2].glob(f"{FOLDER}/*"))
    )


def part_of(download: Download) -> Path:
    return download.path.parents[2] / FOLDER / download.id / FILE


@pytest.mark.parametrize(
    ("faults", "requests"),
    [
        ([], 1),
        ([f"cut:{THIRD}"], 2),
        (["cut:0", "cut:1", f"cut:{THIRD}", "cut:10"], 5),
        ([f"cut:{THIRD}", "no_range"], 2),
        ([f"cut:{THIRD}", "etag:new"], 2),
        ([f"cut:{THIRD}", "short_range"], 3),
        ([f"cut:{THIRD}", "status:403"], 3),
        (["status:500", "status:503", "status:502"], 4),
        ([*["cut:50000"] * 5], 6),  # more breaks than there is patience, but something new each time
    ],
)
async def test_what_goes_well_in_the_end(
    hub: HubServer, downloads: Downloads, content: bytes, faults: list[str], requests: int
) -> None:
    hub.faults = faults
    assert is_right(await fetched(downloads), content)
    assert len(hub.downloads()) == requests


async def test_it_goes_on_where_it_was_cut_off(hub: HubServer, downloads: Downloads, content: bytes) -> None:
    hub.faults = [f"cut:{THIRD}"]
    await fetched(downloads)
    assert [seen.range for seen in hub.downloads()] == [None, f"bytes={THIRD}-"]


@pytest.mark.parametrize(
    ("fault", "code", "kept"),
    [
        ("status:403", "hub_refused", False),
        ("status:404", "hub_refused", False),
        ("status:500", "hub_broken", False),
        ("html", "not_a_model", False),
        ("page", "not_a_model", False),
        ("gzip", "not_a_model", False),
        ("noise", "wrong_content", False),
        ("length:1000", "wrong_length", False),
        ("length:99999999", "wrong_length", False),
        ("endless", "wrong_length", True),
        ("cut:1000", "download_broken_off", True),
        ("redirect", "too_many_redirects", False),
        ("redirect:http://localhost:1/", "bad_redirect", False),
        ("redirect:https://10.0.0.1/", "address_refused", False),
    ],
)
async def test_what_cannot_go_well_is_told_and_never_offered(
    hub: HubServer, downloads: Downloads, content: bytes, fault: str, code: str, kept: bool
) -> None:
    hub.always = fault
    if fault == "cut:1000":
        hub.always, hub.faults = "cut:0", ["cut:1000"]
    download = await fetched(downloads)
    assert download.state == "failed"
    assert download.error is not None
    assert download.error.code == code
    assert "signature" not in download.error.message
    assert not download.path.exists()
    part = part_of(download)
    assert (part.exists() and part.stat().st_size > 0) == kept
    # And when the server has recovered, all is well.
    hub.always = None
    assert is_right(await fetched(downloads), content)


async def test_a_part_with_other_content_is_thrown_away(hub: HubServer, downloads: Downloads, content: bytes) -> None:
    hub.always, hub.faults = "cut:0", [f"cut:{THIRD}"]
    part = part_of(await fetched(downloads))
    part.write_bytes(b"GGUF".ljust(THIRD))
    hub.always = None
    hub.seen.clear()
    assert is_right(await fetched(downloads), content)
    assert [seen.range for seen in hub.downloads()] == [f"bytes={THIRD}-", None]


@pytest.mark.parametrize("beyond", [0, 1])
async def test_a_part_that_is_complete_or_too_long(
    hub: HubServer, downloads: Downloads, content: bytes, beyond: int
) -> None:
    hub.always = "cut:0"
    part = part_of(await fetched(downloads))
    part.write_bytes(content + b"x" * beyond)
    hub.always = None
    hub.seen.clear()
    assert is_right(await fetched(downloads), content)
    assert len(hub.downloads()) == beyond


async def test_a_server_that_falls_silent(hub: HubServer, make_downloads: MakeDownloads, content: bytes) -> None:
    downloads = make_downloads(timeout=0.3)
    hub.faults = ["stall"]
    assert is_right(await fetched(downloads), content)
    assert [seen.range for seen in hub.downloads()] == [None, "bytes=1000-"]


async def test_whoever_is_told_to_wait_waits(hub: HubServer, downloads: Downloads, content: bytes) -> None:
    hub.retry_after = "0"
    hub.faults = ["status:429"] * 3
    assert is_right(await fetched(downloads), content)


async def test_whoever_is_told_to_wait_for_long_gives_up(hub: HubServer, downloads: Downloads, content: bytes) -> None:
    hub.retry_after = "3600"
    hub.always = "status:429"
    download = await fetched(downloads)
    assert download.error is not None
    assert download.error.code == "hub_busy"
    assert len(hub.downloads()) == 1


@pytest.mark.parametrize("token", [None, "hf_of_somebody_else"])
async def test_a_gated_model_says_where_its_licence_is(
    hub: HubServer, make_downloads: MakeDownloads, content: bytes, token: str | None
) -> None:
    hub.repos["org/name"].gated = True
    downloads = make_downloads(hf_token=token)
    with pytest.raises(NotAllowed, match="accept it at") as raised:
        await downloads.start("org/name")
    assert raised.value.code == "hub_gated"
    assert f"{hub.url}/org/name" in raised.value.message
    assert "HF_TOKEN" in raised.value.message
    assert downloads.all() == []


async def test_a_token_opens_a_gated_model(hub: HubServer, make_downloads: MakeDownloads, content: bytes) -> None:
    hub.repos["org/name"].gated = True
    hub.token = "hf_secret"
    assert is_right(await fetched(make_downloads(hf_token="hf_secret")), content)
    assert {seen.token for seen in hub.downloads()} == {None}


async def test_a_mirror_that_lists_no_sizes(hub: HubServer, downloads: Downloads, content: bytes) -> None:
    hub.repos["org/name"].sizes = False
    download = await downloads.start("org/name")
    assert download.total == len(content)
    assert is_right(await downloads.wait(download.id), content)


@pytest.mark.parametrize("told", ["²", "9" * 5000, "-1", "1e9", ""])
async def test_a_size_that_is_none(hub: HubServer, downloads: Downloads, content: bytes, told: str) -> None:
    """What the hub says of a file's size before it leads on, and what the store says in its place."""
    hub.repos["org/name"].sizes = False
    hub.linked_size = told
    hub.whole_size = told
    with pytest.raises(DownloadFailed) as raised:
        await downloads.start("org/name")
    assert raised.value.code == "no_length"
    hub.whole_size = None
    assert is_right(await fetched(downloads), content)


async def test_a_url_of_a_host_that_the_settings_name(
    hub: HubServer, make_downloads: MakeDownloads, content: bytes
) -> None:
    downloads = make_downloads(download_hosts=[hub.store.removeprefix("http://")])
    digest = hashlib.sha256(content).hexdigest()
    url = f"{hub.store}/{digest}/{FILE}"
    hub.faults = [f"cut:{THIRD}", "etag:new", "etag:new"]  # without a checksum the ETag tells
    assert is_right(await fetched(downloads, url), content)
    assert len(hub.downloads()) == 2
    with pytest.raises(NotAllowed, match="download_hosts"):
        await make_downloads().start(url)


async def test_the_checksum_in_a_url_is_compared(hub: HubServer, make_downloads: MakeDownloads, content: bytes) -> None:
    downloads = make_downloads(download_hosts=["127.0.0.1"])
    digest = hashlib.sha256(content).hexdigest()
    download = await fetched(downloads, f"{hub.store}/{digest}/{FILE}#sha256={'0' * 64}")
    assert download.error is not None
    assert download.error.code == "wrong_content"
    assert is_right(await fetched(downloads, f"{hub.store}/{digest}/{FILE}#sha256={digest}"), content)


async def test_what_is_no_sound_model_is_not_offered(hub: HubServer, downloads: Downloads) -> None:
    hub.add("org/name", {FILE: b"GGUF" + b"\xff" * 5000})
    download = await fetched(downloads)
    assert download.state == "failed"
    assert download.error is not None
    assert download.error.code.startswith("model_file_")
    assert not download.path.exists()


async def test_a_folder_that_cannot_be_written(make_downloads: MakeDownloads, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    download = await fetched(make_downloads(models_dir=tmp_path / "file" / "models"))
    assert download.error is not None
    assert download.error.code == "cannot_write"
