"""Servers of both protocols with the canned engine behind them: client, format and server tested together."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from falconry.engines.canned import CannedEngine
from falconry.errors import ContextWindowExceeded
from falconry.messages import Message, Prompt, SamplingParams, Usage
from falconry.protocols import openai, tgi
from falconry.protocols.sse import DONE, comment, encode_json
from tests.engines.servers import Connection, Request

HEAD = openai.Head("chatcmpl-1", "kestrel", 1_700_000_000)


class OpenAIStub:
    """Answers as vLLM does: exact counts by /tokenize, continuation by `continue_final_message`."""

    def __init__(self, engine: CannedEngine) -> None:
        self.engine = engine

    async def __call__(self, request: Request, connection: Connection) -> None:
        if request.path == "/v1/models":
            models: Any = openai.model_list(["kestrel"], HEAD.created, "vllm")
            models["data"][0]["max_model_len"] = await self.engine.context_length()
            await connection.json(models)
        elif request.path == "/tokenize":
            count = await self.engine.count_tokens(_prompt(request.body))
            await connection.json({"count": count.tokens, "tokens": [0] * count.tokens})
        elif request.path in ("/v1/chat/completions", "/v1/completions"):
            await self._generate(request, connection)
        else:
            await connection.json({"error": {"message": "Not Found", "code": 404}}, 404)

    async def _generate(self, request: Request, connection: Connection) -> None:
        body = request.body
        chat = "messages" in body
        params = _params(body, body.get("stop", []))
        try:
            async with aclosing(self.engine.generate(_prompt(body), params)) as deltas:
                first = True
                async for delta in deltas:
                    if first:
                        await connection.head()
                        await connection.send(comment())
                        if chat:
                            await connection.send(encode_json(openai.chat_chunk(HEAD, role=True)))
                    first = False
                    chunk = openai.chat_chunk if chat else openai.text_chunk
                    frame = chunk(HEAD, text=delta.text, finish=delta.finish_reason)
                    await connection.send(encode_json(frame))
                    if delta.usage is not None and body.get("stream_options"):
                        await connection.send(encode_json(openai.usage_chunk(HEAD, delta.usage, chat=chat)))
            await connection.send(DONE)
        except ContextWindowExceeded as error:
            words = (
                f"This model's maximum context length is {error.limit} tokens. However, your request has "
                f"{error.prompt_tokens} input tokens. Please reduce the length of the input messages."
            )
            await connection.json({"error": {"message": words, "type": "BadRequestError", "code": 400}}, 400)


class TGIStub:
    """Answers as TGI 3 does: the stop text stays, the last frame has the whole text, no [DONE]."""

    def __init__(self, engine: CannedEngine, *, chat: bool = True) -> None:
        self.engine = engine
        self.chat = OpenAIStub(engine) if chat else None

    async def __call__(self, request: Request, connection: Connection) -> None:
        limit = await self.engine.context_length()
        if request.path == "/info":
            await connection.json({"model_id": "tiiuae/falcon-7b", "max_total_tokens": limit})
        elif request.path == "/tokenize":
            count = await self.engine.count_tokens(request.body["inputs"])
            await connection.json([{"id": 0, "text": "", "start": 0, "stop": 0}] * count.tokens)
        elif request.path == "/chat_tokenize" and self.chat:
            messages = _prompt(request.body)
            count = await self.engine.count_tokens(messages)
            text = await self.engine.render([message for message in messages if isinstance(message, Message)])
            await connection.json({"tokenize_response": [{}] * count.tokens, "templated_text": text})
        elif request.path == "/v1/chat/completions" and self.chat:
            await self.chat(request, connection)
        elif request.path == "/generate_stream":
            await self._generate(request, connection)
        else:
            await connection.head(404, "text/plain")

    async def _generate(self, request: Request, connection: Connection) -> None:
        options = request.body["parameters"]
        stop = options.get("stop", [])
        params = _params({"max_tokens": options["max_new_tokens"], **options}, [])
        await connection.head()
        index, text = 0, ""
        held: str | None = None  # the last token waits, for it carries the whole text
        try:
            async with aclosing(self.engine.generate(request.body["inputs"], params)) as deltas:
                async for delta in deltas:
                    if held is not None:
                        await connection.send(encode_json(tgi.token_frame(index, held)))
                    held, text = delta.text, text + delta.text
                    index += bool(delta.text)
                    stopped = any(text.endswith(sequence) for sequence in stop)
                    if stopped or delta.finish_reason:
                        reason = delta.finish_reason or "stop"
                        word = tgi.finish_word(reason, stop_sequence=stopped)
                        usage = Usage((await self.engine.count_tokens(request.body["inputs"])).tokens, index)
                        last = tgi.last_frame(
                            index, held, text, word, input_length=usage.prompt_tokens, special=not held
                        )
                        await connection.send(encode_json(last))
                        return
        except ContextWindowExceeded as error:
            words = (
                f"Input validation error: `inputs` must have less than {error.limit} tokens. "
                f"Given: {error.prompt_tokens}"
            )
            await connection.send(encode_json({"error": words, "error_type": "validation"}))


def _prompt(body: Any) -> Prompt:
    if "messages" not in body:
        return str(body["prompt"])
    return [Message(message["role"], message["content"]) for message in body["messages"]]


def _params(body: Any, stop: list[str]) -> SamplingParams:
    return SamplingParams(
        max_tokens=body.get("max_tokens"),
        temperature=body.get("temperature", 0.0),
        stop=tuple(stop),
        seed=body.get("seed"),
    )
