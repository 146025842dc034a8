"""The JSON of our own API: what comes in, with its ranges, and how messages and conversations go out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from falconry.api.request_body import RequestBody
from falconry.errors import InvalidRequest
from falconry.messages import Conversation, Grammar, SamplingParams, StoredMessage
from falconry.protocols.grammar import check_schema
from falconry.storage.conversations import Changes

Id = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
ModelName = Annotated[str, Field(max_length=300)]
StopText = Annotated[str, Field(max_length=256)]


class Params(RequestBody):
    """Sampling params; what is left out has its default. Ranges as in `falconry.messages.SamplingParams`."""

    model_config = ConfigDict(extra="forbid")

    max_tokens: int | None = Field(1024, ge=1, le=1_000_000)
    temperature: float = Field(0.7, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)
    top_k: int | None = Field(None, ge=0, le=1_000_000)
    min_p: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)
    repetition_penalty: float | None = Field(None, ge=0.01, le=10, allow_inf_nan=False)
    stop: list[StopText] = Field(default_factory=list, max_length=16)
    seed: int | None = Field(None, ge=0, le=2**32 - 2)
    json_schema: dict[str, Any] | None = None

    def to_sampling(self) -> SamplingParams:
        """Raises InvalidRequest for a schema that replies cannot be held to."""
        grammar = None
        if self.json_schema is not None:
            grammar = Grammar("json_schema", json.dumps(self.json_schema, ensure_ascii=False))
            check_schema(grammar.text)
        given = self.model_dump(exclude={"json_schema"})
        return SamplingParams(**{**given, "stop": tuple(self.stop)}, grammar=grammar)


class TurnOptions(RequestBody):
    """With what to answer. `system` null is the default system message, "" is none."""

    model_config = ConfigDict(extra="forbid")

    model: ModelName | None = None
    system: str | None = Field(None, max_length=200_000)
    params: Params = Field(default_factory=Params)


class ReplyOptions(TurnOptions):
    """With what to answer, and `persona`, a name that is shown beside the reply."""

    persona: str | None = Field(None, max_length=80)


class NewTurn(ReplyOptions):
    """A user's message.

    `parent_id` is the newest message that the sender has seen. With `edit_of` it is a new version of that message, and
    without `attachments` keeps its files.
    """

    content: str
    parent_id: Id | None = None
    edit_of: Id | None = None
    attachments: list[Id] | None = Field(None, max_length=20)


class AnotherReply(ReplyOptions):
    """`head_id` is the newest message that the asker has seen; left out, it is not compared."""

    head_id: Id | None = None


class ContextQuestion(ReplyOptions):
    """What would the next turn send, with this draft as its message and these files beside it?"""

    draft: str = Field("", max_length=4 * 1024 * 1024)
    attachments: list[Id] = Field(default_factory=list, max_length=20)


class NewConversation(RequestBody):
    model_config = ConfigDict(extra="forbid")

    title: str = Field("", max_length=200)


class ConversationChange(RequestBody):
    """What is left out stays as it is; a `folder_id` of null takes the conversation out of its folder."""

    model_config = ConfigDict(extra="forbid")

    title: str = Field("", max_length=200)
    pinned: bool = False
    folder_id: Id | None = None

    def changes(self) -> Changes:
        """Raises InvalidRequest for a blank title."""
        changes: Changes = {}
        if "title" in self.model_fields_set:
            changes["title"] = named(self.title)
        if "pinned" in self.model_fields_set:
            changes["pinned"] = self.pinned
        if "folder_id" in self.model_fields_set:
            changes["folder_id"] = self.folder_id
        return changes


class FolderName(RequestBody):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=100)


class Shown(RequestBody):
    """Show the branch through `message_id`; `head_id` is the newest message that the asker has seen."""

    model_config = ConfigDict(extra="forbid")

    message_id: Id
    head_id: Id | None


class Judgement(RequestBody):
    """1 good, -1 bad, null neither; `correction` is what the reply should have been."""

    model_config = ConfigDict(extra="forbid")

    rating: Literal[1, -1] | None
    correction: str | None = Field(None, max_length=100_000)


def named(text: str) -> str:
    """A name in one line. Raises InvalidRequest where there is none."""
    name = " ".join(text.split())
    if not name:
        raise InvalidRequest("The name is empty.", code="empty_name")
    return name


class Completion(RequestBody):
    """A raw prompt to be continued; nothing is remembered."""

    model_config = ConfigDict(extra="forbid")

    prompt: str = Field(min_length=1, max_length=4 * 1024 * 1024)
    model: ModelName | None = None
    params: Params = Field(default_factory=lambda: Params(max_tokens=20))


def conversation_json(conversation: Conversation, *, running: str | None = None) -> dict[str, object]:
    """A conversation; `running` is the id of its reply in flight."""
    moments = {name: value.isoformat() for name, value in asdict(conversation).items() if isinstance(value, datetime)}
    return {**asdict(conversation), **moments, "running": running}


def message_json(message: StoredMessage, versions: Sequence[str] | None = None) -> dict[str, object]:
    """A message; `versions` are the ids of all its versions where they were looked up."""
    shown = {**asdict(replace(message, attachments=())), "created_at": message.created_at.isoformat()}
    shown["attachments"] = [file.about() for file in message.attachments]
    return shown if versions is None else {**shown, "versions": list(versions)}
