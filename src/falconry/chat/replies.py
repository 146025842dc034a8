"""The replies in flight: jobs of the server that pages watch.

Watching is level-triggered. A watcher that is woken looks at the reply's text as it is now; nothing is queued for
it, so a reader that reads nothing costs no memory, and one that comes late misses nothing.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import monotonic

from falconry.messages import Status, StoredMessage


@dataclass(frozen=True, slots=True)
class Loading:
    """What a reply waits for: the title of its model, and how much of that is loaded, 0 to 1; None: nobody knows."""

    title: str
    progress: float | None


class Reply:
    """A reply while it is written. Its text only grows, and what is in it is already in the database.

    Attributes:
        owner_id: the person whose conversation it is in.
        text, thinking: what there is so far.
        version: grows with every change.
        status: "running" until it ends.
        loading: its model is being loaded, or waits for others to make room; None when it is there.
        message: the stored message; after the end it is the final one.
    """

    def __init__(self, message: StoredMessage, owner_id: str = "") -> None:
        self.message = message
        self.owner_id = owner_id
        self.id = message.id
        self.conversation_id = message.conversation_id
        self.text = message.content
        self.thinking = message.thinking
        self.status: Status = "running"
        self.version = 0
        self.loading: Loading | None = None
        self.stop_requested = False
        self._cancelled = False
        self.task: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """Ask the job to stop; it ends as "stopped" with its text kept. Asking twice does no harm."""
        self.stop_requested = True
        self.cancel()

    async def stopped(self) -> None:
        """Ask the job to stop, and wait until it has stored how it ended."""
        self.stop()
        if self.task is not None:
            await asyncio.wait([self.task])

    def cancel(self) -> None:
        """End the job as "interrupted". Only once: a second cancellation would cut short the storing of the text."""
        if self.task is not None and not self._cancelled:
            self._cancelled = True
            self.task.cancel()


class Watcher:
    """Wakes up when something changed since the last time it was asked.

    Attributes:
        only_list: what it was woken for was nothing but the list of conversations; to be read right after `wait`.
    """

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.only_list = False

    def wake(self, *, only_list: bool = False) -> None:
        self.only_list = only_list and (self.only_list or not self._event.is_set())
        self._event.set()

    async def wait(self, timeout: float) -> bool:
        """True when something changed; False after `timeout` seconds of silence."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._event.wait()
        changed = self._event.is_set()
        self._event.clear()
        self.only_list = self.only_list and changed
        return changed


class Replies:
    """The replies in flight, at most one per conversation, and who watches.

    A person finds and watches only what is theirs: whoever watches a conversation by another's name is never woken.

    Attributes:
        on_end: called with each reply when it has ended.
    """

    def __init__(self) -> None:
        self.on_end: list[Callable[[StoredMessage], None]] = []
        self._running: dict[str, Reply] = {}
        # By owner and conversation; None in place of a conversation is the owner's list of them.
        self._watchers: defaultdict[tuple[str, str | None], set[Watcher]] = defaultdict(set)
        self._unwatched_since: dict[str, float] = {}
        self._list_versions: defaultdict[str, int] = defaultdict(int)

    def start(self, reply: Reply) -> None:
        self._running[reply.conversation_id] = reply
        self._unwatched_since[reply.conversation_id] = monotonic()
        self.changed(reply.owner_id, reply.conversation_id, listed=True)

    def end(self, reply: Reply) -> None:
        if self._running.get(reply.conversation_id) is reply:
            del self._running[reply.conversation_id]
            self._unwatched_since.pop(reply.conversation_id, None)
        self.changed(reply.owner_id, reply.conversation_id, listed=True)
        for notice in self.on_end:
            notice(reply.message)

    def running(self, owner_id: str, conversation_id: str) -> Reply | None:
        reply = self._running.get(conversation_id)
        return reply if reply is not None and reply.owner_id == owner_id else None

    def find(self, owner_id: str, reply_id: str) -> Reply | None:
        mine = (reply for reply in self._running.values() if reply.owner_id == owner_id)
        return next((reply for reply in mine if reply.id == reply_id), None)

    def all(self) -> list[Reply]:
        return list(self._running.values())

    def unwatched_seconds(self, reply: Reply) -> float:
        """How long nobody has watched a reply's conversation, in seconds; 0 while somebody does."""
        if self._watchers.get((reply.owner_id, reply.conversation_id)):
            return 0.0
        return monotonic() - self._unwatched_since.get(reply.conversation_id, monotonic())

    def list_version(self, owner_id: str) -> int:
        """Grows with every change of a person's list of conversations."""
        return self._list_versions[owner_id]

    def changed(self, owner_id: str, conversation_id: str | None, *, listed: bool = False) -> None:
        """Wake the conversation's watchers, and where the list of conversations changed, the list's too."""
        own = self._watchers.get((owner_id, conversation_id), set()) if conversation_id is not None else set()
        for watcher in own:
            watcher.wake()
        if listed:
            self._list_versions[owner_id] += 1
            for watcher in self._watchers.get((owner_id, None), set()) - own:
                watcher.wake(only_list=True)

    @contextmanager
    def watch(self, owner_id: str, conversation_id: str | None, *, listed: bool = False) -> Iterator[Watcher]:
        """Watch one conversation, with `listed` also the list of all that a person has, with None only that."""
        watcher = Watcher()
        places = [(owner_id, conversation_id)]
        if listed and conversation_id is not None:
            places.append((owner_id, None))
        for place in places:
            self._watchers[place].add(watcher)
        try:
            yield watcher
        finally:
            for place in places:
                self._watchers[place].discard(watcher)
                if not self._watchers[place]:
                    del self._watchers[place]
            reply = self._running.get(conversation_id or "")
            if reply is not None and reply.owner_id == owner_id and places[0] not in self._watchers:
                self._unwatched_since[reply.conversation_id] = monotonic()
