"""OpenAI's completions and embeddings over a real server, with the real engine where tokens matter."""

from __future__ import annotations

import struct
from base64 import b64decode
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from falconry.services import open_services
from falconry.settings import Settings
from tests.api.programs import post, stream
from tests.conftest import LiveServer, serve

COMPLETIONS, EMBEDDINGS = "/v1/completions", "/v1/embeddings"


@pytest.fixture
async def eyas(make_settings: Callable[..., Settings]) -> AsyncGenerator[LiveServer, None]:
    async with open_services(make_settings(model="eyas")) as services, serve(services) as live:
        yield live


async def complete(server: LiveServer, **body: Any) -> Any:
    answer = await post(server, COMPLETIONS, **body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_stream_spells_what_a_whole_reply_has(eyas: LiveServer) -> None:
    body = {"prompt": "The lion", "max_tokens": 8, "temperature": 0, "stream_options": {"include_usage": True}}
    whole = await complete(eyas, **body, stream=False)
    seen = await stream(eyas, COMPLETIONS, **body)
    assert seen.done
    assert whole["object"] == "text_completion"
    assert seen.text() == whole["choices"][0]["text"] != ""
    assert seen.choices()[-1] == {"index": 0, "text": "", "logprobs": None, "finish_reason": "length"}
    for count in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert seen.data[-1]["usage"][count] == whole["usage"][count]
    assert whole["usage"]["completion_tokens"] == 8


async def test_sixteen_tokens_where_nothing_is_said(eyas: LiveServer) -> None:
    assert (await complete(eyas, prompt="The lion"))["usage"]["completion_tokens"] == 16


async def test_prompts_come_as_text_or_tokens_one_or_many(eyas: LiveServer) -> None:
    async with eyas.services.pool.engine() as engine:
        ids = [[token.id for token in await engine.tokenize(text)] for text in ("The lion", "A falcon")]
    body = {"max_tokens": 4, "temperature": 0, "n": 2}
    texts = [choice["text"] for choice in (await complete(eyas, prompt=["The lion", "A falcon"], **body))["choices"]]
    assert len(texts) == 4
    assert texts[0] == texts[1] != texts[2] == texts[3]
    many = await complete(eyas, prompt=ids, **body)
    assert [choice["text"] for choice in many["choices"]] == texts
    assert [choice["index"] for choice in many["choices"]] == [0, 1, 2, 3]
    assert many["usage"]["prompt_tokens"] == sum(map(len, ids))
    assert many["usage"]["completion_tokens"] == 16
    assert (await complete(eyas, prompt=ids[0], **body))["choices"][0]["text"] == texts[0]
    seen = await stream(eyas, COMPLETIONS, prompt=ids, **body)
    assert [seen.text(index) for index in range(4)] == texts


@pytest.mark.parametrize("max_tokens", [0, 1])
async def test_the_prompt_is_echoed_with_its_logprobs(eyas: LiveServer, max_tokens: int) -> None:
    prompt = "The lion weighs 你 kilograms"
    body = {"prompt": prompt, "echo": True, "logprobs": 1, "max_tokens": max_tokens, "temperature": 0}
    reply = await complete(eyas, **body)
    (choice,) = reply["choices"]
    logprobs = choice["logprobs"]
    assert choice["text"].startswith(prompt)
    assert reply["usage"]["completion_tokens"] == max_tokens
    assert len(logprobs["tokens"]) == reply["usage"]["prompt_tokens"] + max_tokens
    assert {len(column) for column in logprobs.values()} == {len(logprobs["tokens"])}
    assert (logprobs["token_logprobs"][0], logprobs["top_logprobs"][0]) == (None, None)
    for name, value, top in list(
        zip(logprobs["tokens"], logprobs["token_logprobs"], logprobs["top_logprobs"], strict=True)
    )[1:]:
        assert top[name] == value
        assert value <= max(top.values()) <= 0
    for name, offset in zip(logprobs["tokens"], logprobs["text_offset"], strict=True):
        assert name.startswith("bytes:") or choice["text"].startswith(name, offset)
    seen = await stream(eyas, COMPLETIONS, **body)
    assert seen.text() == choice["text"]
    streamed = [offset for piece in seen.choices() if piece["logprobs"] for offset in piece["logprobs"]["text_offset"]]
    assert streamed == logprobs["text_offset"]


async def test_an_echo_of_tokens_is_their_text(eyas: LiveServer) -> None:
    async with eyas.services.pool.engine() as engine:
        ids = [token.id for token in await engine.tokenize("The lion")]
    choice = (await complete(eyas, prompt=ids, echo=True, max_tokens=1))["choices"][0]
    assert choice["text"].startswith("The lion")
    assert choice["logprobs"] is None


async def test_logprobs_of_the_reply_alone_begin_at_zero(eyas: LiveServer) -> None:
    choice = (await complete(eyas, prompt="The lion", logprobs=0, max_tokens=3, temperature=0))["choices"][0]
    assert choice["logprobs"]["text_offset"][0] == 0
    assert "".join(choice["logprobs"]["tokens"]) == choice["text"]
    assert all(len(row) == 1 for row in choice["logprobs"]["top_logprobs"])


async def test_the_best_of_several_is_the_likeliest(eyas: LiveServer) -> None:
    body = {"prompt": "The lion", "max_tokens": 5, "temperature": 2, "seed": 1, "logprobs": 0}

    def mean(choice: Any) -> float:
        values = choice["logprobs"]["token_logprobs"]
        return float(sum(values) / len(values))

    each = (await complete(eyas, **body, n=4))["choices"]
    best = await complete(eyas, **body, n=2, best_of=4)
    assert best["usage"]["completion_tokens"] == 20
    wanted = sorted(each, key=mean, reverse=True)[:2]
    assert [choice["text"] for choice in best["choices"]] == [choice["text"] for choice in wanted]
    silent = await complete(eyas, **{**body, "logprobs": None}, best_of=4)
    assert (silent["choices"][0]["text"], silent["choices"][0]["logprobs"]) == (wanted[0]["text"], None)


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [[]]}, "prompt"),
        ({"prompt": ["a", 1]}, "prompt"),
        ({"prompt": [-1]}, "prompt"),
        ({"prompt": [True]}, "prompt"),
        ({"prompt": [10**9]}, None),
        ({"suffix": "end"}, None),
        ({"best_of": 1, "n": 2}, "best_of"),
        ({"best_of": 2, "stream": True}, "best_of"),
        ({"logprobs": 21}, "logprobs"),
        ({"prompt": ["a"] * 2048, "n": 2}, "n"),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_what_cannot_be_meant_is_refused_by_name(
    eyas: LiveServer, wrong: dict[str, Any], param: str | None
) -> None:
    answer = await post(eyas, COMPLETIONS, **{"prompt": "hi", **wrong})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param


