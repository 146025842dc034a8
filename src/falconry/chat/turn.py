"""One turn: from the committed question to the stored answer.

    wait for the model                        while it is being loaded, the reply shows how far that is
    fit the history into the context window   the engine's own count; what is left out is stored
    engine.generate                           child process or endpoint
    commit, then show                         every delta is in the database before anybody sees it (≤ 100 ms)
    finish                                    complete, stopped, interrupted or failed; the text is kept

When the engine dies in the middle and can continue a text, the reply goes on from its partial text, once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from time import monotonic

from falconry.chat.context_window import Fitted, Prompter, Prompters, fit
from falconry.chat.prompt_format import PLAIN_STOP
from falconry.chat.replies import Loading, Replies, Reply
from falconry.chat.reply_times import ReplyTimes
from falconry.chat.think_tags import ThinkTags
from falconry.engines.base import Engine
from falconry.engines.pool import EnginePool, ModelState
from falconry.errors import (
    ContextWindowExceeded,
    EngineInterrupted,
    FalconryError,
    ReplyNotFound,
    StorageError,
)
from falconry.messages import FinishReason, SamplingParams, Status, StoredMessage, Usage
from falconry.storage.conversations import Conversations

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 0.1  # the most that a token waits for its commit
RETRY_SECONDS = 2.0  # between two tries to store how a reply ended
WATCH_SECONDS = 5.0  # between two looks at whether anybody still watches


@dataclass(frozen=True, slots=True)
class TurnRequest:
    """What a turn is asked to do.

    Attributes:
        last_id: the message that the prompt ends with: the question, or the partial reply to be continued.
        before: what the previous reply of the branch sent, and its model; None for the first.
        model: its name, resolved.
        owner: id of the person who asked.
    """

    last_id: str
    before: StoredMessage | None
    model: str
    params: SamplingParams
    system: str
    owner: str = ""


class Turn:
    """Writes one reply. `run` never raises: however it ends, the reply's status says so."""

    def __init__(
        self,
        reply: Reply,
        request: TurnRequest,
        *,
        store: Conversations,
        pool: EnginePool,
        replies: Replies,
        prompters: Prompters,
        unwatched_limit: float,
    ) -> None:
        self._reply = reply
        self._request = request
        self._store = store
        self._pool = pool
        self._replies = replies
        self._prompters = prompters
        self._unwatched_limit = unwatched_limit
        self._text = reply.text  # ahead of reply.text by what is not committed yet
        self._thinking = reply.thinking
        self._dirty = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._flushed = 0.0
        self._finish_reason: FinishReason | None = None
        self._usage: Usage | None = None
        self._times = ReplyTimes(reply.message.thinking_seconds)

    async def run(self) -> None:
        status: Status = "complete"
        error: FalconryError | None = None
        try:
            async with asyncio.TaskGroup() as group:
                helpers = [group.create_task(self._keep_flushing()), group.create_task(self._end_unwatched())]
                await self._generate()
                for helper in helpers:
                    helper.cancel()
        except* asyncio.CancelledError:
            status = "stopped" if self._reply.stop_requested else "interrupted"
        except* EngineInterrupted as errors:
            status, error = "interrupted", _first(errors)
        except* ReplyNotFound:
            status = "interrupted"  # thrown away meanwhile; should it come back from the trash, it can be continued
        except* FalconryError as errors:
            error = _first(errors)
            status = "interrupted" if self._text else "failed"
        except* Exception as errors:
            logger.exception("A turn failed", exc_info=errors)
            status, error = (
                "failed",
                FalconryError("Something went wrong inside Falconry. The log says what."),
            )
        finishing = asyncio.ensure_future(self._finish(status, error))
        try:
            await asyncio.shield(finishing)
        except asyncio.CancelledError:
            # Stopped while the end was being stored: whoever waits for this task waits for that, too.
            await finishing

    # -- generating

    async def _generate(self) -> None:
        try:
            await self._generate_once()
        except EngineInterrupted:
            if not await self._can_go_on():
                raise
            await self._flush()
            await self._generate_once()

    async def _can_go_on(self) -> bool:
        """Whether the engine can take up a reply from its partial text, or there is none to take up."""
        if not self._text:
            return True
        # A given shape would begin anew.
        return self._request.params.grammar is None and await self._pool.can_continue(self._request.model)

    async def _generate_once(self) -> None:
        async with self._pool.engine(self._request.model, on_wait=self._show_loading) as engine:
            self._show_loading(None)
            vision = self._pool.spec(self._request.model).vision
            prompter = await self._prompters.of(engine, vision=vision)
            context_length = await engine.context_length()
            before = self._text
            try:
                await self._stream(engine, prompter, await self._fit(prompter, context_length))
            except ContextWindowExceeded:
                # An endpoint that did not tell its window may have done so with this error: then fit again.
                learned = await engine.context_length()
                if learned == context_length or self._text != before:
                    raise
                await self._stream(engine, prompter, await self._fit(prompter, learned))

    async def _fit(self, prompter: Prompter, context_length: int | None) -> Fitted:
        request = self._request
        start_id = previous_start(request.before, request.model, context_length)
        path = await self._store.transcript(request.last_id, until=start_id)
        if not path:
            raise ReplyNotFound("This reply does not exist.")
        if self._text and request.last_id != self._reply.id:  # after a crash: go on from the partial text
            path.append(replace(self._reply.message, content=self._text))
        fitted = await fit(
            prompter,
            request.system,
            path,
            context_length=context_length,
            max_tokens=request.params.max_tokens,
            start_id=start_id,
        )
        await self._store.save_context(self._reply.id, request.model, fitted.use)
        self._reply.message = replace(self._reply.message, model=request.model, context=fitted.use)
        return fitted

    async def _stream(self, engine: Engine, prompter: Prompter, fitted: Fitted) -> None:
        params = self._request.params
        limits = [fitted.room] if fitted.room is not None else []
        if params.max_tokens is not None:
            written = self._text[len(self._reply.message.content) :]
            used = (await engine.count_tokens(written)).tokens if written else 0
            limits.append(max(1, params.max_tokens - used))
        params = replace(params, max_tokens=min(limits, default=None))
        if prompter.plain:
            params = replace(params, stop=(*params.stop, *PLAIN_STOP))
        add = _joiner(self._text)
        tags = ThinkTags(begun=bool(self._text))
        work = self._pool.generate(
            self._request.model, prompter.prompt(fitted.messages), params, owner=self._request.owner
        )
        try:
            async with aclosing(work) as deltas:
                async for delta in deltas:
                    text, thinking = tags.feed(delta)
                    self._text += add(text)
                    self._thinking += thinking
                    self._times.came(text, thinking)
                    self._usage = delta.usage or self._usage
                    self._finish_reason = delta.finish_reason or self._finish_reason
                    if monotonic() - self._flushed >= FLUSH_SECONDS:
                        await self._flush()
                    else:
                        self._dirty.set()
        finally:
            text, thinking = tags.flush()
            self._text += add(text)
            self._thinking += thinking
        self._text, self._thinking = tags.whole(self._text, self._thinking)

    # -- storing and showing

    async def _keep_flushing(self) -> None:
        """Commit what came too soon after the last commit, when its time has come."""
        while True:
            await self._dirty.wait()
            await asyncio.sleep(max(0.0, self._flushed + FLUSH_SECONDS - monotonic()))
            await self._flush()

    async def _flush(self) -> None:
        """Commit what has come, then show it."""
        async with self._flushing:
            self._dirty.clear()
            self._flushed = monotonic()
            text, thinking = self._text, self._thinking
            if text == self._reply.text and thinking == self._reply.thinking:
                return
            await self._store.save_text(self._reply.id, text, thinking)
            self._show(text, thinking)

    def _show_loading(self, state: ModelState | None) -> None:
        """The model is not there yet; None when it is."""
        waits = state is not None and state.state in ("unloaded", "loading")
        loading = Loading(self._pool.title(self._request.model), state.progress) if state and waits else None
        if loading != self._reply.loading:
            self._reply.loading = loading
            self._show(self._reply.text, self._reply.thinking)

    def _show(self, text: str, thinking: str) -> None:
        self._reply.text, self._reply.thinking = text, thinking
        self._reply.version += 1
        self._replies.changed(self._reply.owner_id, self._reply.conversation_id)

    async def _end_unwatched(self) -> None:
        """A generation that nobody watches ends after a while; the text is kept and can be continued."""
        while True:
            await asyncio.sleep(min(WATCH_SECONDS, self._unwatched_limit))
            if self._replies.unwatched_seconds(self._reply) >= self._unwatched_limit:
                raise EngineInterrupted("Nobody watched this reply for a long time, so it ended.", code="unwatched")

    async def _finish(self, status: Status, error: FalconryError | None) -> None:
        final = replace(
            self._reply.message,
            content=self._text,
            thinking=self._thinking,
            status=status,
            finish_reason=self._finish_reason if status == "complete" else None,
            usage=self._usage,
            error=error.as_dict() if error else None,
            seconds=self._times.seconds,
            first_seconds=self._times.first_seconds,
            thinking_seconds=self._times.thinking_seconds,
        )
        try:
            await self._store.finish_reply(final)
        except StorageError as storage_error:
            # Shown at once; stored as soon as the disk lets us, so that the reply is not "running" for ever.
            final = replace(final, status="failed", error=storage_error.as_dict())
            self._end(final)
            await self._store_later(final)
            return
        self._end(final)

    async def _store_later(self, final: StoredMessage) -> None:
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            try:
                return await self._store.finish_reply(final)
            except StorageError:
                continue

    def _end(self, final: StoredMessage) -> None:
        self._reply.message = final
        self._reply.status = final.status
        self._reply.loading = None
        self._show(final.content, final.thinking)
        self._replies.end(self._reply)


def previous_start(before: StoredMessage | None, model: str, context_length: int | None) -> str | None:
    """Where the branch's last prompt began, as long as model and window are the same."""
    if before is None or before.context is None:
        return None
    same = before.model == model and before.context.context_length == context_length
    return before.context.start_id if same else None


def _joiner(text: str) -> Callable[[str], str]:
    """How new text joins what is there: a reply does not begin with blanks, and no blank is doubled at a seam."""
    fresh = True

    def add(new: str) -> str:
        nonlocal fresh
        if fresh:
            if not text.strip():
                new = new.lstrip()
            elif text.endswith(" ") and new.startswith(" "):
                new = new[1:]
            fresh = not new
        return new

    return add


def _first(errors: BaseExceptionGroup[FalconryError]) -> FalconryError:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
