"""openai-python: the chat side of OpenAI's API, and its errors."""

from __future__ import annotations

import json
import math
import urllib.request
from typing import Any, Literal

import openai
from pydantic import BaseModel

from tests.compat.probes.report import Probe, Target, raises

probe = Probe("openai-python", "openai")

QUESTION: Any = [{"role": "user", "content": "Hello, who are you?"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": ["Paris", "Berlin"]}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
CLOCK: Any = {
    "type": "function",
    "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}, "additionalProperties": False}},
}


class Bird(BaseModel):
    """What parse() is asked for: short, so that a small model finishes it."""

    kind: Literal["falcon", "owl"]
    wild: bool


def client(target: Target, **options: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=target.v1, api_key=target.key, **{"max_retries": 0, "timeout": 30, **options})


def token_ids(target: Target, text: str) -> list[int]:
    """Ids by /tokenize, whose body has a name of its own in each family of servers."""
    body = json.dumps({"content": text, "inputs": text, "prompt": text, "add_special_tokens": False}).encode()
    request = urllib.request.Request(f"{target.url}/tokenize", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: Any = json.load(answer)
    return [entry["id"] for entry in found] if isinstance(found, list) else found["tokens"]


@probe.check("models")
def models_are_listed(target: Target) -> None:
    models = list(client(target).models.list())
    assert target.model in [model.id for model in models]
    assert all(model.object == "model" and model.created is not None and model.owned_by for model in models)


@probe.check("models")
def one_model_by_its_name(target: Target) -> None:
    assert client(target).models.retrieve(target.model).id == target.model


@probe.check("models")
def a_model_with_slashes_that_is_missing_is_not_found(target: Target) -> None:
    raises(openai.NotFoundError, lambda: client(target).models.retrieve("no/such/model"))


@probe.check("models")
def an_unknown_name_goes_to_the_default_model(target: Target) -> None:
    assert client(target).chat.completions.create(model="no/such-1", messages=QUESTION, max_tokens=8).choices


@probe.check("chat")
def a_reply(target: Target) -> None:
    reply = client(target).chat.completions.create(model=target.model, messages=QUESTION, temperature=0)
    (choice,) = reply.choices
    assert choice.message.role == "assistant"
    assert choice.message.content
    assert choice.finish_reason == "stop"
    assert reply.object == "chat.completion"
    assert reply.usage is not None
    assert reply.usage.prompt_tokens > 0
    assert reply.usage.completion_tokens > 0
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


@probe.check("chat")
def max_tokens_and_max_completion_tokens_end_by_length(target: Target) -> None:
    chat = client(target).chat.completions
    for reply in (
        chat.create(model=target.model, messages=QUESTION, max_tokens=3),
        chat.create(model=target.model, messages=QUESTION, max_completion_tokens=3),
    ):
        assert reply.choices[0].finish_reason == "length"
        assert reply.usage is not None
        assert reply.usage.completion_tokens == 3


@probe.check("chat")
def roles_and_content_parts(target: Target) -> None:
    messages: Any = [
        {"role": "developer", "content": "Be short."},
        {"role": "user", "content": [{"type": "text", "text": "Hello, "}, {"type": "text", "text": "who are you?"}]},
        {"role": "assistant", "content": "Eyas."},
        {"role": "user", "content": "And how are you?", "name": "ada"},
    ]
    assert client(target).chat.completions.create(model=target.model, messages=messages, max_tokens=8).choices


@probe.check("chat")
def nulls_and_unknown_fields_are_accepted(target: Target) -> None:
    nothing: dict[str, Any] = dict.fromkeys(
        ("temperature", "top_p", "n", "stop", "max_tokens", "seed", "logit_bias", "user", "response_format", "tools",
         "tool_choice", "logprobs", "top_logprobs", "presence_penalty", "frequency_penalty", "stream_options"),
    )  # fmt: skip
    known: Any = {"store": False, "metadata": {"a": "b"}, "service_tier": "auto", "parallel_tool_calls": True}
    body = {**nothing, **known, "some_new_field": {"deep": [1]}, "max_completion_tokens": 8}
    del body["parallel_tool_calls"], body["tools"], body["tool_choice"]
    assert client(target).chat.completions.create(model=target.model, messages=QUESTION, extra_body=body).choices


@probe.check("chat")
def n_choices_in_order(target: Target) -> None:
    def ask() -> list[str | None]:
        reply = client(target).chat.completions.create(
            model=target.model, messages=QUESTION, n=3, seed=7, temperature=1.5, max_tokens=12
        )
        assert [choice.index for choice in reply.choices] == [0, 1, 2]
        assert reply.usage is not None
        assert 12 < reply.usage.completion_tokens <= 36
        return [choice.message.content for choice in reply.choices]

    first = ask()
    assert len(set(first)) > 1, f"three times the same: {first}"
    assert ask() == first, "the same seed, another set"


@probe.check("chat")
def a_stop_text_is_removed(target: Target) -> None:
    chat = client(target).chat.completions
    whole = chat.create(model=target.model, messages=QUESTION, temperature=0).choices[0].message.content or ""
    stop = whole.split()[3]
    for stops in (stop, [stop, "never this"]):
        choice = chat.create(model=target.model, messages=QUESTION, temperature=0, stop=stops).choices[0]
        assert choice.message.content == whole.partition(stop)[0]
        assert choice.finish_reason == "stop"


@probe.check("chat")
def logit_bias_forbids_a_token(target: Target) -> None:
    chat = client(target).chat.completions
    plain: Any = {"model": target.model, "messages": QUESTION, "temperature": 0, "max_tokens": 1}
    first = chat.create(**plain).choices[0].message.content or ""
    bias = dict.fromkeys(map(str, token_ids(target, first)), -100)
    assert chat.create(**plain, logit_bias=bias).choices[0].message.content != first


@probe.check("streaming")
def chunks_make_the_reply(target: Target) -> None:
    chat = client(target).chat.completions
    whole = chat.create(model=target.model, messages=QUESTION, temperature=0).choices[0].message.content
    chunks = list(chat.create(model=target.model, messages=QUESTION, temperature=0, stream=True))
    assert len({chunk.id for chunk in chunks}) == 1
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    deltas = [chunk.choices[0] for chunk in chunks]
    assert [choice.delta.role for choice in deltas if choice.delta.role] == ["assistant"]
    assert [choice.finish_reason for choice in deltas if choice.finish_reason] == ["stop"]
    assert deltas[-1].finish_reason == "stop"
    assert "".join(choice.delta.content or "" for choice in deltas) == whole
    assert all(chunk.usage is None for chunk in chunks)


@probe.check("streaming")
def usage_comes_last_when_asked_for(target: Target) -> None:
    chunks = list(
        client(target).chat.completions.create(
            model=target.model, messages=QUESTION, max_tokens=5, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 5
    assert all(chunk.choices and chunk.usage is None for chunk in chunks[:-1])


@probe.check("streaming")
def the_stream_helper(target: Target) -> None:
    with client(target).chat.completions.stream(
        model=target.model, messages=QUESTION, temperature=0, stream_options={"include_usage": True}
    ) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    assert "content.delta" in kinds
    assert kinds[-1] == "content.done" or "content.done" in kinds
    assert final.choices[0].message.role == "assistant"
    assert final.choices[0].message.content
    assert final.usage is not None


@probe.check("streaming")
def the_stream_helper_with_two_choices(target: Target) -> None:
    for seed in range(4):
        with client(target).chat.completions.stream(
            model=target.model, messages=QUESTION, n=2, seed=seed, temperature=1, max_tokens=200
        ) as stream:
            for _ in stream:
                pass
            final = stream.get_final_completion()
        assert [choice.index for choice in final.choices] == [0, 1]
        assert all(choice.message.content for choice in final.choices)


@probe.check("streaming")
def a_stream_left_early_stops_the_work(target: Target) -> None:
    for _ in range(12):  # more than any server has slots
        stream = client(target).chat.completions.create(
            model=target.model, messages=QUESTION, stream=True, max_tokens=1000
        )
        next(iter(stream))
        stream.close()
    client(target, timeout=10).chat.completions.create(model=target.model, messages=QUESTION, max_tokens=2)


@probe.check("tools")
def auto_answers_or_calls(target: Target) -> None:
    reply = client(target).chat.completions.create(
        model=target.model, messages=QUESTION, tools=[WEATHER], tool_choice="auto", max_tokens=200
    )
    message = reply.choices[0].message
    assert message.content or message.tool_calls


@probe.check("tools")
def none_never_calls(target: Target) -> None:
    reply = client(target).chat.completions.create(
        model=target.model, messages=QUESTION, tools=[WEATHER], tool_choice="none", max_tokens=100
    )
    assert not reply.choices[0].message.tool_calls


def _check_call(call: Any) -> None:
    assert call.type == "function"
    assert call.id
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments)["city"] in {"Paris", "Berlin"}


@probe.check("tools")
def required_calls(target: Target) -> None:
    reply = client(target).chat.completions.create(
        model=target.model, messages=QUESTION, tools=[WEATHER], tool_choice="required", max_tokens=200
    )
    calls = reply.choices[0].message.tool_calls
    assert calls, f"no call, but text: {reply.choices[0].message.content!r}"
    _check_call(calls[0])
    assert reply.choices[0].finish_reason == "tool_calls"


@probe.check("tools")
def a_named_function_is_called(target: Target) -> None:
    named: Any = {"type": "function", "function": {"name": "get_weather"}}
    reply = client(target).chat.completions.create(
        model=target.model, messages=QUESTION, tools=[CLOCK, WEATHER], tool_choice=named, max_tokens=200
    )
    calls = reply.choices[0].message.tool_calls
    assert calls, f"no call, but text: {reply.choices[0].message.content!r}"
    _check_call(calls[0])


@probe.check("tools")
def calls_are_streamed(target: Target) -> None:
    with client(target).chat.completions.stream(
        model=target.model, messages=QUESTION, tools=[WEATHER], tool_choice="required", max_tokens=200
    ) as stream:
        kinds = [event.type for event in stream]
        message = stream.get_final_completion().choices[0].message
    assert message.tool_calls, f"no call, but text: {message.content!r}"
    _check_call(message.tool_calls[0])
    assert "tool_calls.function.arguments.done" in kinds


@probe.check("tools")
def a_tool_result_goes_back(target: Target) -> None:
    call: Any = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}}
    for content in ("18 degrees", [{"type": "text", "text": "18 degrees"}]):
        messages: Any = [
            *QUESTION,
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": content},
        ]
        reply = client(target).chat.completions.create(
            model=target.model, messages=messages, tools=[WEATHER], tool_choice="none", max_tokens=20
        )
        assert reply.choices[0].message.role == "assistant"


@probe.check("structured output")
def json_schema(target: Target) -> None:
    shape: Any = {
        "type": "json_schema",
        "json_schema": {"name": "bird", "strict": True, "schema": Bird.model_json_schema()},
    }
    reply = client(target).chat.completions.create(
        model=target.model, messages=QUESTION, response_format=shape, max_tokens=100
    )
    Bird.model_validate_json(reply.choices[0].message.content or "")


@probe.check("structured output")
def json_object(target: Target) -> None:
    reply = client(target).chat.completions.create(
        model=target.model, messages=QUESTION, response_format={"type": "json_object"}, max_tokens=1000, temperature=0
    )
    choice = reply.choices[0]
    text = choice.message.content or ""
    assert text.lstrip().startswith("{"), text[:100]
    if choice.finish_reason == "stop":
        assert isinstance(json.loads(text), dict)


@probe.check("structured output")
def parse_gives_the_pydantic_model(target: Target) -> None:
    reply = client(target).chat.completions.parse(
        model=target.model, messages=QUESTION, response_format=Bird, max_tokens=100
    )
    assert isinstance(reply.choices[0].message.parsed, Bird)


@probe.check("structured output")
def parse_by_the_stream_helper(target: Target) -> None:
    with client(target).chat.completions.stream(
        model=target.model, messages=QUESTION, response_format=Bird, max_tokens=100
    ) as stream:
        for _ in stream:
            pass
        assert isinstance(stream.get_final_completion().choices[0].message.parsed, Bird)


@probe.check("structured output")
def parse_of_a_reply_that_was_cut_raises(target: Target) -> None:
    raises(
        openai.LengthFinishReasonError,
        lambda: client(target).chat.completions.parse(
            model=target.model, messages=QUESTION, response_format=Bird, max_tokens=2
        ),
    )


@probe.check("logprobs")
def of_a_reply(target: Target) -> None:
    reply = client(target).chat.completions.create(
        model=target.model, messages=QUESTION, logprobs=True, top_logprobs=3, max_tokens=6, temperature=0
    )
    choice = reply.choices[0]
    assert choice.logprobs is not None
    content = choice.logprobs.content or []
    assert len(content) == 6
    assert b"".join(bytes(token.bytes or []) for token in content).decode() == choice.message.content
    for token in content:
        assert math.isfinite(token.logprob)
        assert token.logprob <= 0
        assert len(token.top_logprobs) == 3
        assert token.top_logprobs[0].token == token.token, "greedy takes the likeliest"


@probe.check("logprobs")
def of_a_stream(target: Target) -> None:
    chunks = client(target).chat.completions.create(
        model=target.model, messages=QUESTION, logprobs=True, top_logprobs=2, max_tokens=6, stream=True
    )
    text, spelled = "", b""
    for chunk in chunks:
        for choice in chunk.choices:
            text += choice.delta.content or ""
            for token in (choice.logprobs.content if choice.logprobs else None) or []:
                spelled += bytes(token.bytes or [])
                assert len(token.top_logprobs) == 2
    assert text
    assert spelled.decode() == text


@probe.check("logprobs")
def none_unless_asked_for(target: Target) -> None:
    reply = client(target).chat.completions.create(model=target.model, messages=QUESTION, max_tokens=2)
    assert reply.choices[0].logprobs is None


@probe.check("errors")
def bad_input_is_a_bad_request(target: Target) -> None:
    chat = client(target).chat.completions
    bad: Any
    for bad in (
        {"temperature": "hot"},
        {"max_tokens": -5},
        {"messages": []},
        {"messages": "hello"},
        {"messages": [{"role": "nobody", "content": "x"}]},
        {"n": 0},
        {"top_p": 7},
        {"top_logprobs": 2},
        {"response_format": {"type": "json_schema"}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "nonsense"}}}},
        {"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "other"}}},
    ):
        try:
            error = raises(openai.APIStatusError, chat.create, model=target.model, messages=QUESTION, extra_body=bad)
        except AssertionError as failure:
            raise AssertionError(f"{bad}: {failure}") from failure
        assert error.status_code in {400, 422}, f"{bad}: {error}"
        assert isinstance(error.body, dict), f"{bad}: no error object"
        assert error.body.get("message"), error.body
        assert error.body.get("type"), error.body


