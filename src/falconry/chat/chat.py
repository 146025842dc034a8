"""Talking in the conversations of one Falconry: ask, stop, regenerate, continue, watch.

The page, the programs' API and the terminal all come in here. A reply is a job of this object: whoever asked may
leave, and come back to it.

What there is without a model, conversations, folders and branches, is in `falconry.chat.archive`, which a Chat is, too.
The one that is built first is that of the person at this machine; `of` gives a user's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from falconry.chat.archive import Archive
from falconry.chat.context_window import Prompter, Prompters, sendable
from falconry.chat.next_turn import NextTurn, begin, fit_next, system_message
from falconry.chat.rendering import Rendering, rendering
from falconry.chat.replies import Reply
from falconry.chat.titles import Titles
from falconry.chat.turn import Turn, TurnRequest
from falconry.engines.pool import EnginePool
from falconry.errors import EngineError, FalconryError, InvalidRequest, ModelNotFound
from falconry.messages import ContextUse, Message, SamplingParams, StoredMessage
from falconry.storage.conversations import Conversations
from falconry.storage.values import new_id

T = TypeVar("T")

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
STOP_SECONDS = 10.0  # that replies have to store themselves when Falconry ends


@dataclass(frozen=True, slots=True)
class SeenPrompt:
    """What the model saw of one turn. `prompt` is the exact text, None where the backend does not tell it."""

    prompt: str | None
    messages: list[Message]
    context: ContextUse


class Chat(Archive):
    """See the module. Build it with an open store and a pool; close it before them."""

    def __init__(
        self,
        store: Conversations,
        pool: EnginePool,
        *,
        titles: bool = False,
        unwatched_limit: float = 600.0,
    ) -> None:
        """Args: titles: let models write the titles of conversations."""
        super().__init__(store)
        self._pool = pool
        self._prompters = Prompters()
        self._titles = Titles(pool, self._prompters) if titles else None
        self._unwatched_limit = unwatched_limit
        self._closing = asyncio.Event()

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
        persona: str | None = None,
        attachments: Sequence[str] | None = None,
        edit_of: str | None = None,
    ) -> tuple[StoredMessage, StoredMessage]:
        """Store a user's message and start the reply to it. Gives both messages at once; the reply is a job.

        Args:
            parent_id: the newest message that the asker has seen; None in an empty conversation.
            system: the system message; None for the default one, "" for none.
            persona: the name of the persona that the reply is written as, to be shown.
            attachments: ids of the files beside the message; None for none, or for those of the edited message.
            edit_of: the message of a user's that this one is a new version of: both stay, each with its branch.

        Raises:
            ConversationNotFound, ModelNotFound
            InvalidRequest: an empty or enormous message; `edit_of` is a reply; a picture for a model that sees none.
            ReplyNotFound, NotFound: there is no message `edit_of` in this conversation, or no such file.
            StaleConversation: the conversation went on elsewhere, or a reply is still being written.
        """
        if not content.strip() and not await self._has_files(attachments, edit_of):
            raise InvalidRequest("The message is empty.", code="empty_message")
        if len(content.encode("utf-8", "replace")) > MAX_MESSAGE_BYTES:
            raise InvalidRequest(
                f"The message is larger than {MAX_MESSAGE_BYTES // 2**20} MiB. Shorten it.",
                code="message_too_large",
                limit_mib=MAX_MESSAGE_BYTES // 2**20,
            )
        self._refuse_while_running(conversation_id)
        draft = self._new_reply(conversation_id, model, params, persona)
        await self._refuse_unseen(model, attachments)

        async def run() -> tuple[StoredMessage, StoredMessage]:
            question, answer = await self._store.append_turn(
                conversation_id, parent_id, content, draft, attachments=attachments, edit_of=edit_of
            )
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
        persona: str | None = None,
        head_id: str | None = None,
    ) -> StoredMessage:
        """Answer the same question again; the earlier reply is kept as another version, with all that follows it.

        Args:
            reply_id: any reply of the branch on show; or a message of the user's, to be answered as it stands.
            head_id: the newest message that the asker has seen, where that is known.

        Raises ReplyNotFound, ModelNotFound, StaleConversation.
        """
        old = await self._store.message(reply_id)
        self._refuse_while_running(old.conversation_id)
        question_id = old.id if old.role == "user" else old.parent_id
        if question_id is None:
            raise InvalidRequest("This is not an answer to anything.", code="nothing_asked")
        draft = self._new_reply(old.conversation_id, model, params, persona)

        async def run() -> StoredMessage:
            answer = await self._store.append_reply(old.id, question_id, draft, head_id=head_id)
            await self._start(answer, question_id, system)
            return answer

        return await _whole(run())

    async def resume(self, reply_id: str) -> StoredMessage:
        """Let an ended reply go on from its text, with the model and settings that it had."""
        old = await self._store.message(reply_id)
        if old.role != "assistant":
            raise InvalidRequest("This is not a reply.", code="not_a_reply")
        self._refuse_while_running(old.conversation_id)
        if old.content and old.params is not None and old.params.grammar is not None:
            raise InvalidRequest(
                "A reply of a given shape cannot be continued: its shape would begin anew. Regenerate it instead, with "
                "more new tokens.",
                code="cannot_continue_shape",
            )
        if old.content and not await self._pool.can_continue(self._pool.resolve(old.model)):
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
        await reply.stopped()
        return reply.message

    @property
    def on_reply(self) -> list[Callable[[StoredMessage], None]]:
        """Called with each reply, of whomever, when it has ended."""
        return self._replies.on_end

    # -- the context window

    async def prompt(self, reply_id: str) -> SeenPrompt:
        """The exact prompt of a reply. Messages are never changed, so it is rendered again from them."""
        reply = await self._store.message(reply_id)
        if reply.context is None:
            raise InvalidRequest("Nothing was sent to the model for this reply.", code="nothing_sent")
        path = await self._store.transcript(reply.parent_id or "", until=reply.context.start_id)
        history, system = sendable(path), reply.context.system
        head = [Message("system", system)] if system.strip() else []
        text = None  # where the model does not tell, cannot be loaded, or is gone
        with suppress(EngineError, ModelNotFound):
            async with self._engine(reply.model) as prompter:
                text = await prompter.render(head + prompter.messages(history))
        return SeenPrompt(text, head + [message.as_message() for message in history], reply.context)

    async def context(
        self,
        conversation_id: str | None,
        *,
        draft: str = "",
        model: str | None = None,
        params: SamplingParams | None = None,
        system: str | None = None,
        attachments: Sequence[str] = (),
    ) -> ContextUse:
        """What the next turn would send, with a draft as its message and files beside it. Nothing is stored.

        Without a conversation it is the first turn of one that is not there yet.

        Raises ContextWindowExceeded with both numbers where the draft cannot fit.
        """
        turn = NextTurn(
            conversation_id, draft, self._pool.resolve(model), params or SamplingParams(), system, attachments
        )
        begun = await begin(self._store, turn)
        async with self._engine(turn.model) as prompter:
            return (await fit_next(self._store, prompter, turn, begun)).use

    async def rendering(
        self,
        conversation_id: str | None,
        *,
        messages: Sequence[Message] = (),
        draft: str = "",
        model: str | None = None,
        system: str | None = None,
    ) -> Rendering:
        """How a model reads a conversation whose next message is `draft`; without a conversation, these messages.

        Args:
            system: of the conversation; None for the one that its newest reply had.

        Raises ContextWindowExceeded, EngineError; InvalidRequest where there is nothing to be read.
        """
        name = self._pool.resolve(model)
        if conversation_id is None and not messages:
            raise InvalidRequest("There is no message to be read. Write one.", code="empty_message")
        turn = NextTurn(conversation_id, draft, name, SamplingParams(), system)
        begun = await begin(self._store, turn)
        if system is None and begun.head is not None and begun.head.context is not None:
            turn = replace(turn, system=begun.head.context.system)
        async with self._engine(name) as prompter:
            if conversation_id is not None:
                fitted = await fit_next(self._store, prompter, turn, begun)
                return await rendering(prompter, fitted.messages, fitted.use)
            count = await prompter.count(messages)
            use = ContextUse(count.tokens, count.error, await prompter.engine.context_length(), None, 0, "")
            return await rendering(prompter, messages, use)

    # -- inside

    @asynccontextmanager
    async def _engine(self, model: str | None) -> AsyncGenerator[Prompter, None]:
        """A model's engine, loaded, with what renders and counts for it. Raises ModelNotFound, EngineError."""
        async with self._pool.engine(model) as engine:
            yield await self._prompters.of(engine, vision=self._pool.spec(model).vision)

    async def _refuse_unseen(self, model: str | None, attachments: Sequence[str] | None) -> None:
        """Raise InvalidRequest where there is a new picture, and the model is known not to see."""
        spec = self._pool.spec(model)
        if not attachments or spec.vision is not False:
            return
        if any(file.is_picture for file in await self._store.attachments.about(attachments)):
            raise InvalidRequest(
                f"{spec.title} cannot see pictures. Choose a model that can, or take the pictures out.",
                code="model_cannot_see",
                model=spec.title,
            )

    async def _has_files(self, attachments: Sequence[str] | None, edit_of: str | None) -> bool:
        if attachments is not None or edit_of is None:
            return bool(attachments)
        return bool((await self._store.message(edit_of)).attachments)

    def _new_reply(
        self, conversation_id: str, model: str | None, params: SamplingParams | None, persona: str | None
    ) -> StoredMessage:
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
            persona=persona or None,
        )

    async def _start(self, answer: StoredMessage, last_id: str, system: str | None) -> None:
        """Start the job that writes a reply to the branch that ends with message `last_id`."""
        reply = Reply(answer, self._owner_id)
        try:
            before = await self._before(answer)
        except FalconryError:
            # Deleted in this very moment: without a job it must not count as running.
            await self._store.finish_reply(replace(answer, status="interrupted"))
            raise
        request = TurnRequest(
            last_id=last_id,
            before=before,
            model=self._pool.resolve(answer.model),
            params=answer.params or SamplingParams(),
            system=system_message(system),
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
        reply.task = asyncio.create_task(self._write(turn, reply), name=f"reply {reply.id}")
        await asyncio.sleep(0)  # lets it begin: a task that is cancelled before that would never store its end

    async def _write(self, turn: Turn, reply: Reply) -> None:
        await turn.run()
        if self._titles is not None and not self._closing.is_set():
            self._titles.consider(reply.message, self._store, self._owner_id, self._changed)

    async def _before(self, reply: StoredMessage) -> StoredMessage | None:
        """The reply before a reply on its branch; for one that is continued, that reply itself."""
        if reply.context is not None:
            return reply
        question = await self._store.message(reply.parent_id or "")
        return await self._store.message(question.parent_id) if question.parent_id else None

    async def aclose(self) -> None:
        """Take no more questions, of anybody; let the replies in flight store themselves as interrupted."""
        self._closing.set()
        tasks = [reply.task for reply in self._replies.all() if reply.task is not None]
        for reply in self._replies.all():
            reply.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_SECONDS)
        if self._titles is not None:
            await self._titles.aclose()


async def _whole(work: Coroutine[Any, Any, T]) -> T:
    """Do something to its end even when the asker leaves: a stored question must get its job."""
    return await asyncio.shield(asyncio.ensure_future(work))
