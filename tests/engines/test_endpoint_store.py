"""The file of endpoints: private, whole, shared by processes, and never in the way."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from falconry.engines import endpoint_store
from falconry.engines.endpoint_store import EndpointStore, StoredEndpoint
from falconry.errors import InvalidRequest, NotFound, StorageError

KEY = "sk-do-not-show-me"


def box(name: str = "box", url: str = "https://a.example/v1", key: str | None = KEY) -> StoredEndpoint:
    return StoredEndpoint(name, url, api_key=SecretStr(key) if key else None, models=("m",))


def test_what_is_stored_comes_back_and_is_nobody_elses(tmp_path: Path) -> None:
    EndpointStore(tmp_path / "new").add(box())
    again = EndpointStore(tmp_path / "new")
    assert again.all() == (box(),)
    assert stat.S_IMODE(again.path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert KEY not in repr(again.all())
    again.remove("box")
    assert EndpointStore(tmp_path / "new").all() == ()


def test_names_are_unique_and_there_is_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_store, "MOST_ENDPOINTS", 2)
    store = EndpointStore(tmp_path)
    store.add(box())
    with pytest.raises(InvalidRequest, match="named “box” already"):
        store.add(box())
    store.add(box(url="https://b.example"), replace=True)
    assert [each.url for each in store.all()] == ["https://b.example"]
    store.add(box("second"))
    with pytest.raises(InvalidRequest, match="2 endpoints at most"):
        store.add(box("third"))
    with pytest.raises(NotFound):
        store.remove("nobody")


@pytest.mark.parametrize("url", ["https://b.example/v1", "http://a.example/v1", "https://a.example:8443/v1"])
def test_a_key_is_bound_to_scheme_host_and_port(tmp_path: Path, url: str) -> None:
    store = EndpointStore(tmp_path)
    store.add(box())
    store.path.write_text(store.path.read_text().replace("https://a.example/v1", url))
    (read,) = EndpointStore(tmp_path).all()
    assert (read.url, read.api_key) == (url, None)
    store.path.write_text(store.path.read_text().replace(url, "https://A.example:443/other"))
    (read,) = EndpointStore(tmp_path).all()
    assert read.api_key is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"format": 1}',
        '{"format": 1, "endpoints": [3]}',
        '{"format": "x", "endpoints": []}',
        '{"format": 1, "endpoints": [{"name": "a", "url": "file:///etc/passwd"}]}',
        "[" * 100_000,
        "\x00" * 100,
    ],
)
def test_a_file_that_cannot_be_understood_is_set_aside(tmp_path: Path, text: str) -> None:
    store = EndpointStore(tmp_path)
    store.path.write_text(text)
    assert store.all() == ()
    assert store.problem is not None
    assert store.problem.code == "endpoints_file_broken"
    (aside,) = tmp_path.glob("endpoints.json.broken-*")
    assert aside.read_text() == text
    store.add(box())
    assert EndpointStore(tmp_path).all() == (box(),)


def test_what_we_wrote_is_never_too_large_to_be_read(tmp_path: Path) -> None:
    """As many models as can be chosen, with names as long as can be: none of the keys is lost over it."""
    models = tuple(f"{number:03d}" + "模" * 297 for number in range(200))
    stored = [replace(box(f"box {number}"), models=models) for number in range(15)]
    store = EndpointStore(tmp_path)
    for each in stored:
        store.add(each)
    assert store.path.stat().st_size > 5_000_000
    again = EndpointStore(tmp_path)
    assert again.all() == tuple(stored)
    assert again.problem is None


def test_a_file_of_a_newer_falconry_is_left_alone(tmp_path: Path) -> None:
    store = EndpointStore(tmp_path)
    store.path.write_text('{"format": 2, "endpoints": {}}')
    assert store.all() == ()
    with pytest.raises(StorageError, match="newer Falconry"):
        store.add(box())
    assert store.path.read_text() == '{"format": 2, "endpoints": {}}'


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        EndpointStore(tmp_path / "file" / "below").add(box())


def test_what_another_process_writes_is_seen(tmp_path: Path) -> None:
    ours, theirs = EndpointStore(tmp_path), EndpointStore(tmp_path)
    assert ours.all() == ()
    theirs.add(box())
    assert ours.all() == (box(),)
    theirs.remove("box")
    theirs.add(box("bix"))  # as many bytes as before
    assert [each.name for each in ours.all()] == ["bix"]
    theirs.path.unlink()
    assert ours.all() == ()


def test_of_processes_that_add_at_once_none_is_lost(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from falconry.engines.endpoint_store import EndpointStore, StoredEndpoint\n"
        "store = EndpointStore(Path(sys.argv[1]))\n"
        "for number in range(10): store.add(StoredEndpoint(f'{sys.argv[2]}-{number}', 'http://a'))\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(number)]) for number in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert len({each.name for each in EndpointStore(tmp_path).all()}) == 30
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = EndpointStore(tmp_path)
    store.add(box())
    before = json.loads(store.path.read_text())

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        store.add(box("second"))
    assert json.loads(store.path.read_text()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["endpoints.json", "endpoints.lock"]
