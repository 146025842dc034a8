"""openai-python: completions, embeddings, the responses API, async use, crowds and their retries."""

from __future__ import annotations

import asyncio
import json
import math
import struct
from base64 import b64decode
from typing import Any

import openai

from tests.compat.probes.openai_sdk import QUESTION, WEATHER, Bird, client, token_ids
from tests.compat.probes.report import Probe, Target, raises

probe = Probe("openai-python", "openai")


@probe.check("completions")
def a_text_goes_on(target: Target) -> None:
    reply = client(target).completions.create(model=target.model, prompt="A falcon is", max_tokens=8, temperature=0)
    assert reply.object == "text_completion"
    assert reply.choices[0].text
    assert reply.choices[0].finish_reason in {"length", "stop"}
    assert reply.usage is not None
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


@probe.check("completions")
def prompts_as_list_ids_and_lists_of_ids(target: Target) -> None:
    ids = token_ids(target, "A falcon is")
    create = client(target).completions.create
    text = create(model=target.model, prompt="A falcon is", max_tokens=6, temperature=0).choices[0].text
    prompt: Any
    for prompt, choices in ((["A falcon is", "An owl is"], 2), (ids, 1), ([ids, ids, ids], 3)):
        reply = create(model=target.model, prompt=prompt, max_tokens=6, temperature=0)
        assert [choice.index for choice in reply.choices] == list(range(choices)), prompt
        assert reply.choices[0].text == text, prompt


@probe.check("completions")
def n_for_each_of_two_prompts(target: Target) -> None:
    reply = client(target).completions.create(
        model=target.model, prompt=["A falcon is", "An owl is"], n=2, max_tokens=4, temperature=1
    )
    assert [choice.index for choice in reply.choices] == [0, 1, 2, 3]


@probe.check("completions")
def streamed(target: Target) -> None:
    create = client(target).completions.create
    whole = create(model=target.model, prompt="A falcon is", max_tokens=12, temperature=0).choices[0].text
    chunks = list(
        create(
            model=target.model, prompt="A falcon is", max_tokens=12, temperature=0, stream=True,
            stream_options={"include_usage": True},
        )
    )  # fmt: skip
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == whole
    assert chunks[-1].usage is not None
    reasons = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    assert reasons in (["length"], ["stop"])


@probe.check("completions")
def echo_gives_the_prompt_first(target: Target) -> None:
    reply = client(target).completions.create(
        model=target.model, prompt="A falcon is", echo=True, max_tokens=4, temperature=0
    )
    assert reply.choices[0].text.startswith("A falcon is")
    assert len(reply.choices[0].text) > len("A falcon is")


@probe.check("completions")
def echo_with_logprobs_measures_the_prompt(target: Target) -> None:
    for most in (0, 1):
        reply = client(target).completions.create(
            model=target.model, prompt="A falcon is a bird", echo=True, logprobs=2, max_tokens=most, temperature=0
        )
        choice = reply.choices[0]
        found = choice.logprobs
        assert found is not None
        assert "".join(found.tokens or []) == choice.text
        assert found.token_logprobs is not None
        assert found.token_logprobs[0] is None
        assert all(math.isfinite(logprob) and logprob <= 0 for logprob in found.token_logprobs[1:])
        assert len(found.text_offset or []) == len(found.tokens or []) == len(found.top_logprobs or [])
        assert reply.usage is not None
        assert reply.usage.completion_tokens == most


@probe.check("completions")
def logprobs(target: Target) -> None:
    choice = (
        client(target)
        .completions.create(model=target.model, prompt="A falcon is", logprobs=2, max_tokens=4, temperature=0)
        .choices[0]
    )
    assert choice.logprobs is not None
    assert "".join(choice.logprobs.tokens or []) == choice.text
    assert len(choice.logprobs.token_logprobs or []) == 4
    assert choice.logprobs.text_offset is not None


@probe.check("completions")
def bad_prompts_are_refused(target: Target) -> None:
    prompt: Any
    for prompt in ([], [-1, 5], [10**9], [["a"]], {"a": 1}):
        create = client(target).completions.create
        try:
            error = raises(openai.APIStatusError, create, model=target.model, prompt=prompt, max_tokens=2)
        except AssertionError as failure:
            raise AssertionError(f"{prompt}: {failure}") from failure
        assert error.status_code in {400, 422}, f"{prompt}: {error}"


@probe.check("embeddings")
def vectors_of_texts(target: Target) -> None:
    reply = client(target).embeddings.create(model=target.model, input=["a falcon", "an owl", "a falcon"])
    assert [entry.index for entry in reply.data] == [0, 1, 2]
    first, other, again = (entry.embedding for entry in reply.data)
    assert abs(math.hypot(*first) - 1) < 1e-3
    assert max(abs(a - b) for a, b in zip(first, again, strict=True)) < 1e-3
    assert first != other
    assert reply.usage.prompt_tokens > 0


