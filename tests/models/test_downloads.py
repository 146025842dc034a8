"""Downloads as they are started, watched, stopped, and gone on with."""

from __future__ import annotations

import asyncio
import json
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from falconry.errors import DownloadNotFound, InvalidRequest, NotEnoughSpace, NotFound
from falconry.models.download import Download
from falconry.models.download_plan import FOLDER, DownloadFolder, Plan, PlannedFile, Stored
from falconry.models.downloads import Downloads
from tests.models.conftest import MakeDownloads
from tests.models.hub_server import HubServer, model_bytes

FILE = "m-Q4_K_M.gguf"
SLOW = 400_000  # bytes per second: 0.7 s for a model


@pytest.fixture
def content(hub: HubServer, tmp_path: Path) -> bytes:
    made = model_bytes(tmp_path)
    hub.add("org/name", {FILE: made})
    return made


async def until(downloads: Downloads, true: Callable[[], bool]) -> None:
    """Wait for a change that makes it true."""
    changed = asyncio.Event()
    downloads.on_change.append(changed.set)
    async with asyncio.timeout(20):
        while not true():
            await changed.wait()
            changed.clear()
    downloads.on_change.remove(changed.set)


async def begun(downloads: Downloads, wanted: str = "org/name") -> Download:
    """A download of which something has arrived."""
    download = await downloads.start(wanted)
    await until(downloads, lambda: downloads.get(download.id).done > 0)
    return download


async def test_it_is_told_of_from_the_beginning_to_the_end(
    hub: HubServer, downloads: Downloads, content: bytes
) -> None:
    hub.rate = SLOW
    told: list[Download] = []
    arrived: list[Download] = []
    downloads.on_change.append(lambda: told.extend(downloads.all()))
    downloads.on_done.append(arrived.append)
    download = await downloads.start("org/name")
    assert (download.title, download.model, download.total) == ("org/name:Q4_K_M", "m-Q4_K_M", len(content))
    assert download.files == (FILE,)
    assert not download.path.exists()
    ended = await downloads.wait(download.id)
    assert ended.state == "done"
    assert [one.id for one in arrived] == [download.id]
    moving = [one.done for one in told if one.state == "running"]
    assert len(set(moving)) > 2
    assert moving == sorted(moving)
    assert ended.path.read_bytes() == content
    assert not stat.S_IMODE(ended.path.stat().st_mode) & 0o111


async def test_speed_and_time_left(hub: HubServer, downloads: Downloads, tmp_path: Path) -> None:
    hub.add("org/name", {FILE: model_bytes(tmp_path, size=800_000)})
    hub.rate = SLOW
    download = await downloads.start("org/name")
    await until(downloads, lambda: downloads.get(download.id).speed is not None)
    now = downloads.get(download.id)
    assert now.speed is not None
    assert now.remaining is not None
    assert now.speed < 2 * SLOW
    assert now.remaining == pytest.approx((now.total - now.done) / now.speed, rel=0.2)
    await downloads.wait(download.id)


async def test_who_asks_for_the_same_gets_the_same(hub: HubServer, downloads: Downloads, content: bytes) -> None:
    hub.rate = SLOW
    words = ["org/name", "org/name:Q4_K_M", f"org/name/{FILE}", f"{hub.url}/org/name"]
    started = await asyncio.gather(*(downloads.start(word) for word in words))
    assert len({download.id for download in started}) == 1
    assert len(downloads.all()) == 1
    assert (await downloads.wait(started[0].id)).state == "done"
    assert len(hub.downloads()) == 1


async def test_two_processes_that_want_the_same_share_one(
    hub: HubServer, make_downloads: MakeDownloads, content: bytes
) -> None:
    """Two `Downloads` hold locks of their own, as two processes do."""
    hub.rate = SLOW / 4
    first, second = make_downloads(), make_downloads()
    download = await begun(first)
    arrived: list[str] = []
    second.on_done.append(lambda done: arrived.append(done.model))
    same = await second.start("org/name")
    assert same.id == download.id
    await until(second, lambda: 0 < second.get(same.id).done < len(content))
    with pytest.raises(InvalidRequest, match="Another program"):
        await second.cancel(same.id)
    hub.rate = None
    ends = await asyncio.gather(first.wait(download.id), second.wait(download.id))
    assert [end.state for end in ends] == ["done", "done"]
    assert arrived == ["m-Q4_K_M"]
    assert len(hub.downloads()) == 1


