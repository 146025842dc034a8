"""What a generation took: when it was asked for, began, brought its first token and ended, and how.

The pool keeps one `Work` for every generation in progress, so that whoever wants to know what is going on (`/ready`,
the metrics, the admin's page) looks here and not into engines.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Literal, TypeAlias

from falconry.errors import FalconryError
from falconry.messages import Delta, Usage

# stopped: whoever asked went away, or stopped it. Anything but these three is an error's code.
Outcome: TypeAlias = Literal["running", "complete", "stopped"] | str


@dataclass(slots=True, eq=False)
class Work:
    """One generation. Times are `time.monotonic()`, in seconds; None for what has not happened yet.

    Attributes:
        owner: id of the person who asked.
        max_tokens: new tokens asked for.
        deltas: how many pieces came so far, a lower bound of its tokens.
        finish_reason: as in `Delta`.
        waiter: the task that waits for the engine, or for a place; None while whoever asked does something else.
    """

    model: str
    owner: str
    max_tokens: int | None
    asked: float = field(default_factory=monotonic)
    began: float | None = None
    first: float | None = None
    last: float | None = None
    ended: float | None = None
    deltas: int = 0
    usage: Usage | None = None
    finish_reason: str | None = None
    outcome: Outcome = "running"
    waiter: asyncio.Task[Any] | None = None

    def begin(self) -> None:
        self.began = monotonic()

    def take(self, delta: Delta) -> None:
        """Notice what came."""
        if delta.text or delta.thinking or delta.tool_calls or delta.finish_reason:
            self.last = monotonic()
            self.first = self.first or self.last
            self.deltas += 1
        self.usage = delta.usage or self.usage
        self.finish_reason = delta.finish_reason or self.finish_reason

    def end(self, error: BaseException | None) -> None:
        self.ended = monotonic()
        self.waiter = None  # whoever remembers this one need not remember the task and all that it has seen
        if isinstance(error, FalconryError):
            self.outcome = error.code
        elif isinstance(error, Exception):
            self.outcome = "internal_error"
        else:  # closed before its end, or cancelled
            self.outcome = "complete" if self.finish_reason else "stopped"

    @property
    def tokens(self) -> int:
        """New tokens so far; pieces where the engine has not told yet, which may hold more than one."""
        return self.usage.completion_tokens if self.usage else self.deltas

    @property
    def queued_seconds(self) -> float:
        """Seconds in the queue."""
        return (self.began or self.ended or monotonic()) - self.asked

    def silent_seconds(self) -> float:
        """Seconds since it last brought something, or since it began."""
        return monotonic() - (self.last or self.began or monotonic())
