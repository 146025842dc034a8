"""Reads calls of tools from a reply's text while it is written. See `falconry.api.tools` for the form."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from secrets import token_hex
from typing import Literal

from falconry.api.tools import CALL, CALL_END
from falconry.messages import Delta, ToolCallDelta

_NAME, _ARGUMENTS = ("name",), ("arguments", "parameters")
_KEYS = frozenset((*_NAME, *_ARGUMENTS))
_HEAD = re.compile(r'\s*\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"(?:arguments|parameters)"\s*:\s*(?=\{)')
_BEGUN = re.compile(r'\s*(?:\{\s*(?:"([^"\\]*)("?)|$)|$)')
_TAIL = re.compile(r"\s*\}")
_MARKS = re.compile(r'["\\{}\[\]]')
_MOST_HELD = 256 * 1024  # characters of something that may become a call

_State = Literal["start", "text", "call", "arguments", "tail", "between", "over"]


def new_call_id() -> str:
    """An id for a call, as OpenAI's look."""
    return f"call_{token_hex(12)}"


class JsonEnd:
    """Finds where a JSON object ends that comes in pieces."""

    __slots__ = ("_depth", "_escaped", "_in_string")

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = self._escaped = False

    def feed(self, text: str) -> int | None:
        """Characters of `text` up to the object's end, its brace included; None where it goes on."""
        after = 0  # the place behind an escaped character
        if self._escaped and text:
            self._escaped, after = False, 1
        for match in _MARKS.finditer(text):
            at, mark = match.start(), match[0]
            if at < after:
                continue
            if self._in_string:
                if mark == "\\":
                    after = at + 2
                    self._escaped = after > len(text)
                elif mark == '"':
                    self._in_string = False
            elif mark == '"':
                self._in_string = True
            elif mark in "{[":
                self._depth += 1
            elif mark in "}]":
                self._depth -= 1
                if self._depth <= 0:
                    return at + 1
        return None


