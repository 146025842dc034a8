"""anthropic's SDK: the common core of /v1/messages."""

from __future__ import annotations

from typing import Any, Literal

import anthropic
from pydantic import BaseModel

from tests.compat.probes.report import Probe, Target, raises

probe = Probe("anthropic", "anthropic")

QUESTION: Any = [{"role": "user", "content": "Hello, who are you?"}]
GREEDY = {"temperature": 0}  # the newest SDK has no argument for it any more
WEATHER: Any = {
    "name": "get_weather",
    "description": "Weather of a city.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string", "enum": ["Paris", "Berlin"]}},
        "required": ["city"],
    },
}


class Bird(BaseModel):
    kind: Literal["falcon", "owl"]
    wild: bool


def client(target: Target, **options: Any) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=target.url, api_key=target.key, **{"max_retries": 0, "timeout": 30, **options})


@probe.check("chat")
def a_message(target: Target) -> None:
    reply = client(target).messages.create(model=target.model, messages=QUESTION, max_tokens=100)
    assert reply.type == "message"
    assert reply.role == "assistant"
    assert reply.stop_reason == "end_turn"
    assert reply.content[0].type == "text"
    assert reply.content[0].text
    assert reply.usage.input_tokens > 0
    assert reply.usage.output_tokens > 0


@probe.check("chat")
def max_tokens_is_its_stop_reason(target: Target) -> None:
    reply = client(target).messages.create(model=target.model, messages=QUESTION, max_tokens=2)
    assert reply.stop_reason == "max_tokens"
    assert reply.usage.output_tokens == 2


@probe.check("chat")
def system_blocks_and_turns(target: Target) -> None:
    messages: Any = [
        {"role": "user", "content": [{"type": "text", "text": "Hello, who are you?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "Eyas."}]},
        {"role": "user", "content": "And how are you?"},
    ]
    system: Any
    for system in ("Be short.", [{"type": "text", "text": "Be short.", "cache_control": {"type": "ephemeral"}}]):
        reply = client(target).messages.create(
            model=target.model, system=system, messages=messages, max_tokens=20,
            metadata={"user_id": "ada"}, extra_body={"temperature": 0.5, "top_p": 0.9, "top_k": 20},
        )  # fmt: skip
        assert reply.content


@probe.check("chat")
def a_stop_sequence_is_named(target: Target) -> None:
    whole = client(target).messages.create(model=target.model, messages=QUESTION, max_tokens=100, extra_body=GREEDY)
    assert whole.content[0].type == "text"
    stop = whole.content[0].text.split()[3]
    reply = client(target).messages.create(
        model=target.model, messages=QUESTION, max_tokens=100, stop_sequences=[stop], extra_body=GREEDY
    )
    assert reply.stop_reason == "stop_sequence"
    assert reply.stop_sequence == stop
    assert reply.content[0].type == "text"
    assert stop not in reply.content[0].text


@probe.check("chat")
def tokens_are_counted(target: Target) -> None:
    counted = client(target).messages.count_tokens(model=target.model, messages=QUESTION)
    reply = client(target).messages.create(model=target.model, messages=QUESTION, max_tokens=2)
    assert counted.input_tokens > 0
    usage = reply.usage
    read = usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
    assert counted.input_tokens == read


@probe.check("streaming")
def the_stream_helper(target: Target) -> None:
    with client(target).messages.stream(model=target.model, messages=QUESTION, max_tokens=100) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text
    assert final.content[0].type == "text"
    assert final.content[0].text == text
    assert final.stop_reason == "end_turn"
    assert final.usage.output_tokens > 0


@probe.check("streaming")
def raw_events_in_order(target: Target) -> None:
    stream = client(target).messages.create(model=target.model, messages=QUESTION, max_tokens=20, stream=True)
    kinds: list[str] = [event.type for event in stream]
    events = [kind for kind in kinds if kind != "ping"]
    assert events[:2] == ["message_start", "content_block_start"]
    assert set(events[2:-3]) == {"content_block_delta"}
    assert events[-3:] == ["content_block_stop", "message_delta", "message_stop"]


@probe.check("tools")
def any_tool_is_used(target: Target) -> None:
    reply = client(target).messages.create(
        model=target.model, messages=QUESTION, tools=[WEATHER], tool_choice={"type": "any"}, max_tokens=200
    )
    uses = [block for block in reply.content if block.type == "tool_use"]
    assert uses, f"no tool used: {reply.content}"
    assert uses[0].name == "get_weather"
    arguments: Any = uses[0].input
    assert arguments["city"] in {"Paris", "Berlin"}
    assert reply.stop_reason == "tool_use"


@probe.check("tools")
def a_tool_use_is_streamed(target: Target) -> None:
    with client(target).messages.stream(
        model=target.model, messages=QUESTION, tools=[WEATHER], max_tokens=200,
        tool_choice={"type": "tool", "name": "get_weather"},
    ) as stream:  # fmt: skip
        final = stream.get_final_message()
    uses = [block for block in final.content if block.type == "tool_use"]
    assert uses, f"no tool used: {final.content}"
    arguments: Any = uses[0].input
    assert arguments["city"] in {"Paris", "Berlin"}


@probe.check("tools")
def a_tool_result_goes_back(target: Target) -> None:
    messages: Any = [
        *QUESTION,
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "Paris"}}],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "18 degrees"}]},
    ]
    reply = client(target).messages.create(
        model=target.model, messages=messages, tools=[WEATHER], tool_choice={"type": "none"}, max_tokens=20
    )
    assert reply.role == "assistant"


@probe.check("structured output")
def parse_gives_the_pydantic_model(target: Target) -> None:
    reply = client(target).messages.parse(model=target.model, messages=QUESTION, max_tokens=100, output_format=Bird)
    assert isinstance(reply.parsed_output, Bird)


@probe.check("models")
def models_are_listed(target: Target) -> None:
    assert target.model in [model.id for model in client(target).models.list()]


@probe.check("errors")
def bad_input_is_a_bad_request(target: Target) -> None:
    bad: Any
    for bad in ({"max_tokens": -1}, {"messages": []}, {"extra_body": {"temperature": "hot"}}):
        body: dict[str, Any] = {"model": target.model, "messages": QUESTION, "max_tokens": 5, **bad}
        error = raises(anthropic.BadRequestError, client(target).messages.create, **body)
        assert isinstance(error.body, dict)
        assert error.body["type"] == "error", error.body
        assert error.body["error"]["type"] == "invalid_request_error", error.body
        assert error.body["error"]["message"]


@probe.check("errors")
def a_prompt_that_is_too_long_is_a_bad_request(target: Target) -> None:
    long: Any = [{"role": "user", "content": "falcon " * 30_000}]
    raises(
        anthropic.BadRequestError,
        lambda: client(target).messages.create(model=target.model, messages=long, max_tokens=5),
    )


if __name__ == "__main__":
    probe.main()
