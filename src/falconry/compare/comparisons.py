"""Comparisons of one Falconry: ask several models at once, judge what they say, and sum the judgements up.

Each model's side is an ordinary conversation that no list shows, so its replies are the server's like all others: they
go on without a page, and outlive a crash. The page, programs and Python all come in here:

    comparison = await comparisons.create(["base", "tuned"], blind=True)
    await comparisons.ask(comparison.id, "Which animals live on the savanna?", turn=0)
    await comparisons.finished(comparison.id)
    await comparisons.vote(comparison.id, 0, {1})
    await comparisons.reveal(comparison.id)
    results = await comparisons.results(models=["base", "tuned"])

It belongs to one person, as a Chat does; `of` gives a user's.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

from falconry.compare.judging import MOST_TURNS, Judging, refuse_while_running
from falconry.compare.rounds import State
from falconry.compare.told import HIDDEN_FAILURE, NOT_ASKED
from falconry.errors import FalconryError, InvalidRequest, ModelNotFound, NotFound, StaleConversation
from falconry.messages import SamplingParams, StoredMessage
from falconry.storage.messages import first_words
from falconry.storage.votes import Comparison

FEWEST_MODELS = 2
MOST_MODELS = 4
RETRIED = ("failed", "interrupted", "stopped")


@dataclass(frozen=True, slots=True)
class _Options:
    """With what all models are asked."""

    params: SamplingParams
    system: str | None
    persona: str | None


class Comparisons(Judging):
    """See the module."""

    async def create(self, models: Sequence[str], *, blind: bool = False) -> Comparison:
        """Begin a comparison of two to four models. In a blind one nobody knows their order.

        Raises ModelNotFound, and InvalidRequest for too few, too many, or one model twice: what all are asked with is
        the same, so that it would be compared with itself.
        """
        names = [self._pool.resolve(model) for model in models]
        if not FEWEST_MODELS <= len(names) <= MOST_MODELS:
            raise InvalidRequest(
                f"Compare {FEWEST_MODELS} to {MOST_MODELS} models.",
                code="models_number",
                least=FEWEST_MODELS,
                most=MOST_MODELS,
            )
        if len(set(names)) < len(names):
            raise InvalidRequest("Choose a model only once.", code="models_twice")
        if blind:
            random.SystemRandom().shuffle(names)
        return await self._store.create(names, blind=blind)

    async def delete(self, comparison_id: str) -> None:
        """Delete a comparison with its answers and votes; replies in flight are stopped."""
        await self.stop(comparison_id)
        comparison = await self._store.get(comparison_id)
        await self._store.delete(comparison_id)
        self._alone.difference_update(comparison.columns)
        self._changed(comparison_id)

    # -- questions

    async def ask(
        self,
        comparison_id: str,
        content: str,
        *,
        turn: int,
        params: SamplingParams | None = None,
        system: str | None = None,
        persona: str | None = None,
        attachments: Sequence[str] = (),
    ) -> None:
        """Ask all models at once. Their replies are jobs of the server.

        A model that cannot be asked gets a failed reply and stops nobody else.

        Args:
            turn: the number of the question, from 0, as the asker has seen the comparison.
            system: the system message; None for the default one, "" for none.
            persona: the name of the persona that the replies are written as, to be shown.
            attachments: ids of files beside the question that are not sent yet.

        Raises:
            NotFound: there is no such comparison, or no such file.
            StaleConversation: the comparison went on elsewhere, or replies are still being written.
            InvalidRequest: an empty or enormous question, or one too many.
        """
        options = _Options(params or SamplingParams(), system, persona)
        work = self._ask(comparison_id, content, turn, options, attachments)
        await asyncio.shield(asyncio.ensure_future(work))  # asked is asked, even when the asker leaves

    async def _ask(
        self, comparison_id: str, content: str, turn: int, options: _Options, attachments: Sequence[str]
    ) -> None:
        async with self._lock(comparison_id):
            state = await self._read(comparison_id)
            refuse_while_running(state)
            if turn != len(state.rounds):
                raise StaleConversation("This comparison went on elsewhere. Reload it; nothing was lost.")
            if turn >= MOST_TURNS:
                raise InvalidRequest(
                    f"A comparison has at most {MOST_TURNS} questions. Begin a new one.",
                    code="comparison_full",
                    most=MOST_TURNS,
                )
            await self._repair(state)
            columns, models = state.comparison.columns, state.comparison.models
            copies = [await self._store.copy_files(attachments) for _ in columns[1:]] if attachments else []
            files = [list(attachments), *copies] if attachments else [[] for _ in columns]
            self._alone.difference_update(columns)
            asked = await asyncio.gather(
                *(
                    self._ask_one(column, model, content, options, beside)
                    for column, model, beside in zip(columns, models, files, strict=True)
                ),
                return_exceptions=True,
            )
            failures = [error for error in asked if isinstance(error, BaseException)]
            if len(failures) == len(asked) or any(not isinstance(error, FalconryError) for error in failures):
                raise _tellable(failures[0], state)
            for column, model, beside, error in zip(columns, models, files, asked, strict=True):
                if isinstance(error, FalconryError):
                    await self._store.append_failed(column, content, model, error.as_dict(), beside)
            question = next(one for one in asked if not isinstance(one, BaseException))
            await self._store.touch(comparison_id, first_words(question))
        self._changed(comparison_id)

    async def _ask_one(
        self, column: str, model: str, content: str, options: _Options, attachments: Sequence[str]
    ) -> StoredMessage:
        question, _ = await self._chat.ask(
            column,
            content,
            parent_id=(await self._chat.conversation(column)).head_id,
            model=model,
            params=options.params,
            system=options.system,
            persona=options.persona,
            attachments=attachments or None,
        )
        return question

    async def retry(self, comparison_id: str, place: int) -> None:
        """Let one model answer the newest question again, as it was asked, after its answer failed or was stopped.

        Raises InvalidRequest where there is nothing to be answered again, StaleConversation where it was judged already
        or, while names are hidden, another one is still being written.
        """
        async with self._lock(comparison_id):
            state = await self._read(comparison_id)
            await self._repair(state)
            state = await self._read(comparison_id)
            comparison = state.comparison
            answers = state.rounds[-1].answers if state.rounds else ()
            failed = answers[place].message if place < len(answers) and not answers[place].running else None
            if failed is None or failed.status not in RETRIED:
                raise InvalidRequest("There is no answer here that could be tried again.", code="nothing_to_retry")
            if state.rounds[-1].vote is not None:
                raise StaleConversation("These answers have been judged already.", code="already_judged")
            if comparison.hidden:
                refuse_while_running(state)
            asked_with = [answer.message for answer in answers if answer.message is not None and answer.message.context]
            like = failed if failed.context is not None else next(iter(asked_with), failed)
            self._alone.add(comparison.columns[place])
            try:
                await self._chat.regenerate(
                    failed.id,
                    model=comparison.models[place],
                    params=like.params,
                    system=like.context.system if like.context else None,
                    persona=like.persona,
                )
            except ModelNotFound as error:
                raise _tellable(error, state) from None
        self._changed(comparison_id)

    async def _repair(self, state: State) -> None:
        """After a power cut between two columns: the question that did not reach a model counts as failed there."""
        for unanswered in state.rounds[-1:]:
            for answer in unanswered.answers:
                if answer.message is None:
                    column, model = state.comparison.columns[answer.place], state.comparison.models[answer.place]
                    files = [file.id for file in unanswered.question.attachments]
                    copies = await self._store.copy_files(files, sent=True)
                    await self._store.append_failed(column, unanswered.question.content, model, NOT_ASKED, copies)

    async def stop(self, comparison_id: str) -> None:
        """Stop all replies in flight; their texts so far are kept."""
        comparison = await self._store.get(comparison_id)
        running = [reply for column in comparison.columns if (reply := self._chat.running(column)) is not None]
        await asyncio.gather(*(self._chat.stop(reply.id) for reply in running))

    async def finished(self, comparison_id: str) -> State:
        """Wait until all models have answered."""
        comparison = await self._store.get(comparison_id)
        running = [reply.task for column in comparison.columns if (reply := self._chat.running(column)) is not None]
        tasks = [task for task in running if task is not None]
        if tasks:
            await asyncio.wait(tasks)
        return await self.state(comparison_id)

    def _lock(self, comparison_id: str) -> asyncio.Lock:
        """One question at a time, so that all columns get the same ones."""
        lock = self._locks.get(comparison_id)
        if lock is None:
            lock = self._locks[comparison_id] = asyncio.Lock()
        return lock


def _tellable(error: BaseException, state: State) -> BaseException:
    """An error of all models as the asker may see it: that a model is gone would tell its name."""
    if isinstance(error, ModelNotFound) and state.comparison.hidden:
        return NotFound(str(HIDDEN_FAILURE["message"]), code="hidden_failure")
    if isinstance(error, FalconryError) and error.code == "model_cannot_see":
        return InvalidRequest("None of these models can see pictures. Take the pictures out.", code="none_can_see")
    return error
