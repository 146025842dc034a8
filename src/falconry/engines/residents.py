"""Which engines are in memory: who gets in, who makes room, and who leaves because nobody uses it.

A local model is let in when its need, read from its header, fits into what is free; another one that nobody uses leaves
for it, the least recently used first. One that is in use is never unloaded: whoever needs its room waits. Letting in is
done one after another, and what was let in counts as if it were loaded, so that two at once do not overbook.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable
from time import monotonic

from falconry.engines.queue import FairQueue
from falconry.engines.resident import ModelState, Resident
from falconry.engines.specs import ModelSpec
from falconry.errors import EngineUnavailable, FalconryError, ModelBusy

_log = logging.getLogger(__name__)

TICK = 0.25  # seconds between two looks at how far a model is loaded
_FAILURES, _WINDOW = 5, 60.0
"""A model that failed to load so many times within so many seconds is left alone until they are over."""
RESERVE = 256 * 2**20
"""Bytes of memory that no model gets: Falconry needs them for itself, and estimates are off by some per cent."""


class Residents:
    """The engines in memory.

    Args:
        most: local models at the same time; None for as many as fit.
        queue: requests that may wait for one of them.
        limit: bytes that all of them may take together; None for what the machine has.
        idle: seconds after which one that nobody uses is unloaded; None for never.
        free: bytes of memory that are free; None where the system does not tell. Called in threads.
        changed: called whenever the state of a model may be another one.
    """

    def __init__(
        self,
        *,
        most: int | None,
        queue: int,
        limit: int | None,
        idle: float | None,
        free: Callable[[], int | None],
        changed: Callable[[], None],
    ) -> None:
        self._most = most
        self._queue = queue
        self._limit = limit
        self._idle = idle
        self._free = free
        self._tell = changed
        self._there: dict[str, Resident] = {}
        self._outdated: list[Resident] = []  # still in use, but what can be chosen by their name is another one
        self._leaving: dict[asyncio.Task[None], Resident] = {}
        self._letting_in = asyncio.Lock()
        self._changed = asyncio.Event()
        self._failures: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_FAILURES))
        self.problems: dict[str, FalconryError] = {}
        self.proven: set[tuple[str, Hashable]] = set()  # names and identities of what was loaded once
        self._disproved: dict[str, FalconryError | None] = {}  # marks of models that have worked since

    def names(self) -> frozenset[str]:
        """Of the models whose engines are there."""
        return frozenset(self._there)

    def get(self, name: str) -> Resident | None:
        return self._there.get(name)

    def state(self, spec: ModelSpec) -> ModelState:
        """How a model is. An adapter is as its base is."""
        resident = self._there.get(spec.base or spec.name)
        mark = spec.mark if spec.mark is not self._disproved.get(spec.name) else None
        problem = spec.problem or self.problems.get(spec.name) or mark
        if resident is not None and spec.local and problem is None:
            return resident.state()
        if problem is not None:
            return ModelState("failed", problem=problem)
        return ModelState("unloaded" if spec.local else "ready")

    # -- coming

    async def acquire(self, spec: ModelSpec, *, wait: bool = True) -> Resident:
        """The engine of a model, made where there is none, and not unloaded before `release`.

        Args:
            wait: until a busy one makes room; otherwise ModelBusy is raised.

        Raises ModelBusy, ModelTooLarge, the spec's own problem, and what kept failing before.
        """
        if spec.problem is not None:
            raise spec.problem
        while (resident := self._there.get(spec.name)) is None:
            self._refuse_failing(spec.name)
            changed = self._changed
            async with self._letting_in:
                if self._there.get(spec.name) is not None:
                    continue
                needs = await self._needs(spec)
                if not spec.local or await self._make_room(spec, needs):
                    engine = spec.make()
                    self._there[spec.name] = Resident(spec, engine, FairQueue(engine.parallel, self._queue), needs)
                    continue
            if not wait:
                raise ModelBusy(
                    f"The models that are in use leave no memory for {spec.title}. Try again when they are done.",
                    code="no_room",
                    model=spec.title,
                )
            await changed.wait()
        resident.users += 1
        if resident.expiry is not None:
            resident.expiry.cancel()
            resident.expiry = None
        return resident

    async def load(self, resident: Resident) -> None:
        """Return when an acquired engine is loaded. Who stops waiting does not stop it. Raises EngineError."""
        if resident.ready or not resident.spec.local:
            return
        await asyncio.shield(self.begin(resident))

    def begin(self, resident: Resident) -> asyncio.Task[None]:
        """Load an acquired engine in the background."""
        if resident.loading is None:
            resident.loading = asyncio.create_task(self._load(resident), name=f"load {resident.spec.name}")
            resident.loading.add_done_callback(_seen)
            self._tell()
        return resident.loading

    def forgive(self, name: str) -> None:
        """Try a model again that failed."""
        self._failures.pop(name, None)
        if self.problems.pop(name, None) is not None:
            self._tell()

    def note(self, spec: ModelSpec, problem: FalconryError | None) -> None:
        """Remember why a model failed; None for one that works."""
        before = self.state(spec)
        if problem is not None:
            self.problems[spec.name] = problem
        else:
            self.problems.pop(spec.name, None)
            self._disproved[spec.name] = spec.mark
        if self.state(spec) != before:
            self._tell()

    async def _load(self, resident: Resident) -> None:
        name = resident.spec.name
        starting = asyncio.ensure_future(resident.engine.start())
        try:
            while not (await asyncio.wait((starting,), timeout=TICK))[0]:
                if resident.measure():
                    self._tell()
            starting.result()
        except asyncio.CancelledError:
            starting.cancel()
            raise
        except FalconryError as error:
            self._failures[name].append(monotonic())
            self.problems[name] = error
            self._leave(resident)  # a new one is made for the next who asks
            raise
        else:
            resident.ready = True
            self.proven.add((name, resident.spec.identity))
            self._failures.pop(name, None)
            self.problems.pop(name, None)
        finally:
            resident.loading = None
            resident.progress = None
            self._wake()

    def _refuse_failing(self, name: str) -> None:
        """Whoever asks for what fails over and over is told at once, and the disk and the cores are left alone."""
        failures, problem = self._failures.get(name), self.problems.get(name)
        if problem and failures and len(failures) == _FAILURES and monotonic() - failures[0] < _WINDOW:
            raise problem

    async def _needs(self, spec: ModelSpec) -> int:
        """Bytes of memory. Where the header does not tell, those of the file."""
        if spec.local and spec.needs is not None:
            return await asyncio.to_thread(spec.needs)
        return (spec.size or 0) if spec.local else 0

    # -- making room

    async def _make_room(self, spec: ModelSpec, needs: int) -> bool:
        """Unload what nobody uses until a model fits in; False while the others are busy. Raises ModelTooLarge."""
        await self._until_gone()
        self._refuse_too_large(spec, needs, await asyncio.to_thread(self._free))
        while True:
            await self._until_gone()
            if self._fits(spec, needs, await asyncio.to_thread(self._free)):
                return True
            idle = [one for one in self._local(self._there.values()) if not one.users]
            if not idle:
                return False
            self._leave(min(idle, key=lambda one: one.last_used))

    async def _until_gone(self) -> None:
        """What is being unloaded has given its memory back after this."""
        if self._leaving:
            await asyncio.wait(list(self._leaving))

    def _fits(self, spec: ModelSpec, needs: int, free: int | None) -> bool:
        there = self._local([*self._there.values(), *self._outdated])
        if self._most is not None and len(there) >= self._most:
            return False
        if self._limit is not None and sum(one.needs for one in there) + needs > self._limit and there:
            return False
        if spec.keep or free is None:
            return True
        return needs + RESERVE <= free - sum(one.outstanding() for one in there)

    def _refuse_too_large(self, spec: ModelSpec, needs: int, free: int | None) -> None:
        """Raise ModelTooLarge for what would not fit if it were alone, before anything is unloaded for it."""
        if free is not None:
            free += sum(one.gives_back() for one in self._local([*self._there.values(), *self._outdated]))
            free = max(0, free - RESERVE)
        limits = [limit for limit in (free, self._limit) if limit is not None]
        if spec.keep or not limits or needs <= min(limits):
            return
        if spec.too_large is not None:
            raise spec.too_large(min(limits))
        raise EngineUnavailable(
            f"There is not enough memory for {spec.title}. Choose a smaller model, or set a smaller context_length.",
            code="engine_out_of_memory",
            model=spec.title,
        )

    def _local(self, residents: Iterable[Resident]) -> list[Resident]:
        return [one for one in residents if one.spec.local]

    # -- leaving

    def release(self, resident: Resident, *, used: bool = True) -> None:
        """Whoever acquired it does not need it any more. `used`: so that it counts as used just now."""
        resident.users -= 1
        if used:
            resident.last_used = monotonic()
        if not resident.users:
            if resident in self._outdated:
                self._leave(resident)
            elif self._there.get(resident.spec.name) is resident:
                self._expire_later(resident)
        self._wake()

    def _expire_later(self, resident: Resident) -> None:
        if self._idle is None or resident.spec.keep or not resident.spec.local:
            return

        def expire() -> None:
            if self._there.get(resident.spec.name) is resident and not resident.users:
                _log.info("%s is unloaded, for nobody uses it", resident.spec.name)
                self._leave(resident)

        rest = resident.last_used + self._idle - monotonic()
        resident.expiry = asyncio.get_running_loop().call_later(max(0.0, rest), expire)

    async def unload(self, name: str) -> None:
        """Unload a model now, also one that is being loaded and that nobody waits for. Raises ModelBusy."""
        resident = self._there.get(name)
        if resident is None:
            return
        if resident.users:
            raise ModelBusy(
                f"{resident.spec.title} is in use. Stop its replies first, or wait until they are done.",
                model=resident.spec.title,
            )
        await asyncio.shield(self._leave(resident))

    def offer(self, specs: dict[str, ModelSpec]) -> None:
        """What can be chosen is another now: engines that are not among it leave, those in use when they are free."""
        for name, resident in list(self._there.items()):
            spec = specs.get(name)
            if spec is not None and spec.identity == resident.spec.identity and spec.kind == resident.spec.kind:
                resident.spec = spec
            elif resident.users:
                self._outdated.append(self._there.pop(name))
            else:
                self._leave(resident)
        for name in self.problems.keys() - specs.keys():
            del self.problems[name]
        self._disproved = {name: mark for name, mark in self._disproved.items() if name in specs}

    def _leave(self, resident: Resident) -> asyncio.Task[None]:
        """Take an engine away, in the background."""
        if self._there.get(resident.spec.name) is resident:
            del self._there[resident.spec.name]
        elif resident in self._outdated:
            self._outdated.remove(resident)
        if resident.expiry is not None:
            resident.expiry.cancel()
        task = asyncio.create_task(_close(resident), name=f"unload {resident.spec.name}")
        self._leaving[task] = resident
        task.add_done_callback(self._left)
        self._tell()
        return task

    def _left(self, task: asyncio.Task[None]) -> None:
        del self._leaving[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("A model was not unloaded cleanly", exc_info=error)
        self._wake()

    def _wake(self) -> None:
        """Those who wait for room look again."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        self._tell()

    async def aclose(self) -> None:
        """Stop all engines."""
        for resident in [*self._there.values(), *self._outdated]:
            self._leave(resident)
        if self._leaving:
            await asyncio.gather(*self._leaving, return_exceptions=True)


async def _close(resident: Resident) -> None:
    if (loading := resident.loading) is not None:
        loading.cancel()
        await asyncio.wait((loading,))
    await resident.engine.aclose()


def _seen(task: asyncio.Task[None]) -> None:
    """An error of a load that nobody waits for is kept as the model's problem, and is no news for the log."""
    if not task.cancelled():
        task.exception()
