"""The input of OpenAI's responses API: messages, calls of functions and what these gave, as items of one list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag

from falconry.api.anthropic_schemas import text_or_list
from falconry.api.openai_schemas import Body
from falconry.errors import InvalidRequest, NotSupported
from falconry.messages import Image, Message, Role, ToolCall
from falconry.protocols.images import MOST_IMAGES, read_data_uri

MOST_PARTS = 5_000

_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}
_TEXTS = ("input_text", "output_text", "text")


class TextPart(Body):
    type: Literal["input_text", "output_text", "text"]
    text: str


class RefusalPart(Body):
    type: Literal["refusal"]
    refusal: str


class ImagePart(Body):
    type: Literal["input_image"]
    image_url: str | None = None

    def to_image(self) -> Image:
        if self.image_url is None:  # a file of OpenAI's store
            raise NotSupported("input_image with a file_id")
        return read_data_uri(self.image_url, "input")


class OtherPart(Body):
    """Files and sounds: nothing for a model of text."""

    type: str = Field(max_length=100)


def _part_tag(value: object) -> str:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    if isinstance(kind, str) and kind in _TEXTS:
        return "text"
    return {"refusal": "refusal", "input_image": "image"}.get(str(kind), "other")


Part: TypeAlias = Annotated[
    Annotated[TextPart, Tag("text")]
    | Annotated[ImagePart, Tag("image")]
    | Annotated[RefusalPart, Tag("refusal")]
    | Annotated[OtherPart, Tag("other")],
    Discriminator(_part_tag),
]
Content: TypeAlias = Annotated[
    Annotated[str, Tag("text")] | Annotated[list[Part], Field(max_length=MOST_PARTS), Tag("list")],
    Discriminator(text_or_list),
]


class MessageItem(Body):
    """A message. The `type` may be left out; ids and states of earlier answers mean nothing here."""

    type: Literal["message"] | None = None
    role: Literal["user", "assistant", "system", "developer"]
    content: Content

    def to_message(self) -> Message:
        if isinstance(self.content, str) or self.role != "user":
            return Message(_ROLES[self.role], text_of(self.content))
        pictures = [part for part in self.content if isinstance(part, ImagePart)]
        if len(pictures) > MOST_IMAGES:
            raise InvalidRequest(f"input: at most {MOST_IMAGES} pictures in a message are read")
        text = text_of([part for part in self.content if not isinstance(part, ImagePart)])
        return Message("user", text, images=tuple(part.to_image() for part in pictures))


class FunctionCallItem(Body):
    type: Literal["function_call"]
    call_id: str = Field(min_length=1, max_length=256)
    name: str = Field(min_length=1, max_length=256)
    arguments: str

    def to_call(self) -> ToolCall:
        return ToolCall(self.call_id, self.name, self.arguments)


class FunctionOutputItem(Body):
    type: Literal["function_call_output"]
    call_id: str = Field(min_length=1, max_length=256)
    output: Content

    def to_message(self) -> Message:
        return Message("tool", text_of(self.output), tool_call_id=self.call_id)


class OtherItem(Body):
    """Reasoning, which a model need not read again, and items of tools that there are none of here."""

    type: str = Field(max_length=100)


def _item_tag(value: object) -> str:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    if kind is None:
        return "message"
    known = ("message", "function_call", "function_call_output")
    return kind if isinstance(kind, str) and kind in known else "other"


Item: TypeAlias = Annotated[
    Annotated[MessageItem, Tag("message")]
    | Annotated[FunctionCallItem, Tag("function_call")]
    | Annotated[FunctionOutputItem, Tag("function_call_output")]
    | Annotated[OtherItem, Tag("other")],
    Discriminator(_item_tag),
]


def text_of(content: Content) -> str:
    """The text of a content. Raises NotSupported for what is no text."""
    if isinstance(content, str):
        return content
    texts: list[str] = []
    for part in content:
        if isinstance(part, OtherPart | ImagePart):
            raise NotSupported(f"content of type “{part.type}”")
        texts.append(part.text if isinstance(part, TextPart) else part.refusal)
    return "".join(texts)


def messages_of(items: Sequence[Item]) -> list[Message]:
    """The conversation in our words: what an assistant said and called, one item after the other, is one message."""
    messages: list[Message] = []
    for item in items:
        if isinstance(item, MessageItem | FunctionOutputItem):
            messages.append(item.to_message())
        elif isinstance(item, FunctionCallItem):
            if messages and messages[-1].role == "assistant":
                last = messages[-1]
                messages[-1] = replace(last, tool_calls=(*last.tool_calls, item.to_call()))
            else:
                messages.append(Message("assistant", "", (item.to_call(),)))
        elif item.type != "reasoning":
            raise NotSupported(f"input of type “{item.type}”")
    return messages
