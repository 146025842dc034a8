"""Who may run together, and who comes next."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from falconry.engines.turns import Turns

pytestmark = pytest.mark.asyncio


class Work:
    """Tasks that take a turn, note that they have it, and keep it until they are let go."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.running: list[str] = []
        self._done: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def begin(self, name: str) -> None:
        """`name` is the kind, and a number to tell it from others."""
        self._done[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._run(name))
        await asyncio.sleep(0)

    async def _run(self, name: str) -> None:
        async with self.turns.take(name[0]):
            self.running.append(name)
            try:
                await self._done[name].wait()
            finally:
                self.running.remove(name)

    async def end(self, name: str) -> None:
        self._done[name].set()
        await self._tasks[name]
        await asyncio.sleep(0)

    async def cancel(self, name: str) -> None:
        self._tasks[name].cancel()
        await asyncio.wait((self._tasks[name],))
        await asyncio.sleep(0)


async def test_the_same_kind_runs_together() -> None:
    work = Work()
    for name in ("a1", "a2", "a3"):
        await work.begin(name)
    assert work.running == ["a1", "a2", "a3"]


async def test_another_kind_waits_until_all_of_the_first_have_ended() -> None:
    work = Work()
    for name in ("a1", "a2", "b1"):
        await work.begin(name)
    await work.end("a1")
    assert work.running == ["a2"]
    await work.end("a2")
    assert work.running == ["b1"]


async def test_nobody_passes_those_who_wait() -> None:
    work = Work()
    for name in ("a1", "b1", "a2", "b2"):
        await work.begin(name)
    assert work.running == ["a1"]
    await work.end("a1")
    assert work.running == ["b1"]
    await work.end("b1")
    assert work.running == ["a2"]
    await work.end("a2")
    assert work.running == ["b2"]


async def test_who_stops_waiting_keeps_nobody_waiting() -> None:
    work = Work()
    for name in ("a1", "b1", "a2"):
        await work.begin(name)
    await work.cancel("b1")
    assert work.running == ["a1", "a2"]


async def test_a_turn_that_came_with_the_cancellation_is_handed_on() -> None:
    work = Work()
    for name in ("a1", "b1", "a2"):
        await work.begin(name)
    work._done["a1"].set()
    await work._tasks["a1"]  # b1 has been let in, and has not run yet
    await work.cancel("b1")
    assert work.running == ["a2"]


async def test_an_error_ends_the_turn() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="broken"):
        async with turns.take("a"):
            raise ValueError("broken")
    async with AsyncExitStack() as stack, asyncio.timeout(1):
        await stack.enter_async_context(turns.take("b"))
