"""One question of a comparison with its answers, and how much of them may be shown.

While names are hidden, speed must not tell them: all answers of a question grow together, at the pace of the slowest,
and an answer that has ended looks as if it went on until the others have come as far. Thinking is not shown, for only
some models do it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from falconry.chat.replies import Reply
from falconry.messages import StoredMessage
from falconry.storage.votes import Comparison, Vote


@dataclass(frozen=True, slots=True)
class Answer:
    """What one model says to a question.

    Attributes:
        message: as stored; None where the question has not reached this column: yet, or ever, as after a power cut.
        reply: the answer while it is written, and for whoever saw that its end.
        alone: asked for again by itself, so that it keeps nobody waiting.
        asking: the question is on its way to this column, or its answer is.
    """

    place: int
    message: StoredMessage | None
    reply: Reply | None = None
    alone: bool = False
    asking: bool = False

    @property
    def id(self) -> str | None:
        return self.message.id if self.message else None

    @property
    def latest(self) -> StoredMessage | None:
        """The message; once the reply has ended, its final form."""
        return self.reply.message if self.reply is not None else self.message

    @property
    def running(self) -> bool:
        return self.asking or (self.reply is not None and self.reply.status == "running")

    @property
    def text(self) -> str:
        return self.reply.text if self.reply is not None else self.message.content if self.message else ""

    @property
    def thinking(self) -> str:
        return self.reply.thinking if self.reply is not None else self.message.thinking if self.message else ""

    def as_now(self) -> Answer:
        """The same without the reply, which goes on while somebody looks."""
        reply = self.reply
        if reply is None:
            return self
        now = replace(reply.message, content=reply.text, thinking=reply.thinking, status=reply.status)
        return replace(self, message=now, reply=None, asking=self.running)


@dataclass(frozen=True, slots=True)
class Shown:
    """How much of an answer may be seen: so many characters of its text, and whether it seems to go on."""

    characters: int
    running: bool


@dataclass(frozen=True, slots=True)
class Round:
    """One question with the files beside it, its answers by place, and the vote on them."""

    turn: int
    question: StoredMessage
    answers: tuple[Answer, ...]
    vote: Vote | None = None

    @property
    def running(self) -> bool:
        return any(answer.running for answer in self.answers)


@dataclass(frozen=True, slots=True)
class State:
    """A comparison with all its questions, oldest first."""

    comparison: Comparison
    rounds: tuple[Round, ...]

    @property
    def running(self) -> bool:
        return bool(self.rounds) and self.rounds[-1].running

    def as_now(self) -> State:
        """The same, to be looked at in another thread: nothing in it changes any more."""
        rounds = (replace(asked, answers=tuple(answer.as_now() for answer in asked.answers)) for asked in self.rounds)
        return replace(self, rounds=tuple(rounds))


def shown(answers: Sequence[Answer], *, hidden: bool) -> list[Shown]:
    """How much of each answer to one question may be seen."""
    if not hidden:
        return [Shown(len(answer.text), answer.running) for answer in answers]
    limit = min((len(answer.text) for answer in answers if answer.running and not answer.alone), default=None)
    found = []
    for answer in answers:
        length = len(answer.text)
        # Ended, and not as long as the slowest is by now: else its end would tell that it was quick.
        over = not answer.running and (limit is None or answer.alone or 0 < length < limit)
        found.append(Shown(length if limit is None or answer.alone or over else min(length, limit), not over))
    return found
