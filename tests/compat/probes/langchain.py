"""langchain-openai: ChatOpenAI with tools and structured output, completions, embeddings."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
from pydantic import BaseModel, SecretStr

from tests.compat.probes.report import Probe, Target

probe = Probe("langchain-openai", "langchain-openai")


class Bird(BaseModel):
    """A bird."""

    kind: Literal["falcon", "owl"]
    wild: bool


def get_weather(city: Literal["Paris", "Berlin"]) -> str:
    """Weather of a city."""
    return f"18 degrees in {city}"


WEATHER: Any = tool(get_weather)


def chat(target: Target, **options: Any) -> Any:
    defaults: dict[str, Any] = {"max_tokens": 100, "timeout": 30, "max_retries": 0}
    return ChatOpenAI(base_url=target.v1, api_key=SecretStr(target.key), model=target.model, **{**defaults, **options})


@probe.check("chat")
def messages_of_every_role(target: Target) -> None:
    reply = chat(target).invoke(
        [SystemMessage("Be short."), HumanMessage("Hello, who are you?"), AIMessage("Eyas."), HumanMessage("And how?")]
    )
    assert reply.content
    assert reply.usage_metadata["total_tokens"] > 0
    assert reply.response_metadata["finish_reason"] in {"stop", "length"}


@probe.check("streaming")
def chunks_add_up(target: Target) -> None:
    chunks = list(chat(target, temperature=0, stream_usage=True).stream("Hello, who are you?"))
    whole = chat(target, temperature=0).invoke("Hello, who are you?")
    assert "".join(chunk.text for chunk in chunks) == whole.text
    assert any(chunk.usage_metadata for chunk in chunks)


@probe.check("tools")
def bound_tools_are_called(target: Target) -> None:
    reply = chat(target).bind_tools([WEATHER], tool_choice="any").invoke("Hello, who are you?")
    assert reply.tool_calls, f"no call, but text: {reply.content!r}"
    assert reply.tool_calls[0]["name"] == "get_weather"
    assert reply.tool_calls[0]["args"]["city"] in {"Paris", "Berlin"}


@probe.check("tools")
def a_named_tool_streamed(target: Target) -> None:
    whole: Any = None
    for chunk in chat(target).bind_tools([WEATHER], tool_choice="get_weather").stream("Hello, who are you?"):
        whole = chunk if whole is None else whole + chunk
    assert whole.tool_calls, f"no call, but text: {whole.content!r}"
    assert whole.tool_calls[0]["args"]["city"] in {"Paris", "Berlin"}


@probe.check("tools")
def a_tool_result_goes_back(target: Target) -> None:
    call: Any = {"id": "c1", "name": "get_weather", "args": {"city": "Paris"}}
    reply = (
        chat(target)
        .bind_tools([WEATHER])
        .invoke([HumanMessage("Weather?"), AIMessage("", tool_calls=[call]), ToolMessage("18", tool_call_id="c1")])
    )
    assert reply.content or reply.tool_calls


@probe.check("structured output")
def by_json_schema(target: Target) -> None:
    assert isinstance(chat(target).with_structured_output(Bird).invoke("A bird, please."), Bird)


@probe.check("structured output")
def by_function_calling(target: Target) -> None:
    ours = chat(target).with_structured_output(Bird, method="function_calling")
    assert isinstance(ours.invoke("A bird, please."), Bird)


@probe.check("logprobs")
def of_a_reply(target: Target) -> None:
    reply = chat(target, logprobs=True, top_logprobs=2, max_tokens=4).invoke("Hello, who are you?")
    assert len(reply.response_metadata["logprobs"]["content"]) == 4


@probe.check("responses")
def by_the_responses_api(target: Target) -> None:
    assert chat(target, use_responses_api=True).invoke("Hello, who are you?").text


@probe.check("completions")
def the_completions_class(target: Target) -> None:
    ours = OpenAI(base_url=target.v1, api_key=SecretStr(target.key), model=target.model, max_tokens=8, temperature=0)
    assert ours.invoke("A falcon is")
    assert "".join(ours.stream("A falcon is")) == ours.invoke("A falcon is")


@probe.check("embeddings")
def of_documents(target: Target) -> None:
    ours = OpenAIEmbeddings(
        base_url=target.v1, api_key=SecretStr(target.key), model=target.model, check_embedding_ctx_length=False
    )
    vectors = ours.embed_documents(["a falcon", "an owl"])
    assert len(vectors) == 2
    assert vectors[0] != vectors[1]


@probe.check("async")
def a_batch_in_async_code(target: Target) -> None:
    replies = asyncio.run(chat(target).abatch(["Hello, who are you?"] * 8))
    assert all(reply.content for reply in replies)


if __name__ == "__main__":
    probe.main()
