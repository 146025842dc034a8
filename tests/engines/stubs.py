"""Servers of both protocols with the canned engine behind them: client, format and server tested together."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

from falconry.engines.canned import CannedEngine
from falconry.errors import ContextWindowExceeded
from falconry.messages import NO_EXTRAS, Delta, Extras, Message, Prompt, SamplingParams, Token, Usage
from falconry.protocols import tgi_answers
from falconry.protocols.openai_answers import Head, model_list, usage_chunk
from falconry.protocols.sse import DONE, comment, encode_json
from tests.engines.servers import Connection, Request

HEAD = Head("chatcmpl-1", "kestrel", 1_700_000_000)


def token_frame(index: int, text: str, *, token_id: int = 0, special: bool = False) -> dict[str, object]:
    """TGI's frame for a token that is certain."""
    return tgi_answers.token_frame(index, Token(token_id, text, logprob=0.0, special=special))


def last_frame(
    index: int, text: str, generated_text: str, finish: str, *, input_length: int, special: bool = False
) -> dict[str, object]:
    """TGI's last frame, for a reply of `index` tokens."""
    outcome = tgi_answers.Outcome(generated_text, finish, index, input_length)
    return tgi_answers.last_frame(index, Token(0, text, logprob=0.0, special=special), outcome)


def chat_chunk(
    *, role: bool = False, text: str = "", thinking: str = "", finish: str | None = None
) -> dict[str, object]:
    """A chunk of a chat as most servers send it, the finish reason with the last text."""
    delta = {"role": "assistant"} if role else {}
    if text or role:
        delta["content"] = text
    if thinking:
        delta["reasoning_content"] = thinking
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return HEAD.envelope("chat.completion.chunk") | {"choices": [choice]}


def text_chunk(*, text: str = "", finish: str | None = None) -> dict[str, object]:
    """A chunk of a completion."""
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
    return HEAD.envelope("text_completion") | {"choices": [choice]}


class OpenAIStub:
    """Answers as vLLM does: exact counts by /tokenize, continuation by `continue_final_message`, `stop_reason`."""

    def __init__(self, engine: CannedEngine) -> None:
        self.engine = engine
        self.vocabulary: dict[int, str] = {}

    async def __call__(self, request: Request, connection: Connection) -> None:
        if request.path == "/v1/models":
            models: Any = model_list(["kestrel"], HEAD.created, "vllm")
            models["data"][0]["max_model_len"] = await self.engine.context_length()
            await connection.json(models)
        elif request.path == "/tokenize":
            prompt = self._prompt(request.body)
            text = prompt if isinstance(prompt, str) else await self.engine.render(_messages(prompt))
            tokens = await self.engine.tokenize(text or "")
            self.vocabulary |= {token.id: token.text for token in tokens}
            texts = [token.text for token in tokens]
            await connection.json({"count": len(tokens), "tokens": [token.id for token in tokens], "token_strs": texts})
        elif request.path == "/detokenize":
            await connection.json({"prompt": "".join(self.vocabulary[number] for number in request.body["tokens"])})
        elif request.path == "/v1/completions" and request.body.get("echo"):
            await self._echo(request, connection)
        elif request.path in ("/v1/chat/completions", "/v1/completions"):
            await self._generate(request, connection)
        else:
            await connection.json({"error": {"message": "Not Found", "code": 404}}, 404)

    def _prompt(self, body: Any) -> Prompt:
        if isinstance(body.get("prompt"), list):
            return "".join(self.vocabulary[number] for number in body["prompt"])
        return _prompt(body)

    async def _echo(self, request: Request, connection: Connection) -> None:
        assert request.body["max_tokens"] == 0
        tokens = await self.engine.tokenize(str(self._prompt(request.body)))
        logprobs = {
            "tokens": [token.text for token in tokens],
            "token_logprobs": [None] + [-1.5] * (len(tokens) - 1),
            "top_logprobs": [None] + [{"x": -0.5, token.text: -1.5} for token in tokens[1:]],
        }
        await connection.json({"choices": [{"text": "", "logprobs": logprobs, "finish_reason": "length"}]})

    async def _generate(self, request: Request, connection: Connection) -> None:
        body = request.body
        chat = "messages" in body
        params = _params(body, body.get("stop", []))
        extras = Extras(top_logprobs=0) if body.get("logprobs") is not None else NO_EXTRAS
        try:
            async with aclosing(self.engine.generate(self._prompt(body), params, extras)) as deltas:
                first = True
                async for delta in deltas:
                    if first:
                        await connection.head()
                        await connection.send(comment())
                        if chat:
                            await connection.send(encode_json(chat_chunk(role=True)))
                    first = False
                    chunk = chat_chunk if chat else text_chunk
                    frame: Any = chunk(text=delta.text, finish=delta.finish_reason)
                    frame["choices"][0] |= {"logprobs": _logprobs(delta), "stop_reason": delta.stop_sequence}
                    await connection.send(encode_json(frame))
                    if delta.usage is not None and body.get("stream_options"):
                        await connection.send(encode_json(usage_chunk(HEAD, delta.usage, chat=chat)))
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
            tokens = await self.engine.tokenize(request.body["inputs"])
            assert len(tokens) == count.tokens
            await connection.json([{"id": token.id, "text": token.text, "start": 0, "stop": 0} for token in tokens])
        elif request.path == "/generate" and request.body["parameters"]["decoder_input_details"]:
            tokens = await self.engine.tokenize(request.body["inputs"])
            prefill = [{"id": token.id, "text": token.text, "logprob": -1.5} for token in tokens]
            prefill[0]["logprob"] = None
            await connection.json({"generated_text": "x", "details": {"prefill": prefill}})
        elif request.path == "/chat_tokenize" and self.chat:
            messages = _messages(_prompt(request.body))
            count = await self.engine.count_tokens(messages)
            text = await self.engine.render(messages)
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
        number = 0
        held: str | None = None  # the last token waits, for it carries the whole text
        extras = Extras(top_logprobs=0)
        try:
            async with aclosing(self.engine.generate(request.body["inputs"], params, extras)) as deltas:
                async for delta in deltas:
                    if held is not None:
                        await connection.send(encode_json(token_frame(index, held, token_id=number)))
                    number = delta.tokens[0].id if delta.tokens else 0
                    held, text = delta.text, text + delta.text
                    index += bool(delta.text)
                    stopped = any(text.endswith(sequence) for sequence in stop)
                    if stopped or delta.finish_reason:
                        reason = delta.finish_reason or "stop"
                        word = tgi_answers.finish_word(reason, stop_sequence=stopped)
                        usage = Usage((await self.engine.count_tokens(request.body["inputs"])).tokens, index)
                        last = last_frame(index, held, text, word, input_length=usage.prompt_tokens, special=not held)
                        await connection.send(encode_json(last))
                        return
        except ContextWindowExceeded as error:
            words = (
                f"Input validation error: `inputs` must have less than {error.limit} tokens. "
                f"Given: {error.prompt_tokens}"
            )
            await connection.send(encode_json({"error": words, "error_type": "validation"}))


def _logprobs(delta: Delta) -> object:
    """In the shape of a chat: with the bytes, and without ids."""
    if not delta.tokens:
        return None
    entries = [
        {"token": token.text, "bytes": list(token.raw), "logprob": token.logprob, "top_logprobs": []}
        for token in delta.tokens
    ]
    return {"content": entries}


def _messages(prompt: Prompt) -> Sequence[Message]:
    assert isinstance(prompt, list)
    return prompt


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
