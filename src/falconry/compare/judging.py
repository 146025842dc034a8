"""What there is to compare, and what people think of it: state, votes, names and results. Nothing here generates."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from copy import copy
from dataclasses import replace
from typing import Self
from weakref import WeakValueDictionary

from falconry.chat.chat import Chat
from falconry.chat.replies import Replies, Watcher
from falconry.compare.rounds import Answer, Round, State
from falconry.compare.statistics import Ballot, Results, summarise
from falconry.engines.pool import EnginePool
from falconry.errors import InvalidRequest, StaleConversation
from falconry.messages import StoredMessage
from falconry.storage.comparisons import ComparisonStore, Listed
from falconry.storage.votes import Comparison, Vote

MOST_TURNS = 100


class Judging:
    """The comparisons of the person at this machine; `of` gives a user's."""

    def __init__(self, store: ComparisonStore, chat: Chat, pool: EnginePool) -> None:
        self._store = store
        self._chat = chat
        self._pool = pool
        self._owner_id = ""
        self._changes = Replies()  # nothing is in flight here: it wakes those who watch a comparison itself
        self._alone: set[str] = set()  # columns whose newest reply was asked for again by itself
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, owner_id: str) -> Self:
        """The comparisons of the user with this id, with the same engines."""
        theirs = copy(self)
        theirs._owner_id = owner_id
        theirs._store, theirs._chat = self._store.of(owner_id), self._chat.of(owner_id)
        return theirs

    async def get(self, comparison_id: str) -> Comparison:
        """Raises NotFound."""
        return await self._store.get(comparison_id)

    async def newest(self, limit: int = 50, *, before: str | None = None) -> list[Listed]:
        """The newest comparisons first; with `before`, those older than that one."""
        return await self._store.newest(limit, before=before)

    async def state(self, comparison_id: str) -> State:
        """A comparison with all that was asked, answered and judged."""
        before = self._is_asking(comparison_id)
        state = await self._read(comparison_id)
        if not state.rounds or not (before or self._is_asking(comparison_id)):
            return state
        *earlier, newest = state.rounds
        answers = (replace(answer, asking=answer.message is None) for answer in newest.answers)
        return replace(state, rounds=(*earlier, replace(newest, answers=tuple(answers))))

    def _is_asking(self, comparison_id: str) -> bool:
        """Whether a question is on its way to the models."""
        lock = self._locks.get(comparison_id)
        return lock is not None and lock.locked()

    async def _read(self, comparison_id: str) -> State:
        comparison = await self._store.get(comparison_id)
        votes = await self._store.votes(comparison_id)
        paths = [await self._chat.messages(column, limit=2 * MOST_TURNS) for column in comparison.columns]
        longest = max(paths, key=len)
        rounds = []
        for turn in range((len(longest) + 1) // 2):
            answers = [await self._answer(comparison, place, path, turn) for place, path in enumerate(paths)]
            rounds.append(Round(turn, longest[2 * turn], tuple(answers), votes.get(turn)))
        return State(comparison, tuple(rounds))

    async def _answer(self, comparison: Comparison, place: int, path: Sequence[StoredMessage], turn: int) -> Answer:
        message = path[2 * turn + 1] if len(path) > 2 * turn + 1 else None
        if message is None or len(path) > 2 * turn + 2:
            return Answer(place, message)
        column = comparison.columns[place]
        reply = self._chat.running(column)
        mine = reply if reply is not None and reply.id == message.id else None
        if mine is None and message.status == "running":  # it has ended since it was read
            message = await self._chat.message(message.id)
        return Answer(place, message, mine, column in self._alone)

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
            refuse_while_running(state)
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


def refuse_while_running(state: State) -> None:
    if state.running:
        raise StaleConversation("A reply is still being written. Stop it, or wait for it.", code="reply_running")
