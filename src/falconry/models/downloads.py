"""All downloads of a Falconry: started once however many ask, going on after a restart, told of as they move."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from falconry.errors import FalconryError, InvalidRequest
from falconry.models import download_errors as errors
from falconry.models.download import Download, Entry, error_of
from falconry.models.download_plan import ACTIVE, DownloadFolder, Plan, State, Stored
from falconry.models.fetch import Patience
from falconry.models.hub import Hub
from falconry.models.planner import Find, make_plan
from falconry.models.space import RESERVE, require_space
from falconry.models.transfer import Transfer, locked
from falconry.settings import Settings

logger = logging.getLogger(__name__)

AT_ONCE = 2
"""Downloads that run at the same time; more of them only share the same line."""
WATCH = 1.0
"""Seconds between two looks at what other processes have begun to fetch."""
_TELL_EVERY = 0.25


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
        self._entries: dict[str, Entry] = {}
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
        if running is not None and running.is_active:
            return self._told(running)
        await asyncio.to_thread(self._check_space, plan)
        running = self._entries.get(plan.id)  # somebody else may have asked meanwhile
        if running is None or not running.is_active:
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
        if entry.is_active:
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

    def _begin(self, plan: Plan, *, etags: Mapping[str, str] | None = None) -> Entry:
        entry = Entry(plan, "waiting", done=self._folder.done(plan), etags=dict(etags or {}))
        self._entries.pop(plan.id, None)  # it goes to the end of the list
        self._entries[plan.id] = entry
        entry.task = asyncio.create_task(self._run(entry))
        self._changed()
        return entry

    async def _run(self, entry: Entry) -> None:
        try:
            async with locked(self._folder, entry.plan.id, lambda: self._look_on(entry)) as waited:
                entry.elsewhere = False
                entry.settled.set()
                try:
                    if not (waited and await self._has_ended_elsewhere(entry)):
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
            entry.settled.set()
            self._changed()

    async def _transfer(self, entry: Entry) -> None:
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

    async def _stopped(self, entry: Entry) -> None:
        """What is left of a download whose task was cancelled."""
        if entry.ending == "cancelled":
            await asyncio.to_thread(self._folder.forget, entry.plan.id)
        if entry.ending is not None:
            entry.state = entry.ending
        if entry.ending == "paused":
            await self._keep(entry)

    async def _stop(self, download_id: str, ending: State) -> Download:
        entry = self._entry(download_id)
        if entry.is_active:
            await entry.settled.wait()
        if entry.elsewhere:
            raise InvalidRequest(
                "Another program on this machine fetches this model. Stop it there.", code="download_elsewhere"
            )
        if entry.is_active and entry.task is not None:
            entry.ending = ending
            entry.task.cancel()
            await asyncio.wait([entry.task])
        elif entry.state in ("failed", "paused") and ending == "cancelled":
            await asyncio.to_thread(self._folder.forget, download_id)
            entry.state = "cancelled"
        self._changed()
        return self._told(entry)

    def _arrived(self, entry: Entry) -> None:
        entry.state, entry.done = "done", entry.plan.total
        for tell in self.on_done:
            tell(self._told(entry))

    def _failed(self, entry: Entry, error: FalconryError) -> None:
        entry.state, entry.error = "failed", error
        if self._folder.is_kept(entry.plan.id):
            self._save(entry)

    def _in_state(self, entry: Entry, state: State) -> None:
        if state != entry.state:
            entry.state = state
            self._changed()

    def _count(self, entry: Entry, count: int) -> None:
        entry.done += count
        entry.meter.add(max(0, count))
        self._changed()

    async def _keep(self, entry: Entry) -> None:
        try:
            await asyncio.to_thread(self._folder.save, entry.stored())
        except OSError as error:
            raise errors.cannot_write(str(self._folder.path), error.strerror or str(error)) from None

    def _save(self, entry: Entry) -> None:
        try:
            self._folder.save(entry.stored())
        except OSError as error:
            logger.warning("The state of a download cannot be kept: %s", error.strerror or error)

    def _check_space(self, plan: Plan) -> None:
        """Raises NotEnoughSpace. What the others still have to fetch counts as taken."""
        others = sum(
            entry.plan.total - entry.done
            for entry in self._entries.values()
            if entry.is_active and entry.plan.id != plan.id
        )
        require_space(self._folder.models, plan.total - self._folder.done(plan), others + self._reserve)

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
        if known is not None and (known.is_active or stored.state not in ACTIVE):
            return
        if stored.state in ACTIVE and self._settings.resume_downloads:
            self._begin(stored.plan, etags=stored.etags)
            return
        state: State = "paused" if stored.state in ACTIVE else stored.state
        entry = Entry(stored.plan, state, self._folder.done(stored.plan), error_of(stored.error), dict(stored.etags))
        self._entries[stored.plan.id] = entry
        self._changed()

    def _look_on(self, entry: Entry) -> None:
        entry.elsewhere = True
        entry.settled.set()
        done = self._folder.done(entry.plan)
        entry.meter.add(max(0, done - entry.done))
        entry.done = done
        entry.state = "verifying" if done == entry.plan.total else "running"
        self._changed()

    async def _has_ended_elsewhere(self, entry: Entry) -> bool:
        """What became of what another process fetched. False where it was cut off, and we go on with it."""
        stored = (await asyncio.to_thread(self._folder.load)).get(entry.plan.id)
        if stored is not None and stored.state in ACTIVE:
            entry.etags.update(stored.etags)
            return False
        if stored is not None:
            entry.state, entry.error = stored.state, error_of(stored.error)
        elif all(self._folder.target(entry.plan, file).is_file() for file in entry.plan.files):
            self._arrived(entry)
        else:
            entry.state = "cancelled"
        return True

    # Telling

    def _entry(self, download_id: str) -> Entry:
        try:
            return self._entries[download_id]
        except KeyError:
            raise errors.download_not_found(download_id) from None

    def _told(self, entry: Entry) -> Download:
        return entry.told(self._folder.models)

    def _changed(self) -> None:
        """Tell soon, and once for all that happens until then."""
        if self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(_TELL_EVERY, self._tell)

    def _tell(self) -> None:
        self._telling = None
        for tell in list(self.on_change):
            tell()
