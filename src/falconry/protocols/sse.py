"""Server-sent events, as the WHATWG HTML standard writes them down: bytes in, events out, and the other way.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `id` is the last one that the stream has named."""

    data: str
    event: str = "message"
    id: str = ""


class StreamTooLong(ValueError):
    """A line or an event is longer than the parser takes."""


class EventParser:
    """Turns bytes, cut anywhere, into events. Bytes that are no UTF-8 become U+FFFD.

    Args:
        max_bytes: the longest line, and the most data of one event.
    """

    def __init__(self, max_bytes: int = 4 * 2**20) -> None:
        self._max_bytes = max_bytes
        self._rest = bytearray()
        self._started = False
        self._skip_newline = False
        self._data: list[str] = []
        self._data_size = 0
        self._event = ""
        self._id = ""
        self.lines = 0
        """Lines read so far, comments too: while it grows, the other side is alive."""

    def feed(self, chunk: bytes) -> list[Event]:
        """Take the next bytes, give the events that are complete by now. Raises StreamTooLong."""
        # A line end may be \n, \r or \r\n, and the last may be cut in two.
        if self._skip_newline and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._skip_newline = False
        if b"\r" in chunk:
            self._skip_newline = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        # Searching only the new bytes keeps a long line linear.
        end = chunk.rfind(b"\n")
        if end < 0:
            self._rest += chunk
            self._check(len(self._rest))
            return []
        lines = (bytes(self._rest) + chunk[:end]).split(b"\n")
        self._rest = bytearray(chunk[end + 1 :])
        self._check(len(self._rest))
        if not self._started:
            self._started = True
            lines[0] = lines[0].removeprefix(_BOM)
        self.lines += len(lines)
        events: list[Event] = []
        for line in lines:
            self._check(len(line))
            if line:
                self._field(line)
            elif self._data:
                events.append(Event("\n".join(self._data), self._event or "message", self._id))
                self._clear()
            else:
                self._clear()
        return events

    def finish(self) -> list[Event]:
        """What is left when the stream ends.

        The standard drops an event without a blank line after it; several servers end their streams like that, so
        it is given out here, for the reader to judge.
        """
        return self.feed(b"\n\n")

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data_size += len(value)
            self._check(self._data_size)
            self._data.append(value.decode("utf-8", "replace"))
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode("utf-8", "replace")

    def _clear(self) -> None:
        self._data = []
        self._data_size = 0
        self._event = ""

    def _check(self, size: int) -> None:
        if size > self._max_bytes:
            raise StreamTooLong(f"more than {self._max_bytes} bytes without the end of an event")


def dump_json(value: object) -> str:
    """JSON on one line, in ASCII. Raises ValueError for NaN and infinity, which JavaScript refuses.

    ASCII, because U+0085, U+2028 and U+2029 count as line ends for clients that use Python's splitlines
    (huggingface_hub 2.4), and because a lone surrogate has no UTF-8.
    """
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def encode(data: str, *, event: str = "", event_id: str = "") -> bytes:
    """One event. Line ends inside the data become further `data:` lines, as the standard has it."""
    if any(end in event + event_id for end in "\r\n\0"):
        raise ValueError("the name and the id of an event stand on one line")
    lines = [f"event: {event}"] if event else []
    if event_id:
        lines.append(f"id: {event_id}")
    lines += [f"data: {line}" for line in data.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    return ("\n".join(lines) + "\n\n").encode()


def encode_json(value: object, *, event: str = "", event_id: str = "") -> bytes:
    """One event whose data is JSON."""
    return encode(dump_json(value), event=event, event_id=event_id)


def comment(text: str = "ping") -> bytes:
    """A line that keeps the connection alive and that clients ignore."""
    return f": {text}\n\n".encode()


DONE = encode("[DONE]")
"""The last event of an OpenAI stream. TGI's own streams end without it."""
