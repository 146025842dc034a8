"""From a model's name to its engine, loaded on first use, and from there to generations, in turn.

What can be chosen may change at any time (`offer`). Which engines are in memory is the matter of `residents`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from typing import TypeAlias

from falconry.engines.base import ALL_SAMPLING, Engine
from falconry.engines.resident import ModelState, Resident
from falconry.engines.residents import Residents
from falconry.engines.specs import ModelSpec
from falconry.engines.work import Work
from falconry.errors import (
    ContextWindowExceeded,
    EngineError,
    EngineInterrupted,
    EngineOverloaded,
    EngineUnavailable,
    FalconryError,
    ModelNotFound,
)
from falconry.messages import NO_EXTRAS, Delta, Extras, ModelInfo, Prompt, SamplingParams

__all__ = ["EnginePool", "ModelSpec", "ModelState"]

PROBE_TIMEOUT = 5.0  # seconds that an endpoint may take to tell what it is
OnWait: TypeAlias = Callable[[ModelState], None]


class EnginePool:
    """The engines of one Falconry.

    Args:
        specs: what can be chosen, by name, in the order in which it is shown.
        default: the name of the model that answers where none is named.
        loaded_models: local models in memory at the same time; None for as many as fit.
        queue: requests that may wait for one model; further ones are turned away.
        strict: only names of models that there are; otherwise any other name means the default model.
        memory_limit: bytes that local models may take together; None for what the machine has.
        unload_after: seconds after which a local model that nobody uses is unloaded; None for never.
        free_memory: bytes that are free; None where the system does not tell.

    Attributes:
        work: the generations in progress, waiting ones included.
        on_end: called with each generation when it has ended.
        on_change: called, often, when what can be chosen or the state of a model may be another one.
    """

    def __init__(
        self,
        specs: Mapping[str, ModelSpec],
        default: str,
        *,
        loaded_models: int | None,
        queue: int = 256,
        strict: bool = False,
        memory_limit: int | None = None,
        unload_after: float | None = None,
        free_memory: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._specs = dict(specs)
        self._default = default
        self._strict = strict
        self._residents = Residents(
            most=loaded_models,
            queue=queue,
            limit=memory_limit,
            idle=unload_after,
            free=free_memory,
            changed=self._tell,
        )
        self._interrupted = False
        self.work: set[Work] = set()
        self.on_end: list[Callable[[Work], None]] = []
        self.on_change: list[Callable[[], None]] = []

    # -- what can be chosen

    def offer(self, specs: Mapping[str, ModelSpec], default: str) -> None:
        """Replace what can be chosen. What is in use stays until it is done, also where it is gone or another one."""
        before = self._told_of()
        self._specs = dict(specs)
        self._default = default
        self._residents.offer(self._specs)
        if self._told_of() != before:
            self._tell()

    def _told_of(self) -> object:
        """What of the models is told, to see whether it has changed."""
        told = [(spec.name, spec.title, spec.kind, spec.identity, spec.needed) for spec in self._specs.values()]
        return self._default, told, [self._residents.state(spec) for spec in self._specs.values() if not spec.local]

    def resolve(self, name: str | None) -> str:
        """The name of a model, the default's for None. Raises ModelNotFound."""
        if name is None or name == "":
            return self._default
        if name not in self._specs:
            raise ModelNotFound(f"There is no model named “{name[:200]}”. Choose another one.", model=name[:200])
        return name

    def resolve_foreign(self, name: str | None) -> str:
        """The name of the model that a program of somebody else means.

        Such programs come with names that nobody configured (`tgi`, `dummy`, `gpt-4o`, the endpoint's URL). They get
        the default model, unless the settings are strict. Raises ModelNotFound.
        """
        return self.resolve(name if self._strict or name in self._specs else None)

    def spec(self, name: str | None) -> ModelSpec:
        """What is known of a model. Raises ModelNotFound."""
        return self._specs[self.resolve(name)]

    def models(self) -> list[ModelInfo]:
        """What can be chosen, in the order in which it is shown, and how each is."""
        return [self._info(spec) for spec in self._specs.values()]

    def _info(self, spec: ModelSpec) -> ModelInfo:
        resident, state = self._residents.get(spec.name), self.state(spec.name)
        return ModelInfo(
            name=spec.name,
            title=spec.title,
            engine=spec.kind,
            default=spec.name == self._default,
            size=spec.size,
            supports=resident.engine.supports if resident else ALL_SAMPLING,
            state=state.state,
            progress=state.progress,
            memory=state.memory,
            needs=spec.needed,
            problem=state.problem.as_dict() if state.problem else None,
            source=spec.source,
            base=spec.base,
            quantization=spec.quantization,
            parameters=spec.parameters,
            context_length=spec.context_length,
            vision=spec.vision,
        )

    def state(self, name: str) -> ModelState:
        """How a model is. Raises ModelNotFound."""
        return self._residents.state(self.spec(name))

    def title(self, name: str) -> str:
        """What people call a model; its name, where it is gone."""
        spec = self._specs.get(name)
        return spec.title if spec else name

    async def can_continue(self, name: str) -> bool:
        """Whether a model can take up a text that broke off; it is not loaded for it. Raises ModelNotFound."""
        spec = self.spec(name)
        holder = self._holder(spec)
        if (resident := self._residents.get(holder.name)) is not None:
            return resident.engine.can_continue
        engine = holder.make()
        try:
            return engine.can_continue
        finally:
            await engine.aclose()

    async def supports(self, name: str) -> frozenset[str]:
        """The names of the sampling params that reach a model. An endpoint is asked what it is; a local model is not
        loaded for it. What cannot be reached is taken to support them all. Raises ModelNotFound."""
        spec = self.spec(name)
        if not spec.local:
            with suppress(FalconryError, TimeoutError):
                async with asyncio.timeout(PROBE_TIMEOUT), self.engine(spec.name) as engine:
                    await engine.context_length()
                    await engine.has_chat_template()
        return next((model.supports for model in self.models() if model.name == spec.name), ALL_SAMPLING)

    # -- loading

    def loaded(self) -> frozenset[str]:
        """The names of the models whose engines are there."""
        return self._residents.names()

    def proven(self, name: str) -> bool:
        """Whether a model was loaded once as it is now, and has not failed since. Raises ModelNotFound."""
        spec = self._holder(self.spec(name))
        return (spec.name, spec.identity) in self._residents.proven and self.state(name).problem is None

    async def load(self, name: str) -> None:
        """Begin to load a model, also one that has failed; its state tells the rest.

        Raises ModelNotFound, ModelTooLarge, ModelBusy where those in use leave no memory, and the model's own problem.
        """
        spec = self.spec(name)
        if not spec.local:
            return
        self._residents.forgive(spec.name)
        resident = await self._residents.acquire(self._holder(spec), wait=False)
        try:
            if not resident.ready:
                self._residents.begin(resident)
        finally:
            self._residents.release(resident)

    async def unload(self, name: str) -> None:
        """Unload a model, also one that is being loaded. Raises ModelNotFound, ModelBusy while somebody uses it."""
        spec = self.spec(name)
        if spec.local:
            await self._residents.unload(self._holder(spec).name)

    @asynccontextmanager
    async def engine(
        self, name: str | None = None, *, on_wait: OnWait | None = None, used: bool = True
    ) -> AsyncGenerator[Engine, None]:
        """The engine of a model, loaded, and not to be unloaded inside the context.

        Args:
            on_wait: called with the model's state while it is being loaded, or waits for others to make room.
            used: whether this keeps it from being idle; to look whether it lives does not.

        Raises ModelNotFound, ModelTooLarge, EngineError.
        """
        async with self._acquired(self.spec(name), on_wait, used=used) as (_, engine):
            yield engine

    @asynccontextmanager
    async def _acquired(
        self, spec: ModelSpec, on_wait: OnWait | None = None, *, used: bool = True
    ) -> AsyncGenerator[tuple[Resident, Engine], None]:
        if spec.problem is not None:
            raise spec.problem
        with self._watched(spec, on_wait):
            resident = await self._residents.acquire(self._holder(spec))
            try:
                await self._residents.load(resident)
            except BaseException:
                self._residents.release(resident)
                raise
        try:
            yield resident, resident.engine if spec.view is None else resident.seen_by(spec.view, spec.identity)
        finally:
            self._residents.release(resident, used=used)

    def _holder(self, spec: ModelSpec) -> ModelSpec:
        """Whose engine it is: of an adapter, its base."""
        return self.spec(spec.base) if spec.base else spec

    @contextmanager
    def _watched(self, spec: ModelSpec, on_wait: OnWait | None) -> Iterator[None]:
        """Tell how a model is as long as it is waited for; of one that is there, nothing."""
        if on_wait is None or self._residents.state(spec).state == "ready":
            yield
            return

        def tell() -> None:
            on_wait(self._residents.state(spec))

        self.on_change.append(tell)
        try:
            tell()
            yield
        finally:
            self.on_change.remove(tell)

    def _tell(self) -> None:
        for notice in list(self.on_change):
            notice()

    # -- generating

    async def generate(
        self,
        name: str,
        prompt: Prompt,
        params: SamplingParams,
        extras: Extras = NO_EXTRAS,
        *,
        owner: str = "",
    ) -> AsyncGenerator[Delta, None]:
        """Generate with a model when it is the owner's turn. Use it under `contextlib.aclosing`.

        Args:
            owner: id of the person who asks; places are shared out fairly between owners.

        Raises:
            ModelNotFound, ModelTooLarge
            EngineOverloaded: too many wait already; `retry_after` says how long to wait.
            and whatever `Engine.generate` raises.
        """
        spec = self.spec(name)
        work = Work(spec.name, owner, params.max_tokens)
        self.work.add(work)
        error: BaseException | None = None
        try:
            self._await(work)
            async with self._acquired(spec) as (resident, engine), resident.queue.place(owner):
                work.begin()
                async with aclosing(engine.generate(prompt, params, extras)) as deltas:
                    async for delta in deltas:
                        work.take(delta)
                        work.waiter = None
                        yield delta
                        self._await(work)
        except asyncio.CancelledError as raised:
            # Ours, and not that of whoever asked: as `asyncio.timeout` does it.
            if self._interrupted and work.waiter is not None and work.waiter.uncancel() == 0:
                error = _stopped(work)
                raise error from raised
            error = raised
            raise
        except BaseException as raised:
            error = raised
            raise
        finally:
            self.work.discard(work)
            work.end(error)
            self._learn(spec, work, error)
            for notice in self.on_end:
                notice(work)

    def _learn(self, spec: ModelSpec, work: Work, error: BaseException | None) -> None:
        """Keep what is wrong with a model, until it works again. What is wrong with a request is none of it."""
        if work.first is not None and error is None:
            self._residents.note(spec, None)
        elif isinstance(error, EngineError) and spec.name in self._specs and _is_its_own(error, spec):
            self._residents.note(spec, error)

    def _await(self, work: Work) -> None:
        """From here on it is the running task that waits. Raises what `interrupt` makes of a generation."""
        if self._interrupted:
            raise _stopped(work)
        work.waiter = asyncio.current_task()

    def interrupt(self) -> None:
        """End all generations, those that wait and those to come too, with an error that says why."""
        self._interrupted = True
        for work in self.work:
            if work.waiter is not None:
                work.waiter.cancel()

    async def aclose(self) -> None:
        """Stop all engines."""
        await self._residents.aclose()


def _is_its_own(error: EngineError, spec: ModelSpec) -> bool:
    """Whether an error says that a model is out of order. A process of ours that has crashed is started again."""
    if error.code == "shutting_down":
        return False
    if spec.local:
        return isinstance(error, EngineUnavailable)
    return not isinstance(error, ContextWindowExceeded | EngineOverloaded)


def _stopped(work: Work) -> EngineError:
    kind = EngineUnavailable if work.first is None else EngineInterrupted
    return kind("Falconry is being stopped. Ask again when it is back.", code="shutting_down")
