"""What `falconry doctor` looks at, one function a check. Each gives what it found and what to do about it."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from time import monotonic
from typing import Literal, TypeAlias

import httpx

from falconry import __version__
from falconry.cli.browser import find_browser
from falconry.cli.listen import address_of, open_listener, reaches_only_here
from falconry.cli.tables import short_size
from falconry.cli.terminal import Terminal
from falconry.engines.pool import EnginePool
from falconry.engines.shelf import whole_pool
from falconry.engines.specs import LOCAL_KINDS, ModelSpec
from falconry.engines.transformers_launch import EXTRA, missing
from falconry.errors import FalconryError, StorageError
from falconry.messages import Message, ModelInfo, SamplingParams
from falconry.models.advice import free_for_models
from falconry.models.local import find_models
from falconry.models.local_model import LocalModel
from falconry.models.machine import free_memory
from falconry.models.stores.places import unreadable_places
from falconry.settings import BUILT_IN_MODEL, Settings
from falconry.storage.check import check_database, count_users

State: TypeAlias = Literal["ok", "warning", "failed"]
MIB = 2**20
LEAST_MEMORY = 512 * MIB  # free; the built-in model with its caches takes about half of it
LEAST_DISK = 256 * MIB
ENGINE_SECONDS = 60.0  # that a local model has to load and answer
ENDPOINT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. `needed`: without it nobody can chat. `model`: the model that was asked; `default`: it is that."""

    name: str
    state: State
    text: str
    advice: str = ""
    needed: bool = False
    model: str = ""
    default: bool = False


