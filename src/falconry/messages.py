"""The words the house speaks: messages, sampling params, and what an engine gives back.

Plain values, frozen, checked when they are built. No I/O here, and nothing that knows a wire format or a table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

Role: TypeAlias = Literal["system", "user", "assistant"]
FinishReason: TypeAlias = Literal["stop", "length"]
# running: a job writes it. complete: it has a finish reason. stopped: a person stopped it.
# interrupted: engine or server died; the text so far is kept. failed: an error before or during the text.
Status: TypeAlias = Literal["running", "complete", "stopped", "interrupted", "failed"]

DEFAULT_SYSTEM_MESSAGE = (
    "A conversation between a user and an LLM-based AI assistant. The assistant gives helpful and honest answers."
)


@dataclass(frozen=True, slots=True)
class Message:
    """One message as an engine reads it."""

    role: Role
    content: str


# A string goes to the model raw; messages go through the model's own chat template. When the last message is the
# assistant's, the model continues it.
Prompt: TypeAlias = str | Sequence[Message]


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How to choose the next token. None means: the backend's own default.

    Attributes:
        max_tokens: new tokens at most, 1 or more; None for as many as the context holds.
        temperature: 0 (always the likeliest token) to 2.
        top_p, top_k, min_p: nucleus, k-best and minimum-probability cut.
        repetition_penalty: 1.0 is none; tokens already seen are divided by it.
        stop: the reply ends before any of these texts; empty ones are ignored.
        seed: the same seed repeats a sampled answer.
    """

    max_tokens: int | None = 1024
    temperature: float = 0.7
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "stop", tuple(dict.fromkeys(text for text in self.stop if text)))
        _check("max_tokens", self.max_tokens, 1, 1_000_000)
        _check("temperature", self.temperature, 0.0, 2.0)
        _check("top_p", self.top_p, 0.0, 1.0)
        _check("top_k", self.top_k, 0, 1_000_000)
        _check("min_p", self.min_p, 0.0, 1.0)
        _check("repetition_penalty", self.repetition_penalty, 0.01, 10.0)
        _check("seed", self.seed, 0, 2**32 - 2)
        if len(self.stop) > 16 or any(len(text) > 256 for text in self.stop):
            raise ValueError("stop takes at most 16 texts of at most 256 characters each")


def _check(name: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not (math.isfinite(value) and low <= value <= high):
        raise ValueError(f"{name} must be between {low} and {high}, not {value}")


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, as the backend reports them. `cached_tokens` of the prompt did not have to be evaluated again."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Delta:
    """One step of a generation. The last one, and only it, carries a finish reason."""

    text: str = ""
    thinking: str = ""
    finish_reason: FinishReason | None = None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class TokenCount:
    """How many tokens a prompt has. `error` is the stated relative error: 0.0 means counted by the backend itself."""

    tokens: int
    error: float = 0.0

    @property
    def exact(self) -> bool:
        return self.error == 0.0

    @property
    def upper(self) -> int:
        """The most it can be, in tokens."""
        return math.ceil(self.tokens * (1 + self.error))


@dataclass(frozen=True, slots=True)
class ContextUse:
    """What one turn sent to the model, kept with its reply.

    Attributes:
        prompt_tokens: counted before the engine was asked; `error` as in TokenCount.
        context_length: the model's window in tokens, None where the backend does not tell.
        start_id: id of the oldest message that was sent (the system message apart).
        left_out: how many messages of the conversation were not sent.
        system: the system message that was sent.
    """

    prompt_tokens: int
    error: float
    context_length: int | None
    start_id: str | None
    left_out: int
    system: str


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message of a conversation's tree. An assistant's message is a reply: its id is the reply's id.

    `depth` is the number of messages before it on its branch.
    """

    id: str
    conversation_id: str
    parent_id: str | None
    role: Role
    content: str
    created_at: datetime
    status: Status = "complete"
    thinking: str = ""
    model: str | None = None
    params: SamplingParams | None = None
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    context: ContextUse | None = None
    error: Mapping[str, object] | None = None
    seconds: float | None = None
    depth: int = 0

    def as_message(self) -> Message:
        return Message(self.role, self.content)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation without its messages. `head_id` is the newest message of the branch on show."""

    id: str
    title: str
    created_at: datetime
    updated_at: datetime
    version: int = 0
    head_id: str | None = None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One line of the model picker."""

    name: str
    title: str
    engine: str
    default: bool = False
    supports: frozenset[str] = field(default_factory=frozenset)
