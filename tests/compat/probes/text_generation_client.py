"""text-generation 0.7.0, the client of the lesson, against the routes of text-generation-inference."""

from __future__ import annotations

import asyncio
import json
import re
from base64 import b64encode
from typing import Any

from text_generation import AsyncClient, Client
from text_generation.errors import NotFoundError, ValidationError

from tests.compat.probes.report import Probe, Target, raises

probe = Probe("text-generation", "text-generation")

LESSON = """\
System:You are Eyas, a helpful falcon.
User: Hello, who are you?
Assistant:"""
BIRD: Any = {
    "type": "object",
    "properties": {"kind": {"type": "string", "enum": ["falcon", "owl"]}, "wild": {"type": "boolean"}},
    "required": ["kind", "wild"],
}


def client(target: Target) -> Any:
    return Client(target.url, timeout=30)


@probe.check("the lesson")
def generate_as_the_lesson_writes_it(target: Target) -> None:
    key = b64encode(b"lesson:key").decode()
    ours = Client(target.url, headers={"Authorization": f"Basic {key}"}, timeout=120)
    assert ours.generate("What is a falcon?", max_new_tokens=256).generated_text


@probe.check("the lesson")
def its_chat_with_the_stream_loop(target: Target) -> None:
    ours = client(target)
    stream = ours.generate_stream(
        LESSON, max_new_tokens=1024, stop_sequences=["\nUser:", "<|endoftext|>"], temperature=0.7
    )
    acc_text = ""
    for idx, response in enumerate(stream):
        text_token = response.token.text
        if response.details:
            break
        if idx == 0 and text_token.startswith(" "):
            text_token = text_token[1:]
        acc_text += text_token
    assert acc_text.strip()


@probe.check("generate")
def details_of_a_reply(target: Target) -> None:
    reply = client(target).generate("A falcon is", max_new_tokens=6, decoder_input_details=True)
    details = reply.details
    assert details.finish_reason.value in {"length", "eos_token"}
    assert details.generated_tokens == len(details.tokens)
    assert "".join(token.text for token in details.tokens if not token.special) == reply.generated_text
    assert all(token.id >= 0 and token.logprob is not None and token.logprob <= 0 for token in details.tokens)
    assert details.seed is None, "greedy has no seed"
    assert "".join(token.text for token in details.prefill).endswith("A falcon is")
    assert details.prefill[0].logprob is None
    assert all(token.logprob <= 0 for token in details.prefill[1:])


@probe.check("generate")
def length_is_a_finish_reason(target: Target) -> None:
    reply = client(target).generate("A falcon is", max_new_tokens=2)
    assert reply.details.finish_reason.value == "length"
    assert reply.details.generated_tokens == 2


@probe.check("generate")
def the_end_of_text_is_a_special_token(target: Target) -> None:
    reply = client(target).generate(
        "<|im_start|>user\nHello, who are you?<|im_end|>\n<|im_start|>assistant\n", max_new_tokens=200
    )
    assert reply.details.finish_reason.value == "eos_token"
    assert reply.details.tokens[-1].special
    assert reply.generated_text == "".join(token.text for token in reply.details.tokens[:-1])


@probe.check("generate")
def sampling_tells_its_seed_and_repeats_it(target: Target) -> None:
    ours = client(target)
    first = ours.generate("A falcon is", do_sample=True, temperature=1.5, max_new_tokens=12)
    assert first.details.seed is not None
    again = ours.generate("A falcon is", do_sample=True, temperature=1.5, max_new_tokens=12, seed=first.details.seed)
    assert again.generated_text == first.generated_text
    assert again.details.seed == first.details.seed


@probe.check("generate")
def every_parameter_is_taken(target: Target) -> None:
    reply = client(target).generate(
        "A falcon is", do_sample=True, max_new_tokens=5, repetition_penalty=1.1, frequency_penalty=0.1, seed=3,
        stop_sequences=["never"], temperature=0.8, top_k=20, top_p=0.9, truncate=100, typical_p=0.9, watermark=False,
        return_full_text=False, top_n_tokens=2,
    )  # fmt: skip
    assert reply.details.generated_tokens <= 5


@probe.check("generate")
def a_stop_sequence_stays_in_the_text(target: Target) -> None:
    whole = client(target).generate(LESSON, max_new_tokens=40).generated_text
    stop = whole.split()[2]
    reply = client(target).generate(LESSON, max_new_tokens=40, stop_sequences=[stop])
    assert reply.details.finish_reason.value == "stop_sequence"
    assert reply.generated_text == whole[: whole.index(stop) + len(stop)]


@probe.check("generate")
def the_full_text_when_asked_for(target: Target) -> None:
    reply = client(target).generate("A falcon is", max_new_tokens=4, return_full_text=True)
    assert reply.generated_text.startswith("A falcon is")
    assert len(reply.generated_text) > len("A falcon is")


