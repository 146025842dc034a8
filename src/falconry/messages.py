"""The words the house speaks: messages, sampling params, and what an engine gives back.

Plain values, frozen, checked when they are built. No I/O here, and nothing that knows a wire format or a table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from typing import Literal, TypeAlias, TypeGuard

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
FinishReason: TypeAlias = Literal["stop", "length"]
# running: a job writes it. complete: it has a finish reason. stopped: a person stopped it.
# interrupted: engine or server died; the text so far is kept. failed: an error before or during the text.
Status: TypeAlias = Literal["running", "complete", "stopped", "interrupted", "failed"]

DEFAULT_SYSTEM_MESSAGE = (
    "A conversation between a user and an LLM-based AI assistant. The assistant gives helpful and honest answers."
)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function that the model wants to have called. `arguments` is JSON text, whole or (in a delta) a piece of it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Image:
    """A picture: PNG, JPEG, WebP or GIF, of which models see the first frame. `width` and `height` are in pixels."""

    media_type: str
    data: bytes = field(repr=False)
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Message:
    """One message as an engine reads it.

    `images` stand before the text of a person's message. `tool_calls` stand in a message of the assistant,
    `tool_call_id` in the answer to one (role "tool").
    """

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    images: tuple[Image, ...] = ()


@dataclass(frozen=True, slots=True)
class TokenPrompt:
    """A raw prompt that is tokenized already, by this model's own vocabulary."""

    ids: tuple[int, ...]


# A string or tokens go to the model raw; messages go through the model's own chat template. When the last message is
# the assistant's, the model continues it.
Prompt: TypeAlias = str | TokenPrompt | Sequence[Message]


def has_images(prompt: Prompt) -> TypeGuard[Sequence[Message]]:
    """Whether whoever reads a prompt must see pictures."""
    return not isinstance(prompt, str | TokenPrompt) and any(message.images for message in prompt)