async def test_whoever_waits_goes_on_when_the_other_dies(
    hub: HubServer, make_downloads: MakeDownloads, content: bytes
) -> None:
    hub.rate = SLOW
    first, second = make_downloads(), make_downloads()
    download = await begun(first)
    await second.start("org/name")
    await until(second, lambda: second.get(download.id).state == "running")
    await first.aclose()
    hub.rate = None
    ended = await second.wait(download.id)
    assert ended.state == "done"
    assert ended.path.read_bytes() == content
    assert [seen.range is None for seen in hub.downloads()] == [True, False]


@pytest.mark.parametrize("ending", ["paused", "cancelled"])
async def test_whoever_waits_hears_how_the_other_ended(
    hub: HubServer, make_downloads: MakeDownloads, content: bytes, ending: str
) -> None:
    hub.rate = SLOW
    first, second = make_downloads(), make_downloads()
    download = await begun(first)
    await second.start("org/name")
    await (first.pause if ending == "paused" else first.cancel)(download.id)
    assert (await second.wait(download.id)).state == ending


async def test_a_cancelled_one_leaves_nothing(hub: HubServer, downloads: Downloads, content: bytes) -> None:
    hub.rate = SLOW
    download = await begun(downloads)
    assert (await downloads.cancel(download.id)).state == "cancelled"
    folder = download.path.parents[2]
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    assert (await downloads.cancel(download.id)).state == "cancelled"
    hub.rate = None
    again = await downloads.start("org/name")
    assert (await downloads.wait(again.id)).state == "done"


async def test_a_paused_one_keeps_what_it_has(hub: HubServer, downloads: Downloads, content: bytes) -> None:
    hub.rate = SLOW
    download = await begun(downloads)
    paused = await downloads.pause(download.id)
    assert paused.state == "paused"
    hub.rate = None
    hub.seen.clear()
    again = await downloads.start("org/name")
    assert again.done > 0
    assert (await downloads.wait(again.id)).path.read_bytes() == content
    assert hub.downloads()[0].range is not None


async def test_only_what_has_ended_is_taken_off_the_list(hub: HubServer, downloads: Downloads, content: bytes) -> None:
    hub.rate = SLOW
    download = await begun(downloads)
    with pytest.raises(InvalidRequest, match="still running"):
        await downloads.remove(download.id)
    await downloads.pause(download.id)
    await downloads.remove(download.id)
    assert downloads.all() == []
    assert not (download.path.parents[2] / FOLDER / download.id).exists()
    with pytest.raises(DownloadNotFound):
        downloads.get(download.id)
    with pytest.raises(DownloadNotFound):
        await downloads.cancel(download.id)


async def test_after_a_restart_it_goes_on_by_itself(
    hub: HubServer, make_downloads: MakeDownloads, content: bytes
) -> None:
    hub.rate = SLOW
    first = make_downloads()
    download = await begun(first)
    await first.aclose()
    hub.rate = None
    hub.seen.clear()
    second = make_downloads()
    second.watch()
    async with asyncio.timeout(2):
        await until(second, lambda: bool(second.all()))
    ended = await second.wait(download.id)
    assert ended.state == "done"
    assert ended.path.read_bytes() == content
    assert [seen.range is not None for seen in hub.downloads()] == [True]


async def test_after_a_restart_it_waits_where_the_settings_say_so(
    hub: HubServer, make_downloads: MakeDownloads, content: bytes
) -> None:
    hub.rate = SLOW
    first = make_downloads()
    await begun(first)
    await first.aclose()
    second = make_downloads(resume_downloads=False)
    second.watch()
    await until(second, lambda: bool(second.all()))
    (found,) = second.all()
    assert found.state == "paused"
    assert found.done > 0
    # Cancelled by another process, it leaves the list here too.
    other = make_downloads()
    await other.start("org/name")
    await other.cancel(found.id)
    await until(second, lambda: not second.all())


