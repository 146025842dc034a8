"""What a server elsewhere is and can do, as it told when it was asked. Learnt by `falconry.engines.probe`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias, get_args

from falconry.settings import Endpoint, EndpointKind

Feature: TypeAlias = Literal[
    "chat", "tools", "json_schema", "regex", "logprobs", "prompt_logprobs", "count", "continue"
]
"""`chat`: applies the model's own chat template. `count`: tells exactly how many tokens a prompt has. `continue`: goes
on with the text of an assistant's message."""

FEATURES: Mapping[EndpointKind, frozenset[Feature]] = {
    "llama_cpp": frozenset({"chat", "tools", "json_schema", "regex", "logprobs", "count", "continue"}),
    "vllm": frozenset(get_args(Feature)),
    "sglang": frozenset({"chat", "tools", "json_schema", "regex", "logprobs", "count", "continue"}),
    "tgi": frozenset({"chat", "tools", "json_schema", "regex", "logprobs", "prompt_logprobs", "count"}),
    "ollama": frozenset({"chat", "tools", "json_schema"}),
    "lm_studio": frozenset({"chat", "tools", "json_schema"}),
    "huggingface": frozenset({"chat", "tools", "json_schema"}),
    "openai": frozenset({"chat", "tools", "json_schema", "logprobs"}),
    "falconry": frozenset({"chat", "tools", "json_schema", "regex", "logprobs"}),
}
"""What our engines ask of each kind of server, and what they are made for; docs/endpoints.md has the routes."""


KIND_NAMES: Mapping[EndpointKind, str] = {
    "auto": "?",
    "openai": "OpenAI API",
    "tgi": "TGI",
    "vllm": "vLLM",
    "sglang": "SGLang",
    "llama_cpp": "llama.cpp",
    "ollama": "Ollama",
    "lm_studio": "LM Studio",
    "huggingface": "Hugging Face",
    "falconry": "Falconry",
}
"""What people call them, in every language."""


_LAST_SECOND = 2**33  # the year 2242; whatever reads a time can read this one


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """A model that a server lists.

    Attributes:
        context_length: tokens that prompt and reply may have together; None where the server does not tell.
        chat: whether it writes text; False for those that embed, speak, draw or rank.
        loaded: whether it is in the server's memory; None where the server does not tell.
        tools, vision: None where the server does not tell.
    """

    id: str
    context_length: int | None = None
    chat: bool = True
    loaded: bool | None = None
    tools: bool | None = None
    vision: bool | None = None


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What runs behind an endpoint.

    Attributes:
        url: the base that engines are to use: with its /v1, but for TGI.
        version: of the server's software; None where it does not tell.
        models: those that it lists, in its order.
        learnt_at: seconds since 1970.
    """

    kind: EndpointKind
    url: str
    models: tuple[RemoteModel, ...] = ()
    version: str | None = None
    features: frozenset[Feature] = frozenset()
    learnt_at: float = 0.0

    def model(self, name: str) -> RemoteModel | None:
        return next((model for model in self.models if model.id == name), None)

    def chat_models(self) -> tuple[RemoteModel, ...]:
        return tuple(model for model in self.models if model.chat)

    def as_json(self) -> dict[str, object]:
        return {**asdict(self), "models": [asdict(model) for model in self.models], "features": sorted(self.features)}

    @classmethod
    def from_json(cls, value: Any) -> ServerFacts:
        """Raises TypeError, ValueError, KeyError for anything that `as_json` does not give."""
        kind, version, learnt_at = value["kind"], value["version"], value["learnt_at"]
        if kind not in get_args(EndpointKind) or not (version is None or isinstance(version, str)):
            raise ValueError("no kind of endpoint, or no version")
        if isinstance(learnt_at, bool) or not 0 <= learnt_at < _LAST_SECOND:
            raise ValueError("no time")
        return cls(
            kind=kind,
            url=Endpoint(name="learnt", url=value["url"]).url,
            models=tuple(map(_model, value["models"])),
            version=version,
            features=frozenset(name for name in get_args(Feature) if name in value["features"]),
            learnt_at=float(learnt_at),
        )


def _model(value: Any) -> RemoteModel:
    model = RemoteModel(**value)
    flags, length = (model.chat, model.loaded, model.tools, model.vision), model.context_length
    named = isinstance(model.id, str) and model.id.isprintable()
    measured = length is None or (type(length) is int and 0 < length < 2**31)
    if not named or not measured or any(flag not in (None, False, True) for flag in flags):
        raise ValueError("no model")
    return model