@probe.check("errors")
def a_prompt_that_is_too_long_says_so(target: Target) -> None:
    long: Any = [{"role": "user", "content": "falcon " * 30_000}]
    for stream in (False, True):
        create = client(target).chat.completions.create
        error = raises(openai.BadRequestError, create, model=target.model, messages=long, stream=stream)
        assert error.code == "context_length_exceeded", f"code {error.code}: {error}"


@probe.check("errors")
def unknown_paths_and_methods_answer_json(target: Target) -> None:
    error = raises(openai.NotFoundError, lambda: client(target).post("/nothing/here", cast_to=object, body={}))
    assert isinstance(error.body, dict)
    assert error.body.get("message"), error.body
    wrong = raises(openai.APIStatusError, lambda: client(target).get("/chat/completions", cast_to=object))
    assert wrong.status_code == 405
    assert isinstance(wrong.body, dict)


@probe.check("errors")
def timeouts_are_the_clients(target: Target) -> None:
    raises(
        openai.APITimeoutError,
        lambda: client(target, timeout=0.001).chat.completions.create(model=target.model, messages=QUESTION),
    )


@probe.check("errors")
def an_answer_has_its_request_id(target: Target) -> None:
    reply = client(target).chat.completions.create(model=target.model, messages=QUESTION, max_tokens=2)
    assert reply._request_id


if __name__ == "__main__":
    probe.main()
