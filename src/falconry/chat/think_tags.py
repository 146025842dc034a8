"""Thinking that a server leaves in the text: `<think>…</think>` at the beginning of a reply.

Servers with a reasoning parser give it apart (`reasoning_content`); many endpoints do not.
It must not reach the page as text, nor the next prompt, where it would fill the window and confuse the model.
"""

from __future__ import annotations

import re

from falconry.messages import Delta

_TAGS = {"<think>": "</think>", "<thinking>": "</thinking>", "<reasoning>": "</reasoning>"}
_LONGEST = max(map(len, _TAGS))
# Templates that begin the thinking in the prompt leave only its end in the reply, on a line of its own.
_ONLY_END = re.compile(r"\A(.*?)^[ \t]*</think(?:ing)?>[ \t]*\n?", re.DOTALL | re.MULTILINE)


class ThinkTags:
    """Takes the deltas of one reply as they come, and gives them back with the thinking in its place.

    Args:
        begun: whether the reply has text already, so that a tag is text, too.
    """

    def __init__(self, *, begun: bool = False) -> None:
        self._held = ""  # what may still turn out to be a tag, or a piece of one
        self._closing: str | None = None  # while thinking, the tag that ends it
        self._reading = not begun  # whether a tag may still come
        self._seen = begun  # whether thinking has been found, or cannot be

    def feed(self, delta: Delta) -> tuple[str, str]:
        """The delta's text and thinking."""
        self._seen = self._seen or bool(delta.thinking)
        if not self._reading or not delta.text:
            return delta.text, delta.thinking
        text, thinking = self._split(self._held + delta.text)
        return text, delta.thinking + thinking

    def flush(self) -> tuple[str, str]:
        """What is still held at the end."""
        held, self._held = self._held, ""
        return ("", held) if self._closing else (held, "")

    def _split(self, text: str) -> tuple[str, str]:
        self._held = ""
        if self._closing is None:
            start = text.lstrip()
            opened = next((tag for tag in _TAGS if start.startswith(tag)), None)
            if opened is None:
                self._reading = len(start) < _LONGEST and any(tag.startswith(start) for tag in _TAGS)
                if self._reading:
                    self._held = text
                    return "", ""
                return text, ""
            self._closing, self._seen = _TAGS[opened], True
            text = start[len(opened) :]
        thinking, ended, rest = text.partition(self._closing)
        if ended:
            self._closing, self._reading = None, False
            return rest, thinking
        kept = _piece(thinking, self._closing)
        self._held = thinking[len(thinking) - kept :]
        return "", thinking[: len(thinking) - kept]

    def whole(self, text: str, thinking: str) -> tuple[str, str]:
        """A finished reply. Where only the end of a thinking was in it, what stands before it was thinking."""
        if self._seen or "</think" not in text or not (match := _ONLY_END.match(text)):
            return text, thinking
        return text[match.end() :].lstrip(), match[1]


def _piece(text: str, tag: str) -> int:
    """How many characters at the end of a text are the beginning of a tag."""
    return next((length for length in range(min(len(tag) - 1, len(text)), 0, -1) if tag.startswith(text[-length:])), 0)
