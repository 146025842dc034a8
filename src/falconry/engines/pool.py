"""From a model's name to its engine: started on first use, and at most so many local models in memory.

A local model that nobody uses makes room for another; the least recently used goes first.
"""

from __future__ import annotations

import asyncio
import glob
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from time import monotonic

from falconry.engines.base import ALL_SAMPLING, Engine
from falconry.engines.queue import FairQueue
from falconry.engines.work import Work
from falconry.errors import EngineError, EngineInterrupted, EngineUnavailable, FalconryError, ModelNotFound
from falconry.messages import NO_EXTRAS, Delta, Extras, ModelInfo, Prompt, SamplingParams
from falconry.models import eyas
from falconry.settings import BUILT_IN_MODEL, Endpoint, Settings

PROBE_TIMEOUT = 5.0  # seconds that an endpoint may take to tell what it is


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model that can be chosen: how it is called, how its engine is made, and how many bytes its file has."""

    name: str
    title: str
    kind: str
    make: Callable[[], Engine]
    size: int | None = None

    @property
    def local(self) -> bool:
        """Whether it takes this machine's memory."""
        return self.kind == "llama_cpp"


@dataclass(slots=True)
class _Loaded:
    engine: Engine
    queue: FairQueue
    users: int = 0
    last_used: float = field(default_factory=monotonic)