@probe.check("embeddings")
def base64_is_little_endian_float32(target: Target) -> None:
    create = client(target).embeddings.create
    floats = create(model=target.model, input="a falcon", encoding_format="float").data[0].embedding
    raw: Any = client(target).post(
        "/embeddings",
        cast_to=object,
        body={"model": target.model, "input": "a falcon", "encoding_format": "base64"},
    )
    packed = b64decode(raw["data"][0]["embedding"])
    unpacked = struct.unpack(f"<{len(packed) // 4}f", packed)
    assert max(abs(a - b) for a, b in zip(floats, unpacked, strict=True)) < 1e-3


@probe.check("embeddings")
def token_ids_as_input(target: Target) -> None:
    ids = token_ids(target, "a falcon")
    assert client(target).embeddings.create(model=target.model, input=[ids, ids]).data[1].embedding


@probe.check("responses")
def a_response(target: Target) -> None:
    reply = client(target).responses.create(
        model=target.model, input="Hello, who are you?", instructions="Be short.", max_output_tokens=60
    )
    assert reply.output_text
    assert reply.object == "response"
    assert reply.usage is not None
    assert reply.usage.output_tokens > 0


@probe.check("responses")
def a_response_streamed(target: Target) -> None:
    with client(target).responses.stream(model=target.model, input=QUESTION, max_output_tokens=60) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[0] == "response.created"
    assert "response.output_text.delta" in kinds
    assert kinds[-1] in {"response.completed", "response.incomplete"}
    assert final.output_text


@probe.check("responses")
def a_response_parsed(target: Target) -> None:
    reply = client(target).responses.parse(model=target.model, input=QUESTION, text_format=Bird)
    assert isinstance(reply.output_parsed, Bird)


@probe.check("responses")
def a_response_calls_a_function(target: Target) -> None:
    tool: Any = {"type": "function", "strict": True, **WEATHER["function"]}
    reply = client(target).responses.create(
        model=target.model, input=QUESTION, tools=[tool], tool_choice="required", max_output_tokens=200
    )
    calls = [item for item in reply.output if item.type == "function_call"]
    assert calls, f"no call, but text: {reply.output_text!r}"
    assert json.loads(calls[0].arguments)["city"] in {"Paris", "Berlin"}


@probe.check("responses")
def a_bad_request_to_responses(target: Target) -> None:
    raises(
        openai.BadRequestError,
        lambda: client(target).responses.create(model=target.model, input=QUESTION, max_output_tokens=-4),
    )


async def _crowd(target: Target, people: int, **options: Any) -> list[object]:
    async with openai.AsyncOpenAI(base_url=target.v1, api_key=target.key, timeout=50, **options) as crowd:
        asked = [
            crowd.chat.completions.create(model=target.model, messages=QUESTION, max_tokens=4) for _ in range(people)
        ]
        return list(await asyncio.gather(*asked, return_exceptions=True))


@probe.check("overload")
def everybody_in_a_crowd_is_answered(target: Target) -> None:
    for result in asyncio.run(_crowd(target, 150, max_retries=0)):
        if isinstance(result, openai.APIStatusError):
            assert result.status_code in {429, 503}, result
            assert int(result.response.headers["retry-after"]) >= 1
        else:
            assert not isinstance(result, BaseException), result


@probe.check("overload")
def with_its_usual_retries_the_client_sees_no_error(target: Target) -> None:
    results = asyncio.run(_crowd(target, 60))
    errors = [result for result in results if isinstance(result, BaseException)]
    assert not errors, errors[0]


@probe.check("async")
def a_stream_in_async_code(target: Target) -> None:
    async def ask() -> str:
        async with openai.AsyncOpenAI(base_url=target.v1, api_key=target.key) as ours:
            stream = await ours.chat.completions.create(
                model=target.model, messages=QUESTION, stream=True, max_tokens=20
            )
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert asyncio.run(ask())


@probe.check("async")
def a_task_that_is_cancelled_frees_the_server(target: Target) -> None:
    async def leave() -> None:
        async with openai.AsyncOpenAI(base_url=target.v1, api_key=target.key, max_retries=0) as ours:
            asked = [
                asyncio.create_task(
                    ours.completions.create(model=target.model, prompt="A falcon", max_tokens=1500, stream=False)
                )
                for _ in range(40)
            ]
            await asyncio.wait(asked, timeout=0.5)
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
            await asyncio.wait_for(
                ours.chat.completions.create(model=target.model, messages=QUESTION, max_tokens=2), timeout=5
            )

    asyncio.run(leave())


if __name__ == "__main__":
    probe.main()
