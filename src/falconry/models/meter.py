"""How fast a download is: bytes per second over the last seconds, so that a figure can be read while it changes."""

from __future__ import annotations

from collections import deque
from time import monotonic

WINDOW = 8.0
"""Seconds that a speed is taken over."""
_STEP = 0.25
_SOONEST = 1.0


class Meter:
    """Told of bytes as they come."""

    def __init__(self) -> None:
        self._steps: deque[tuple[float, int]] = deque()
        self._begun = monotonic()

    def add(self, count: int) -> None:
        now = monotonic()
        if self._steps and now - self._steps[-1][0] < _STEP:
            begun, before = self._steps[-1]
            self._steps[-1] = (begun, before + count)
        else:
            self._steps.append((now, count))
        self._drop(now)

    def speed(self) -> float | None:
        """Bytes per second; None in the first second, when nobody can tell."""
        now = monotonic()
        self._drop(now)
        seconds = min(WINDOW, now - self._begun)
        return max(0.0, sum(count for _, count in self._steps) / seconds) if seconds >= _SOONEST else None

    def _drop(self, now: float) -> None:
        while self._steps and now - self._steps[0][0] > WINDOW:
            self._steps.popleft()
