"""What programs send to OpenAI's routes: which fields, and their ranges.

Unknown fields are ignored and `null` means that a field was left out, for clients send both all the time. Numbers are
numbers: "5" is an error, 5.0 is a 5.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from falconry.api.request_body import RequestBody


def _whole(value: Any) -> Any:
    """A float without a fraction is an int: JavaScript and sliders write 5.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _number_of_logprobs(value: Any) -> Any:
    """`logprobs` of a completion is a number; `true` and `false` come from clients that think of chats."""
    return (1 if value else None) if isinstance(value, bool) else value


def _as_list(value: Any) -> Any:
    """One stop sequence is a list of one: so that an error names the field and not a branch of a union."""
    return [value] if isinstance(value, str) else value


def _of_any_form(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """One sentence for a prompt that fits none of its forms, in place of one for each."""
    try:
        return read(value)
    except ValidationError:
        raise ValueError(
            f"Input should be a text, a list of texts, a list of tokens, or a list of such lists, none of them empty "
            f"and at most {MOST_PROMPTS} long"
        ) from None


MOST_CHOICES = 128
MOST_PROMPTS = 2048

Integer: TypeAlias = Annotated[int, BeforeValidator(_whole), Field(strict=True)]
Number: TypeAlias = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Flag: TypeAlias = Annotated[bool, Field(strict=True)]
ModelName: TypeAlias = Annotated[str, Field(max_length=1000)]
StopText: TypeAlias = Annotated[str, Field(max_length=256)]
TokenId: TypeAlias = Annotated[int, Field(strict=True, ge=0, lt=2**31)]
Text: TypeAlias = Annotated[str, Field(min_length=1)]
Tokens: TypeAlias = Annotated[list[TokenId], Field(min_length=1)]
Prompts: TypeAlias = (
    Annotated[list[Text], Field(min_length=1, max_length=MOST_PROMPTS)]
    | Tokens
    | Annotated[list[Tokens], Field(min_length=1, max_length=MOST_PROMPTS)]
)


class Body(RequestBody):
    model_config = ConfigDict(extra="ignore")


class StreamOptions(Body):
    include_usage: Flag | None = None


class Sampling(Body):
    """How to choose tokens; the same fields on both routes, those of the open servers included."""

    model: ModelName | None = None
    max_tokens: Annotated[Integer, Field(ge=0, le=2**31)] | None = None
    temperature: Annotated[Number, Field(ge=0, le=2)] | None = None
    top_p: Annotated[Number, Field(ge=0, le=1)] | None = None
    top_k: Annotated[Integer, Field(ge=-1, le=1_000_000)] | None = None
    min_p: Annotated[Number, Field(ge=0, le=1)] | None = None
    typical_p: Annotated[Number, Field(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[Number, Field(ge=0.01, le=10)] | None = None
    repeat_penalty: Annotated[Number, Field(ge=0.01, le=10)] | None = None
    presence_penalty: Annotated[Number, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[Number, Field(ge=-2, le=2)] | None = None
    logit_bias: Annotated[dict[str, Annotated[Number, Field(ge=-100, le=100)]], Field(max_length=1024)] | None = None
    stop: Annotated[list[StopText], BeforeValidator(_as_list), Field(max_length=16)] | None = None
    seed: Annotated[Integer, Field(ge=-(2**63), lt=2**64)] | None = None
    n: Annotated[Integer, Field(ge=1, le=MOST_CHOICES)] | None = None
    response_format: dict[str, Any] | None = None
    stream: Flag | None = None
    stream_options: StreamOptions | None = None


class CalledFunction(Body):
    name: str = Field(max_length=256)
    arguments: str | dict[str, Any] | None = None


class Call(Body):
    id: Annotated[str, Field(max_length=256)] | None = None
    function: CalledFunction


class ChatMessage(Body):
    """One message. Its content is text, or a list of parts: text, and pictures for models that see."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[str | dict[str, Any]] | None = None
    refusal: str | None = None
    tool_calls: Annotated[list[Call], Field(max_length=128)] | None = None
    tool_call_id: Annotated[str, Field(max_length=256)] | None = None


class Function(Body):
    name: str = Field(min_length=1, max_length=256)
    description: str | None = None
    parameters: dict[str, Any] | None = None


class ToolEntry(Body):
    type: str = "function"
    function: Function | None = None


class NamedFunction(Body):
    name: str = Field(max_length=256)


class NamedTool(Body):
    """`tool_choice` as an object; TGI's has no type."""

    type: str = "function"
    function: NamedFunction


class ChatBody(Sampling):
    """POST /v1/chat/completions."""

    messages: list[ChatMessage] = Field(min_length=1, max_length=10_000)
    max_completion_tokens: Annotated[Integer, Field(ge=1, le=2**31)] | None = None
    logprobs: Flag | None = None
    top_logprobs: Annotated[Integer, Field(ge=0, le=20)] | None = None
    tools: Annotated[list[ToolEntry], Field(max_length=128)] | None = None
    tool_choice: str | NamedTool | None = None
    parallel_tool_calls: Flag | None = None
    # These would change what the reply is, so that ignoring them would be a lie.
    functions: list[Any] | None = None
    function_call: Any = None
    modalities: list[str] | None = None
    audio: Any = None
    web_search_options: Any = None


class CompletionBody(Sampling):
    """POST /v1/completions."""

    prompt: Annotated[Text | Prompts, WrapValidator(_of_any_form)]
    echo: Flag | None = None
    logprobs: Annotated[Integer, BeforeValidator(_number_of_logprobs), Field(ge=0, le=20)] | None = None
    best_of: Annotated[Integer, Field(ge=1, le=MOST_CHOICES)] | None = None
    suffix: str | None = None


class EmbeddingBody(Body):
    """POST /v1/embeddings."""

    model: ModelName | None = None
    input: Annotated[Text | Prompts, WrapValidator(_of_any_form)]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[Integer, Field(ge=1, le=100_000)] | None = None
