"""The live view of one conversation, as server-sent events.

A tab that watches is woken and looks at the conversation as it is now, so nothing is queued for it: a slow reader
costs no memory and one who comes back misses nothing. Rendering is shared by all who watch the same reply.

    state      at first: version, head, title, running reply
    changed    the same, whenever messages came or went
    snapshot   the running reply as a whole
    patch      what is new in it since the last event: blocks from an index on, text to append, or how far its model is
               loaded, for which it waits
    status     how it ended: the final message
    list       the person's list of conversations changed: one is new, renamed, gone, or being answered
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass, field
from time import monotonic
from weakref import WeakKeyDictionary

from falconry.chat.chat import Chat
from falconry.chat.replies import Loading, Reply, Watcher
from falconry.errors import ConversationNotFound
from falconry.event_stream import SILENCE
from falconry.i18n import Language
from falconry.messages import Conversation
from falconry.protocols.sse import comment, encode_json
from falconry.web.live import LiveMarkdown
from falconry.web.message_json import message_json

GAP = 0.03  # seconds at least between two events


class LiveReply:
    """A running reply, rendered once for everybody."""

    def __init__(self) -> None:
        self.text = LiveMarkdown()
        self.thinking = LiveMarkdown()
        self._started: float | None = None
        self.thinking_seconds: float | None = None

    def update(self, reply: Reply, *, force: bool = False) -> None:
        self.text.update(reply.text, force=force)
        self.thinking.update(reply.thinking, force=force)
        if self._started is None and reply.thinking:
            self._started = monotonic()
        if self._started is not None and self.thinking_seconds is None and reply.text:
            self.thinking_seconds = round(monotonic() - self._started, 1)


class LiveReplies:
    """The rendering of each running reply, as long as the reply is in flight or watched."""

    def __init__(self) -> None:
        self._of: WeakKeyDictionary[Reply, LiveReply] = WeakKeyDictionary()

    def of(self, reply: Reply, *, force: bool = False) -> LiveReply:
        live = self._of.get(reply)
        if live is None:
            live = self._of[reply] = LiveReply()
        live.update(reply, force=force)
        return live


@dataclass(slots=True)
class Seen:
    """How much of one growing text a watcher has been sent; a comparison has several at once."""

    serial: int = -1
    finished: int = 0
    characters: int = 0

    def news(self, live: LiveMarkdown, source: str) -> dict[str, object] | None:
        """What is new: {"from", "blocks", "append"} replaces the blocks from an index on; {"append"} adds text."""
        news: dict[str, object] | None = None
        if self.serial != live.serial:
            news = {
                "from": self.finished,
                "blocks": live.blocks[self.finished :],
                "append": source[live.seam :],
            }
            self.serial, self.finished = live.serial, len(live.finished)
        elif len(source) > self.characters:
            news = {"append": source[self.characters :]}
        self.characters = len(source)
        return news


@dataclass(slots=True)
class _Watched:
    """One reply as one watcher knows it."""

    reply: Reply
    text: Seen = field(default_factory=Seen)
    thinking: Seen = field(default_factory=Seen)
    left_out: int = 0
    loading: Loading | None = None
    version: int = -1

    def news(self, live: LiveReply) -> dict[str, object]:
        reply = self.reply
        self.version = reply.version
        news: dict[str, object] = {}
        if text := self.text.news(live.text, reply.text):
            news["text"] = text
        if thinking := self.thinking.news(live.thinking, reply.thinking):
            news["thinking"] = thinking
        left_out = reply.message.context.left_out if reply.message.context else 0
        if left_out != self.left_out:
            self.left_out = news["left_out"] = left_out
            news["start_id"] = reply.message.context.start_id if reply.message.context else None
        if reply.loading != self.loading:
            self.loading = reply.loading
            news["loading"] = asdict(reply.loading) if reply.loading else None
        if news:
            thought = reply.message.thinking_seconds or live.thinking_seconds  # stored: it is being continued
            news |= {"reply_id": reply.id, "thinking_seconds": thought}
        return news


def state_json(conversation: Conversation, running: Reply | None) -> dict[str, object]:
    return {
        "version": conversation.version,
        "head_id": conversation.head_id,
        "title": conversation.title,
        "titled_by": conversation.titled_by,
        "pinned": conversation.pinned,
        "folder_id": conversation.folder_id,
        "running": running.id if running else None,
    }


async def follow(
    chat: Chat, stopping: asyncio.Event, live_replies: LiveReplies, conversation_id: str, language: Language
) -> AsyncGenerator[bytes, None]:
    """The events of one conversation, until Falconry ends or the conversation is deleted."""
    yield comment("falconry")
    with chat.watch(conversation_id, listed=True) as watcher:
        ending = asyncio.create_task(wake_at_the_end(stopping, watcher))
        try:
            watched: _Watched | None = None
            version: int | None = None
            listed = chat.list_version()
            sent = 0.0
            only_list = False
            while not stopping.is_set():
                events: list[bytes] = []
                if watched is not None and watched.reply.status != "running":
                    events.append(await _final(chat, watched.reply, language))
                    watched = None
                reply = chat.running(conversation_id)
                no_text = watched is None or reply is not watched.reply or reply.version == watched.version
                if no_text and not only_list:
                    # Not only text came: somebody asked, stopped, deleted or renamed.
                    try:
                        conversation = await chat.conversation(conversation_id)
                    except ConversationNotFound:
                        yield b"".join(events) + encode_json({"id": conversation_id}, event="deleted")
                        return
                    reply = chat.running(conversation_id)
                    if conversation.version != version:
                        name = "state" if version is None else "changed"
                        events.append(encode_json(state_json(conversation, reply), event=name))
                        version = conversation.version
                if reply is not None and (watched is None or watched.reply is not reply):
                    watched = _Watched(reply)
                    snapshot = watched.news(live_replies.of(reply, force=True))
                    blank = {"from": 0, "blocks": [], "append": ""}
                    whole = {"text": blank, "thinking": blank, "left_out": 0, "reply_id": reply.id} | snapshot
                    events.append(encode_json(whole, event="snapshot"))
                elif watched is not None and (news := watched.news(live_replies.of(watched.reply))):
                    events.append(encode_json(news, event="patch"))
                if listed != (listed := chat.list_version()):
                    events.append(encode_json({}, event="list"))
                if events:
                    yield b"".join(events)
                    sent = monotonic()
                told = await watcher.wait(SILENCE)
                only_list = watcher.only_list  # where another conversation began, this one need not be read again
                if not told:
                    yield comment()
                elif (rest := sent + GAP - monotonic()) > 0:
                    await asyncio.sleep(rest)
        finally:
            ending.cancel()


async def follow_list(chat: Chat, stopping: asyncio.Event) -> AsyncGenerator[bytes, None]:
    """The `list` events alone, for a page without an open conversation; one at first, which says that it listens."""
    yield comment("falconry") + encode_json({}, event="list")
    with chat.watch(None) as watcher:
        ending = asyncio.create_task(wake_at_the_end(stopping, watcher))
        try:
            listed = chat.list_version()
            while not stopping.is_set():
                if not await watcher.wait(SILENCE):
                    yield comment()
                elif listed != (listed := chat.list_version()):
                    yield encode_json({}, event="list")
                    await asyncio.sleep(GAP)
        finally:
            ending.cancel()


async def wake_at_the_end(stopping: asyncio.Event, watcher: Watcher) -> None:
    """Wake a watcher when Falconry ends, so that its stream closes by itself."""
    await stopping.wait()
    watcher.wake()


async def _final(chat: Chat, reply: Reply, language: Language) -> bytes:
    versions = (await chat.versions([reply.message])).get(reply.id, [])
    shown = message_json(reply.message, language, versions)
    return encode_json(shown, event="status")
