"""How long a reply took: until its first token, its thinking, and all of it."""

from __future__ import annotations

from time import monotonic


class ReplyTimes:
    """Told of every piece of a reply as it comes; all times are in seconds.

    Attributes:
        thought_before: how long was thought before a reply was continued.
    """

    def __init__(self, thought_before: float | None = None) -> None:
        self._thought_before = thought_before
        self._started = monotonic()
        self._first: float | None = None
        self._thought_from: float | None = None
        self._thought_until: float | None = None

    def came(self, text: str, thinking: str) -> None:
        """A piece of text, of thinking, or of both has come."""
        if not text and not thinking:
            return
        now = monotonic()
        if self._first is None:
            self._first = now
        if thinking and self._thought_from is None:
            self._thought_from = now
        if text and self._thought_from is not None and self._thought_until is None:
            self._thought_until = now

    @property
    def seconds(self) -> float:
        """Since the question."""
        return round(monotonic() - self._started, 3)

    @property
    def first_seconds(self) -> float | None:
        """From the question to the first token; None as long as there is none."""
        return None if self._first is None else round(self._first - self._started, 3)

    @property
    def thinking_seconds(self) -> float | None:
        """None where nothing was thought."""
        if self._thought_from is None:
            return self._thought_before
        return round((self._thought_until or monotonic()) - self._thought_from, 1)