class EnginePool:
    """The engines of one Falconry.

    Args:
        loaded_models: local models in memory at the same time.
        queue: requests that may wait for one model; further ones are turned away.
        strict: only names of models that there are; otherwise any other name means the default model.

    Attributes:
        work: the generations in progress, waiting ones included.
        on_end: called with each generation when it has ended.
    """

    def __init__(
        self,
        specs: Mapping[str, ModelSpec],
        default: str,
        *,
        loaded_models: int,
        queue: int = 256,
        strict: bool = False,
    ) -> None:
        self._specs = specs
        self._default = default
        self._most = loaded_models
        self._longest_queue = queue
        self._strict = strict
        self._loaded: dict[str, _Loaded] = {}
        self._changed = asyncio.Condition()
        self._interrupted = False
        self.work: set[Work] = set()
        self.on_end: list[Callable[[Work], None]] = []

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

    def models(self) -> list[ModelInfo]:
        """What can be chosen, in the order of the settings."""
        return [
            ModelInfo(
                name=spec.name,
                title=spec.title,
                engine=spec.kind,
                default=spec.name == self._default,
                size=spec.size,
                supports=loaded.engine.supports if (loaded := self._loaded.get(spec.name)) else ALL_SAMPLING,
            )
            for spec in self._specs.values()
        ]

    async def supports(self, name: str) -> frozenset[str]:
        """The names of the sampling params that reach a model. An endpoint is asked what it is; a local model is not
        loaded for it. What cannot be reached is taken to support them all. Raises ModelNotFound."""
        spec = self._specs[self.resolve(name)]
        if not spec.local:
            async with self.engine(spec.name) as engine:
                with suppress(FalconryError, TimeoutError):
                    async with asyncio.timeout(PROBE_TIMEOUT):
                        await engine.context_length()
                        await engine.has_chat_template()
        return next(model.supports for model in self.models() if model.name == spec.name)

    def loaded(self) -> frozenset[str]:
        """The names of the models whose engines are there."""
        return frozenset(self._loaded)

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
            ModelNotFound
            EngineOverloaded: too many wait already; `retry_after` says how long to wait.
            and whatever `Engine.generate` raises.
        """
        work = Work(self.resolve(name), owner, params.max_tokens)
        self.work.add(work)
        error: BaseException | None = None
        try:
            self._await(work)
            loaded = await self._acquire(work.model)
            try:
                async with loaded.queue.place(owner):
                    work.begin()
                    async with aclosing(loaded.engine.generate(prompt, params, extras)) as deltas:
                        async for delta in deltas:
                            work.take(delta)
                            work.waiter = None
                            yield delta
                            self._await(work)
            finally:
                await self._release(loaded)
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
            for notice in self.on_end:
                notice(work)

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

    @asynccontextmanager
    async def engine(self, name: str | None = None) -> AsyncGenerator[Engine, None]:
        """The engine of a model, not to be unloaded inside the context. Raises ModelNotFound."""
        loaded = await self._acquire(self.resolve(name))
        try:
            yield loaded.engine
        finally:
            await self._release(loaded)

    async def _release(self, loaded: _Loaded) -> None:
        loaded.users -= 1
        loaded.last_used = monotonic()
        async with self._changed:
            self._changed.notify_all()

    async def _acquire(self, name: str) -> _Loaded:
        async with self._changed:
            while True:
                loaded = self._loaded.get(name)
                if loaded is None and (not self._specs[name].local or await self._make_room()):
                    loaded = self._loaded[name] = self._load(name)
                if loaded is not None:
                    loaded.users += 1
                    return loaded
                await self._changed.wait()

    def _load(self, name: str) -> _Loaded:
        engine = self._specs[name].make()
        return _Loaded(engine, FairQueue(engine.parallel, self._longest_queue))

    async def _make_room(self) -> bool:
        """Unload until one more local model may be loaded; False while all of them are busy."""
        local = [name for name in self._loaded if self._specs[name].local]
        while len(local) >= self._most:
            idle = [name for name in local if self._loaded[name].users == 0]
            if not idle:
                return False
            oldest = min(idle, key=lambda name: self._loaded[name].last_used)
            local.remove(oldest)
            await self._loaded.pop(oldest).engine.aclose()
        return True

    async def aclose(self) -> None:
        """Stop all engines."""
        engines = [loaded.engine for loaded in self._loaded.values()]
        self._loaded.clear()
        await asyncio.gather(*(engine.aclose() for engine in engines))


def _stopped(work: Work) -> EngineError:
    kind = EngineUnavailable if work.first is None else EngineInterrupted
    return kind("Falconry is being stopped. Ask again when it is back.", code="shutting_down")


def open_pool(settings: Settings) -> EnginePool:
    """The pool that the settings describe. Nothing is started or reached out for yet."""
    specs: dict[str, ModelSpec] = {}

    def add(name: str, title: str, kind: str, make: Callable[[], Engine], path: Path | None = None) -> None:
        free = next(n for i in count(1) if (n := name if i == 1 else f"{name} ({i})") not in specs)
        specs[free] = ModelSpec(free, title if free == name else free, kind, make, _size(path))

    for path in _model_files(settings.models):
        add(path.stem, path.stem, "llama_cpp", _llama_cpp(path, settings), path)
    for endpoint in settings.all_endpoints():
        add(endpoint.name, endpoint.name, endpoint.kind, _remote(endpoint, settings.engine_timeout))
    add(BUILT_IN_MODEL, "Eyas", "llama_cpp", _llama_cpp(eyas.path(), settings), eyas.path())
    if settings.canned:
        add("canned", "Canned replies", "canned", _canned(settings))
    default = settings.model or next(iter(specs))
    if default not in specs:
        raise ModelNotFound(f"There is no model named “{default}”. There are: {', '.join(specs)}.", model=default)
    return EnginePool(
        specs,
        default,
        loaded_models=settings.loaded_models,
        queue=settings.queue_size,
        strict=settings.strict_models,
    )


def _size(path: Path | None) -> int | None:
    """Bytes of a model's file; of one that is split, of all its parts. None where there is none."""
    if path is None:
        return None
    split = re.fullmatch(r"(.+)-\d{5}(-of-\d{5}\.gguf)", path.name)
    try:
        parts = list(path.parent.glob(f"{glob.escape(split[1])}-?????{split[2]}")) if split else [path]
        return sum(part.stat().st_size for part in parts) or None
    except OSError:
        return None


def _model_files(paths: list[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        expanded = path.expanduser()
        files.extend(sorted(expanded.glob("*.gguf")) if expanded.is_dir() else [expanded])
    return files


def _llama_cpp(path: Path, settings: Settings) -> Callable[[], Engine]:
    def make() -> Engine:
        from falconry.engines.llama_cpp import LlamaCppEngine, LlamaCppOptions

        return LlamaCppEngine(
            path,
            LlamaCppOptions(
                context_length=settings.context_length,
                threads=settings.threads,
                slots=settings.slots,
                prompt_cache_mib=settings.prompt_cache_mib,
                llama_server=settings.llama_server,
            ),
        )

    return make


def _remote(endpoint: Endpoint, timeout: float) -> Callable[[], Engine]:
    def make() -> Engine:
        if endpoint.kind == "tgi":
            from falconry.engines.tgi import TGIEngine

            return TGIEngine(endpoint, timeout)
        from falconry.engines.openai import OpenAIEngine

        return OpenAIEngine(endpoint, timeout)

    return make


def _canned(settings: Settings) -> Callable[[], Engine]:
    def make() -> Engine:
        from falconry.engines.canned import CannedEngine

        return CannedEngine(seed=settings.canned_seed, rate=settings.canned_rate, delay=settings.canned_delay)

    return make
