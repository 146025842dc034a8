"""The life of the child process: crashes, hangs, hanging up, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from time import monotonic

import psutil
import pytest

from falconry.engines import llama_cpp_worker, supervisor
from falconry.engines.llama_cpp import LlamaCppEngine, LlamaCppOptions
from falconry.errors import EngineInterrupted, EngineUnavailable
from falconry.messages import Message, SamplingParams
from tests.engines.tiny_gguf import write_reciter

ENDLESS = SamplingParams(max_tokens=1_000_000, temperature=0.0)
SHORT = SamplingParams(max_tokens=3, temperature=0.0)
QUESTION = [Message("user", "Hello?")]
WORDS = [f"w{number} ".encode() for number in range(50)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that never stops, and takes a millisecond for a token."""
    path = tmp_path_factory.mktemp("models") / "endless.gguf"
    return write_reciter(path, WORDS, endless=True, context_length=32_768, feed_forward=2048)


@pytest.fixture(autouse=True)
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where sockets lie; it is empty again after every test. A short path, as the kernel wants them."""
    with tempfile.TemporaryDirectory(prefix="t") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


@pytest.fixture
def others() -> set[int]:
    """The processes that other tests of this run have started, a browser's for example."""
    return {process.pid for process in psutil.Process().children(recursive=True)}


@asynccontextmanager
async def running(model: Path, slots: int = 2, llama_server: Path | None = None) -> AsyncIterator[LlamaCppEngine]:
    options = LlamaCppOptions(slots=slots, prompt_cache_mib=0, context_length=16_384, llama_server=llama_server)
    engine = LlamaCppEngine(model, options)
    try:
        await engine.start()
        yield engine
    finally:
        await engine.aclose()


def engines_beside(others: set[int]) -> set[int]:
    return {process.pid for process in psutil.Process().children(recursive=True)} - others


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that nobody tells us."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def busy_slots(engine: LlamaCppEngine) -> int:
    return sum(slot["is_processing"] for slot in await engine._child.ask("/slots"))


async def until_busy_slots(engine: LlamaCppEngine, number: int) -> float:
    """Seconds until so many slots work."""
    start = monotonic()
    while await busy_slots(engine) != number:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    return monotonic() - start


async def answer(engine: LlamaCppEngine) -> str:
    async with aclosing(engine.generate(QUESTION, SHORT)) as deltas:
        return "".join([delta.text async for delta in deltas])


def state_of(engine: LlamaCppEngine) -> supervisor.State:
    return engine.state


def pid_of(engine: LlamaCppEngine) -> int:
    assert engine.pid is not None
    return engine.pid


def catches_sigterm(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught & 1 << signal.SIGTERM - 1)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_starts_on_first_use_and_once_for_all_who_ask(model: Path, others: set[int]) -> None:
    engine = LlamaCppEngine(model, LlamaCppOptions(prompt_cache_mib=0, context_length=1024))
    assert state_of(engine) == "stopped"
    asking = [asyncio.create_task(answer(engine)) for _ in range(4)]
    await until(lambda: engine.state == "starting")
    asking[0].cancel()  # who gives up does not stop the others
    assert await asyncio.gather(*asking[1:]) == ["w0 w1 w2 "] * 3
    assert state_of(engine) == "ready"
    assert len(engines_beside(others)) == 1
    await engine.aclose()


async def test_nothing_is_left_after_closing(model: Path, temporary: Path) -> None:
    tasks = asyncio.all_tasks()
    async with running(model) as engine:
        pid = pid_of(engine)
        (folder,) = files_in(temporary)
        assert folder.stat().st_mode & 0o777 == 0o700
        async with aclosing(engine.generate(QUESTION, ENDLESS)) as deltas:
            await anext(deltas)
            await engine.aclose()
            with pytest.raises(EngineInterrupted):
                async for _ in deltas:
                    pass
    assert not psutil.pid_exists(pid)
    assert files_in(temporary) == []
    assert asyncio.all_tasks() == tasks
    with pytest.raises(EngineUnavailable):
        await answer(engine)
    await engine.aclose()


async def test_closing_stops_a_process_that_hangs(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_GRACE", 0.2)
    async with running(model) as engine:
        pid = pid_of(engine)
        os.kill(pid, signal.SIGSTOP)
    assert not psutil.pid_exists(pid)


async def test_closing_while_starting_leaves_nothing(model: Path, temporary: Path, others: set[int]) -> None:
    engine = LlamaCppEngine(model, LlamaCppOptions())
    starting = asyncio.create_task(engine.start())
    await until(lambda: bool(engines_beside(others)))
    await engine.aclose()
    assert engines_beside(others) == set()
    assert files_in(temporary) == []
    with suppress(asyncio.CancelledError, EngineUnavailable):
        await starting


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG")
async def test_nothing_is_left_when_the_server_is_killed(model: Path, temporary: Path) -> None:
    script = (
        "import asyncio, pathlib, sys\n"
        "from falconry.engines.llama_cpp import LlamaCppEngine, LlamaCppOptions\n"
        "async def main():\n"
        "    engine = LlamaCppEngine(pathlib.Path(sys.argv[1]), LlamaCppOptions())\n"
        "    await engine.start()\n"
        "    print(engine.pid, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(model),
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "TMPDIR": str(temporary)},
    )  # fmt: skip
    assert server.stdout is not None
    pid = int(await server.stdout.readline())
    assert len(files_in(temporary)) == 1
    await until(lambda: catches_sigterm(pid))  # from then on it cleans up; before, the kernel kills it
    server.kill()
    await server.wait()
    await until(lambda: gone(pid))
    assert files_in(temporary) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
