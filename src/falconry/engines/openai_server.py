"""What a server of OpenAI's protocol tells about itself, asked once before the first reply: whose it is, and how long
a conversation may be.

The kind of an endpoint says whose it is where it is known (`falconry.engines.probe`); otherwise the list of models
gives it away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from falconry.engines import endpoint_errors as errors
from falconry.engines.endpoint_errors import Refused
from falconry.engines.http import EndpointClient
from falconry.engines.openai_extras import Flavour
from falconry.engines.probe_readers import (
    read_lm_studio_models,
    read_ollama_loaded,
    read_ollama_model,
    read_props,
    read_router_model,
)
from falconry.errors import EngineError, EngineUnavailable, FalconryError
from falconry.protocols import openai
from falconry.settings import Endpoint, EndpointKind

# By the `owned_by` of their models. Ollama has other names for models that come from elsewhere.
_BY_OWNER: Mapping[str, Flavour] = {
    "llamacpp": "llama_cpp",
    "vllm": "vllm",
    "sglang": "sglang",
    "library": "ollama",
    "organization_owner": "lm_studio",
}
_BY_KIND: Mapping[EndpointKind, Flavour] = {
    "llama_cpp": "llama_cpp",
    "vllm": "vllm",
    "sglang": "sglang",
    "ollama": "ollama",
    "lm_studio": "lm_studio",
    "huggingface": "other",
    "falconry": "other",
}


@dataclass(frozen=True, slots=True)
class Server:
    """What the server tells about itself. `context_length` in tokens, None where it does not tell."""

    flavour: Flavour
    model: str
    context_length: int | None


async def explore(http: EndpointClient, url: str, endpoint: Endpoint) -> Server:
    """Ask the server behind the base `url` what it is.

    Raises EngineError where it cannot be reached, refuses the key or is too busy.
    """
    return await _Explorer(http, url, endpoint).server()


class _Explorer:
    def __init__(self, http: EndpointClient, url: str, endpoint: Endpoint) -> None:
        self._http = http
        self._url = url
        self._root = url.removesuffix("/v1")
        self._endpoint = endpoint

    async def server(self) -> Server:
        entries = openai.read_models(await self._get(f"{self._url}/models"))
        wanted = self._endpoint.model
        entry = next((entry for entry in entries if entry["id"] == wanted), entries[0] if entries else {})
        # A server without a list has one model and takes any name.
        model = wanted or str(entry.get("id", "default"))
        length = openai.read_context_length(entry)
        flavour = _BY_KIND.get(self._endpoint.kind) or _BY_OWNER.get(str(entry.get("owned_by")), "other")
        if flavour == "llama_cpp":
            props = read_props(await self._get(f"{self._root}/props"))
            if props is None:  # a server that only calls itself so, or one behind a proxy that hides it
                return Server("other", model, length)
            return Server(flavour, model, props[0] or length)
        if flavour == "other" and ":" in model and await self._is_ollama():
            flavour = "ollama"
        if flavour == "ollama":
            return Server(flavour, model, await self._ollama_context(model))
        if flavour == "lm_studio":
            found = read_lm_studio_models(await self._get(f"{self._root}/api/v0/models"))
            length = next((each.context_length for each in found if each.id == model), length)
        elif self._endpoint.kind == "huggingface" and entry:
            length = read_router_model(entry).context_length
        return Server(flavour, model, length)

    async def _is_ollama(self) -> bool:
        version = await self._get(f"{self._root}/api/version")
        return isinstance(version, dict) and set(version) == {"version"}

    async def _ollama_context(self, model: str) -> int | None:
        """What the model has in memory, else what it will be loaded with."""
        loaded = read_ollama_loaded(await self._get(f"{self._root}/api/ps"))
        try:
            shown: object = await self._http.post(f"{self._root}/api/show", {"model": model})
        except (Refused, FalconryError):
            return loaded.get(model) or None
        return read_ollama_model(model, shown, loaded).context_length

    async def _get(self, url: str) -> object:
        """What the server tells there; None where it has no such page, or an odd one."""
        try:
            return await self._http.get(url)
        except Refused as refused:
            if refused.status in (401, 429, 503):
                raise errors.refused(self._http.place, refused) from None
        except EngineUnavailable:
            raise
        except EngineError:
            pass
        return None
