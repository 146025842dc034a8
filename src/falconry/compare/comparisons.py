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
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from copy import copy
from dataclasses import dataclass
from weakref import WeakValueDictionary

from falconry.chat.chat import Chat
from falconry.chat.replies import Replies, Watcher
from falconry.compare.rounds import Answer, Round, State
from falconry.compare.statistics import Ballot, Results, summarise
from falconry.compare.told import NOT_ASKED
from falconry.engines.pool import EnginePool
from falconry.errors import FalconryError, InvalidRequest, StaleConversation
from falconry.messages import SamplingParams, StoredMessage
from falconry.storage.comparisons import Comparison, ComparisonStore, Listed, Vote
from falconry.storage.messages import first_words

FEWEST_MODELS = 2
MOST_MODELS = 4
MOST_TURNS = 100
RETRIED = ("failed", "interrupted", "stopped")


@dataclass(frozen=True, slots=True)
class _Options:
    """With what all models are asked."""

    params: SamplingParams
    system: str | None
    persona: str | None


class Comparisons:
    """See the module."""

    def __init__(self, store: ComparisonStore, chat: Chat, pool: EnginePool) -> None:
        self._store = store
        self._chat = chat
        self._pool = pool
        self._owner_id = ""
        self._changes = Replies()  # nothing is in flight here: it wakes those who watch a comparison itself
        self._alone: set[str] = set()  # columns whose newest reply was asked for again by itself
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, owner_id: str) -> Comparisons:
        """The comparisons of the user with this id, with the same engines."""
        theirs = copy(self)
        theirs._owner_id = owner_id
        theirs._store, theirs._chat = self._store.of(owner_id), self._chat.of(owner_id)
        return theirs

    # -- comparisons

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

    async def get(self, comparison_id: str) -> Comparison:
        """Raises NotFound."""
        return await self._store.get(comparison_id)

    async def newest(self, limit: int = 50, *, before: str | None = None) -> list[Listed]:
        """The newest comparisons first; with `before`, those older than that one."""
        return await self._store.newest(limit, before=before)

    async def state(self, comparison_id: str) -> State:
        """A comparison with all that was asked, answered and judged."""
        comparison = await self._store.get(comparison_id)
        votes = await self._store.votes(comparison_id)
        paths = [await self._chat.messages(column, limit=2 * MOST_TURNS) for column in comparison.columns]
        longest = max(paths, key=len)
        rounds = []
        for turn in range((len(longest) + 1) // 2):
            answers = tuple(self._answer(comparison, place, path, turn) for place, path in enumerate(paths))
            rounds.append(Round(turn, longest[2 * turn], answers, votes.get(turn)))
        return State(comparison, tuple(rounds))

    def _answer(self, comparison: Comparison, place: int, path: Sequence[StoredMessage], turn: int) -> Answer:
        message = path[2 * turn + 1] if len(path) > 2 * turn + 1 else None
        if message is None or len(path) > 2 * turn + 2:
            return Answer(place, message)
        column = comparison.columns[place]
        reply = self._chat.running(column)
        mine = reply if reply is not None and reply.id == message.id else None
        return Answer(place, message, mine, column in self._alone)

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
            state = await self.state(comparison_id)
            _refuse_while_running(state)
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
                raise failures[0]
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
            state = await self.state(comparison_id)
            await self._repair(state)
            state = await self.state(comparison_id)
            comparison = state.comparison
            answers = state.rounds[-1].answers if state.rounds else ()
            failed = answers[place].message if place < len(answers) and not answers[place].running else None
            if failed is None or failed.status not in RETRIED:
                raise InvalidRequest("There is no answer here that could be tried again.", code="nothing_to_retry")
            if state.rounds[-1].vote is not None:
                raise StaleConversation("These answers have been judged already.", code="already_judged")
            if comparison.hidden:
                _refuse_while_running(state)
            asked_with = [answer.message for answer in answers if answer.message is not None and answer.message.context]
            like = failed if failed.context is not None else next(iter(asked_with), failed)
            self._alone.add(comparison.columns[place])
            await self._chat.regenerate(
                failed.id,
                model=comparison.models[place],
                params=like.params,
                system=like.context.system if like.context else None,
                persona=like.persona,
            )
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

    # -- judging

    async def vote(self, comparison_id: str, turn: int, best: Collection[int]) -> Vote:
        """Judge the answers to a question: the places of the best ones. All is a tie, none that all are bad.

        A vote can be changed, but not one that was given before the names were known, after that.

        Raises InvalidRequest for a question or place that there is not, StaleConversation while answers are written.
        """
        state = await self.state(comparison_id)
        if not 0 <= turn < len(state.rounds):
            raise InvalidRequest("There is no such question in this comparison.", code="no_such_question")
        models = state.comparison.models
        if any(not 0 <= place < len(models) for place in best):
            raise InvalidRequest("There is no such answer to this question.", code="no_such_answer")
        if state.rounds[turn].running:
            _refuse_while_running(state)
        vote = await self._store.put_vote(comparison_id, turn, [models[place] for place in best])
        self._changed(comparison_id)
        return vote

    async def reveal(self, comparison_id: str) -> None:
        """Tell the names of a blind comparison from now on. Raises StaleConversation where nothing was judged yet."""
        if not await self._store.votes(comparison_id) and (await self._store.get(comparison_id)).hidden:
            raise StaleConversation("Vote first: the names are shown after that.", code="vote_first")
        await self._store.reveal(comparison_id)
        self._changed(comparison_id)

    async def reveal_all(self) -> int:
        """Tell the names of all blind comparisons in which something was judged; gives how many there were."""
        waiting = await self._store.waiting()
        for comparison_id in waiting:
            await self.reveal(comparison_id)
        return len(waiting)

    async def results(self, *, blind_only: bool = False, models: Collection[str] | None = None) -> Results:
        """What all votes say whose models are known: those of comparisons that are still blind would tell the names.

        Args:
            models: only votes between these.
        """
        votes = await self._store.all_votes(blind_only=blind_only)
        ballots = [Ballot(frozenset(vote.best), frozenset(vote.others)) for vote in votes]
        if models is not None:
            ballots = [ballot for ballot in ballots if ballot.models <= set(models)]
        return await asyncio.to_thread(summarise, ballots)

    async def hidden_votes(self) -> int:
        """How many votes do not count yet, because names are still hidden."""
        return await self._store.hidden_votes()

    async def continue_as_chat(self, comparison_id: str, place: int) -> str:
        """Make an ordinary conversation of one model's side; gives its id. The comparison stays as it is.

        Raises StaleConversation while names are hidden or the model is still writing.
        """
        comparison = await self._store.get(comparison_id)
        if not 0 <= place < len(comparison.columns):
            raise InvalidRequest("There is no such answer to this question.", code="no_such_answer")
        if comparison.hidden:
            raise StaleConversation("The names of this comparison are still hidden.", code="names_hidden")
        if self._chat.running(comparison.columns[place]) is not None:
            raise StaleConversation("A reply is still being written. Stop it, or wait for it.", code="reply_running")
        return await self._store.copy(comparison_id, place)

    # -- watching

    def watch(self, comparison_id: str) -> AbstractContextManager[Watcher]:
        """Wake up when questions, votes or names of a comparison change. The answers wake who watches their columns."""
        return self._changes.watch(self._owner_id, comparison_id)

    def _changed(self, comparison_id: str) -> None:
        self._changes.changed(self._owner_id, comparison_id)

    def _lock(self, comparison_id: str) -> asyncio.Lock:
        """One question at a time, so that all columns get the same ones."""
        lock = self._locks.get(comparison_id)
        if lock is None:
            lock = self._locks[comparison_id] = asyncio.Lock()
        return lock


def _refuse_while_running(state: State) -> None:
    if state.running:
        raise StaleConversation("A reply is still being written. Stop it, or wait for it.", code="reply_running")
