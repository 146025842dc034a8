"""Servers that cannot be had here, as far as they tell what they are: their routes answer as their sources have it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.engines.servers import Connection, Handler, Request

Routes = Mapping[str, Any]
CHAT = "/v1/chat/completions"


def stub(routes: Routes, *, key: str | None = None, reply: str = "Hi", path: str = CHAT) -> Handler:
    """A server with GET (or POST) routes that answer JSON, and one that chats.

    Args:
        key: without it everything is refused, as most servers refuse.
    """

    async def handler(request: Request, connection: Connection) -> None:
        if key is not None and request.headers.get("authorization") != f"Bearer {key}":
            await connection.json({"error": {"message": "Incorrect API key provided", "type": "auth"}}, 401)
        elif request.path == path:
            await _chat(request, connection, reply)
        elif request.path in routes:
            answer = routes[request.path]
            await connection.json(answer(request) if callable(answer) else answer)
        else:
            await connection.json({"error": {"message": "Not Found", "code": 404}}, 404)

    return handler


async def _chat(request: Request, connection: Connection, reply: str) -> None:
    if not request.body.get("messages"):
        await connection.json({"error": {"message": "messages is empty", "type": "invalid_request_error"}}, 400)
        return
    choice = {"index": 0, "message": {"role": "assistant", "content": reply}, "finish_reason": "length"}
    await connection.json({"object": "chat.completion", "model": request.body["model"], "choices": [choice]})


def entry(name: str, owner: str = "someone", **more: object) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 1, "owned_by": owner, **more}


def listing(*entries: Mapping[str, object]) -> dict[str, object]:
    return {"object": "list", "data": list(entries)}


# text-generation-inference 3.3: router/src/server.rs, `Info` in router/src/lib.rs.
TGI: Routes = {
    "/info": {
        "model_id": "tiiuae/falcon-7b-instruct",
        "model_sha": "abc",
        "max_concurrent_requests": 128,
        "max_best_of": 2,
        "max_stop_sequences": 4,
        "max_input_tokens": 2047,
        "max_total_tokens": 2048,
        "router": "text-generation-router",
        "version": "3.3.6",
    },
    "/v1/models": listing(entry("tiiuae/falcon-7b-instruct", "tiiuae/falcon-7b-instruct")),
    "/chat_tokenize": {"tokenize_response": [{"id": 1, "text": "Hi"}], "templated_text": "Hi"},
}
# text-embeddings-inference: router/src/lib.rs, `Info`.
EMBEDDER: Routes = {"/info": {"model_id": "BAAI/bge-m3", "model_type": {"embedding": {"pooling": "cls"}}}}
# vLLM 0.3x: vllm/entrypoints/openai/, routes /version and /v1/models.
VLLM: Routes = {
    "/version": {"version": "0.33.0"},
    "/v1/models": listing(entry("Qwen/Qwen3-4B", "vllm", root="Qwen/Qwen3-4B", max_model_len=40960)),
}
# SGLang 0.5.23: python/sglang/srt/entrypoints/http_server.py.
SGLANG: Routes = {
    "/model_info": {
        "model_path": "Qwen/Qwen3-4B",
        "tokenizer_path": "Qwen/Qwen3-4B",
        "is_generation": True,
        "has_image_understanding": False,
    },
    "/server_info": {"version": "0.5.23", "context_length": 32768, "max_total_num_tokens": 100000},
    "/v1/models": listing(entry("Qwen/Qwen3-4B", "sglang", root="Qwen/Qwen3-4B", max_model_len=32768)),
}


def _show(request: Request) -> dict[str, object]:
    shown: dict[str, dict[str, object]] = {
        "llama3.2:1b": {
            "parameters": 'stop "<|eot_id|>"\nnum_ctx                        8192',
            "model_info": {"general.architecture": "llama", "llama.context_length": 131072},
            "capabilities": ["completion", "tools"],
        },
        "gemma3:4b": {
            "model_info": {"general.architecture": "gemma3", "gemma3.context_length": 131072},
            "capabilities": ["completion", "vision"],
        },
        "nomic-embed-text:latest": {
            "model_info": {"nomic-bert.context_length": 2048},
            "capabilities": ["embedding"],
        },
    }
    return shown[request.body["model"]]


# Ollama: docs/api.md of its repository, /api/tags, /api/show, /api/ps, /api/version.
OLLAMA: Routes = {
    "/api/version": {"version": "0.15.2"},
    "/api/tags": {
        "models": [
            {"name": name, "model": name, "size": 1, "digest": "d", "details": {}}
            for name in ("gemma3:4b", "llama3.2:1b", "nomic-embed-text:latest")
        ]
    },
    "/api/ps": {"models": [{"name": "gemma3:4b", "model": "gemma3:4b", "context_length": 16384}]},
    "/api/show": _show,
    "/v1/models": listing(
        entry("gemma3:4b", "library"), entry("llama3.2:1b", "library"), entry("nomic-embed-text:latest", "library")
    ),
}
# LM Studio 0.3.6 and later: https://lmstudio.ai/docs/developer/rest/endpoints
LM_STUDIO: Routes = {
    "/api/v0/models": listing(
        {
            "id": "qwen3-4b",
            "object": "model",
            "type": "llm",
            "state": "loaded",
            "max_context_length": 131072,
            "loaded_context_length": 8192,
            "capabilities": ["tool_use"],
        },
        {"id": "qwen2-vl-7b", "object": "model", "type": "vlm", "state": "not-loaded", "max_context_length": 32768},
        {"id": "bge", "object": "model", "type": "embeddings", "state": "not-loaded", "max_context_length": 512},
    ),
    "/v1/models": listing(entry("qwen3-4b", "organization_owner"), entry("qwen2-vl-7b", "organization_owner")),
}
# llama.cpp's server: tools/server/README.md of its repository, GET /props and /v1/models.
LLAMA_CPP: Routes = {
    "/props": {
        "default_generation_settings": {"n_ctx": 4096},
        "total_slots": 2,
        "modalities": {"vision": True, "audio": False},
        "chat_template": "{{ messages }}",
        "build_info": "b9999-abc",
    },
    "/v1/models": listing(entry("gemma-3-4b.gguf", "llamacpp", meta={"n_ctx_train": 131072})),
}
# api.openai.com: a list of names, of which many do not chat.
OPENAI: Routes = {
    "/v1/models": listing(
        *map(entry, ("text-embedding-3-small", "gpt-5-mini", "whisper-1", "gpt-image-1", "tts-1", "o4-mini"))
    )
}
# OpenRouter: https://openrouter.ai/docs/api-reference/list-available-models
OPENROUTER: Routes = {
    "/api/v1/models": {
        "data": [
            {
                "id": "qwen/qwen3-4b",
                "context_length": 40960,
                "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
                "supported_parameters": ["tools", "temperature"],
            },
            {
                "id": "draws/pictures",
                "context_length": 4096,
                "architecture": {"input_modalities": ["text"], "output_modalities": ["image"]},
                "supported_parameters": [],
            },
        ]
    }
}
