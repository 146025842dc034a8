"""Keeps one server process running: started on first use, watched, restarted after a crash, stopped without a trace.

It knows processes, sockets and HTTP health checks, and nothing of models.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import socket
import sys
import tempfile
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Literal, TypeAlias

from falconry.engines.local_http import Address, request
from falconry.errors import EngineError, EngineUnavailable

State: TypeAlias = Literal["stopped", "starting", "ready", "failed"]

_log = logging.getLogger(__name__)

_POLL = 0.05
"""Seconds between two looks at a process that is starting."""
_HEALTH_INTERVAL, _HEALTH_TIMEOUT = 5.0, 10.0
"""A process that hangs is replaced 15 seconds after it fell silent at the latest."""
_GRACE = 3.0
"""Seconds between asking a process to end and killing it."""
_CRASHES, _CRASH_WINDOW = 5, 60.0
"""So many crashes within so many seconds are a loop."""
_LOG_LINES, _LOG_LINE = 100, 1000
"""The end of its log that is kept, in lines and characters of a line."""
_LONGEST_SOCKET_PATH = 100  # 108 bytes on Linux, 104 on macOS


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start.

    Attributes:
        name: what the process is called in messages.
        command: makes the command line for the address to listen on, in a thread; where that has a key, the process
            finds it in its environment as LLAMA_API_KEY. Raises EngineError.
        environment: all of its environment.
        explain: makes an error of a process that ended while starting: exit code (negative: signal), its log.
        timeout: seconds until it must be ready.
    """

    name: str
    command: Callable[[Address], Sequence[str]]
    environment: Mapping[str, str]
    explain: Callable[[int, Sequence[str]], EngineError]
    timeout: float


class _Process:
    """One process, its address and the end of its log."""

    def __init__(self, folder: Path | None, address: Address, process: asyncio.subprocess.Process) -> None:
        self.address = address
        self.process = process
        self.log: deque[str] = deque(maxlen=_LOG_LINES)
        self.exited = asyncio.create_task(self._wait())
        self._folder = folder

    async def _wait(self) -> int:
        """Read the log until the process ends; give its exit code and leave nothing behind."""
        assert self.process.stderr is not None  # noqa: S101 - both are pipes
        assert self.process.stdin is not None  # noqa: S101
        rest = ""
        while block := await self.process.stderr.read(_LOG_LINE):
            *lines, rest = (rest + block.decode("utf-8", "replace")).split("\n")
            rest = rest[-_LOG_LINE:]
            self.log.extend(lines)
            for line in lines:
                _log.debug("%d: %s", self.process.pid, line)
        self.log.append(rest)
        code = await self.process.wait()
        self.process.stdin.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        return code

    async def healthy(self) -> bool:
        """Whether it answers and is ready. Raises OSError when nobody listens."""
        async with request(self.address, "GET", "/health") as response:
            await response.read()
            return response.status == 200

    async def stop(self) -> None:
        """Ask it to end, then make it; returns when it is gone."""
        with suppress(ProcessLookupError):
            self.process.terminate()
        await asyncio.wait((self.exited,), timeout=_GRACE)
        if not self.exited.done():
            self.kill()
        await self.exited

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()


