"""The JSON of Anthropic's requests, with its ranges, and what it means in our words.

Unknown fields are ignored and null is the same as nothing, as clients expect; what would change the meaning of a
request, and cannot be done here, is refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag

from falconry.api.openai_params import wrong
from falconry.api.openai_schemas import Body, Flag, Integer, ModelName, Number, StopText
from falconry.api.tools import NO_TOOLS, ToolUse
from falconry.errors import InvalidRequest, NotSupported
from falconry.messages import Grammar, Image, Message, SamplingParams, Tool, ToolCall
from falconry.protocols.images import MOST_IMAGES, read_base64

MOST_MESSAGES = 20_000
MOST_BLOCKS = 5_000
MOST_TOOLS = 512
MOST_TOKENS = 1_000_000


def text_or_list(value: object) -> str:
    """Which of the two a content is meant to be, so that a complaint is about that one."""
    return "list" if isinstance(value, list) else "text"


class TextBlock(Body):
    type: Literal["text"]
    text: str


class ImageSource(Body):
    """The picture itself. Its media type is read from its content, whatever is said of it."""

    type: str = Field(max_length=100)
    data: str | None = None


class ImageBlock(Body):
    type: Literal["image"]
    source: ImageSource

    def to_image(self) -> Image:
        if self.source.type != "base64" or self.source.data is None:
            raise InvalidRequest(
                "Falconry fetches no picture from an address. Send the picture itself, with a source of type base64.",
                code="image_not_inline",
                field="messages",
            )
        return read_base64(self.source.data, "messages")


class ToolUseBlock(Body):
    type: Literal["tool_use"]
    id: str = Field(min_length=1, max_length=256)
    name: str = Field(min_length=1, max_length=256)
    input: dict[str, Any] | None = None


class OtherBlock(Body):
    """Documents and whatever else a model of text cannot read; and thoughts, which it need not read again."""

    type: str = Field(max_length=100)


def _tag(value: object) -> str:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return kind if isinstance(kind, str) and kind in ("text", "image", "tool_use", "tool_result") else "other"


ResultBlock: TypeAlias = Annotated[
    Annotated[TextBlock, Tag("text")] | Annotated[OtherBlock, Tag("other")],
    Discriminator(lambda value: "text" if _tag(value) == "text" else "other"),
]


ResultContent: TypeAlias = Annotated[
    Annotated[str, Tag("text")] | Annotated[list[ResultBlock], Field(max_length=MOST_BLOCKS), Tag("list")],
    Discriminator(text_or_list),
]


class ToolResultBlock(Body):
    type: Literal["tool_result"]
    tool_use_id: str = Field(min_length=1, max_length=256)
    content: ResultContent | None = None
    is_error: Flag | None = None


Block: TypeAlias = Annotated[
    Annotated[TextBlock, Tag("text")]
    | Annotated[ImageBlock, Tag("image")]
    | Annotated[ToolUseBlock, Tag("tool_use")]
    | Annotated[ToolResultBlock, Tag("tool_result")]
    | Annotated[OtherBlock, Tag("other")],
    Discriminator(_tag),
]


Content: TypeAlias = Annotated[
    Annotated[str, Tag("text")] | Annotated[list[Block], Field(max_length=MOST_BLOCKS), Tag("list")],
    Discriminator(text_or_list),
]


class InputMessage(Body):
    role: Literal["user", "assistant", "system"]
    content: Content


class ToolParam(Body):
    """A function of the program's own. Tools that Anthropic's servers would run have another `type`."""

    type: str | None = Field(None, max_length=100)
    name: str = Field(min_length=1, max_length=128, pattern=r"^[a-zA-Z0-9_.:-]+$")
    description: str | None = None
    input_schema: dict[str, Any] | None = None

    def to_tool(self) -> Tool:
        if self.type not in (None, "custom"):
            raise NotSupported(f"tools of type “{self.type}”")
        if self.input_schema is None:
            raise wrong("tools", f"{self.name} has no input_schema")
        return Tool(self.name, self.description or "", json.dumps(self.input_schema, ensure_ascii=False))


class ToolChoice(Body):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = Field(None, max_length=128)
    disable_parallel_tool_use: Flag | None = None


class JsonOutput(Body):
    type: Literal["json_schema"]
    schema_: dict[str, Any] = Field(alias="schema")


class OutputConfig(Body):
    format: JsonOutput | None = None


class Thinking(Body):
    """Whether to show thoughts. How much a model thinks is its own affair here."""

    type: str = Field(max_length=100)


class CountTokens(Body):
    """What POST /v1/messages/count_tokens takes."""

    model: ModelName | None = None
    messages: list[InputMessage] = Field(min_length=1, max_length=MOST_MESSAGES)
    system: str | Annotated[list[TextBlock], Field(max_length=MOST_BLOCKS)] | None = None
    tools: Annotated[list[ToolParam], Field(max_length=MOST_TOOLS)] | None = None
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    output_format: JsonOutput | None = None  # where it stood before
    mcp_servers: list[Any] | None = Field(None, max_length=100)

    def check(self) -> None:
        """Raise NotSupported for what Anthropic's servers would do beside generating."""
        if self.mcp_servers:
            raise NotSupported("mcp_servers")

    def to_messages(self) -> list[Message]:
        """The conversation as an engine reads it. Turns of one role in a row are one turn, as Anthropic has it."""
        system = self.system if isinstance(self.system, str) else _joined(self.system or ())
        messages = [Message("system", system)] if system else []
        for message in self.messages:
            for turn in _turns(message):
                last = messages[-1] if messages else None
                if last is not None and last.role == turn.role != "tool":
                    messages[-1] = _merged(last, turn)
                else:
                    messages.append(turn)
        if messages[-1].role == "assistant" and messages[-1].tool_calls:
            raise wrong("messages", "the last one uses tools; put their results into a message after it")
        return messages

    def to_tools(self) -> ToolUse:
        """The tools that may be used. Raises InvalidRequest, NotSupported."""
        tools = tuple(tool.to_tool() for tool in self.tools or ())
        choice = self.tool_choice or ToolChoice(type="auto")
        if choice.type == "none":
            return NO_TOOLS
        wanted = {"auto": "auto", "any": "required", "tool": choice.name or ""}[choice.type]
        if wanted == "required" and not tools:
            raise wrong("tool_choice", "there are no tools to choose from")
        return ToolUse(tools, wanted, parallel=not choice.disable_parallel_tool_use)

    def to_grammar(self) -> Grammar | None:
        """The shape that the reply must have, unchecked."""
        wanted = self.output_format or (self.output_config and self.output_config.format)
        return Grammar("json_schema", json.dumps(wanted.schema_, ensure_ascii=False)) if wanted else None