async def test_a_crash_ends_the_reply_and_the_next_one_works(model: Path, number: signal.Signals) -> None:
    async with running(model) as engine:
        text = ""
        pid = pid_of(engine)
        async with asyncio.timeout(2), aclosing(engine.generate(QUESTION, ENDLESS)) as deltas:
            with pytest.raises(EngineInterrupted):  # noqa: PT012
                async for delta in deltas:
                    if not text:
                        os.kill(pid, number)
                    text += delta.text
        assert text.startswith("w0 ")
        assert await answer(engine) == "w0 w1 w2 "
        assert pid_of(engine) != pid


async def test_an_idle_engine_that_is_killed_comes_back_by_itself(model: Path) -> None:
    async with running(model) as engine:
        pid = pid_of(engine)
        os.kill(pid, signal.SIGKILL)
        await until(lambda: engine.state == "ready" and engine.pid != pid)
        assert await answer(engine) == "w0 w1 w2 "


async def test_five_crashes_in_a_minute_end_the_restarts(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor.Supervisor, "_pause", lambda _: 0.01)
    async with running(model) as engine:
        for _ in range(5):
            await until(lambda: engine.state == "ready")
            pid = pid_of(engine)
            os.kill(pid, signal.SIGSEGV)
            await until(lambda: engine.pid != pid)  # noqa: B023
        assert engine.state == "failed"
        with pytest.raises(EngineUnavailable) as caught:
            await answer(engine)
        assert caught.value.code == "engine_crash_loop"
        await engine.start()
        assert await answer(engine) == "w0 w1 w2 "


async def test_the_pause_before_a_restart_doubles(model: Path) -> None:
    async with running(model) as engine:
        pauses = []
        for _ in range(5):
            pauses.append(engine._child._supervisor._pause())
            engine._child._supervisor._crashes.append(monotonic())
        assert pauses == pytest.approx([0.0, 0.0, 0.4, 0.8, 1.6])


async def test_a_process_that_hangs_is_replaced(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert supervisor._HEALTH_INTERVAL + supervisor._HEALTH_TIMEOUT <= 15
    monkeypatch.setattr(supervisor, "_HEALTH_INTERVAL", 0.2)
    monkeypatch.setattr(supervisor, "_HEALTH_TIMEOUT", 0.5)
    async with running(model) as engine:
        pid = pid_of(engine)
        async with asyncio.timeout(3), aclosing(engine.generate(QUESTION, ENDLESS)) as deltas:
            await anext(deltas)
            os.kill(pid, signal.SIGSTOP)
            with pytest.raises(EngineInterrupted):
                async for _ in deltas:
                    pass
        assert await answer(engine) == "w0 w1 w2 "
        assert not psutil.pid_exists(pid)


async def test_hanging_up_while_decoding_frees_the_slot(model: Path) -> None:
    async with running(model) as engine:
        async with aclosing(engine.generate(QUESTION, ENDLESS)) as deltas:
            await anext(deltas)
            assert await busy_slots(engine) == 1
        assert await until_busy_slots(engine, 0) < 1


async def test_hanging_up_while_the_prompt_is_read_frees_the_slot(tmp_path: Path) -> None:
    slow = write_reciter(tmp_path / "slow.gguf", WORDS, feed_forward=65_536, context_length=16_384)
    async with running(slow) as engine:
        deltas = engine.generate("falcon " * 2000, SHORT)
        reading = asyncio.ensure_future(anext(deltas))
        await until_busy_slots(engine, 1)
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
        assert await until_busy_slots(engine, 0) < 2


async def test_hanging_up_while_queued_leaves_at_once(model: Path) -> None:
    async with running(model, slots=1) as engine:
        async with aclosing(engine.generate(QUESTION, ENDLESS)) as first:
            await anext(first)
            waiting = [asyncio.create_task(answer(engine)) for _ in range(100)]
            await asyncio.sleep(0)
            assert await busy_slots(engine) == 1  # counting and health are not behind the queue
            start = monotonic()
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)
            assert monotonic() - start < 0.5
        async with asyncio.timeout(2):
            assert await answer(engine) == "w0 w1 w2 "


async def test_a_server_of_the_users_own_takes_its_place(model: Path, tmp_path: Path) -> None:
    binary = tmp_path / "llama-server"
    worker = f"{sys.executable} -P {llama_cpp_worker.__file__}"
    binary.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/flags\nexec {worker} "$@"\n')
    binary.chmod(0o755)
    async with running(model, llama_server=binary) as engine:
        assert await answer(engine) == "w0 w1 w2 "
    assert "--parallel 2" in (tmp_path / "flags").read_text()


async def test_a_server_that_is_not_there_is_named(model: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="Check the setting llama_server"):
        async with running(model, llama_server=tmp_path / "none"):
            pass


async def test_nothing_in_our_environment_reaches_the_server(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LLAMA_API_KEY", "LLAMA_ARG_PORT", "AIP_MODE", "HF_API_KEY", "FALCONRY_DATABASE_URL"):
        monkeypatch.setenv(name, "PREDICTION")
    async with running(model) as engine:
        environment = psutil.Process(pid_of(engine)).environ()
        assert "PREDICTION" not in environment.values()