@probe.check("generate")
def best_of_gives_the_others_too(target: Target) -> None:
    reply = client(target).generate("A falcon is", best_of=2, do_sample=True, temperature=1.2, max_new_tokens=6)
    (other,) = reply.details.best_of_sequences
    assert other.generated_text is not None
    assert other.seed is not None
    assert other.seed != reply.details.seed


@probe.check("generate")
def top_n_tokens_at_every_step(target: Target) -> None:
    reply = client(target).generate("A falcon is", max_new_tokens=3, top_n_tokens=2)
    assert [len(step) for step in reply.details.top_tokens] == [2, 2, 2]
    assert reply.details.top_tokens[0][0].id == reply.details.tokens[0].id, "greedy takes the likeliest"


@probe.check("generate")
def truncate_keeps_the_end(target: Target) -> None:
    ours = client(target)
    whole = ours.generate("word " * 50 + "A falcon is", max_new_tokens=3, decoder_input_details=True).details.prefill
    cut = ours.generate(
        "word " * 50 + "A falcon is", max_new_tokens=3, truncate=4, decoder_input_details=True
    ).details.prefill
    assert [token.id for token in cut[-4:]] == [token.id for token in whole[-4:]]
    assert len(cut) <= 5, "a begin-of-text token may come in front"


@probe.check("grammar")
def json_by_schema(target: Target) -> None:
    reply = client(target).generate(LESSON, max_new_tokens=60, grammar={"type": "json", "value": BIRD})
    assert json.loads(reply.generated_text)["kind"] in {"falcon", "owl"}


@probe.check("grammar")
def a_regular_expression(target: Target) -> None:
    pattern = r"[0-9]{2}-(falcon|owl)"
    reply = client(target).generate(LESSON, max_new_tokens=60, grammar={"type": "regex", "value": pattern})
    assert re.fullmatch(pattern, reply.generated_text), reply.generated_text


@probe.check("streaming")
def frames_make_the_reply(target: Target) -> None:
    ours = client(target)
    whole = ours.generate(LESSON, max_new_tokens=20)
    frames = list(ours.generate_stream(LESSON, max_new_tokens=20))
    assert "".join(frame.token.text for frame in frames if not frame.token.special) == whole.generated_text
    assert [frame.token.id for frame in frames] == [token.id for token in whole.details.tokens]
    assert all(frame.generated_text is None and frame.details is None for frame in frames[:-1])
    assert frames[-1].generated_text == whole.generated_text
    assert frames[-1].details.generated_tokens == whole.details.generated_tokens


@probe.check("streaming")
def with_top_tokens(target: Target) -> None:
    frames = list(client(target).generate_stream(LESSON, max_new_tokens=3, top_n_tokens=2))
    assert [len(frame.top_tokens) for frame in frames] == [2, 2, 2]


@probe.check("streaming")
def a_stream_left_early_stops_the_work(target: Target) -> None:
    for _ in range(12):
        stream = client(target).generate_stream(LESSON, max_new_tokens=1000)
        next(stream)
        stream.close()
    assert client(target).generate(LESSON, max_new_tokens=2).generated_text


@probe.check("async")
def the_async_client(target: Target) -> None:
    async def ask() -> tuple[str, str]:
        ours = AsyncClient(target.url, timeout=30)
        reply = await ours.generate(LESSON, max_new_tokens=10)
        text = ""
        async for frame in ours.generate_stream(LESSON, max_new_tokens=10):
            if not frame.token.special:
                text += frame.token.text
        return reply.generated_text, text

    whole, streamed = asyncio.run(ask())
    assert whole
    assert whole == streamed


@probe.check("chat")
def a_chat_reply(target: Target) -> None:
    reply = client(target).chat([{"role": "user", "content": "Hello, who are you?"}], max_tokens=20)
    assert reply.choices[0].message.role == "assistant"
    assert reply.choices[0].message.content


@probe.check("errors")
def bad_values_are_validation_errors(target: Target) -> None:
    def stream(**options: Any) -> None:
        list(client(target).generate_stream("A falcon", **options))

    for number in (0, -5):
        raises(ValidationError, client(target).generate, prompt="A falcon", max_new_tokens=number)
        raises(ValidationError, stream, max_new_tokens=number)


@probe.check("errors")
def a_prompt_that_is_too_long_is_a_validation_error(target: Target) -> None:
    raises(ValidationError, lambda: client(target).generate("falcon " * 30_000, max_new_tokens=5))


@probe.check("errors")
def a_bad_grammar_is_a_validation_error(target: Target) -> None:
    for grammar in ({"type": "regex", "value": "(((("}, {"type": "json", "value": {"type": "nonsense"}}):
        raises(ValidationError, client(target).generate, prompt="A falcon", max_new_tokens=5, grammar=grammar)


@probe.check("errors")
def a_wrong_path_is_not_found(target: Target) -> None:
    raises(NotFoundError, lambda: Client(f"{target.url}/nothing/here", timeout=30).generate("A falcon"))


if __name__ == "__main__":
    probe.main()