class MessagesRequest(CountTokens):
    """What POST /v1/messages takes."""

    max_tokens: Annotated[Integer, Field(ge=1, le=2**31)]
    stream: Flag | None = None
    temperature: Annotated[Number, Field(ge=0, le=2)] | None = None
    top_p: Annotated[Number, Field(ge=0, le=1)] | None = None
    top_k: Annotated[Integer, Field(ge=-1, le=1_000_000)] | None = None
    stop_sequences: Annotated[list[StopText], Field(max_length=16)] | None = None

    def to_params(self) -> SamplingParams:
        """The sampling params; what is left out has our own default."""
        default = SamplingParams()
        return SamplingParams(
            max_tokens=min(self.max_tokens, MOST_TOKENS),
            temperature=default.temperature if self.temperature is None else self.temperature,
            top_p=self.top_p,
            top_k=None if self.top_k is None else max(self.top_k, 0),
            stop=tuple(self.stop_sequences or ()),
            grammar=self.to_grammar(),
        )

    @property
    def shows_thinking(self) -> bool:
        return self.thinking is None or self.thinking.type != "disabled"


def _turns(message: InputMessage) -> list[Message]:
    """A message in our words: results of tools are messages of their own here, and come first."""
    if isinstance(message.content, str):
        return [Message(message.role, message.content)]
    results: list[Message] = []
    texts: list[TextBlock] = []
    calls: list[ToolCall] = []
    images: list[Image] = []
    for block in message.content:
        if isinstance(block, TextBlock):
            texts.append(block)
        elif isinstance(block, ImageBlock) and message.role == "user":
            images.append(block.to_image())
        elif isinstance(block, ToolUseBlock) and message.role == "assistant":
            calls.append(ToolCall(block.id, block.name, json.dumps(block.input or {}, ensure_ascii=False)))
        elif isinstance(block, ToolResultBlock) and message.role == "user":
            results.append(Message("tool", _result(block), tool_call_id=block.tool_use_id))
        elif block.type not in ("thinking", "redacted_thinking"):
            raise NotSupported(f"content of type “{block.type}” in a message of the {message.role}")
    if len(images) > MOST_IMAGES:
        raise wrong("messages", f"at most {MOST_IMAGES} pictures in a message are read")
    if texts or calls or images or not results:
        results.append(Message(message.role, _joined(texts), tuple(calls), images=tuple(images)))
    return results


def _result(block: ToolResultBlock) -> str:
    if isinstance(block.content, str):
        text = block.content
    else:
        for part in block.content or ():
            if not isinstance(part, TextBlock):
                raise NotSupported(f"content of type “{part.type}” in the result of a tool")
        text = _joined([part for part in block.content or () if isinstance(part, TextBlock)])
    return f"Error: {text}" if block.is_error else text


def _joined(blocks: Sequence[TextBlock]) -> str:
    return "\n".join(block.text for block in blocks)


def _merged(first: Message, second: Message) -> Message:
    text = "\n\n".join(part for part in (first.content, second.content) if part)
    return Message(first.role, text, first.tool_calls + second.tool_calls, images=first.images + second.images)
