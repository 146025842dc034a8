"""The JSON of requests to OpenAI's responses API, with its ranges, and what it means in our words.

Unknown fields are ignored and null is the same as nothing. What needs a server that remembers (`previous_response_id`,
`conversation`, `background`, stored prompts) is refused by name: nothing of a request is kept here.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from falconry.api.anthropic_schemas import text_or_list
from falconry.api.openai_params import wrong
from falconry.api.openai_schemas import Body, Flag, Integer, ModelName, Number
from falconry.api.responses_input import Item, messages_of
from falconry.api.tools import NO_TOOLS, ToolUse
from falconry.errors import NotSupported
from falconry.messages import Grammar, Message, SamplingParams, Tool

MOST_ITEMS = 20_000
MOST_TOOLS = 512
MOST_TOKENS = 1_000_000
DEFAULTS = SamplingParams()
LOGPROBS = "message.output_text.logprobs"


class ToolParam(Body):
    """A function, in the flat form. Tools that OpenAI's servers would run have another `type`."""

    type: str = Field(max_length=100)
    name: str | None = Field(None, min_length=1, max_length=128, pattern=r"^[a-zA-Z0-9_.:-]+$")
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: Flag | None = None

    def to_tool(self) -> Tool:
        if self.type != "function":
            raise NotSupported(f"tools of type “{self.type}”")
        if self.name is None:
            raise wrong("tools", "one has no name")
        parameters = {"type": "object", "properties": {}} if self.parameters is None else self.parameters
        return Tool(self.name, self.description or "", json.dumps(parameters, ensure_ascii=False))


class NamedTool(Body):
    type: str = Field(max_length=100)
    name: str | None = Field(None, max_length=128)


class ToolChoice(Body):
    """A function that must be called, or which of the tools may be."""

    type: str = Field(max_length=100)
    name: str | None = Field(None, max_length=128)
    mode: Literal["auto", "required"] | None = None
    tools: Annotated[list[NamedTool], Field(max_length=MOST_TOOLS)] | None = None


class TextFormat(Body):
    type: Literal["text", "json_object", "json_schema"]
    name: str | None = Field(None, max_length=200)
    description: str | None = None
    strict: Flag | None = None
    schema_: dict[str, Any] | None = Field(None, alias="schema")


class TextConfig(Body):
    format: TextFormat | None = None


class ResponsesRequest(Body):
    """What POST /v1/responses takes."""

    model: ModelName | None = None
    input: Annotated[
        Annotated[str, Tag("text")] | Annotated[list[Item], Field(max_length=MOST_ITEMS), Tag("list")],
        Discriminator(text_or_list),
    ]
    instructions: str | None = None
    max_output_tokens: Annotated[Integer, Field(ge=1, le=2**31)] | None = None
    temperature: Annotated[Number, Field(ge=0, le=2)] | None = None
    top_p: Annotated[Number, Field(ge=0, le=1)] | None = None
    top_logprobs: Annotated[Integer, Field(ge=0, le=20)] | None = None
    tools: Annotated[list[ToolParam], Field(max_length=MOST_TOOLS)] | None = None
    tool_choice: Literal["auto", "none", "required"] | ToolChoice | None = None
    parallel_tool_calls: Flag | None = None
    text: TextConfig | None = None
    include: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=50)] | None = None
    metadata: Annotated[dict[str, Annotated[str, Field(max_length=512)]], Field(max_length=16)] | None = None
    stream: Flag | None = None
    store: Flag | None = None
    background: Flag | None = None
    previous_response_id: str | None = Field(None, max_length=200)
    conversation: str | dict[str, Any] | None = None
    prompt: dict[str, Any] | None = None

    def check(self) -> None:
        """Raise NotSupported for what would need earlier requests."""
        for name in ("previous_response_id", "conversation", "background", "prompt"):
            if getattr(self, name):
                raise NotSupported(
                    name,
                    f"{name} needs a server that stores requests, and Falconry stores none. Send the whole "
                    "conversation as input.",
                )

    def echo(self) -> dict[str, object]:
        """What a response repeats of its request."""
        wanted = self.text.format if self.text else None
        choice = self.tool_choice
        return {
            "instructions": self.instructions,
            "max_output_tokens": self.max_output_tokens,
            "metadata": self.metadata or {},
            "parallel_tool_calls": self.parallel_tool_calls is not False,
            "reasoning": {"effort": None, "summary": None},
            "temperature": DEFAULTS.temperature if self.temperature is None else self.temperature,
            "text": {"format": wanted.model_dump(by_alias=True, exclude_none=True) if wanted else {"type": "text"}},
            "tool_choice": choice.model_dump(exclude_none=True) if isinstance(choice, ToolChoice) else choice or "auto",
            "tools": [tool.model_dump() for tool in self.tools or ()],
            "top_logprobs": self.top_logprobs or 0,
            "top_p": 1.0 if self.top_p is None else self.top_p,
        }

    def to_messages(self) -> list[Message]:
        """The conversation as an engine reads it."""
        messages = [Message("system", self.instructions)] if self.instructions else []
        messages += [Message("user", self.input)] if isinstance(self.input, str) else messages_of(self.input)
        if not messages:
            raise wrong("input", "it has no message")
        if messages[-1].tool_calls:
            raise wrong("input", "its last message uses tools; put their results into a message after it")
        return messages

    def to_tools(self) -> ToolUse:
        """The tools that may be used. Raises InvalidRequest, NotSupported."""
        tools = tuple(tool.to_tool() for tool in self.tools or ())
        parallel = self.parallel_tool_calls is not False
        if self.tool_choice == "none":
            return NO_TOOLS
        if isinstance(self.tool_choice, ToolChoice):
            return ToolUse(*_chosen(tools, self.tool_choice), parallel)
        if self.tool_choice == "required" and not tools:
            raise wrong("tool_choice", "it asks for a tool that is not among the tools")
        return ToolUse(tools, self.tool_choice or "auto", parallel)

    def to_grammar(self) -> Grammar | None:
        """The shape that the reply must have, unchecked."""
        wanted = self.text.format if self.text else None
        if wanted is None or wanted.type == "text":
            return None
        if wanted.type == "json_object":
            return Grammar("json_object")
        if wanted.schema_ is None:
            raise wrong("text.format", "it has no schema")
        return Grammar("json_schema", json.dumps(wanted.schema_, ensure_ascii=False))

    def to_params(self) -> SamplingParams:
        """The sampling params; what is left out has our own default."""
        most = self.max_output_tokens
        return SamplingParams(
            max_tokens=None if most is None else min(most, MOST_TOKENS),
            temperature=DEFAULTS.temperature if self.temperature is None else self.temperature,
            top_p=self.top_p,
            grammar=self.to_grammar(),
        )

    @property
    def logprobs(self) -> int | None:
        """How many alternatives to give with each token; None for no logprobs at all."""
        if LOGPROBS in (self.include or ()) or self.top_logprobs:
            return self.top_logprobs or 0
        return None


def _chosen(tools: tuple[Tool, ...], choice: ToolChoice) -> tuple[tuple[Tool, ...], str]:
    if choice.type == "function":
        return tools, choice.name or ""
    if choice.type != "allowed_tools":
        raise NotSupported(f"tool_choice of type “{choice.type}”")
    names = {tool.name for tool in choice.tools or ()}
    allowed = tuple(tool for tool in tools if tool.name in names)
    if not names or len(allowed) < len(names):
        raise wrong("tool_choice", "it asks for a tool that is not among the tools")
    return allowed, choice.mode or "auto"
