"""huggingface_hub's InferenceClient: TGI's route at the base URL, and chat."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from huggingface_hub import AsyncInferenceClient, InferenceClient
from huggingface_hub.errors import BadRequestError, HfHubHTTPError, ValidationError

from tests.compat.probes.report import Probe, Target, raises

probe = Probe("huggingface_hub", "huggingface-hub")

PROMPT = "User: Hello, who are you?\nAssistant:"
QUESTION: Any = [{"role": "user", "content": "Hello, who are you?"}]
BIRD: Any = {
    "type": "object",
    "properties": {"kind": {"type": "string", "enum": ["falcon", "owl"]}, "wild": {"type": "boolean"}},
    "required": ["kind", "wild"],
}
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


def client(target: Target, **options: Any) -> Any:
    return InferenceClient(target.url, token=target.key, **{"timeout": 30, **options})


@probe.check("generate")
def the_text_alone(target: Target) -> None:
    text = client(target).text_generation(PROMPT, max_new_tokens=20)
    assert isinstance(text, str)
    assert text
    assert PROMPT not in text


@probe.check("generate")
def with_details(target: Target) -> None:
    reply = client(target).text_generation(PROMPT, max_new_tokens=4, details=True, decoder_input_details=True)
    assert reply.details.finish_reason == "length"
    assert reply.details.generated_tokens == 4
    assert "".join(token.text for token in reply.details.tokens) == reply.generated_text
    assert reply.details.prefill[1].logprob <= 0


@probe.check("generate")
def every_parameter_is_taken(target: Target) -> None:
    reply = client(target).text_generation(
        PROMPT, details=True, do_sample=True, frequency_penalty=-0.5, max_new_tokens=6, repetition_penalty=1.1,
        return_full_text=True, seed=4, stop=["never"], temperature=0.8, top_k=20, top_n_tokens=2, top_p=0.9,
        truncate=50, typical_p=0.9, watermark=False,
    )  # fmt: skip
    assert reply.generated_text.startswith(PROMPT)
    assert len(reply.details.top_tokens[0]) == 2
    assert reply.details.seed == 4


@probe.check("generate")
def best_of(target: Target) -> None:
    reply = client(target).text_generation(PROMPT, details=True, best_of=2, do_sample=True, max_new_tokens=6)
    assert len(reply.details.best_of_sequences) == 1


@probe.check("grammar")
def json_by_schema(target: Target) -> None:
    text = client(target).text_generation(PROMPT, max_new_tokens=60, grammar={"type": "json", "value": BIRD})
    assert json.loads(text)["kind"] in {"falcon", "owl"}


@probe.check("streaming")
def texts(target: Target) -> None:
    ours = client(target)
    whole = ours.text_generation(PROMPT, max_new_tokens=12)
    assert "".join(ours.text_generation(PROMPT, max_new_tokens=12, stream=True)) == whole


@probe.check("streaming")
def details_of_every_token(target: Target) -> None:
    ours = client(target)
    frames = list(ours.text_generation(PROMPT, max_new_tokens=5, stream=True, details=True))
    assert len(frames) == 5
    assert frames[-1].details.finish_reason == "length"
    assert frames[-1].generated_text == "".join(frame.token.text for frame in frames)


@probe.check("chat")
def a_reply(target: Target) -> None:
    reply = client(target).chat_completion(QUESTION, max_tokens=40, temperature=0)
    assert reply.choices[0].message.role == "assistant"
    assert reply.choices[0].message.content
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


@probe.check("chat")
def streamed_with_usage(target: Target) -> None:
    ours = client(target)
    whole = ours.chat_completion(QUESTION, max_tokens=40, temperature=0).choices[0].message.content
    chunks = list(
        ours.chat_completion(
            QUESTION, max_tokens=40, temperature=0, stream=True, stream_options={"include_usage": True}
        )
    )
    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices) == whole
    assert chunks[-1].usage.completion_tokens > 0


@probe.check("chat")
def logprobs(target: Target) -> None:
    reply = client(target).chat_completion(QUESTION, max_tokens=4, logprobs=True, top_logprobs=2)
    assert len(reply.choices[0].logprobs.content) == 4
    assert len(reply.choices[0].logprobs.content[0].top_logprobs) == 2


@probe.check("structured output")
def response_format_as_the_client_rewrites_it(target: Target) -> None:
    shape: Any = {"type": "json_schema", "json_schema": {"name": "bird", "schema": BIRD, "strict": True}}
    reply = client(target).chat_completion(QUESTION, max_tokens=60, response_format=shape)
    assert json.loads(reply.choices[0].message.content)["kind"] in {"falcon", "owl"}


@probe.check("tools")
def required(target: Target) -> None:
    reply = client(target).chat_completion(QUESTION, tools=[WEATHER], tool_choice="required", max_tokens=100)
    calls = reply.choices[0].message.tool_calls
    assert calls, f"no call, but text: {reply.choices[0].message.content!r}"
    assert calls[0].function.name == "get_weather"
    assert json.loads(calls[0].function.arguments)["city"] in {"Paris", "Berlin"}


@probe.check("tools")
def named(target: Target) -> None:
    choice: Any = {"function": {"name": "get_weather"}}
    reply = client(target).chat_completion(QUESTION, tools=[WEATHER], tool_choice=choice, max_tokens=100)
    calls = reply.choices[0].message.tool_calls
    assert calls, f"no call, but text: {reply.choices[0].message.content!r}"
    assert json.loads(calls[0].function.arguments)["city"] in {"Paris", "Berlin"}


@probe.check("async")
def chat_and_text(target: Target) -> None:
    async def ask() -> tuple[str, str]:
        ours: Any = AsyncInferenceClient(target.url, token=target.key, timeout=30)
        text = "".join([part async for part in await ours.text_generation(PROMPT, max_new_tokens=8, stream=True)])
        chunks = await ours.chat_completion(QUESTION, max_tokens=8, stream=True)
        chat = "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])
        return text, chat

    assert all(asyncio.run(ask()))


@probe.check("server")
def endpoint_info_and_health(target: Target) -> None:
    ours = InferenceClient(target.url, provider="hf-inference", token=target.key)
    info = ours.get_endpoint_info()
    assert info["model_id"]
    assert info["max_total_tokens"] > 0
    assert ours.health_check()


@probe.check("errors")
def bad_values_are_validation_errors(target: Target) -> None:
    ours = client(target)
    bad: Any
    for bad in ({"temperature": 0.0}, {"top_p": 1.5}, {"max_new_tokens": 0}, {"best_of": 2, "seed": 3}):
        raises(ValidationError, ours.text_generation, prompt=PROMPT, **bad)


@probe.check("errors")
def a_prompt_that_is_too_long_is_a_validation_error(target: Target) -> None:
    raises(ValidationError, lambda: client(target).text_generation("falcon " * 30_000))


@probe.check("errors")
def bad_chat_requests_tell_their_reason(target: Target) -> None:
    error = raises(BadRequestError, lambda: client(target).chat_completion(QUESTION, temperature=-3))
    assert "temperature" in str(error), str(error)
    assert isinstance(error, HfHubHTTPError)


if __name__ == "__main__":
    probe.main()