class Supervisor:
    """Owns the process. All methods belong to one event loop."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._process: _Process | None = None
        self._launched: _Process | None = None  # one that is not ready yet
        self._starting: asyncio.Task[_Process] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._users = 0
        self._used = asyncio.Event()
        self._crashes: deque[float] = deque(maxlen=_CRASHES)
        self._failed = False
        self._closed = False
        self.restarts = 0

    @property
    def state(self) -> State:
        if self._process is not None:
            return "ready"
        if self._starting is not None:
            return "starting"
        return "failed" if self._failed else "stopped"

    @property
    def pid(self) -> int | None:
        """Process id, also of one that is still starting; None while there is none."""
        child = self._process or self._launched
        return child.process.pid if child else None

    async def start(self) -> None:
        """Start now, also after a crash loop. Raises EngineError."""
        self._crashes.clear()
        await self._ready()

    async def restart(self) -> None:
        """End the process, where there is one, and start it anew. Raises EngineError."""
        if self._starting is not None:
            await asyncio.wait((self._starting,))
        await self._end()
        await self.start()

    @asynccontextmanager
    async def use(self) -> AsyncGenerator[Address, None]:
        """The address of the running process, started where needed; inside, it is watched for hanging.

        Raises EngineUnavailable, EngineError.
        """
        process = await self._ready()
        self._users += 1
        self._used.set()
        try:
            yield process.address
        except OSError:
            # Whoever is told asks again at once, and must not meet the same dead process.
            await asyncio.wait((process.exited,), timeout=1.0)
            if self._process is process and process.exited.done():
                self._process = None
            raise
        finally:
            self._users -= 1

    async def aclose(self) -> None:
        """Stop the process; nothing of it is left."""
        self._closed = True
        await self._end()

    async def _end(self) -> None:
        for task in (self._starting, self._watching):
            if task is not None:
                task.cancel()
                await asyncio.wait((task,))
        self._starting = self._watching = None
        if self._process is not None:
            process, self._process = self._process, None
            await process.stop()

    async def _ready(self) -> _Process:
        if self._closed:
            raise EngineUnavailable(f"{self._launch.name} was stopped. Try again.", model=self._launch.name)
        if self._process is not None:
            return self._process
        if self._in_crash_loop():
            raise EngineUnavailable(
                f"{self._launch.name} crashed {_CRASHES} times within a minute and is left alone for a minute. "
                "Choose another model, or look into the log.",
                code="engine_crash_loop",
                model=self._launch.name,
            )
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
            self._starting.add_done_callback(self._started)
        # Shielded: who stops waiting does not stop the start for the others.
        return await asyncio.shield(self._starting)

    def _started(self, task: asyncio.Task[_Process]) -> None:
        self._starting = None
        self._failed = not task.cancelled() and task.exception() is not None
        if task.cancelled() or self._failed:
            return
        self._process = task.result()
        if self._closed:
            self._process.kill()
            return
        self._watching = asyncio.create_task(self._watch(self._process))

    async def _start(self) -> _Process:
        await asyncio.sleep(self._pause())
        launch = self._launch
        folder, address = _new_address()
        try:
            process = await asyncio.create_subprocess_exec(
                *await asyncio.to_thread(launch.command, address),
                env={**launch.environment, **({"LLAMA_API_KEY": address.key} if address.key else {})},
                cwd=folder,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
        except BaseException:
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        child = self._launched = _Process(folder, address, process)
        try:
            await self._wait_until_ready(child)
        except BaseException:
            child.kill()
            await asyncio.wait((child.exited,))
            raise
        finally:
            self._launched = None
        return child

    async def _wait_until_ready(self, child: _Process) -> None:
        deadline = monotonic() + self._launch.timeout
        while monotonic() < deadline:
            if child.exited.done():
                code = child.exited.result()
                if code < 0:
                    self._crashes.append(monotonic())
                raise self._launch.explain(code, child.log)
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(_HEALTH_TIMEOUT):
                    if await child.healthy():
                        return
            await asyncio.wait((child.exited,), timeout=_POLL)
        raise EngineUnavailable(
            f"{self._launch.name} was not ready after {self._launch.timeout:.0f} seconds. "
            "Choose a smaller model, or a faster disk.",
            model=self._launch.name,
        )

    async def _watch(self, child: _Process) -> None:
        """Replace the process when it hangs or crashes."""
        while not child.exited.done():
            await self._wait_for_use(child)
            if self._users and not child.exited.done() and not await self._answers(child):
                _log.warning("%s hangs and is replaced", self._launch.name)
                self._process = None
                child.kill()
                await asyncio.wait((child.exited,))
        if self._process is child:
            self._process = None
        self._crashes.append(monotonic())
        last = next((line for line in reversed(child.log) if line.strip()), "")
        _log.warning("%s ended with code %d: %s", self._launch.name, child.exited.result(), last)
        await self._restart()

    async def _wait_for_use(self, child: _Process) -> None:
        """Until the next health check is due; nobody wakes up for a process that nobody uses."""
        if not self._users:
            self._used.clear()
            used = asyncio.create_task(self._used.wait())
            try:
                await asyncio.wait((child.exited, used), return_when=asyncio.FIRST_COMPLETED)
            finally:
                used.cancel()
        await asyncio.wait((child.exited,), timeout=_HEALTH_INTERVAL)

    async def _answers(self, child: _Process) -> bool:
        try:
            async with asyncio.timeout(_HEALTH_TIMEOUT):
                return await child.healthy()
        except (OSError, TimeoutError):
            return child.exited.done()

    async def _restart(self) -> None:
        if self._in_crash_loop():
            self._failed = True
            _log.error("%s crashed %d times within a minute", self._launch.name, _CRASHES)
            return
        self.restarts += 1
        with suppress(EngineError):  # the next one who asks is told
            await self._ready()

    def _pause(self) -> float:
        """Seconds to wait before starting: none at first, doubling with every crash of the last minute."""
        recent = sum(monotonic() - crash < _CRASH_WINDOW for crash in self._crashes)
        return 0.1 * 2**recent if recent > 1 else 0.0

    def _in_crash_loop(self) -> bool:
        return len(self._crashes) == _CRASHES and monotonic() - self._crashes[0] < _CRASH_WINDOW


def _new_address() -> tuple[Path | None, Address]:
    """A Unix socket in a folder that only we can enter; loopback with a key where there are none."""
    if sys.platform == "win32":
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return None, Address("127.0.0.1", probe.getsockname()[1], secrets.token_urlsafe(32))
    folder = tempfile.mkdtemp(prefix="falconry-")
    if len(folder) > _LONGEST_SOCKET_PATH - len("/llama.sock"):
        Path(folder).rmdir()
        folder = tempfile.mkdtemp(prefix="falconry-", dir="/tmp")
    return Path(folder), Address(f"{folder}/llama.sock")
