"""The child process of a model without a GGUF: the serving code of `transformers serve`, on a socket of ours.

    python -P -m falconry.engines.transformers_worker --model FOLDER --context-length TOKENS --threads N --host X.sock

Its thread, its stream and its reading of thoughts and calls are used as they are. The server around them is this one:
theirs listens for everybody on this machine, reads the prompt on the loop that must answer /health, refuses tokens,
does not know how long a prompt may be, and goes on reading one after whoever asked has left (transformers 5.24).
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import hmac
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

_PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> None:
    """Load the model and serve it, until SIGTERM or until standard input ends."""
    options = _parse(argv)
    _guard(options.host)
    import uvicorn  # after the guard: from here on it takes seconds

    app = _open(options)
    listen: dict[str, Any] = {"uds": options.host} if options.host.endswith(".sock") else {"host": options.host}
    config = uvicorn.Config(app, **listen, port=options.port, lifespan="off", access_log=False, log_level="warning")
    config.timeout_graceful_shutdown = 1
    asyncio.run(uvicorn.Server(config).serve())
    _leave(options.host)


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--context-length", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, default=0)
    return parser.parse_args(argv)


def _guard(host: str) -> None:
    """Leave no core file, and end with the process that started us."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    threading.Thread(target=_watch_stdin, args=(host,), daemon=True).start()


def _watch_stdin(host: str) -> NoReturn:
    while os.read(0, 4096):
        pass
    _leave(host)


def _leave(host: str) -> NoReturn:
    if host.endswith(".sock"):
        Path(host).unlink(missing_ok=True)
    os._exit(0)  # the thread that generates would keep a normal exit waiting


def _open(options: argparse.Namespace) -> Starlette:
    """The model behind its routes. Ends the process with a line that says why where it cannot be loaded."""
    import torch

    torch.set_num_threads(options.threads)
    from falconry.engines.transformers_model import Model, reason

    try:
        model = Model(options.model, options.context_length, options.device)
    except Exception as error:
        import traceback

        traceback.print_exc(file=sys.stderr)
        sys.exit(f"falconry: {reason(error)}")
    return Door(model, os.environ.get("LLAMA_API_KEY", "")).app()


class Door:
    """The routes. `key`: what every request must bring, "" where the socket keeps others out."""

    def __init__(self, model: Any, key: str) -> None:
        from transformers.cli.serving.chat_completion import ChatCompletionHandler
        from transformers.cli.serving.completion import CompletionHandler
        from transformers.cli.serving.utils import GenerateManager, GenerationState

        self._model = model
        self._key = key
        self._about: dict[str, object] | None = None
        self._thread = GenerateManager()
        self._chat = ChatCompletionHandler(None, GenerationState())
        self._completion = CompletionHandler(None, GenerationState())

    def app(self) -> Starlette:
        routes: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "/health": self.health,
            "/props": self.props,
            "/v1/chat/completions": self.generate,
            "/v1/completions": self.generate,
            "/apply-template": self.render,
            "/tokenize": self.tokenize,
            "/detokenize": self.detokenize,
        }
        return Starlette(
            routes=[Route(path, self._checked(do), methods=["GET", "POST"]) for path, do in routes.items()]
        )

    def _checked(self, do: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """Only with the key, and errors as JSON."""
        from falconry.engines.transformers_model import reason

        expected = f"Bearer {self._key}" if self._key else ""

        async def checked(request: Request) -> Response:
            if not hmac.compare_digest(request.headers.get("authorization", ""), expected):
                return _error(401, "the key is wrong")
            try:
                return await do(request)
            except Exception as error:
                import traceback

                traceback.print_exc(file=sys.stderr)
                # Mostly the chat template's: it says which messages it does not take.
                return _error(400, reason(error))

        return checked

    async def health(self, _: Request) -> Response:
        watch = self._model.watch
        return JSONResponse(
            {"status": "hangs" if watch.stuck else "ok", "busy": watch.busy}, 503 if watch.stuck else 200
        )

    async def props(self, _: Request) -> Response:
        if self._about is None:
            self._about = await asyncio.to_thread(self._model.about)
        return JSONResponse(self._about)

    async def generate(self, request: Request) -> Response:
        """Stream a reply. The body: `messages` (and `tools`), or `prompt` (a text or tokens); `max_tokens`; `sampling`
        in the words of GenerationConfig; `more` for what that has no words for."""
        body = await request.json()
        ids = await asyncio.to_thread(self._model.ids, body)
        limit = self._model.context_length
        if len(ids) >= limit:
            return _error(400, "too long", code="context_length_exceeded", n_prompt_tokens=len(ids), n_ctx=limit)
        if not ids:
            return _error(400, "the prompt is empty", code="empty_prompt")
        model, tokenizer = self._model.model, self._model.tokenizer
        config, inputs = self._model.config(body, limit - len(ids)), self._model.inputs(ids)
        given = (f"reply-{uuid4().hex}", model, tokenizer, "m", inputs, config)
        if "messages" in body:
            stream = self._chat._streaming(*given, gen_manager=self._thread, tools=body.get("tools"))
        else:
            stream = self._completion._streaming(*given, self._thread)
        return StreamingResponse(self._told(stream.body_iterator), media_type="text/event-stream")

    async def _told(self, events: AsyncIterator[str]) -> AsyncIterator[str]:
        """The events, and one more at the end: how much of the prompt did not have to be read again."""
        async for event in events:
            yield event
        yield f"event: cached\ndata: {self._model.prefix.kept}\n\n"

    async def render(self, request: Request) -> Response:
        body = await request.json()
        return JSONResponse(
            {"prompt": await asyncio.to_thread(self._model.render, body["messages"], body.get("tools"))}
        )

    async def tokenize(self, request: Request) -> Response:
        """Of a request for a reply its tokens (`count` alone where `pieces` is not asked for)."""
        body = await request.json()
        return JSONResponse(await asyncio.to_thread(self._tokens, body))

    def _tokens(self, body: dict[str, Any]) -> dict[str, object]:
        if "content" in body:
            special = bool(body["special"])
            ids = self._model.encode(body["content"], special=special, parse_special=special)
        else:
            ids = self._model.ids(body)
        return {"count": len(ids), "tokens": self._model.pieces(ids) if body.get("pieces") else []}

    async def detokenize(self, request: Request) -> Response:
        body = await request.json()
        return JSONResponse({"content": await asyncio.to_thread(self._model.decode, body["tokens"])})


def _error(status: int, message: str, **more: object) -> JSONResponse:
    return JSONResponse({"error": {"message": message, **more}}, status)


if __name__ == "__main__":
    main(sys.argv[1:])
