"""Questions to a llama-server of our own; those to its model say with which of its adapters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from falconry.engines.child import EngineChild
from falconry.engines.llama_adapters import Adapter, Adapters
from falconry.engines.llama_server import failure_of
from falconry.engines.local_http import Response
from falconry.engines.supervisor import Launch
from falconry.engines.turns import Turns


class LlamaChild(EngineChild):
    """A supervised llama-server; it starts when it is asked for the first time.

    Args:
        adapters: those that the launch's command hands to the process.
    """

    def __init__(self, launch: Launch, adapters: Adapters | None = None) -> None:
        super().__init__(launch, failure_of, "If llama_server is set, update it.")
        self._adapters = adapters or Adapters()
        self._turns = Turns()
        self._restarting: asyncio.Task[None] | None = None

    async def restart(self) -> None:
        """Start it anew, with the adapters as they are now, once the requests in flight have ended; others wait.

        Not for whoever is inside a request. Raises EngineError.
        """
        if self._restarting is None:
            self._restarting = asyncio.create_task(self._restart())
            self._restarting.add_done_callback(self._restarted)
        # Shielded: nobody who stops waiting leaves a process half stopped.
        await asyncio.shield(self._restarting)

    async def _restart(self) -> None:
        async with self._turns.take("restart"):
            await super().restart()

    def _restarted(self, task: asyncio.Task[None]) -> None:
        self._restarting = None
        if not task.cancelled():
            task.exception()  # whoever waited has been told

    def generate(
        self, path: str, body: Mapping[str, object], adapter: Adapter | None
    ) -> AbstractAsyncContextManager[Response]:
        """As `request`, of what makes the model generate, with an adapter or the base alone."""
        # Which adapters there are is known when the process runs.
        return self.request("POST", path, lambda: self._with_adapter(body, adapter))

    async def ask_model(self, path: str, body: Mapping[str, object], adapter: Adapter | None) -> Any:
        """The JSON of the answer to the same."""
        async with self.generate(path, body, adapter) as response:
            return await response.json()

    def _with_adapter(self, body: Mapping[str, object], adapter: Adapter | None) -> Mapping[str, object]:
        lora = self._adapters.scales(adapter)
        return {**body, "lora": lora} if lora else body

    @asynccontextmanager
    async def request(self, method: str, path: str, body: object = None) -> AsyncGenerator[Response, None]:
        """As that of every child, but never while it starts anew."""
        async with self._turns.take("request"), super().request(method, path, body) as response:
            yield response

    async def aclose(self) -> None:
        """Stop the process; nothing of it is left."""
        if self._restarting is not None:
            self._restarting.cancel()
            await asyncio.wait((self._restarting,))
        await super().aclose()
