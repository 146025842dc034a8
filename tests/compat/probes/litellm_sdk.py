"""litellm: the same model under four of its prefixes, each another protocol or another way to say it."""

from __future__ import annotations

import json
import os
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else its import asks the internet for prices

import litellm
from litellm.exceptions import BadRequestError, ContextWindowExceededError

from tests.compat.probes.report import Probe, Target, raises

probe = Probe("litellm", "litellm")

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
        },
    },
}


def ask(target: Target, prefix: str, **options: Any) -> Any:
    base = {"openai": target.v1, "text-completion-openai": target.v1, "hosted_vllm": target.v1}.get(prefix, target.url)
    return litellm.completion(
        model=f"{prefix}/{target.model}", api_base=base, api_key=target.key, timeout=30, num_retries=0,
        **{"messages": QUESTION, "max_tokens": 60, **options},
    )  # fmt: skip


def _reply_and_stream(target: Target, prefix: str) -> None:
    reply = ask(target, prefix)
    assert reply.choices[0].message.content
    assert reply.choices[0].finish_reason in {"stop", "length"}
    assert reply.usage.total_tokens > 0
    parts = [chunk.choices[0].delta.content or "" for chunk in ask(target, prefix, stream=True) if chunk.choices]
    assert "".join(parts)


@probe.check("chat")
def openai_prefix(target: Target) -> None:
    _reply_and_stream(target, "openai")


@probe.check("chat")
def hosted_vllm_prefix(target: Target) -> None:
    _reply_and_stream(target, "hosted_vllm")


@probe.check("completions")
def text_completion_openai_prefix(target: Target) -> None:
    _reply_and_stream(target, "text-completion-openai")


@probe.check("chat")
def huggingface_prefix(target: Target) -> None:
    _reply_and_stream(target, "huggingface")


@probe.check("chat")
def anthropic_prefix(target: Target) -> None:
    _reply_and_stream(target, "anthropic")


@probe.check("streaming")
def usage_at_the_end(target: Target) -> None:
    chunks = list(ask(target, "openai", stream=True, stream_options={"include_usage": True}))
    assert any(getattr(chunk, "usage", None) for chunk in chunks)


@probe.check("tools")
def a_required_tool(target: Target) -> None:
    message = ask(target, "openai", tools=[WEATHER], tool_choice="required").choices[0].message
    assert message.tool_calls, f"no call, but text: {message.content!r}"
    assert json.loads(message.tool_calls[0].function.arguments)["city"] in {"Paris", "Berlin"}


@probe.check("tools")
def a_required_tool_by_anthropics_protocol(target: Target) -> None:
    message = ask(target, "anthropic", tools=[WEATHER], tool_choice="required").choices[0].message
    assert message.tool_calls, f"no call, but text: {message.content!r}"
    assert json.loads(message.tool_calls[0].function.arguments)["city"] in {"Paris", "Berlin"}


@probe.check("structured output")
def json_schema(target: Target) -> None:
    schema = {"type": "object", "properties": {"wild": {"type": "boolean"}}, "required": ["wild"]}
    shape = {"type": "json_schema", "json_schema": {"name": "bird", "schema": schema, "strict": True}}
    reply = ask(target, "openai", response_format=shape)
    assert isinstance(json.loads(reply.choices[0].message.content)["wild"], bool)


@probe.check("embeddings")
def vectors(target: Target) -> None:
    reply = litellm.embedding(
        model=f"openai/{target.model}", input=["a falcon", "an owl"], api_base=target.v1, api_key=target.key
    )
    assert len(reply.data) == 2


@probe.check("responses")
def a_response(target: Target) -> None:
    reply: Any = litellm.responses(
        model=f"openai/{target.model}", input="Hello", api_base=target.v1, api_key=target.key, max_output_tokens=40
    )
    assert reply.output


@probe.check("errors")
def a_prompt_that_is_too_long_is_recognised(target: Target) -> None:
    long = [{"role": "user", "content": "falcon " * 30_000}]
    raises(ContextWindowExceededError, lambda: ask(target, "openai", messages=long))


@probe.check("errors")
def bad_values_are_bad_requests(target: Target) -> None:
    raises(BadRequestError, lambda: ask(target, "openai", temperature=-3))


if __name__ == "__main__":
    probe.main()
