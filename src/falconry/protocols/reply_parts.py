"""A reply's parts in their order: thinking, text and tool calls, for the protocols that number them.

Anthropic's blocks and OpenAI's response items both open, grow and close one after the other. Here it is decided where
one ends and the next begins; how that is written is the business of the protocols.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Literal, TypeAlias

from falconry.errors import EngineError, InvalidRequest
from falconry.messages import Delta, FinishReason, Token, ToolCallDelta, Usage
from falconry.protocols.json_limits import loads

Kind: TypeAlias = Literal["thinking", "text", "tool_call"]


@dataclass(slots=True, eq=False)
class Part:
    """One part. `text` is thinking, text, or the arguments of a call as JSON text, as far as they have come.

    Attributes:
        place: its number in the reply, from 0.
        call_id, name: of a tool call.
        call: its number among the calls.
        tokens: those that spell a text, where logprobs were asked for.
    """

    kind: Kind
    place: int
    call_id: str = ""
    name: str = ""
    call: int = -1
    pieces: list[str] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def arguments(self) -> dict[str, object]:
        """The arguments of a call. Raises EngineError where they are no JSON object."""
        try:
            value = loads((self.text.strip() or "{}").encode("utf-8", "replace"))
        except InvalidRequest:
            value = None
        if not isinstance(value, dict):
            raise EngineError(
                f"The model called “{self.name[:100]}” with arguments that are no JSON object. Try again.",
                code="bad_tool_call",
                name=self.name[:100],
            )
        return value


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to a part. `text` and `tokens` are what "grow" adds; tokens may come later than their text."""

    kind: Literal["open", "grow", "close"]
    part: Part
    text: str = ""
    tokens: tuple[Token, ...] = ()


class ReplyParts:
    """Takes the deltas of one reply.

    Attributes:
        parts: those that there are by now.
        finish_reason, usage, stop_sequence: as in `Delta`, once they have come.
    """

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.finish_reason: FinishReason | None = None
        self.usage: Usage | None = None
        self.stop_sequence: str | None = None
        self._open: Part | None = None
        self._calls: set[int] = set()

    @property
    def called(self) -> bool:
        """Whether a tool was called."""
        return bool(self._calls)

    def take(self, delta: Delta) -> Iterator[Step]:
        """What a delta does, to be used up at once. Raises EngineError where pieces of calls are mixed up."""
        self.usage = delta.usage or self.usage
        self.stop_sequence = delta.stop_sequence or self.stop_sequence
        if delta.thinking:
            yield from self._grow("thinking", delta.thinking)
        if delta.text or (delta.tokens and self._open is not None and self._open.kind == "text"):
            yield from self._grow("text", delta.text, delta.tokens)
        for piece in delta.tool_calls:
            yield from self._grow_call(piece)
        if delta.finish_reason is not None:
            self.finish_reason = delta.finish_reason
            yield from self.close()

    def close(self) -> Iterator[Step]:
        """End the part that is open."""
        if self._open is not None:
            yield Step("close", self._open)
            self._open = None

    def add_empty_text(self) -> Iterator[Step]:
        """Give a reply that has nothing to show an empty text: clients look at the first part without counting."""
        yield from self._begin(Part("text", len(self.parts)))
        yield from self.close()

    def _grow(self, kind: Kind, text: str, tokens: tuple[Token, ...] = ()) -> Iterator[Step]:
        part = self._open
        if part is None or part.kind != kind:
            part = Part(kind, len(self.parts))
            yield from self._begin(part)
        part.pieces.append(text)
        part.tokens += tokens
        yield Step("grow", part, text, tokens)

    def _grow_call(self, piece: ToolCallDelta) -> Iterator[Step]:
        part = self._open
        if part is None or part.call != piece.index:
            if piece.index in self._calls:
                raise EngineError("The model's server mixed up the pieces of its tool calls. Try again.")
            self._calls.add(piece.index)
            call_id = piece.id or f"call_{token_hex(12)}"  # some servers leave it out, and results refer to it
            part = Part("tool_call", len(self.parts), call_id, piece.name, piece.index)
            yield from self._begin(part)
        if piece.arguments:
            part.pieces.append(piece.arguments)
            yield Step("grow", part, piece.arguments)

    def _begin(self, part: Part) -> Iterator[Step]:
        yield from self.close()
        self._open = part
        self.parts.append(part)
        yield Step("open", part)
