"""Keeps the reported tokens in step with the text that is shown, which may lag behind them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeAlias

from falconry.messages import Token

_Due: TypeAlias = Callable[[int, int], bool]


class TokenQueue:
    """Takes text and tokens as the backend sends them, and gives the tokens out with the text that they spell.

    The text that is shown lags where it may become a stop sequence, and a chat's parser keeps marks such as
    `</think>` to itself. What spells neither text nor anything special is dropped.
    """

    def __init__(self) -> None:
        self._pending: list[Token] = []
        self._steps: deque[tuple[int, int, Sequence[Token]]] = deque()
        self._received = self._given = 0

    def add(self, text: str, tokens: Sequence[Token], *, thinking: bool = False) -> None:
        """Take one step of the backend. `thinking`: it brought a thought, which is no part of the reply."""
        self._pending += tokens
        if text:
            start, self._received = self._received, self._received + len(text)
            self._steps.append((start, self._received, _spelling(text, self._pending)))
            self._pending = []
        elif thinking:
            self._pending = []

    def take(self, text: str) -> tuple[Token, ...]:
        """The tokens of the text that is shown now; a token that is only half shown waits."""
        self._given += len(text)
        return self._release(lambda start, end: end <= self._given)

    def take_through(self, stop: str) -> tuple[Token, ...]:
        """The tokens that are left up to the end of the stop sequence that follows the shown text."""
        end = self._given + len(stop)
        return self._release(lambda start, _: start < end)

    def take_all(self, *, stopped: bool = False) -> tuple[Token, ...]:
        """The tokens that are left at the end of a reply, special ones behind its text too.

        Args:
            stopped: the server has cut off a stop sequence; what spells no text spells that.
        """
        pending, self._pending = self._pending, []
        return self._release(lambda *_: True) + tuple(token for token in pending if token.special or stopped)

    def _release(self, due: _Due) -> tuple[Token, ...]:
        released: list[Token] = []
        while self._steps and due(*self._steps[0][:2]):
            released += self._steps.popleft()[2]
        return tuple(released)


def _spelling(text: str, tokens: list[Token]) -> list[Token]:
    """The last ones of the tokens that spell the text; all where none do, as with bytes that are no UTF-8."""
    raw = text.encode("utf-8", "replace")
    for first in range(len(tokens)):
        if b"".join(token.raw for token in tokens[first:]) == raw:
            return tokens[first:]
    return tokens
