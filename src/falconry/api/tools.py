"""Tools for models whose chat template does not know them: told in the system message, read from the text.

The form is that of Nous Research's Hermes models, which most open models have seen in training:
`<tool_call>{"name": …, "arguments": {…}}</tool_call>`. Where a call is required, a schema leaves the model nothing
else to write than that JSON, so that any model can do it. `falconry.api.tool_reader` reads what comes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from falconry.errors import InvalidRequest
from falconry.messages import Grammar, Message, Tool

CALL, CALL_END = "<tool_call>", "</tool_call>"
RESPONSE, RESPONSE_END = "<tool_response>", "</tool_response>"


@dataclass(frozen=True, slots=True)
class ToolUse:
    """What a request says about tools.

    Attributes:
        choice: "auto", "required", or the name of the one function that must be called; "none" is an empty `tools`.
        parallel: several calls in one reply are wanted.
    """

    tools: tuple[Tool, ...] = ()
    choice: str = "auto"
    parallel: bool = True

    def __post_init__(self) -> None:
        names = [tool.name for tool in self.tools]
        if len(set(names)) < len(names):
            raise _wrong("tools", "two of them have the same name")
        if self.choice not in ("auto", "required", *names):
            raise _wrong("tool_choice", f"“{self.choice[:200]}” is not among the tools")

    @property
    def forced(self) -> bool:
        """Whether the reply must be a call."""
        return bool(self.tools) and self.choice != "auto"

    @property
    def named(self) -> bool:
        """Whether it must be the call of one certain function."""
        return self.forced and self.choice != "required"

    @property
    def allowed(self) -> tuple[Tool, ...]:
        """The functions that may be called."""
        return tuple(tool for tool in self.tools if tool.name == self.choice) if self.named else self.tools


def _wrong(field: str, problem: str) -> InvalidRequest:
    return InvalidRequest(f"{field}: {problem}", code="invalid_tools", field=field, problem=problem)


NO_TOOLS = ToolUse()


def speaks_of_tools(messages: Iterable[Message]) -> bool:
    """Whether tools were used in a conversation."""
    return any(message.tool_calls or message.role == "tool" for message in messages)


def in_words(messages: Sequence[Message], use: ToolUse) -> list[Message]:
    """The conversation without anything that only a template for tools understands.

    The tools are described in the system message; calls and their results become text. Messages of one role that come
    to stand together are joined, since many templates refuse them.
    """
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    plain = [_in_words(message, names) for message in messages]
    if use.tools:
        description = _description(use)
        if plain and plain[0].role == "system":
            plain[0] = replace(plain[0], content=f"{plain[0].content}\n\n{description}")
        else:
            plain.insert(0, Message("system", description))
    joined: list[Message] = []
    for message in plain:
        if joined and joined[-1].role == message.role:
            before = joined[-1]
            text, images = f"{before.content}\n{message.content}", before.images + message.images
            joined[-1] = replace(message, content=text, images=images)
        else:
            joined.append(message)
    return joined


def _in_words(message: Message, names: dict[str, str]) -> Message:
    if message.role == "tool":
        result: object = message.content
        if name := names.get(message.tool_call_id or ""):
            result = {"name": name, "content": message.content}
        text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
        return Message("user", f"{RESPONSE}\n{text}\n{RESPONSE_END}")
    if not message.tool_calls:
        return message
    calls = [f"{CALL}\n{_call(call.name, call.arguments)}\n{CALL_END}" for call in message.tool_calls]
    return Message(message.role, "\n".join([message.content, *calls] if message.content else calls))


def _call(name: str, arguments: str) -> str:
    # The arguments stay as the model wrote them, so that its cache of the prompt stays good.
    return f'{{"name": {json.dumps(name, ensure_ascii=False)}, "arguments": {arguments or "{}"}}}'


def _description(use: ToolUse) -> str:
    lines = [
        json.dumps(
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": json.loads(tool.parameters),
                },
            },
            ensure_ascii=False,
        )
        for tool in use.allowed
    ]
    form = '{"name": <function name>, "arguments": <arguments as a JSON object>}'
    how = (
        f"Reply with a call of a function, as JSON and nothing else:\n{form}"
        if use.forced
        else f"To call a function, write the call as JSON between {CALL} tags:\n{CALL}\n{form}\n{CALL_END}\n"
        f"Its result comes between {RESPONSE} tags. When no function is needed, answer in plain words."
    )
    return "\n".join(["You can call these functions:", "<tools>", *lines, "</tools>", how])


def call_grammar(use: ToolUse) -> Grammar:
    """The shape of a reply that is one call of an allowed function."""
    definitions, calls = {}, []
    for number, tool in enumerate(use.allowed):
        # Each tool's schema may refer to its own root, which is elsewhere now.
        place = f"arguments{number}"
        definitions[place] = _moved(json.loads(tool.parameters), f"#/$defs/{place}")
        calls.append(
            {
                "type": "object",
                "properties": {"name": {"const": tool.name}, "arguments": {"$ref": f"#/$defs/{place}"}},
                "required": ["name", "arguments"],
                "additionalProperties": False,
            }
        )
    schema = calls[0] if len(calls) == 1 else {"anyOf": calls}
    return Grammar("json_schema", json.dumps({**schema, "$defs": definitions}, ensure_ascii=False))


def _moved(schema: object, root: str) -> object:
    """A schema with its references turned to where it stands now."""
    if isinstance(schema, list):
        return [_moved(entry, root) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    moved = {key: _moved(value, root) for key, value in schema.items() if key not in ("$schema", "$id")}
    if isinstance(reference := moved.get("$ref"), str) and reference.startswith("#"):
        moved["$ref"] = root + reference[1:]
    return moved
