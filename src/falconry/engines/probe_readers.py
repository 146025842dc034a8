"""Reads from a server's answers what it is. Pure: the questions are asked by `falconry.engines.probe`.

Every kind has a route that no other has; what each tells is in docs/endpoints.md, with sources.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from falconry.engines.server_facts import FEATURES, RemoteModel, ServerFacts
from falconry.protocols import openai, tgi
from falconry.protocols.openai import read_length
from falconry.settings import EndpointKind

# A root's own routes, and the kinds that have them.
NATIVE: Mapping[str, frozenset[EndpointKind]] = {
    "/info": frozenset({"tgi"}),
    "/props": frozenset({"llama_cpp"}),
    "/version": frozenset({"vllm"}),
    "/model_info": frozenset({"sglang"}),
    "/get_model_info": frozenset({"sglang"}),
    "/server_info": frozenset({"sglang"}),
    "/get_server_info": frozenset({"sglang"}),
    "/api/tags": frozenset({"ollama"}),
    "/api/version": frozenset({"ollama"}),
    "/api/ps": frozenset({"ollama"}),
    "/api/v0/models": frozenset({"lm_studio"}),
}
# Names of what does not chat, where a list has nothing but names.
_NO_CHAT = re.compile(
    r"embed|whisper|\btts\b|-tts|transcribe|dall-e|moderation|gpt-image|realtime|-audio|sora|rerank|bge-|stable-diffusion"
    r"|flux|davinci-002|babbage-002|imagen|veo-|kokoro|\bocr\b|-asr",
    re.IGNORECASE,
)
OLLAMA_CONTEXT = 4096
"""Tokens that Ollama gives a model of which nobody said otherwise, on a machine with less than 24 GiB of video memory;
longer prompts it cuts without a word (https://docs.ollama.com/context-length)."""
MOST_MODELS = 2000
"""Of one server. The largest services list some hundreds."""
LONGEST_ID = 300
LONGEST_VERSION = 100

Answers = Mapping[str, object]
"""The JSON of what was answered, by URL."""


def identify(answers: Answers, bases: Sequence[str], roots: Sequence[str]) -> ServerFacts | None:
    """What the server is; None where nothing that it says is known."""
    base, entries = _listing(answers, bases)
    if any(entry.get("owned_by") == "falconry" for entry in entries):
        return _facts("falconry", base, map(_listed, entries))
    for root in roots:
        for read in (_tgi, _lm_studio, _ollama, _sglang, _llama_cpp, _vllm):
            if (found := read(answers, root, entries)) is not None:
                return found
    if base and "//router.huggingface.co" in base:
        return _facts("huggingface", base, map(read_router_model, entries))
    return _facts("openai", base, map(_listed, entries)) if base else None


def embeds_only(answers: Answers, roots: Sequence[str]) -> bool:
    """Whether it is Hugging Face's text-embeddings-inference, whose /info has a `model_type`."""
    infos = (answers.get(f"{root}/info") for root in roots)
    return any(isinstance(info, Mapping) and "model_type" in info for info in infos)


def read_ollama_model(name: str, show: object, loaded: Mapping[str, int]) -> RemoteModel:
    """A model from /api/show: `num_ctx` of its parameters, its architecture's context, its capabilities.

    Args:
        loaded: context lengths of the models in memory, from /api/ps: what counts, where it is known.
    """
    fields = show if isinstance(show, Mapping) else {}
    info = fields.get("model_info")
    trained = next(
        (value for key, value in _items(info) if key.endswith(".context_length") and read_length(value)), None
    )
    chosen = re.search(r"^num_ctx\s+(\d{1,9})\b", str(fields.get("parameters") or ""), re.MULTILINE)
    length = loaded.get(name) or (int(chosen[1]) if chosen else OLLAMA_CONTEXT)
    known = isinstance(fields.get("capabilities"), list)
    abilities = _names(fields.get("capabilities"), [])
    return RemoteModel(
        name,
        context_length=min(length, trained) if trained else length,
        chat="completion" in abilities if known else not _NO_CHAT.search(name),
        loaded=name in loaded,
        tools="tools" in abilities if known else None,
        vision="vision" in abilities if known else None,
    )


def read_ollama_loaded(answer: object) -> dict[str, int]:
    """Context lengths of the models in memory, from /api/ps; 0 where an older version does not tell."""
    return {
        str(entry.get("model") or entry.get("name")): read_length(entry.get("context_length")) or 0
        for entry in _entries(answer, "models")
    }


def read_lm_studio_models(answer: object) -> tuple[RemoteModel, ...]:
    """The models of /api/v0/models."""
    return tuple(
        RemoteModel(
            str(entry["id"]),
            context_length=read_length(entry.get("loaded_context_length"))
            or read_length(entry.get("max_context_length")),
            chat=entry.get("type") in ("llm", "vlm"),
            loaded=entry.get("state") == "loaded",
            tools="tool_use" in abilities if isinstance(abilities := entry.get("capabilities"), list) else None,
            vision=entry.get("type") == "vlm",
        )
        for entry in _entries(answer, "data")
        if "id" in entry and "type" in entry
    )


def read_props(answer: object) -> tuple[int | None, bool | None] | None:
    """Context length of a slot, and whether it sees pictures, from llama.cpp's /props; None for anything else."""
    if not isinstance(answer, Mapping) or not isinstance(slot := answer.get("default_generation_settings"), Mapping):
        return None
    seen = answer.get("modalities")
    return read_length(slot.get("n_ctx")), bool(seen.get("vision")) if isinstance(seen, Mapping) else None


def _tgi(answers: Answers, root: str, _entries: Sequence[Mapping[str, object]]) -> ServerFacts | None:
    body = answers.get(f"{root}/info")
    if not isinstance(body, Mapping) or "model_id" not in body or "model_type" in body:
        return None
    info = tgi.read_info(body)
    found = (RemoteModel(info.model, info.max_total),) if info.model else ()
    return _facts("tgi", root, found, body.get("version"))


def _lm_studio(answers: Answers, root: str, _entries: Sequence[Mapping[str, object]]) -> ServerFacts | None:
    answer = answers.get(f"{root}/api/v0/models")
    if not isinstance(answer, Mapping) or not isinstance(answer.get("data"), list):
        return None
    return _facts("lm_studio", f"{root}/v1", read_lm_studio_models(answer))


def _ollama(answers: Answers, root: str, _listed: Sequence[Mapping[str, object]]) -> ServerFacts | None:
    tags, version = answers.get(f"{root}/api/tags"), answers.get(f"{root}/api/version")
    if not isinstance(tags, Mapping) or not isinstance(tags.get("models"), list):
        return None
    if not isinstance(version, Mapping) or not isinstance(version.get("version"), str):
        return None
    loaded = read_ollama_loaded(answers.get(f"{root}/api/ps"))
    names = [str(entry.get("model") or entry.get("name")) for entry in _entries(tags, "models")]
    models = [read_ollama_model(name, None, loaded) for name in names]
    return _facts("ollama", f"{root}/v1", models, version["version"])


def _sglang(answers: Answers, root: str, entries: Sequence[Mapping[str, object]]) -> ServerFacts | None:
    info = _either(answers, f"{root}/model_info", f"{root}/get_model_info")
    if "model_path" not in info or "is_generation" not in info:
        return None
    server = _either(answers, f"{root}/server_info", f"{root}/get_server_info")
    chat = info.get("is_generation") is not False
    sees = info.get("has_image_understanding")
    models = [
        replace(
            _listed(entry),
            context_length=openai.read_context_length(entry) or read_length(server.get("context_length")),
            chat=chat,
            vision=sees if isinstance(sees, bool) else None,
        )
        for entry in entries or [{"id": str(info["model_path"])}]
    ]
    return _facts("sglang", f"{root}/v1", models, server.get("version"))


def _llama_cpp(answers: Answers, root: str, entries: Sequence[Mapping[str, object]]) -> ServerFacts | None:
    props = read_props(answers.get(f"{root}/props"))
    if props is None:
        return None
    length, vision = props
    body = answers[f"{root}/props"]
    models = [replace(_listed(entry), context_length=length, vision=vision) for entry in entries]
    return _facts("llama_cpp", f"{root}/v1", models, body.get("build_info") if isinstance(body, Mapping) else None)


def _vllm(answers: Answers, root: str, entries: Sequence[Mapping[str, object]]) -> ServerFacts | None:
    version = answers.get(f"{root}/version")
    if not any(entry.get("owned_by") == "vllm" for entry in entries):
        return None
    told = version.get("version") if isinstance(version, Mapping) else None
    return _facts("vllm", f"{root}/v1", map(_listed, entries), told)


def read_router_model(entry: Mapping[str, object]) -> RemoteModel:
    """An entry of Hugging Face's router: several providers serve a model, one of which is chosen for each request."""
    live = [provider for provider in _entries(entry, "providers") if provider.get("status") in (None, "live")]
    lengths = [length for provider in live if (length := read_length(provider.get("context_length")))]
    tools = [told for provider in live if isinstance(told := provider.get("supports_tools"), bool)]
    return replace(_listed(entry), context_length=min(lengths, default=None), tools=any(tools) if tools else None)


def _listed(entry: Mapping[str, object]) -> RemoteModel:
    """An entry of /models, with what OpenRouter, Mistral, Together and others add to it."""
    name = str(entry["id"])
    kind, shape = entry.get("type"), entry.get("architecture")
    chat, tools, vision = not _NO_CHAT.search(name), None, None
    if isinstance(kind, str) and kind in ("chat", "language", "image", "embedding", "moderation", "rerank", "audio"):
        chat = kind in ("chat", "language")
    if isinstance(shape, Mapping):
        chat = "text" in _names(shape.get("output_modalities"), ["text"]) and chat
        vision = "image" in _names(shape.get("input_modalities"), [])
    abilities, params = entry.get("capabilities"), entry.get("supported_parameters")
    if isinstance(abilities, Mapping):
        chat = abilities.get("completion_chat") is not False and chat
        tools, vision = _told(abilities.get("function_calling")), _told(abilities.get("vision"))
    if isinstance(params, list):
        tools = "tools" in params
    return RemoteModel(name, openai.read_context_length(entry), chat, tools=tools, vision=vision)


def _facts(kind: EndpointKind, url: str, models: Iterable[RemoteModel], version: object = None) -> ServerFacts:
    names = islice((model for model in models if _is_name(model.id, LONGEST_ID)), MOST_MODELS)
    told = version if isinstance(version, str) and _is_name(version, LONGEST_VERSION) else None
    return ServerFacts(kind, url, tuple(names), told, FEATURES[kind])


def _is_name(text: str, longest: int) -> bool:
    """Whether a text may stand in a list for people: neither a novel nor one that turns the line around."""
    return 0 < len(text) <= longest and text.isprintable()


def _listing(answers: Answers, bases: Sequence[str]) -> tuple[str, list[Mapping[str, object]]]:
    """The first base that has a list of models, and the list; "" where none has."""
    for base in bases:
        answer = answers.get(f"{base}/models")
        if isinstance(answer, list) or (isinstance(answer, Mapping) and isinstance(answer.get("data"), list)):
            return base, openai.read_models(answer)
    return "", []


def _either(answers: Answers, *urls: str) -> Mapping[str, object]:
    return next((found for url in urls if isinstance(found := answers.get(url), Mapping)), {})


def _entries(answer: object, name: str) -> list[Mapping[str, object]]:
    found = answer.get(name) if isinstance(answer, Mapping) else None
    return [entry for entry in found if isinstance(entry, Mapping)] if isinstance(found, list) else []


def _items(value: object) -> list[tuple[str, Any]]:
    return [(str(key), each) for key, each in value.items()] if isinstance(value, Mapping) else []


def _names(value: object, otherwise: list[str]) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else otherwise


def _told(value: object) -> bool | None:
    return value if isinstance(value, bool) else None
