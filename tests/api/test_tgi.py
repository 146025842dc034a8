"""text-generation-inference's door over a real server, with the built-in model: what its clients ask for."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Callable
from typing import Any

import httpx
import pytest

from falconry.services import open_services
from falconry.settings import Settings
from tests.api.tgi import LESSON, generate, shown, stream
from tests.conftest import serve

HELLO = "<|im_start|>user\nHello, who are you?<|im_end|>\n<|im_start|>assistant\n"
BIRD = {
    "type": "object",
    "properties": {"kind": {"type": "string", "enum": ["falcon", "owl"]}},
    "required": ["kind"],
}


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncGenerator[httpx.AsyncClient, None]:
    async with open_services(make_settings(model="eyas")) as services, serve(services) as live:
        yield live.client


async def test_the_base_url_answers_with_a_list_of_one_reply(client: httpx.AsyncClient) -> None:
    for path in ("/", "/invocations"):
        answer = await client.post(path, json={"inputs": "A falcon is", "parameters": {"max_new_tokens": 3}})
        assert answer.status_code == 200
        (reply,) = answer.json()
        assert set(reply) == {"generated_text"}
        assert reply["generated_text"].strip()
        assert "A falcon is" not in reply["generated_text"]


async def test_details_are_the_engines_own(client: httpx.AsyncClient) -> None:
    reply = await generate(client, "A falcon is", max_new_tokens=4, decoder_input_details=True)
    details = reply["details"]
    assert details["finish_reason"] == "length"
    assert details["generated_tokens"] == len(details["tokens"]) == 4
    assert shown(details["tokens"]) == reply["generated_text"]
    assert all(token["id"] >= 0 and token["logprob"] <= 0 for token in details["tokens"])
    assert "".join(token["text"] for token in details["prefill"]) == "A falcon is"
    first, *others = details["prefill"]
    assert first["logprob"] is None
    assert all(token["logprob"] < 0 for token in others)


async def test_the_end_of_text_is_a_special_token_and_no_text(client: httpx.AsyncClient) -> None:
    reply = await generate(client, HELLO, max_new_tokens=200)
    *_, last = reply["details"]["tokens"]
    assert reply["details"]["finish_reason"] == "eos_token"
    assert last["special"]
    assert last["text"] not in reply["generated_text"]


async def test_nothing_set_is_greedy_and_no_parameters_at_all_sample(client: httpx.AsyncClient) -> None:
    greedy = await generate(client, LESSON, max_new_tokens=8)
    assert greedy["details"]["seed"] is None
    assert greedy["generated_text"] == (await generate(client, LESSON, max_new_tokens=8))["generated_text"]
    frames = (await client.post("/generate_stream", json={"inputs": LESSON, "parameters": None})).text
    assert '"generated_text":"' in frames
    for parameters in ({"do_sample": True}, {"temperature": 0.7}, {"top_k": 9}, {"top_p": 0.9}, {"typical_p": 0.9}):
        sampled = await generate(client, LESSON, max_new_tokens=1, **parameters)
        assert sampled["details"]["seed"] is not None, parameters


async def test_a_seed_that_was_drawn_repeats_the_reply(client: httpx.AsyncClient) -> None:
    first = await generate(client, "A falcon is", do_sample=True, temperature=1.5, max_new_tokens=12)
    seed = first["details"]["seed"]
    again = await generate(client, "A falcon is", do_sample=True, temperature=1.5, max_new_tokens=12, seed=seed)
    assert again["generated_text"] == first["generated_text"]
    assert again["details"]["seed"] == seed


async def test_a_seed_of_64_bits_is_taken(client: httpx.AsyncClient) -> None:
    reply = await generate(client, "A falcon is", do_sample=True, max_new_tokens=2, seed=2**64 - 1)
    assert reply["details"]["seed"] == 2**64 - 1


async def test_a_stop_sequence_stays_in_the_text(client: httpx.AsyncClient) -> None:
    whole = (await generate(client, LESSON, max_new_tokens=40))["generated_text"]
    word = whole.split()[2]
    reply = await generate(client, LESSON, max_new_tokens=40, stop=["never", word])
    assert reply["generated_text"] == whole[: whole.index(word) + len(word)]
    assert reply["details"]["finish_reason"] == "stop_sequence"
    assert shown(reply["details"]["tokens"]) == reply["generated_text"]
    *_, last = await stream(client, LESSON, max_new_tokens=40, stop=[word])
    assert last["generated_text"] == reply["generated_text"]


async def test_the_full_text_when_asked_for(client: httpx.AsyncClient) -> None:
    reply = await generate(client, "A falcon is", max_new_tokens=2, return_full_text=True)
    assert reply["generated_text"].startswith("A falcon is ")
    *_, last = await stream(client, "A falcon is", max_new_tokens=2, return_full_text=True)
    assert last["generated_text"] == reply["generated_text"]


async def test_the_best_of_two_and_the_other_one(client: httpx.AsyncClient) -> None:
    reply = await generate(
        client, "A falcon is", best_of=2, temperature=1.2, max_new_tokens=6, decoder_input_details=True
    )
    best = reply["details"]
    (other,) = best["best_of_sequences"]
    assert best["seed"] != other["seed"]
    assert shown(other["tokens"]) == other["generated_text"]
    assert best["prefill"] == other["prefill"] != []

    def mean(tokens: Any) -> float:
        return float(sum(token["logprob"] for token in tokens) / len(tokens))

    assert mean(best["tokens"]) >= mean(other["tokens"])


async def test_the_likeliest_tokens_at_every_step(client: httpx.AsyncClient) -> None:
    reply = await generate(client, "A falcon is", max_new_tokens=3, top_n_tokens=2)
    tops = reply["details"]["top_tokens"]
    assert [len(step) for step in tops] == [2, 2, 2]
    assert [step[0]["id"] for step in tops] == [token["id"] for token in reply["details"]["tokens"]]
    frames = await stream(client, "A falcon is", max_new_tokens=3, top_n_tokens=2)
    assert [frame["top_tokens"] for frame in frames] == tops


async def test_truncate_keeps_the_last_tokens(client: httpx.AsyncClient) -> None:
    text = "word " * 50 + "A falcon is"
    whole = await generate(client, text, max_new_tokens=1, decoder_input_details=True)
    cut = await generate(client, text, max_new_tokens=1, decoder_input_details=True, truncate=4)
    ids = [token["id"] for token in whole["details"]["prefill"]]
    assert [token["id"] for token in cut["details"]["prefill"]] == ids[-4:]
    longer = await generate(client, text, max_new_tokens=1, decoder_input_details=True, truncate=1000)
    assert len(longer["details"]["prefill"]) == len(ids)


async def test_a_text_of_many_contexts_is_truncated_too(client: httpx.AsyncClient) -> None:
    frames = await stream(client, "a falcon flies, " * 20_000, max_new_tokens=1, truncate=2000)
    assert frames[-1]["details"]["input_length"] == 2000


async def test_json_and_regular_expressions_shape_the_text(client: httpx.AsyncClient) -> None:
    schema: dict[str, Any]
    for schema in ({"type": "json", "value": BIRD}, {"type": "json", "value": json.dumps(BIRD)}):
        reply = await generate(client, HELLO, max_new_tokens=60, grammar=schema)
        assert json.loads(reply["generated_text"])["kind"] in {"falcon", "owl"}
    pattern = r"[0-9]{2}-(falcon|owl)"
    reply = await generate(client, HELLO, max_new_tokens=60, grammar={"type": "regex", "value": pattern})
    assert re.fullmatch(pattern, reply["generated_text"])


async def test_more_tokens_than_there_is_room_for_end_with_the_context(client: httpx.AsyncClient) -> None:
    reply = await generate(client, "falcon " * 1800, max_new_tokens=10_000_000, temperature=1.0)
    assert reply["details"]["generated_tokens"] <= 2048 - 1800


async def test_frames_make_the_reply(client: httpx.AsyncClient) -> None:
    whole = await generate(client, HELLO, max_new_tokens=60)
    for path in ("/", "/generate_stream"):
        frames = await stream(client, HELLO, path, max_new_tokens=60)
        assert [frame["index"] for frame in frames] == list(range(1, len(frames) + 1))
        assert [frame["token"] for frame in frames] == whole["details"]["tokens"]
        assert all(frame["generated_text"] is None and frame["details"] is None for frame in frames[:-1])
        assert frames[-1]["generated_text"] == whole["generated_text"]
        assert frames[-1]["details"]["generated_tokens"] == whole["details"]["generated_tokens"]


async def test_a_stream_ends_with_its_last_frame_and_has_no_done(client: httpx.AsyncClient) -> None:
    answer = await client.post("/generate_stream", json={"inputs": HELLO, "parameters": {"max_new_tokens": 2}})
    *_, last, nothing = answer.text.split("\n\n")
    assert json.loads(last.removeprefix("data: "))["details"] is None
    assert json.loads(last.removeprefix("data: "))["generated_text"]
    assert nothing == ""


async def test_the_lines_of_a_stream_are_ascii(client: httpx.AsyncClient) -> None:
    answer = await client.post("/", json={"inputs": "你好，", "stream": True, "parameters": {"max_new_tokens": 8}})
    assert answer.text.isascii()


async def test_headers_tell_the_times_and_the_tokens(client: httpx.AsyncClient) -> None:
    answer = await client.post("/generate", json={"inputs": "鹰是", "parameters": {"max_new_tokens": 2}})
    headers = answer.headers
    assert headers["x-compute-characters"] == "2"
    assert headers["x-compute-type"] == "llama_cpp"
    assert float(headers["x-compute-time"]) > 0
    times = [int(headers[f"x-{name}-time"]) for name in ("total", "validation", "queue", "inference")]
    assert times[0] >= times[3] >= 0
    assert int(headers["x-time-per-token"]) <= times[3]
    assert (headers["x-generated-tokens"], int(headers["x-prompt-tokens"]) > 0) == ("2", True)
    streamed = await client.post("/generate_stream", json={"inputs": "鹰是", "parameters": {"max_new_tokens": 1}})
    assert streamed.headers["x-compute-characters"] == "2"
    assert streamed.headers["x-accel-buffering"] == "no"


async def test_info_names_the_model_and_the_limits(client: httpx.AsyncClient) -> None:
    info = (await client.get("/info")).json()
    assert info["model_id"] == "eyas"
    assert (info["max_input_tokens"], info["max_total_tokens"]) == (2047, 2048)
    assert (info["max_best_of"], info["max_stop_sequences"]) == (2, 4)


async def test_ping_is_the_health_of_sagemaker(client: httpx.AsyncClient) -> None:
    assert (await client.get("/ping")).status_code == 200


async def test_a_prompt_that_is_too_long_is_told_with_both_numbers(client: httpx.AsyncClient) -> None:
    for stream_it in (True, False):
        answer = await client.post("/", json={"inputs": "falcon " * 3000, "stream": stream_it})
        assert answer.status_code == 422
        assert answer.json()["error_type"] == "validation"
        assert re.search(r"must have less than 2048 tokens\. Given: \d{4}", answer.json()["error"])
