"""The JSON of our own API: what comes in, with its ranges, and how messages and conversations go out."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field

from falconry.api.request_body import RequestBody
from falconry.messages import Conversation, SamplingParams, StoredMessage

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

    def to_sampling(self) -> SamplingParams:
        return SamplingParams(**{**self.model_dump(), "stop": tuple(self.stop)})


class TurnOptions(RequestBody):
    """With what to answer. `system` null is the default system message, "" is none."""

    model_config = ConfigDict(extra="forbid")

    model: ModelName | None = None
    system: str | None = Field(None, max_length=200_000)
    params: Params = Field(default_factory=Params)


class NewTurn(TurnOptions):
    """A user's message. `parent_id` is the newest message that the sender has seen."""

    content: str
    parent_id: Id | None = None


class ContextQuestion(TurnOptions):
    """What would the next turn send, with this draft as its message?"""

    draft: str = Field("", max_length=4 * 1024 * 1024)


class NewConversation(RequestBody):
    model_config = ConfigDict(extra="forbid")

    title: str = Field("", max_length=200)


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


def message_json(message: StoredMessage) -> dict[str, object]:
    return {**asdict(message), "created_at": message.created_at.isoformat()}
