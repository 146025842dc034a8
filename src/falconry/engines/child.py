"""Questions to a server of our own, and everything that can go wrong with them, translated."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

from falconry.engines.local_http import Response, request
from falconry.engines.supervisor import Launch, State, Supervisor
from falconry.errors import EngineError, EngineInterrupted, FalconryError


class EngineChild:
    """A supervised server of a model; it starts when it is asked for the first time.

    Args:
        failure_of: makes an error of a status of 400 or more and its body.
        advice: what to do about an answer that cannot be read, as a sentence.
    """

    def __init__(self, launch: Launch, failure_of: Callable[[int, bytes], FalconryError], advice: str) -> None:
        self.name = launch.name
        self._supervisor = Supervisor(launch)
        self._failure_of = failure_of
        self._advice = advice

    @property
    def state(self) -> State:
        return self._supervisor.state

    @property
    def pid(self) -> int | None:
        return self._supervisor.pid

    async def start(self) -> None:
        """Start it now; also the way to try again after a crash loop. Raises EngineError."""
        await self._supervisor.start()

    async def restart(self) -> None:
        """End the process, where there is one, and start it anew. Raises EngineError."""
        await self._supervisor.restart()

    async def ask(self, path: str, body: object = None) -> Any:
        """POST a body, or GET where there is none; the JSON of the answer. Raises EngineError, InvalidRequest."""
        async with self.request("GET" if body is None else "POST", path, body) as response:
            return await response.json()

    @asynccontextmanager
    async def request(self, method: str, path: str, body: object = None) -> AsyncGenerator[Response, None]:
        """The answer, to be read inside. `body` may be a function, called when the process is there.

        Raises EngineError, InvalidRequest.
        """
        try:
            async with (
                self._supervisor.use() as address,
                request(address, method, path, body() if callable(body) else body) as response,
            ):
                if response.status >= 400:
                    raise self._failure_of(response.status, await response.read())
                yield response
        except OSError as error:
            raise EngineInterrupted(
                f"{self.name} ended unexpectedly and is started again. Ask again, or let it continue.",
                model=self.name,
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise EngineError(f"{self.name} gave an answer that cannot be read. {self._advice}") from error

    async def aclose(self) -> None:
        """Stop the process; nothing of it is left."""
        await self._supervisor.aclose()