@dataclass(frozen=True, slots=True)
class Grammar:
    """What shape the reply must have.

    Attributes:
        kind: "json_object" (any JSON object), "json_schema" or "regex".
        text: the schema as JSON text, or the regular expression; "" for any JSON object.
    """

    kind: Literal["json_object", "json_schema", "regex"]
    text: str = ""


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How to choose the next token. None means: the backend's own default.

    Attributes:
        max_tokens: new tokens at most, 1 or more; None for as many as the context holds.
        temperature: 0 (always the likeliest token) to 2.
        top_p, top_k, min_p: nucleus, k-best and minimum-probability cut.
        typical_p: locally typical sampling (https://arxiv.org/abs/2202.00666).
        repetition_penalty: 1.0 is none; tokens already seen are divided by it.
        presence_penalty, frequency_penalty: taken off the logit of a token that was seen, once or each time; 0 is none.
        logit_bias: pairs of a token's id and what is added to its logit, -100 to 100.
        grammar: the shape that the reply must have; None for any.
        stop: the reply ends before any of these texts; empty ones are ignored.
        seed: the same seed repeats a sampled answer.
    """

    max_tokens: int | None = 1024
    temperature: float = 0.7
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    typical_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: tuple[tuple[int, float], ...] = ()
    stop: tuple[str, ...] = ()
    seed: int | None = None
    grammar: Grammar | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "stop", tuple(dict.fromkeys(text for text in self.stop if text)))
        _check("max_tokens", self.max_tokens, 1, 1_000_000)
        _check("temperature", self.temperature, 0.0, 2.0)
        _check("top_p", self.top_p, 0.0, 1.0)
        _check("top_k", self.top_k, 0, 1_000_000)
        _check("min_p", self.min_p, 0.0, 1.0)
        _check("typical_p", self.typical_p, 0.0, 1.0)
        _check("repetition_penalty", self.repetition_penalty, 0.01, 10.0)
        _check("presence_penalty", self.presence_penalty, -2.0, 2.0)
        _check("frequency_penalty", self.frequency_penalty, -2.0, 2.0)
        if len(self.logit_bias) > 1024:
            raise ValueError("logit_bias takes at most 1024 tokens")
        for _, bias in self.logit_bias:
            _check("logit_bias", bias, -100.0, 100.0)
        _check("seed", self.seed, 0, 2**32 - 2)
        if len(self.stop) > 16 or any(len(text) > 256 for text in self.stop):
            raise ValueError("stop takes at most 16 texts of at most 256 characters each")


def _check(name: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not (math.isfinite(value) and low <= value <= high):
        raise ValueError(f"{name} must be between {low} and {high}, not {value}")


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call. `parameters` is the JSON schema of its arguments, as JSON text."""

    name: str
    description: str = ""
    parameters: str = '{"type": "object", "properties": {}}'


@dataclass(frozen=True, slots=True)
class Extras:
    """What a program may want of a generation beside its text.

    Attributes:
        tools: functions that the model may call.
        tool_choice: "auto", "required", or the name of the function that must be called; "none" is an empty `tools`.
        top_logprobs: give every token with its logprob and so many alternatives, 0 to 20; None for text alone.
        prompt_logprobs: give the prompt's tokens with their logprobs, too, in the first delta.
    """

    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    top_logprobs: int | None = None
    prompt_logprobs: bool = False


NO_EXTRAS = Extras()


@dataclass(frozen=True, slots=True)
class Token:
    """One token as the engine reports it.

    Attributes:
        id: in the model's vocabulary; -1 where the backend does not tell.
        text: with U+FFFD for bytes that are no UTF-8 by themselves; for special tokens their name, `<|endoftext|>`.
        raw: the bytes it stands for in the reply; none for special tokens.
        logprob: natural logarithm of its probability before sampling params changed it; None for a prompt's first.
        special: a control token, which is no part of the text.
        top: the likeliest tokens at its place, likeliest first.
    """

    id: int
    text: str
    raw: bytes = b""
    logprob: float | None = None
    special: bool = False
    top: tuple[Token, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of the tool call number `index`. The first piece carries id and name, the following ones arguments."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, as the backend reports them.

    Attributes:
        cached_tokens: of the prompt, those that did not have to be evaluated again.
        drafted_tokens, accepted_tokens: guessed by speculative decoding, and those of them that were right.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Delta:
    """One step of a generation. The last one, and only it, carries a finish reason.

    Attributes:
        tokens: with `Extras.top_logprobs`, the tokens that spell `text`; in the last delta also those that spell the
            stop sequence, and a final special token.
        prompt_tokens: with `Extras.prompt_logprobs`, all tokens of the prompt; in the first delta only.
        stop_sequence: which one of `SamplingParams.stop` ended the reply; None where the model ended it.
    """

    text: str = ""
    thinking: str = ""
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    tool_calls: tuple[ToolCallDelta, ...] = ()
    tokens: tuple[Token, ...] = ()
    prompt_tokens: tuple[Token, ...] = ()
    stop_sequence: str | None = None


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
class Attachment:
    """A file beside a person's message. Of a document Falconry keeps the text, which the model reads, and not the file;
    a picture is kept as it is.

    Attributes:
        size: of the file, in bytes.
        characters: of its text; a picture has none.
        text: "" where only the file's name matters, as in a list of messages.
        image: what a model sees of a picture; None for documents, and where only the name matters.
    """

    id: str
    name: str
    media_type: str
    size: int
    characters: int
    text: str = ""
    image: Image | None = None

    @property
    def is_picture(self) -> bool:
        return self.media_type in PICTURE_TYPES

    def about(self) -> dict[str, object]:
        """All that is told of it, without what is in it."""
        names = ("id", "name", "media_type", "size", "characters")
        return {name: getattr(self, name) for name in names}

    def as_text(self) -> str:
        """What the model reads of it: the text between two tags, of which it holds neither.

        So a file cannot pose as what follows it, nor its name as anything but a name. A picture is only named.
        """
        shown = "".join(" " if character.isspace() else character for character in self.name if character >= " ")
        if self.is_picture:
            return f"[picture: {shown.translate(_NO_BRACKETS)}]"
        tag = "file"
        while f"</{tag}>" in self.text:
            tag += "-"
        return f'<{tag} name="{escape(shown)}">\n{self.text.strip()}\n</{tag}>'


PICTURE_TYPES = frozenset({"image/png", "image/jpeg", "image/gif"})
"""That people attach: every model that sees reads them."""
_NO_BRACKETS = str.maketrans("[]", "()")


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message of a conversation's tree. An assistant's message is a reply: its id is the reply's id.

    Attributes:
        seconds, first_seconds, thinking_seconds: how long all of it took, from the question to the first token (waiting
            for its turn and reading the prompt included), and its thinking.
        depth: the number of messages before it on its branch.
        attachments: the files beside a person's message.
        persona: the name of the persona that a reply was written as.
        rating, correction: a person's judgement of a reply, 1 good or -1 bad, and what it should have been.
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
    first_seconds: float | None = None
    thinking_seconds: float | None = None
    depth: int = 0
    attachments: tuple[Attachment, ...] = ()
    persona: str | None = None
    rating: Literal[1, -1] | None = None
    correction: str | None = None

    @property
    def tokens_per_second(self) -> float | None:
        """While a reply was written: neither waiting for a turn nor reading the prompt counts."""
        tokens = self.usage.completion_tokens if self.usage else 0
        if not tokens or not self.seconds:
            return None
        writing = self.seconds - (self.first_seconds or 0)
        # All at once, as a short answer of an endpoint may come, says nothing of the writing.
        return (tokens - 1) / writing if tokens > 1 and writing > 0.01 else tokens / self.seconds

    def as_message(self, *, sees: bool = False) -> Message:
        """As the model reads it: the files first, then what was said.

        Args:
            sees: it sees pictures; one that does not, or a picture that is not at hand, gets its name.
        """
        images = tuple(file.image for file in self.attachments if sees and file.image is not None)
        told = [file.as_text() for file in self.attachments if not (sees and file.image is not None)]
        return Message(self.role, "\n\n".join([*told, self.content]), images=images)


TitledBy: TypeAlias = Literal["message", "model", "person"]


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation without its messages.

    Attributes:
        version: grows with every change.
        head_id: the newest message of the branch on show.
        titled_by: its first message, a model or a person; a person's title is never changed by itself.
        deleted_at: when it went to the trash.
        comparison_id, place: of which comparison it is one column, and which, from 0; no list shows it then.
    """

    id: str
    title: str
    created_at: datetime
    updated_at: datetime
    version: int = 0
    head_id: str | None = None
    titled_by: TitledBy = "message"
    pinned: bool = False
    folder_id: str | None = None
    deleted_at: datetime | None = None
    comparison_id: str | None = None
    place: int | None = None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One line of the model picker. None stands for what nobody knows.

    Attributes:
        size: bytes of its files.
        supports: names of the sampling params that reach it.
        state: "unloaded", "loading", "ready" or "failed"; what runs elsewhere is ready until it has failed.
        progress: how much of it is loaded, 0 to 1.
        memory: bytes that its process has.
        needs: bytes of memory that it will take.
        problem: why it failed or cannot be used, as `FalconryError.as_dict` gives it.
        source: where it was found: "settings", "built_in", "endpoint", "falconry", "huggingface", "ollama", …
        base: of an adapter, the name of the model that it changes.
        quantization, parameters: as its header says, "Q4_K_M" and a number of weights.
        context_length: tokens, as it was trained.
        vision: it sees images; None where its server does not tell.
    """

    name: str
    title: str
    engine: str
    default: bool = False
    size: int | None = None
    supports: frozenset[str] = field(default_factory=frozenset)
    state: str = "unloaded"
    progress: float | None = None
    memory: int | None = None
    needs: int | None = None
    problem: Mapping[str, object] | None = None
    source: str = "settings"
    base: str | None = None
    quantization: str | None = None
    parameters: int | None = None
    context_length: int | None = None
    vision: bool | None = False
