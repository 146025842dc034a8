"""All downloads of a Falconry: started once however many ask, going on after a restart, told of as they move."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from falconry.errors import FalconryError, InvalidRequest, NotEnoughSpace
from falconry.models import download_errors as errors
from falconry.models.download_plan import ACTIVE, DownloadFolder, Plan, State, Stored
from falconry.models.fetch import Patience
from falconry.models.hub import Hub
from falconry.models.meter import Meter
from falconry.models.part import RESERVE
from falconry.models.planner import Find, make_plan
from falconry.models.transfer import Transfer, is_held, locked
from falconry.settings import Settings

logger = logging.getLogger(__name__)

AT_ONCE = 2
"""Downloads that run at the same time; more of them only share the same line."""
WATCH = 1.0
"""Seconds between two looks at what other processes have begun to fetch."""
_TELL_EVERY = 0.25


@dataclass(frozen=True, slots=True)
class Download:
    """How a download stands.

    Attributes:
        total, done: bytes.
        speed: bytes per second, None while nobody can tell.
        remaining: seconds, None while nobody can tell.
        path: the model's file or folder, once it is there.
        model: the name under which it can then be chosen.
    """

    id: str
    wanted: str
    title: str
    files: tuple[str, ...]
    total: int
    done: int
    speed: float | None
    remaining: float | None
    state: State
    error: FalconryError | None
    path: Path
    model: str


@dataclass(slots=True)
class _Entry:
    """A download as it is worked on."""

    plan: Plan
    state: State
    done: int = 0
    error: FalconryError | None = None
    etags: dict[str, str] = field(default_factory=dict)
    meter: Meter = field(default_factory=Meter)
    task: asyncio.Task[None] | None = None
    elsewhere: bool = False
    """Another process fetches it, and we look on."""
    ending: State | None = None
    """What it is to be when its task is cancelled; None when only we end."""


class Downloads:
    """One per process.

    Args:
        memory: bytes that a model may take here, for the choice of a quantisation; None for any.
        find: looks up a short name in the catalogue.
        hub: by default the one that the settings name, made when it is needed: that takes 0.2 s.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        memory: Callable[[], int | None] = lambda: None,
        find: Find = lambda _name, _memory: None,
        hub: Hub | None = None,
        patience: Patience | None = None,
        reserve: int = RESERVE,
    ) -> None:
        self._settings = settings
        self._folder = DownloadFolder(settings.models_folder)
        self._memory = memory
        self._find = find
        self._patience = patience
        self._reserve = reserve
        self._hosts = frozenset(host.lower() for host in settings.download_hosts)
        self._entries: dict[str, _Entry] = {}
        self._places = asyncio.Semaphore(AT_ONCE)
        self._hub = hub
        self._watching: asyncio.Task[None] | None = None
        self._telling: asyncio.TimerHandle | None = None
        self.on_change: list[Callable[[], None]] = []
        """Called in the event loop whenever something has changed, four times a second at most."""
        self.on_done: list[Callable[[Download], None]] = []
        """Called in the event loop once for each model that has arrived."""

    def watch(self) -> None:
        """Go on with what was being fetched when we ended, and follow what other processes fetch. Waits for nothing."""
        self._watching = asyncio.create_task(self._watch())

    def all(self) -> list[Download]:
        """Every download that is not forgotten yet, in the order in which they began."""
        return [self._told(entry) for entry in self._entries.values()]

    def get(self, download_id: str) -> Download:
        """Raises DownloadNotFound."""
        return self._told(self._entry(download_id))

    async def start(self, wanted: str) -> Download:
        """Begin to fetch a model, or go on; whoever wants what is being fetched already gets that download.

        Raises InvalidRequest, NotFound, NotAllowed, NotEnoughSpace, DownloadFailed, each with a sentence.
        """
        if self._hub is None:
            self._hub = await asyncio.to_thread(Hub.from_settings, self._settings)
        memory = await asyncio.to_thread(self._memory)
        plan = await make_plan(wanted, self._hub, hosts=self._hosts, find=self._find, memory=memory)
        running = self._entries.get(plan.id)
        if running is not None and running.state in ACTIVE:
            return self._told(running)
        await asyncio.to_thread(self._check_space, plan)
        running = self._entries.get(plan.id)  # somebody else may have asked meanwhile
        if running is None or running.state not in ACTIVE:
            running = self._begin(plan)
        return self._told(running)

    async def wait(self, download_id: str) -> Download:
        """Wait until a download ends, however it does. Raises DownloadNotFound."""
        entry = self._entry(download_id)
        if entry.task is not None:
            await asyncio.wait([entry.task])
        return self._told(entry)

    async def cancel(self, download_id: str) -> Download:
        """End a download and remove what has been fetched. Raises DownloadNotFound, InvalidRequest."""
        return await self._stop(download_id, "cancelled")

    async def pause(self, download_id: str) -> Download:
        """End a download for now: what has been fetched is kept. Raises DownloadNotFound, InvalidRequest."""
        return await self._stop(download_id, "paused")

    async def remove(self, download_id: str) -> None:
        """Take a download that has ended off the list, with what was fetched of it and is not complete.

        Raises DownloadNotFound, InvalidRequest while it runs.
        """
        entry = self._entry(download_id)
        if entry.state in ACTIVE:
            raise InvalidRequest("This download is still running. Cancel it first.", code="download_running")
        del self._entries[download_id]
        await asyncio.to_thread(self._folder.forget, download_id)
        self._changed()

    async def aclose(self) -> None:
        """End. What is being fetched goes on at the next start."""
        tasks = [entry.task for entry in self._entries.values() if entry.task is not None]
        tasks += [self._watching] if self._watching is not None else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._telling is not None:
            self._telling.cancel()

    # One download

    def _begin(self, plan: Plan, *, etags: Mapping[str, str] | None = None) -> _Entry:
        entry = _Entry(plan, "waiting", done=self._folder.done(plan), etags=dict(etags or {}))
        self._entries.pop(plan.id, None)  # it goes to the end of the list
        self._entries[plan.id] = entry
        entry.task = asyncio.create_task(self._run(entry))
        self._changed()
        return entry

    async def _run(self, entry: _Entry) -> None:
        try:
            async with locked(self._folder, entry.plan.id, lambda: self._look_on(entry)) as waited:
                entry.elsewhere = False
                if waited and await self._has_ended_elsewhere(entry):
                    return
                try:
                    await self._transfer(entry)
                except asyncio.CancelledError:
                    await asyncio.shield(self._stopped(entry))
                    raise
        except FalconryError as error:
            self._failed(entry, error)
        except Exception:  # the edge of a task: it is logged, and shown
            logger.exception("The download %s failed.", entry.plan.title)
            self._failed(entry, errors.unexpected(entry.plan.title))
        finally:
            self._changed()

    async def _transfer(self, entry: _Entry) -> None:
        hub = self._hub
        if hub is None:
            hub = self._hub = await asyncio.to_thread(Hub.from_settings, self._settings)
        entry.done = await asyncio.to_thread(self._folder.done, entry.plan)
        await self._keep(entry)
        async with self._places:
            hub.require_online()
            transfer = Transfer(
                entry.plan,
                self._folder,
                hub,
                etags=entry.etags,
                on_state=lambda state: self._in_state(entry, state),
                on_bytes=lambda count: self._count(entry, count),
                on_etag=lambda: self._save(entry),
                patience=self._patience,
                reserve=self._reserve,
            )
            await transfer.run()
        self._arrived(entry)

    async def _stopped(self, entry: _Entry) -> None:
        """What is left of a download whose task was cancelled."""
        if entry.ending == "cancelled":
            await asyncio.to_thread(self._folder.forget, entry.plan.id)
        if entry.ending is not None:
            entry.state = entry.ending
        if entry.ending == "paused":
            await self._keep(entry)

    async def _stop(self, download_id: str, ending: State) -> Download:
        entry = self._entry(download_id)
        if entry.elsewhere:
            raise InvalidRequest(
                "Another program on this machine fetches this model. Stop it there.", code="download_elsewhere"
            )
        if entry.state in ACTIVE and entry.task is not None:
            entry.ending = ending
            entry.task.cancel()
            await asyncio.wait([entry.task])
            if entry.state in ACTIVE:  # it had not even begun
                entry.state = ending
                if ending == "cancelled" and not await asyncio.to_thread(is_held, self._folder, download_id):
                    await asyncio.to_thread(self._folder.forget, download_id)
        elif entry.state in ("failed", "paused") and ending == "cancelled":
            await asyncio.to_thread(self._folder.forget, download_id)
            entry.state = "cancelled"
        self._changed()
        return self._told(entry)

    def _arrived(self, entry: _Entry) -> None:
        entry.state, entry.done = "done", entry.plan.total
        for tell in self.on_done:
            tell(self._told(entry))

    def _failed(self, entry: _Entry, error: FalconryError) -> None:
        entry.state, entry.error = "failed", error
        if self._folder.is_kept(entry.plan.id):
            self._save(entry)

    def _in_state(self, entry: _Entry, state: State) -> None:
        if state != entry.state:
            entry.state = state
            self._changed()

    def _count(self, entry: _Entry, count: int) -> None:
        entry.done += count
        entry.meter.add(max(0, count))
        self._changed()

    async def _keep(self, entry: _Entry) -> None:
        try:
            await asyncio.to_thread(self._folder.save, self._stored(entry))
        except OSError as error:
            raise errors.cannot_write(str(self._folder.path), error.strerror or str(error)) from None

    def _save(self, entry: _Entry) -> None:
        try:
            self._folder.save(self._stored(entry))
        except OSError as error:
            logger.warning("The state of a download cannot be kept: %s", error.strerror or error)

    def _stored(self, entry: _Entry) -> Stored:
        error = entry.error.as_dict() if entry.error is not None else None
        return Stored(entry.plan, entry.state, error, dict(entry.etags))

    def _check_space(self, plan: Plan) -> None:
        """Raises NotEnoughSpace. What the others still have to fetch counts as taken."""
        folder = self._settings.models_folder
        while not folder.exists() and folder.parent != folder:
            folder = folder.parent
        others = sum(
            entry.plan.total - entry.done
            for entry in self._entries.values()
            if entry.state in ACTIVE and entry.plan.id != plan.id
        )
        missing = plan.total - self._folder.done(plan)
        needed = missing + others + self._reserve
        free = shutil.disk_usage(folder).free
        if missing and needed > free:
            raise NotEnoughSpace(needed, free, str(self._settings.models_folder))

    # What other processes do, and what one of ours left

    async def _watch(self) -> None:
        while True:
            stored = await asyncio.to_thread(self._folder.load)
            for download_id, one in stored.items():
                if self._folder.is_kept(download_id):  # ours may have ended while it was read
                    self._found(one)
            for download_id, entry in list(self._entries.items()):
                if entry.state == "paused" and not self._folder.is_kept(download_id):
                    del self._entries[download_id]  # another process has cancelled it
                    self._changed()
            await asyncio.sleep(WATCH)

    def _found(self, stored: Stored) -> None:
        """Somebody began this: we, another process that may still be at it, or one that has ended."""
        known = self._entries.get(stored.plan.id)
        if known is not None and (known.state in ACTIVE or stored.state not in ACTIVE):
            return
        if stored.state in ACTIVE and self._settings.resume_downloads:
            self._begin(stored.plan, etags=stored.etags)
            return
        state: State = "paused" if stored.state in ACTIVE else stored.state
        entry = _Entry(stored.plan, state, self._folder.done(stored.plan), _error(stored.error), dict(stored.etags))
        self._entries[stored.plan.id] = entry
        self._changed()

    def _look_on(self, entry: _Entry) -> None:
        entry.elsewhere = True
        done = self._folder.done(entry.plan)
        entry.meter.add(max(0, done - entry.done))
        entry.done = done
        entry.state = "verifying" if done == entry.plan.total else "running"
        self._changed()

    async def _has_ended_elsewhere(self, entry: _Entry) -> bool:
        """What became of what another process fetched. False where it was cut off, and we go on with it."""
        stored = (await asyncio.to_thread(self._folder.load)).get(entry.plan.id)
        if stored is not None and stored.state in ACTIVE:
            entry.etags.update(stored.etags)
            return False
        if stored is not None:
            entry.state, entry.error = stored.state, _error(stored.error)
        elif all(self._folder.target(entry.plan, file).is_file() for file in entry.plan.files):
            self._arrived(entry)
        else:
            entry.state = "cancelled"
        return True

    # Telling

    def _entry(self, download_id: str) -> _Entry:
        try:
            return self._entries[download_id]
        except KeyError:
            raise errors.download_not_found(download_id) from None

    def _told(self, entry: _Entry) -> Download:
        plan = entry.plan
        speed = entry.meter.speed() if entry.state == "running" else None
        target = self._folder.models / plan.folder
        return Download(
            id=plan.id,
            wanted=plan.wanted,
            title=plan.title,
            files=tuple(file.path for file in plan.files),
            total=plan.total,
            done=min(entry.done, plan.total),
            speed=speed,
            remaining=(plan.total - entry.done) / speed if speed else None,
            state=entry.state,
            error=entry.error,
            path=target / plan.files[0].path if plan.format == "gguf" else target,
            model=plan.model,
        )

    def _changed(self) -> None:
        """Tell soon, and once for all that happens until then."""
        if self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(_TELL_EVERY, self._tell)

    def _tell(self) -> None:
        self._telling = None
        for tell in list(self.on_change):
            tell()


def _error(stored: Mapping[str, Any] | None) -> FalconryError | None:
    """An error as it was written down."""
    if stored is None:
        return None
    details = stored.get("details")
    known = {str(name): value for name, value in details.items()} if isinstance(details, Mapping) else {}
    error = FalconryError(str(stored.get("message", "")), code=str(stored.get("code", "")))
    error.details = known
    return error
