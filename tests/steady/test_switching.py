"""Loading, switching and unloading real models: nothing is left behind, and no message is lost, whatever happens."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from falconry.chat.chat import Chat
from falconry.engines.pool import EnginePool
from falconry.errors import ModelBusy
from falconry.messages import StoredMessage
from falconry.services import open_services
from falconry.settings import Settings
from tests.engines.tiny_gguf import write_reciter
from tests.steady.memory import MIB, open_files, own_bytes, threads

MakeSettings = Callable[..., Settings]
OTHERS = 3  # files that the server and the browser of other tests in this process may open meanwhile
BIRDS = {"falcon": [b"falcon ", b"stoops "], "kestrel": [b"kestrel ", b"hovers "], "owl": [b"owl ", b"listens "]}
SAID = {name: b"".join(pieces).decode() for name, pieces in BIRDS.items()}


@pytest.fixture(scope="session")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small models, and one that never stops writing."""
    folder = tmp_path_factory.mktemp("birds")
    for name, pieces in BIRDS.items():
        write_reciter(folder / f"{name}.gguf", pieces)
    write_reciter(folder / "parrot.gguf", [f"p{n} ".encode() for n in range(40)], endless=True, feed_forward=2048)
    return folder


@dataclass(frozen=True)
class House:
    chat: Chat
    pool: EnginePool

    async def ask(self, model: str, *, conversation: str | None = None) -> tuple[str, StoredMessage]:
        """Ask in a new conversation; its id, and the reply that has just begun."""
        conversation = conversation or (await self.chat.create_conversation()).id
        _, reply = await self.chat.ask(conversation, "Well?", parent_id=None, model=model)
        return conversation, reply

    async def ended(self, reply: StoredMessage) -> StoredMessage:
        """A reply when it has ended."""
        async with asyncio.timeout(60):
            with self.chat.watch(reply.conversation_id) as watcher:
                while self.chat.find(reply.id) is not None:
                    await watcher.wait(5)
        return await self.chat.message(reply.id)

    async def until(self, name: str, *states: str) -> None:
        """Wait until a model is in one of these states."""
        changed = asyncio.Event()
        self.pool.on_change.append(changed.set)
        async with asyncio.timeout(60):
            while self.pool.state(name).state not in states:
                changed.clear()
                await changed.wait()
        self.pool.on_change.remove(changed.set)

    async def child(self, name: str) -> psutil.Process:
        """The process of a model that is being loaded, as soon as there is one."""
        async with asyncio.timeout(30):
            while (resident := self.pool._residents.get(name)) is None or resident.engine.pid is None:  # noqa: ASYNC110
                await asyncio.sleep(0.002)
        return psutil.Process(resident.engine.pid)


@asynccontextmanager
async def house(make_settings: MakeSettings, birds: Path, **options: object) -> AsyncGenerator[House]:
    settings = make_settings(models=[birds], model="falcon", titles="message", prompt_cache_mib=0, slots=1, **options)
    async with open_services(settings) as services:
        await services.shelf.refresh()
        yield House(services.chat, services.pool)


@dataclass(frozen=True)
class Traces:
    """What this process has: bytes, files, threads, processes of models, tasks, folders of sockets."""

    memory: int
    files: int
    threads: int
    children: int
    tasks: int
    folders: int

    @classmethod
    def taken(cls) -> Traces:
        gc.collect()
        me = os.getpid()
        folders = sum(path.name.startswith("falconry-") for path in Path(tempfile.gettempdir()).iterdir())
        return cls(own_bytes(me), open_files(me), threads(me), len(workers()), len(asyncio.all_tasks()), folders)


@pytest.fixture
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets lie where no other test's do."""
    folder = tmp_path / "t"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))


def workers() -> list[psutil.Process]:
    """The processes of local models; the browser of other tests is a child of ours, too."""
    return [child for child in psutil.Process().children(recursive=True) if _is_worker(child)]


def _is_worker(process: psutil.Process) -> bool:
    try:
        return any("llama_cpp_worker" in part for part in process.cmdline())
    except psutil.Error:  # it has ended
        return False


async def switch(there: House, times: int) -> None:
    names = list(BIRDS)
    for number in range(times):
        name = names[number % len(names)]
        await there.pool.load(name)
        _, reply = await there.ask(name)
        assert (await there.ended(reply)).content == SAID[name]
        if number % 2:
            await there.pool.unload(name)


async def leaves_nothing(make_settings: MakeSettings, birds: Path, times: int) -> None:
    async with house(make_settings, birds, loaded_models=1) as there:
        await switch(there, 6)
        await there.pool.unload("owl")
        before = Traces.taken()
        await switch(there, times)
        for name in BIRDS:
            await there.pool.unload(name)
        after = Traces.taken()
    assert after.memory <= before.memory * 1.05 + MIB, (before, after)
    assert after.files <= before.files
    assert after.threads <= before.threads + 1  # asyncio's own helper for blocking work
    assert after.children == before.children == 0
    assert after.folders == before.folders == 0
    assert after.tasks <= before.tasks