class ToolReader:
    """Takes a reply's text as it comes, and gives the text and the calls in it.

    Args:
        names: of the functions that may be called.
        forced: the reply is nothing but a call, without tags.
        parallel: further calls count too.

    Attributes:
        called: a call was found.
    """

    def __init__(self, names: Sequence[str], *, forced: bool = False, parallel: bool = True) -> None:
        self._names = frozenset(names)
        self._forced = forced
        self._parallel = parallel
        self._state: _State = "call" if forced else "start"
        self._held = ""
        self._opening = ""  # the tag, to be shown after all where no call follows
        self._end = JsonEnd()
        self._index = -1
        self._text: list[str] = []
        self._calls: list[ToolCallDelta] = []

    @property
    def complete(self) -> bool:
        """Whether the last call is whole; what a reply that must be a call still lacks then is a brace."""
        return self.called and self._state in ("tail", "between", "over")

    @property
    def called(self) -> bool:
        return self._index >= 0

    def feed(self, text: str) -> tuple[str, tuple[ToolCallDelta, ...]]:
        """Take the next piece, give what is sure by now."""
        self._held += text
        while self._held and self._step():
            pass
        return self._taken()

    def finish(self) -> tuple[str, tuple[ToolCallDelta, ...]]:
        """What was still held back when the reply ended."""
        if self._state == "call" and not self._whole_call(self._held):
            self._show(self._opening + self._held)
        elif self._state in ("start", "text"):
            self._show(self._held)
        self._held, self._state = "", "over"
        return self._taken()

    def _taken(self) -> tuple[str, tuple[ToolCallDelta, ...]]:
        text, calls = "".join(self._text), tuple(self._calls)
        self._text, self._calls = [], []
        return text, calls

    def _show(self, text: str) -> None:
        if text:
            self._text.append(text)

    def _step(self) -> bool:
        """Do what the state is about; whether there may be more to do."""
        return {
            "start": self._start,
            "text": self._plain,
            "call": self._call,
            "arguments": self._arguments,
            "tail": self._tail,
            "between": self._between,
            "over": self._over,
        }[self._state]()

    def _start(self) -> bool:
        """The first character tells whether the model forgot the tags."""
        text = self._held.lstrip()
        if not text:
            return False
        self._state = "call" if text[0] == "{" else "text"
        return True

    def _plain(self) -> bool:
        before, tag, after = self._held.partition(CALL)
        if tag:
            self._show(before)
            self._held, self._opening, self._state = after, CALL, "call"
            return True
        keep = next((size for size in range(len(CALL) - 1, 0, -1) if self._held.endswith(CALL[:size])), 0)
        cut = len(self._held) - keep
        self._show(self._held[:cut])
        self._held = self._held[cut:]
        return False

    def _call(self) -> bool:
        if (head := _HEAD.match(self._held)) and (name := _string(head[1])) in self._names:
            self._begin(name)
            self._held, self._state, self._end = self._held[head.end() :], "arguments", JsonEnd()
            return True
        length = JsonEnd().feed(self._held) if self._may_be_call() else 0
        if length is None:
            return False
        if length and self._whole_call(self._held[:length]):
            self._held, self._state = self._held[length:], "between"
            return True
        self._show(self._opening + self._held)
        self._held, self._opening, self._state = "", "", "text"
        return False

    def _may_be_call(self) -> bool:
        begun = _BEGUN.match(self._held)
        if begun is None or len(self._held) > _MOST_HELD:
            return False
        key, closed = begun[1], begun[2]
        if key is None:
            return True
        return key in _KEYS if closed else any(known.startswith(key) for known in _KEYS)

    def _whole_call(self, text: str) -> bool:
        """Read a call whose parts come in another order, or whose arguments are a string."""
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return False
        if not isinstance(value, dict) or value.get("name") not in self._names:
            return False
        arguments: object = next((value[key] for key in _ARGUMENTS if key in value), {})
        self._begin(str(value["name"]))
        as_text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
        self._calls.append(ToolCallDelta(self._index, arguments=as_text))
        return True

    def _begin(self, name: str) -> None:
        self._index += 1
        self._opening = ""
        self._calls.append(ToolCallDelta(self._index, new_call_id(), name))

    def _arguments(self) -> bool:
        length = self._end.feed(self._held)
        piece = self._held if length is None else self._held[:length]
        self._calls.append(ToolCallDelta(self._index, arguments=piece))
        self._held = self._held[len(piece) :]
        if length is None:
            return False
        self._state = "tail"
        return True

    def _tail(self) -> bool:
        tail = _TAIL.match(self._held)
        if tail is None and not self._held.strip():
            return False
        self._held = self._held[tail.end() :] if tail else self._held
        self._state = "over" if self._forced or not self._parallel else "between"
        return True

    def _between(self) -> bool:
        """Behind a call only another call counts: models that go on tend to make up the result."""
        if not self._parallel:
            self._state = "over"
            return True
        rest = self._held.lstrip().removeprefix(CALL_END).lstrip()
        if rest.startswith(CALL):
            self._held, self._opening, self._state = rest.removeprefix(CALL), CALL, "call"
            return True
        if not rest or CALL.startswith(rest) or CALL_END.startswith(rest):
            return False
        self._state = "over"
        return True

    def _over(self) -> bool:
        self._held = ""
        return False


def _string(literal: str) -> str:
    try:
        return str(json.loads(literal))
    except ValueError:
        return ""


async def with_calls(deltas: AsyncGenerator[Delta, None], reader: ToolReader) -> AsyncGenerator[Delta, None]:
    """The deltas, with calls of tools in place of the text that spells them."""
    async with aclosing(deltas):
        async for delta in deltas:
            text, calls = reader.feed(delta.text)
            finish = delta.finish_reason
            if finish is not None:
                finish = "stop" if reader.complete else finish
                rest, more = reader.finish()
                text, calls = text + rest, calls + more
            tokens = () if reader.called else delta.tokens
            yield replace(delta, text=text, tool_calls=calls, tokens=tokens, finish_reason=finish)
