"""The conversations of one Falconry: ask, stop, regenerate, continue, watch.

The page, the programs' API and the terminal all come in here. A reply is a job of this object: whoever asked may
leave, and come back to it.

A Chat belongs to one person, and nothing of another's exists for it. The one that is built first is that of the person
at this machine; `of` gives a user's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from falconry.chat.context_window import Prompters, fit, sendable
from falconry.chat.replies import Replies, Reply, Watcher
from falconry.chat.turn import Turn, TurnRequest, previous_start
from falconry.engines.pool import EnginePool
from falconry.errors import EngineError, InvalidRequest, StaleConversation
from falconry.messages import (
    DEFAULT_SYSTEM_MESSAGE,
    ContextUse,
    Conversation,
    Message,
    SamplingParams,
    StoredMessage,
)
from falconry.storage.conversations import Conversations
from falconry.storage.values import new_id, storable

T = TypeVar("T")

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
STOP_SECONDS = 10.0  # that replies have to store themselves when Falconry ends


@dataclass(frozen=True, slots=True)
class SeenPrompt:
    """What the model saw of one turn. `prompt` is the exact text, None where the backend does not tell it."""

    prompt: str | None
    messages: list[Message]
    context: ContextUse


class Chat:
    """See the module. Build it with an open store and a pool; close it before them."""

    def __init__(self, store: Conversations, pool: EnginePool, *, unwatched_limit: float = 600.0) -> None:
        self._store = store
        self._pool = pool
        self._replies = Replies()
        self._prompters = Prompters()
        self._unwatched_limit = unwatched_limit
        self._closing = asyncio.Event()
        self._owner_id = ""

    def of(self, owner_id: str) -> Chat:
        """The chat of the user with this id, with the same engines and replies in flight."""
        theirs = copy(self)
        theirs._owner_id, theirs._store = owner_id, self._store.of(owner_id)
        return theirs

    # -- conversations

    async def create_conversation(self, title: str = "") -> Conversation:
        conversation = await self._store.create(title)
        self._replies.changed(self._owner_id, conversation.id, listed=True)
        return conversation

    async def conversation(self, conversation_id: str) -> Conversation:
        """Raises ConversationNotFound."""
        return await self._store.get(conversation_id)

    async def conversations(self, limit: int = 200) -> list[Conversation]:
        """The newest conversations first."""
        return await self._store.newest(limit)

    async def delete_conversation(self, conversation_id: str) -> None:
        if (reply := self.running(conversation_id)) is not None:
            await self.stop(reply.id)
        await self._store.delete(conversation_id)
        self._replies.changed(self._owner_id, conversation_id, listed=True)

    async def messages(
        self, conversation_id: str, *, before: str | None = None, limit: int | None = None
    ) -> list[StoredMessage]:
        """The branch on show, oldest first; the newest `limit` of those older than message `before`."""
        return await self._store.path(conversation_id, before=before, limit=limit)

    async def message(self, message_id: str) -> StoredMessage:
        """One message as stored; a running reply with its text so far. Raises ReplyNotFound."""
        return await self._store.message(message_id)

    # -- replies

    async def ask(
        self,
        conversation_id: str,
        content: str,
        *,
        parent_id: str | None,
        model: str | None = None,
        params: SamplingParams | None = None,
        system: str | None = None,
    ) -> tuple[StoredMessage, StoredMessage]:
        """Store a user's message and start the reply to it. Gives both messages at once; the reply is a job.

        Args:
            parent_id: the newest message that the asker has seen; None in an empty conversation.
            system: the system message; None for the default one, "" for none.

        Raises:
            ConversationNotFound, ModelNotFound
            InvalidRequest: an empty or enormous message.
            StaleConversation: the conversation went on elsewhere, or a reply is still being written.
        """
        if not content.strip():
            raise InvalidRequest("The message is empty.", code="empty_message")
        if len(content.encode("utf-8", "replace")) > MAX_MESSAGE_BYTES:
            raise InvalidRequest(
                f"The message is larger than {MAX_MESSAGE_BYTES // 2**20} MiB. Shorten it.",
                code="message_too_large",
                limit_mib=MAX_MESSAGE_BYTES // 2**20,
            )
        self._refuse_while_running(conversation_id)
        draft = self._new_reply(conversation_id, model, params)

        async def run() -> tuple[StoredMessage, StoredMessage]:
            question, answer = await self._store.append_turn(conversation_id, parent_id, content, draft)
            await self._start(answer, question.id, system)
            return question, answer

        return await _whole(run())

    async def regenerate(
        self,
        reply_id: str,
        *,
        model: str | None = None,
        params: SamplingParams | None = None,
        system: str | None = None,
    ) -> StoredMessage:
        """Answer the same question again; the earlier reply is kept as another version."""
        old = await self._reply_at_head(reply_id)
        draft = self._new_reply(old.conversation_id, model, params)

        async def run() -> StoredMessage:
            answer = await self._store.append_reply(old.id, old.parent_id or "", draft)
            await self._start(answer, old.parent_id or "", system)
            return answer

        return await _whole(run())

    async def resume(self, reply_id: str) -> StoredMessage:
        """Let an ended reply go on from its text, with the model and settings that it had."""
        old = await self._reply_at_head(reply_id)
        async with self._pool.engine(old.model) as engine:
            if old.content and not engine.can_continue:
                raise InvalidRequest(
                    "This model's server cannot continue a text. Regenerate the reply instead.",
                    code="cannot_continue",
                )

        async def run() -> StoredMessage:
            answer = await self._store.reopen_reply(old)
            last = old.id if old.content else old.parent_id or ""
            await self._start(answer, last, old.context.system if old.context else None)
            return answer

        return await _whole(run())

    async def stop(self, reply_id: str) -> StoredMessage:
        """Stop a reply and give it as it ended. One that has ended already is given as it is."""
        reply = self.find(reply_id)
        if reply is None:
            return await self._store.message(reply_id)
        reply.stop()
        if reply.task is not None:
            await asyncio.wait([reply.task])
        return reply.message

    def running(self, conversation_id: str) -> Reply | None:
        """The reply in flight of a conversation."""
        return self._replies.running(self._owner_id, conversation_id)

    def find(self, reply_id: str) -> Reply | None:
        """A reply in flight by its id."""
        return self._replies.find(self._owner_id, reply_id)

    @property
    def on_reply(self) -> list[Callable[[StoredMessage], None]]:
        """Called with each reply, of whomever, when it has ended."""
        return self._replies.on_end

    def watch(self, conversation_id: str | None) -> AbstractContextManager[Watcher]:
        """Wake up when messages or the running reply change; with None, when the list of conversations does."""
        return self._replies.watch(self._owner_id, conversation_id)

    # -- the context window

    async def prompt(self, reply_id: str) -> SeenPrompt:
        """The exact prompt of a reply. Messages are never changed, so it is rendered again from them."""
        reply = await self._store.message(reply_id)
        if reply.context is None:
            raise InvalidRequest("Nothing was sent to the model for this reply.", code="nothing_sent")
        path = await self._store.transcript(reply.parent_id or "", until=reply.context.start_id)
        messages = [message.as_message() for message in sendable(path)]
        if reply.context.system.strip():
            messages.insert(0, Message("system", reply.context.system))
        try:
            async with self._pool.engine(reply.model) as engine:
                text = await (await self._prompters.of(engine)).render(messages)
        except EngineError:
            text = None
        return SeenPrompt(text, messages, reply.context)

    async def context(
        self,
        conversation_id: str,
        *,
        draft: str = "",
        model: str | None = None,
        params: SamplingParams | None = None,
        system: str | None = None,
    ) -> ContextUse:
        """What the next turn would send, with a draft as its message. Nothing is generated or stored.

        Raises ContextWindowExceeded with both numbers where the draft cannot fit.
        """
        name = self._pool.resolve(model)
        head_id = (await self._store.get(conversation_id)).head_id
        head = await self._store.message(head_id) if head_id else None
        async with self._pool.engine(name) as engine:
            length = await engine.context_length()
            start_id = previous_start(head, name, length)
            path = await self._store.transcript(head.id, until=start_id) if head else []
            if draft.strip() or not sendable(path):
                depth = head.depth + 1 if head else 0
                now = datetime.now(UTC)
                path.append(StoredMessage("", conversation_id, None, "user", storable(draft), now, depth=depth))
            fitted = await fit(
                await self._prompters.of(engine),
                _system(system),
                path,
                context_length=length,
                max_tokens=(params or SamplingParams()).max_tokens,
                start_id=start_id,
            )
        return fitted.use

    # -- inside

    def _new_reply(self, conversation_id: str, model: str | None, params: SamplingParams | None) -> StoredMessage:
        if self._closing.is_set():
            raise EngineError("Falconry is shutting down.", code="shutting_down")
        return StoredMessage(
            id=new_id(),
            conversation_id=conversation_id,
            parent_id=None,
            role="assistant",
            content="",
            created_at=datetime.now(UTC),
            status="running",
            model=self._pool.resolve(model),
            params=params or SamplingParams(),
        )

    async def _start(self, answer: StoredMessage, last_id: str, system: str | None) -> None:
        """Start the job that writes a reply to the branch that ends with message `last_id`."""
        reply = Reply(answer, self._owner_id)
        request = TurnRequest(
            last_id=last_id,
            before=await self._before(answer),
            model=self._pool.resolve(answer.model),
            params=answer.params or SamplingParams(),
            system=_system(system),
            owner=self._owner_id,
        )
        turn = Turn(
            reply,
            request,
            store=self._store,
            pool=self._pool,
            replies=self._replies,
            prompters=self._prompters,
            unwatched_limit=self._unwatched_limit,
        )
        self._replies.start(reply)
        reply.task = asyncio.create_task(turn.run(), name=f"reply {reply.id}")
        await asyncio.sleep(0)  # lets it begin: a task that is cancelled before that would never store its end

    async def _before(self, reply: StoredMessage) -> StoredMessage | None:
        """The reply before a reply on its branch; for one that is continued, that reply itself."""
        if reply.context is not None:
            return reply
        question = await self._store.message(reply.parent_id or "")
        return await self._store.message(question.parent_id) if question.parent_id else None

    async def _reply_at_head(self, reply_id: str) -> StoredMessage:
        message = await self._store.message(reply_id)
        if message.role != "assistant":
            raise InvalidRequest("This is not a reply.", code="not_a_reply")
        self._refuse_while_running(message.conversation_id)
        return message

    def _refuse_while_running(self, conversation_id: str) -> None:
        if self.running(conversation_id) is not None:
            raise StaleConversation("A reply is still being written. Stop it, or wait for it.", code="reply_running")

    async def aclose(self) -> None:
        """Take no more questions, of anybody; let the replies in flight store themselves as interrupted."""
        self._closing.set()
        tasks = [reply.task for reply in self._replies.all() if reply.task is not None]
        for reply in self._replies.all():
            reply.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_SECONDS)


async def _whole(work: Coroutine[Any, Any, T]) -> T:
    """Do something to its end even when the asker leaves: a stored question must get its job."""
    return await asyncio.shield(asyncio.ensure_future(work))


def _system(system: str | None) -> str:
    return DEFAULT_SYSTEM_MESSAGE if system is None else storable(system)