@pytest.mark.usefixtures("own_temporary_folder")
async def test_switching_leaves_nothing_behind(make_settings: MakeSettings, birds: Path) -> None:
    await leaves_nothing(make_settings, birds, 6)


@pytest.mark.soak
@pytest.mark.usefixtures("own_temporary_folder")
async def test_fifty_switches_leave_nothing_behind(make_settings: MakeSettings, birds: Path) -> None:
    await leaves_nothing(make_settings, birds, 50)


async def test_a_message_is_answered_by_the_model_that_it_waits_for(make_settings: MakeSettings, birds: Path) -> None:
    async with house(make_settings, birds, loaded_models=1) as there:
        replies = [(name, (await there.ask(name))[1]) for name in [*BIRDS, *BIRDS]]
        for name, reply in replies:
            ended = await there.ended(reply)
            assert (ended.status, ended.content) == ("complete", SAID[name])


async def test_twenty_switches_in_a_second_end_with_the_last_one(make_settings: MakeSettings, birds: Path) -> None:
    names = [list(BIRDS)[number % 3] for number in range(20)]
    async with house(make_settings, birds, loaded_models=1) as there:
        await asyncio.gather(*(there.pool.load(name) for name in names), return_exceptions=True)
        _, reply = await there.ask(names[-1])
        assert (await there.ended(reply)).content == SAID[names[-1]]
        assert there.pool.loaded() == {names[-1]}
        assert len(workers()) == 1


async def test_whoever_switches_while_a_reply_is_written_gets_both(make_settings: MakeSettings, birds: Path) -> None:
    async with house(make_settings, birds, loaded_models=1) as there:
        _, long = await there.ask("parrot")
        await there.until("parrot", "ready")
        _, short = await there.ask("owl")  # there is room for one: it waits
        with pytest.raises(ModelBusy):
            await there.pool.unload("parrot")
        assert (await there.chat.stop(long.id)).status == "stopped"
        assert (await there.ended(short)).content == SAID["owl"]


async def test_a_process_that_is_killed_while_it_loads_is_told_and_tried_again(
    make_settings: MakeSettings, birds: Path
) -> None:
    async with house(make_settings, birds) as there:
        conversation, reply = await there.ask("falcon")
        (await there.child("falcon")).kill()
        ended = await there.ended(reply)
        assert ended.status == "failed"
        assert ended.error is not None
        assert ended.error["code"] == "engine_out_of_memory"  # by whom the kernel does it
        assert there.pool.state("falcon").state == "failed"
        _, other = await there.ask("owl")
        assert (await there.ended(other)).content == SAID["owl"]  # everything else goes on
        again = await there.chat.regenerate(reply.id, model="falcon", head_id=reply.id)
        assert again.conversation_id == conversation
        assert (await there.ended(again)).content == SAID["falcon"]
        assert there.pool.state("falcon").state == "ready"


async def test_a_load_that_hangs_can_be_stopped_and_taken_back(make_settings: MakeSettings, birds: Path) -> None:
    async with house(make_settings, birds) as there:
        _, reply = await there.ask("falcon")
        child = await there.child("falcon")
        child.suspend()
        try:
            _, other = await there.ask("owl")
            assert (await there.ended(other)).content == SAID["owl"]
            assert (await there.chat.stop(reply.id)).status == "stopped"
            await there.pool.unload("falcon")
            assert not psutil.pid_exists(child.pid)
        finally:
            if child.is_running():
                child.send_signal(signal.SIGCONT)
        _, again = await there.ask("falcon")
        assert (await there.ended(again)).content == SAID["falcon"]


async def test_progress_is_what_the_process_has_of_what_it_will_need(make_settings: MakeSettings, birds: Path) -> None:
    async with house(make_settings, birds) as there:
        seen: list[float | None] = []
        there.pool.on_change.append(lambda: seen.append(there.pool.state("falcon").progress))
        await there.pool.load("falcon")
        child = await there.child("falcon")
        child.suspend()  # so that it is looked at while it is half loaded
        await asyncio.sleep(0.6)
        state = there.pool.state("falcon")
        child.resume()
        await there.until("falcon", "ready")
        assert state.state == "loading"
        assert state.progress is not None
        assert 0 <= state.progress < 1
        loaded = there.pool.state("falcon")
        assert loaded.progress is None
        assert loaded.memory is not None
        assert loaded.memory > MIB


async def test_an_idle_model_gives_its_process_back(make_settings: MakeSettings, birds: Path) -> None:
    async with house(make_settings, birds, unload_after=0.01) as there:
        _, reply = await there.ask("falcon")
        await there.ended(reply)
        pid = (await there.child("falcon")).pid
        await there.until("falcon", "unloaded")
        async with asyncio.timeout(10):
            while psutil.pid_exists(pid):  # noqa: ASYNC110 - nobody tells of a process that is gone
                await asyncio.sleep(0.02)