async def test_what_another_process_begins_is_followed(
    hub: HubServer, make_downloads: MakeDownloads, content: bytes
) -> None:
    hub.rate = SLOW / 4
    server, pull = make_downloads(), make_downloads()
    arrived: list[str] = []
    server.on_done.append(lambda done: arrived.append(done.model))
    server.watch()
    download = await begun(pull)
    await until(server, lambda: any(one.done > 0 for one in server.all()))
    hub.rate = None
    await pull.wait(download.id)
    assert (await server.wait(download.id)).state == "done"
    assert arrived == ["m-Q4_K_M"]
    assert len(hub.downloads()) == 1


async def test_a_failure_is_told_after_a_restart_too(
    hub: HubServer, make_downloads: MakeDownloads, content: bytes
) -> None:
    hub.always, hub.faults = "status:403", ["cut:1000"]
    first = make_downloads()
    failed = await first.wait((await first.start("org/name")).id)
    await first.aclose()
    second = make_downloads()
    second.watch()
    await until(second, lambda: bool(second.all()))
    (found,) = second.all()
    assert found.state == "failed"
    assert found.done == 1000
    assert found.error is not None
    assert failed.error is not None
    assert found.error.as_dict() == failed.error.as_dict()


async def test_several_files_come_together_or_not_at_all(hub: HubServer, downloads: Downloads, tmp_path: Path) -> None:
    files = {FILE: model_bytes(tmp_path, seed=1), "mmproj-F16.gguf": model_bytes(tmp_path, seed=2)}
    hub.add("org/name", files)
    hub.faults = ["", *["status:403"] * 9]
    failed = await downloads.wait((await downloads.start("org/name")).id)
    assert failed.state == "failed"
    assert not failed.path.exists()
    hub.faults = []
    ended = await downloads.wait((await downloads.start("org/name")).id)
    assert {path.name: path.read_bytes() for path in ended.path.parent.iterdir()} == files
    assert len([seen for seen in hub.downloads() if seen.range is None]) <= 6


async def test_a_projector_that_is_there_is_not_fetched_again(
    hub: HubServer, downloads: Downloads, tmp_path: Path
) -> None:
    files = {
        FILE: model_bytes(tmp_path, seed=1),
        "m-Q8_0.gguf": model_bytes(tmp_path, seed=2),
        "mmproj-F16.gguf": model_bytes(tmp_path, seed=3),
    }
    hub.add("org/name", files)
    for wanted in ("org/name", "org/name:Q8_0"):
        assert (await downloads.wait((await downloads.start(wanted)).id)).state == "done"
    assert len(hub.downloads()) == 3


async def test_what_is_there_is_compared_and_not_fetched(hub: HubServer, downloads: Downloads, content: bytes) -> None:
    ended = await downloads.wait((await downloads.start("org/name")).id)
    again = await downloads.wait((await downloads.start("org/name")).id)
    assert again.state == "done"
    assert len(hub.downloads()) == 1
    ended.path.write_bytes(content[:-1] + b"!")
    mended = await downloads.wait((await downloads.start("org/name")).id)
    assert mended.path.read_bytes() == content


async def test_a_folder_of_safetensors(hub: HubServer, downloads: Downloads) -> None:
    files = {"config.json": b'{"model_type": "llama"}', "model.safetensors": b"x" * 3000, "tokenizer.json": b"{}"}
    hub.add("org/name", {**files, "modeling.py": b"import os", "pytorch_model.bin": b"\x80\x04" * 2000})
    ended = await downloads.wait((await downloads.start("org/name")).id)
    assert ended.state == "done"
    assert ended.model == "org/name"
    assert {path.name: path.read_bytes() for path in ended.path.iterdir()} == files


async def test_small_files_are_checked_too(
    hub: HubServer, downloads: Downloads, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"config.json": b"{}", "model.safetensors": b"x" * 3000}
    hub.add("org/name", files)
    download = await downloads.start("org/name")
    hub.repos["org/name"].files["config.json"] = b"[]"
    ended = await downloads.wait(download.id)
    assert ended.error is not None
    assert ended.error.code == "wrong_content"