class Doctor:
    """Runs the checks and puts them into the terminal's language."""

    def __init__(self, settings: Settings, terminal: Terminal) -> None:
        self._settings = settings
        self._terminal = terminal
        self._say: Callable[..., str] = terminal.text

    async def checks(self) -> AsyncIterator[Check]:
        """All checks, each as soon as it is known: the quick ones first."""
        yield self.versions()
        yield self.machine()
        yield self.data_folder()
        yield await asyncio.to_thread(self.database)
        yield await asyncio.to_thread(self.people)
        yield await self.port()
        yield self.browser()
        found = await asyncio.to_thread(find_models, self._settings)
        yield self.transformers(found)
        broken = self.broken_files(found)
        for check in broken:
            yield check
        pool = await asyncio.to_thread(whole_pool, self._settings, found)
        try:
            for model in pool.models():
                if model.engine != "canned" and all(model.name != check.model for check in broken):
                    yield await self.any_model(pool, model)
        finally:
            await pool.aclose()

    async def any_model(self, pool: EnginePool, model: ModelInfo) -> Check:
        """The default model, the built-in one and endpoints are asked; of others it is told whether they would fit."""
        spec = pool.spec(model.name)
        if spec.problem is not None:
            name, text = self._say("check_model", name=model.name), self._terminal.error(spec.problem.as_dict())
            return Check(name, "failed", text, default=model.name == self._settings.model)
        if spec.local and not model.default and model.name != BUILT_IN_MODEL:
            return await asyncio.to_thread(self.unloaded, spec)
        return await self.model(pool, model)

    def unloaded(self, spec: ModelSpec) -> Check:
        """A model that is not loaded for this: what it would take of the memory."""
        name = self._say("check_model", name=spec.name)
        try:
            needs, free = spec.needs() if spec.needs else 0, free_for_models(self._settings)
        except FalconryError as error:
            return Check(name, "failed", self._terminal.error(error.as_dict()))
        if free is not None and needs > free and spec.too_large is not None:
            return Check(name, "warning", self._terminal.error(spec.too_large(free).as_dict()))
        return Check(name, "ok", self._say("model_unloaded", needed=short_size(needs)))

    def versions(self) -> Check:
        engine, gradio = _version("xllamacpp"), _version("gradio")
        text = self._say(
            "versions", falconry=__version__, python=platform.python_version(), gradio=gradio, engine=engine
        )
        name = self._say("check_versions")
        if gradio == "-":
            return Check(name, "failed", text, self._say("advice_gradio"), needed=True)
        if engine == "-" and self._settings.llama_server is None:
            return Check(name, "warning", text, self._say("advice_engine"))
        return Check(name, "ok", text)

    def machine(self) -> Check:
        """Memory and cores. A container's own limits are kept in mind, for the machine's do not bind there."""
        name, free = self._say("check_machine"), free_memory()
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        if free is None:
            return Check(name, "ok", self._say("machine_cores", cores=cores))
        text = self._say("machine", free=f"{free / 2**30:.1f}", cores=cores)
        if free < LEAST_MEMORY:
            return Check(name, "warning", text, self._say("advice_memory", least=LEAST_MEMORY // MIB))
        return Check(name, "ok", text)

    def data_folder(self) -> Check:
        name, folder = self._say("check_data"), self._settings.data_dir.expanduser()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"x" * 4096)
            free = shutil.disk_usage(folder).free
        except OSError as error:
            text = self._say("data_unwritable", folder=folder, reason=error.strerror or type(error).__name__)
            return Check(name, "failed", text, self._say("advice_data"), needed=True)
        text = self._say("data", folder=folder.resolve(), free=f"{free / 2**30:.1f}")
        if free < LEAST_DISK:
            return Check(name, "warning", text, self._say("advice_disk"))
        return Check(name, "ok", text)

    def database(self) -> Check:
        name, found = self._say("check_database"), check_database(self._settings.url)
        text = self._say(
            f"database_{found.state}",
            kind=found.kind,
            revision=found.revision or "-",
            size=f"{found.size / MIB:.1f}",
            reason=found.reason,
        )
        if found.state in ("whole", "new", "older"):
            return Check(name, "ok", text)
        return Check(name, "failed", text, self._say(f"advice_database_{found.state}"), needed=True)

    def people(self) -> Check:
        """Who may come in, and from where."""
        name, host = self._say("check_people"), self._settings.host
        try:
            found = count_users(self._settings.url)
        except StorageError as error:  # what is wrong with the database has a line of its own
            return Check(name, "warning", self._terminal.error(error.as_dict()))
        local = reaches_only_here(host) and not self._settings.share
        if not found.all:
            if local:
                return Check(name, "ok", self._say("people_none", host=host))
            text = self._say("people_none_exposed", host=host)
            return Check(name, "failed", text, self._say("advice_people"), needed=True)
        reach = self._say("reach_local" if local else "reach_others", host=host)
        text = self._say("people_some", count=found.all, admins=found.admins, reach=reach)
        return Check(name, "ok", text, "" if local else self._say("advice_exposed"))

    async def port(self) -> Check:
        name = self._say("check_port")
        try:
            with open_listener(self._settings, self._terminal) as listener:
                address = address_of(listener)
                chosen = listener.getsockname()[1]
        except FalconryError as error:
            if await self._runs_already(self._settings.port):
                return Check(name, "ok", self._say("port_ours", port=self._settings.port))
            return self._failed(name, error)
        if self._settings.port in (0, chosen):
            return Check(name, "ok", self._say("port_free", address=address))
        if await self._runs_already(self._settings.port):
            return Check(name, "ok", self._say("port_ours", port=self._settings.port))
        return Check(name, "ok", self._say("port_next", taken=self._settings.port, port=chosen))

    async def _runs_already(self, port: int) -> bool:
        try:
            async with httpx.AsyncClient(timeout=2, trust_env=False) as client:
                answer = await client.get(f"http://127.0.0.1:{port}/health")
                body = answer.json()
        except (httpx.HTTPError, ValueError):
            return False
        return isinstance(body, dict) and "version" in body and body.get("status") == "ok"

    def browser(self) -> Check:
        name, browser = self._say("check_browser"), find_browser()
        text = self._say("browser", name=browser) if browser else self._say("browser_none")
        return Check(name, "ok", text)

    def transformers(self, found: Sequence[LocalModel]) -> Check:
        """Whether models without a GGUF file can run; that they cannot matters where there are some."""
        name, problem = self._say("check_transformers"), missing()
        if problem is None:
            text = self._say("transformers", torch=_version("torch"), transformers=_version("transformers"))
            return Check(name, "ok", text)
        if any(model.format == "safetensors" for model in found):
            return Check(name, "warning", self._terminal.error(problem.as_dict()))
        return Check(name, "ok", self._say("transformers_none", extra=EXTRA))

    def broken_files(self, found: Sequence[LocalModel]) -> list[Check]:
        """The model files on this machine that cannot be used, and folders that cannot be read, with the reason."""
        places = [
            Check(self._say("check_folder"), "warning", self._terminal.error(error.as_dict()))
            for error in unreadable_places(self._settings)
        ]
        return places + [
            Check(
                self._say("check_file", name=model.name),
                "failed" if model.source == "folder" else "warning",  # of other programs' files it is only told
                self._terminal.error(model.problem.as_dict()),
                model=model.name,
            )
            for model in found
            if model.problem is not None and (model.source == "folder" or model.problem.code != "model_file_not_chat")
        ]

    async def model(self, pool: EnginePool, model: ModelInfo) -> Check:
        """Let a model answer, and measure it: a local one its speed, an endpoint its first token's latency."""
        local = model.engine in LOCAL_KINDS
        check = Check(self._say("check_model", name=model.name), "ok", "", model=model.name, default=model.default)
        try:
            async with asyncio.timeout(ENGINE_SECONDS if local else ENDPOINT_SECONDS):
                asked = await _ask(pool, model.name, 64 if local else 1)
        except TimeoutError:
            advice = self._say("advice_engine" if local else "advice_endpoint")
            return replace(check, state="failed", text=self._say("model_silent"), advice=advice)
        except FalconryError as error:  # it says itself what to do
            return replace(check, state="failed", text=self._terminal.error(error.as_dict()))
        if local:
            text = self._say("model_speed", start=f"{asked.load:.1f}", speed=f"{asked.tokens / asked.whole:.0f}")
        else:
            text = self._say("model_latency", milliseconds=round((asked.load + asked.first) * 1000))
        return replace(check, text=text)

    def _failed(self, name: str, error: FalconryError) -> Check:
        return Check(name, "failed", self._terminal.error(error.as_dict()), needed=True)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Seconds until the model was loaded, from then to its first token and to its last, and how many there were."""

    load: float
    first: float
    whole: float
    tokens: int


async def _ask(pool: EnginePool, name: str, max_tokens: int) -> _Asked:
    begun = monotonic()
    first: float | None = None
    pieces, reported = 0, None
    params = SamplingParams(max_tokens=max_tokens, temperature=0)
    async with pool.engine(name) as engine:
        prompt = [Message("user", "Hello")] if await engine.has_chat_template() else "User: Hello\nAssistant:"
        await engine.context_length()  # a local model is loaded now
        loaded = monotonic()
        async with aclosing(engine.generate(prompt, params)) as deltas:
            async for delta in deltas:
                if delta.text or delta.thinking:
                    first = first or monotonic()
                    pieces += 1
                reported = delta.usage.completion_tokens if delta.usage else reported
    ended = monotonic()
    return _Asked(loaded - begun, (first or ended) - loaded, max(ended - loaded, 1e-3), reported or pieces)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "-"
