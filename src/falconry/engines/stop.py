"""Hold back what may become a stop sequence, so that no part of one is ever shown."""

from __future__ import annotations

from collections.abc import Sequence


class StopFilter:
    """Lets text through up to the first stop sequence, however the text was cut into deltas.

    Where two stop sequences overlap, the one that is complete first ends the text, as it would one character
    at a time. Text is held back only while it begins a stop sequence, so nothing else is delayed.

    Attributes:
        stopped: a stop sequence was met; everything after it is dropped.
        matched: which one it was.
    """

    __slots__ = ("_held", "_stop", "matched", "stopped")

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = tuple(text for text in stop if text)
        self._held = ""
        self.stopped = False
        self.matched: str | None = None

    def feed(self, text: str) -> str:
        """Take the next piece, give what can be shown by now."""
        if self.stopped:
            return ""
        if not self._stop:
            return text
        text = self._held + text
        found = [(at + len(stop), at) for stop in self._stop if (at := text.find(stop)) >= 0]
        if found:
            end, at = min(found)
            self.stopped, self.matched = True, text[at:end]
            self._held = ""
            return text[:at]
        cut = min(_start_of_prefix(text, stop) for stop in self._stop)
        self._held = text[cut:]
        return text[:cut]

    def flush(self) -> str:
        """What was still held back when the text ended by itself."""
        held, self._held = self._held, ""
        return held


def _start_of_prefix(text: str, stop: str) -> int:
    """Where the end of `text` begins to spell `stop`; the length of `text` where it does not."""
    at = text.find(stop[0], max(0, len(text) - len(stop) + 1))
    while at >= 0:
        if stop.startswith(text[at:]):
            return at
        at = text.find(stop[0], at + 1)
    return len(text)