async def test_no_room_is_told_before_anything_is_fetched(
    hub: HubServer, make_downloads: MakeDownloads, content: bytes, tmp_path: Path
) -> None:
    downloads = make_downloads(reserve=2**60)
    with pytest.raises(NotEnoughSpace, match="are needed and") as raised:
        await downloads.start("org/name")
    assert raised.value.details["needed"] == 2**60 + len(content)
    assert raised.value.details["free"] == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.1)
    assert hub.downloads() == []
    assert downloads.all() == []


async def test_what_is_nowhere_is_told_to_whoever_asks(downloads: Downloads) -> None:
    for wanted in ("org/nothing", "nothing-in-the-catalogue"):
        with pytest.raises(NotFound):
            await downloads.start(wanted)
    assert downloads.all() == []


BROKEN = [
    {"plan": 3},
    {"plan": {"files": [{"size": "much"}]}},
    {"plan": {"files": [{"size": -1}]}},
    {"plan": {"files": [{"size": 1e300}]}},
    {"plan": {"files": [{"url": None}]}},
    {"plan": {"files": [{"checksum": {"algorithm": "md5", "value": "x"}}]}},
    {"plan": {"files": [{"checksum": {"algorithm": "sha256", "value": 3}}]}},
    {"plan": {"folder": None}},
    {"plan": {"title": ["x"]}},
    {"plan": {"format": "pickle"}},
    {"state": "lost"},
    {"error": "text"},
    {"etags": {"m.gguf": 3}},
    {"etags": []},
]


@pytest.mark.parametrize("broken", BROKEN)
def test_what_we_did_not_write_is_left_alone(tmp_path: Path, broken: dict[str, Any]) -> None:
    """One value of a file of ours is another one, in every place where it could be."""
    folder = DownloadFolder(tmp_path)
    stored = Stored(Plan("x", "x", "org/m", (PlannedFile("http://x/", "m.gguf", 5),), "gguf", "m"), "running", None)
    folder.save(stored)
    (path,) = folder.path.glob("*.json")
    written = json.loads(path.read_text())
    assert folder.load() == {stored.plan.id: stored}
    plan = broken.get("plan")
    if isinstance(plan, dict):
        files = [{**written["plan"]["files"][0], **file} for file in plan.get("files", [{}])]
        broken = {**broken, "plan": {**written["plan"], **plan, "files": files}}
    path.write_text(json.dumps({**written, **broken}))
    assert folder.load() == {}


async def test_a_folder_of_very_many_files_keeps_nobody_waiting(hub: HubServer, downloads: Downloads) -> None:
    files = {f"model-{number:05d}.safetensors": b"" for number in range(1999)}
    hub.add("org/many", {"config.json": b"{}", **files})
    began = time.monotonic()
    download = await downloads.start("org/many")
    assert len(download.files) == 2000
    await downloads.cancel(download.id)
    assert time.monotonic() - began < 8
    hub.add("org/more", {"config.json": b"{}", **files, "model-x.safetensors": b""})
    with pytest.raises(NotFound, match=r"2000 × \.safetensors"):
        await downloads.start("org/more")


async def test_files_that_are_not_ours_do_no_harm(
    hub: HubServer, make_downloads: MakeDownloads, content: bytes, tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "models" / FOLDER
    folder.mkdir(parents=True)
    plan = {"wanted": "x", "title": "x", "folder": "../..", "format": "gguf", "model": "x", "repository": None}
    evil = {"plan": {**plan, "files": [{"url": "http://x/", "path": "m.gguf", "size": 1, "checksum": None}]}}
    (folder / "a.json").write_text(json.dumps({**evil, "state": "running", "error": None, "etags": {}}))
    (folder / "b.json").write_text("[" * 100_000)
    (folder / "c.json").write_bytes(b"\xff\xfe")
    assert DownloadFolder(tmp_path / "data" / "models").load() == {}
    downloads = make_downloads()
    downloads.watch()
    assert (await downloads.wait((await downloads.start("org/name")).id)).state == "done"
    assert len(downloads.all()) == 1