async def test_vectors_come_as_floats_or_base64_in_the_order_of_the_texts(eyas: LiveServer) -> None:
    texts = ["The lion", "A falcon", "The lion"]
    plain = (await post(eyas, EMBEDDINGS, input=texts)).json()
    vectors = [entry["embedding"] for entry in plain["data"]]
    assert [entry["index"] for entry in plain["data"]] == [0, 1, 2]
    assert vectors[0] == pytest.approx(vectors[2], abs=1e-5)
    assert vectors[0] != pytest.approx(vectors[1], abs=1e-2)
    assert sum(value * value for value in vectors[0]) == pytest.approx(1, abs=1e-4)
    packed = (await post(eyas, EMBEDDINGS, input=texts[0], encoding_format="base64")).json()
    raw = b64decode(packed["data"][0]["embedding"])
    assert struct.unpack(f"<{len(raw) // 4}f", raw) == pytest.approx(vectors[0], abs=1e-5)
    async with eyas.services.pool.engine() as engine:
        ids = [token.id for token in await engine.tokenize(texts[0])]
    by_ids = (await post(eyas, EMBEDDINGS, input=ids)).json()
    assert by_ids["data"][0]["embedding"] == pytest.approx(vectors[0], abs=1e-5)
    assert by_ids["usage"] == {"prompt_tokens": len(ids), "total_tokens": len(ids)}


async def test_embeddings_that_cannot_be_given_are_refused(eyas: LiveServer) -> None:
    wrong: list[dict[str, Any]] = [{"input": []}, {"input": ""}, {"input": "a", "dimensions": 8}]
    for body in [*wrong, {"input": "a", "model": "canned"}]:
        answer = await post(eyas, EMBEDDINGS, **body)
        assert answer.status_code == 400
        assert answer.json()["error"]["type"] == "invalid_request_error"
