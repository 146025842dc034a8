"""What programs want of the local engine beside its text: tokens, scores, shapes, tools, vectors."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
import pytest_asyncio

import falconry
from falconry.engines.llama_cpp import LlamaCppEngine, LlamaCppOptions
from falconry.errors import ContextWindowExceeded, InvalidRequest, NotSupported
from falconry.messages import (
    NO_EXTRAS,
    Delta,
    Extras,
    Grammar,
    Message,
    Prompt,
    SamplingParams,
    Token,
    TokenPrompt,
    Tool,
    ToolCall,
)
from tests.engines.tiny_gguf import END, write_reciter

pytestmark = pytest.mark.asyncio(loop_scope="module")

EYAS = Path(falconry.__file__).parent / "models" / "eyas" / "eyas.gguf"
GREEDY = SamplingParams(max_tokens=48, temperature=0.0)
HI = [Message("user", "Hi")]
WEATHER = Tool("get_weather", "What it is like there", '{"type": "object", "properties": {"city": {"type": "string"}}}')
TIME = Tool("get_time")
# As Qwen and Hermes have it.
HERMES = (
    "{%- if tools %}{{- '<|im_start|>system\n# Tools\n\n<tools>' }}"
    "{%- for tool in tools %}{{- '\n' + (tool | tojson) }}{%- endfor %}"
    "{{- '\n</tools>\n\nReturn a json object with function name and arguments within <tool_call></tool_call> tags:"
    '\n<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call><|im_end|>\n\' }}'
    "{%- endif %}{%- for message in messages %}"
    "{%- if message.role == 'tool' %}"
    "{{- '<|im_start|>user\n<tool_response>\n' + message.content + '\n</tool_response><|im_end|>\n' }}"
    "{%- elif message.role == 'assistant' %}{{- '<|im_start|>assistant\n' + (message.content or '') }}"
    "{%- for call in message.tool_calls or [] %}"
    '{{- \'<tool_call>\n{"name": "\' + call.function.name + \'", "arguments": \' }}'
    "{{- call.function.arguments if call.function.arguments is string else call.function.arguments | tojson }}"
    "{{- '}\n</tool_call>' }}{%- endfor %}{{- '<|im_end|>\n' }}"
    "{%- else %}{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}{%- endif %}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"
)
CALL = [b"<tool_call>", b'\n{"name": "get', b'_weather", "arguments": ', b'{"city": ', b'"Abu Dhabi"', b"}", b"}\n",
        b"</tool_call>"]  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def eyas() -> AsyncIterator[LlamaCppEngine]:
    engine = LlamaCppEngine(EYAS, LlamaCppOptions(prompt_cache_mib=16))
    yield engine
    await engine.aclose()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def caller(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LlamaCppEngine]:
    """A model that answers everything with a call of get_weather."""
    model = write_reciter(tmp_path_factory.mktemp("models") / "caller.gguf", CALL, chat_template=HERMES)
    engine = LlamaCppEngine(model, LlamaCppOptions(slots=1, prompt_cache_mib=0))
    yield engine
    await engine.aclose()


async def collect(
    engine: LlamaCppEngine, prompt: Prompt, params: SamplingParams = GREEDY, extras: Extras = NO_EXTRAS
) -> list[Delta]:
    async with aclosing(engine.generate(prompt, params, extras)) as deltas:
        return [delta async for delta in deltas]


def text_of(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas)


def tokens_of(deltas: list[Delta]) -> list[Token]:
    return [token for delta in deltas for token in delta.tokens]


# Tokens and their logprobs


@pytest.mark.parametrize("prompt", [HI, "Hi"])
async def test_tokens_have_ids_logprobs_and_so_many_alternatives(eyas: LlamaCppEngine, prompt: Prompt) -> None:
    tokens = tokens_of(
        await collect(eyas, prompt, SamplingParams(max_tokens=8, temperature=0.0), Extras(top_logprobs=3))
    )
    assert tokens
    assert await eyas.detokenize([token.id for token in tokens]) == "".join(token.text for token in tokens)
    for token in tokens:
        if "\ufffd" in token.text:
            continue  # a part of a character: of those only the last has alternatives
        assert [other.id for other in token.top][:1] == [token.id]  # greedy
        assert token.top[0].logprob == token.logprob
        assert len(token.top) == 3
        assert sum(math.exp(other.logprob or 0) for other in token.top) <= 1.0001


async def test_without_alternatives_there_are_none(eyas: LlamaCppEngine) -> None:
    tokens = tokens_of(await collect(eyas, HI, extras=Extras(top_logprobs=0)))
    assert tokens
    assert all(token.top == () for token in tokens)


@pytest.mark.parametrize("prompt", [HI, "Hi"])
async def test_the_end_of_the_turn_is_a_special_token_with_a_name(eyas: LlamaCppEngine, prompt: Prompt) -> None:
    (end,) = [token.id for token in await eyas.tokenize(END)]
    params = SamplingParams(max_tokens=8, temperature=0.0, logit_bias=((end, 100.0),))
    deltas = await collect(eyas, prompt, params, Extras(top_logprobs=1))
    (token,) = tokens_of(deltas)
    assert (token.id, token.text, token.raw, token.special) == (end, END, b"", True)
    assert text_of(deltas) == ""
    assert deltas[-1].finish_reason == "stop"
    assert deltas[-1].stop_sequence is None


async def test_all_tokens_of_a_character_are_told(tmp_path: Path) -> None:
    """The server tells of the last one only; the others are those that the tokenizer makes, where it makes so many."""
    bird = "🦅".encode()  # in two tokens, where the tokenizer would make four
    pieces = ["你".encode(), *(bytes([byte]) for byte in "好".encode()), b"! ", bird[:2], bird[2:], b" end"]
    model = write_reciter(tmp_path / "cut.gguf", pieces)
    engine = LlamaCppEngine(model, LlamaCppOptions(slots=1, prompt_cache_mib=0))
    try:
        for prompt, end in ((HI, []), ("Hi", [END])):
            deltas = await collect(engine, prompt, extras=Extras(top_logprobs=1))
            tokens = tokens_of(deltas)
            assert text_of(deltas) == b"".join(pieces).decode()
            assert [token.raw for token in tokens if not token.special] == [*pieces[:5], bird, pieces[-1]]
            assert [token.text for token in tokens if token.special] == end
            assert all(token.logprob == 0 and token.id >= 0 for token in tokens)
    finally:
        await engine.aclose()


# The logprobs of a prompt


async def test_a_prompt_is_scored_as_if_the_model_had_said_it(eyas: LlamaCppEngine) -> None:
    deltas = await collect(eyas, "Hi", SamplingParams(max_tokens=12, temperature=0.0), Extras(top_logprobs=2))
    said = tokens_of(deltas)
    prompt = TokenPrompt(((await eyas.tokenize("Hi"))[0].id, *(token.id for token in said)))
    extras = Extras(top_logprobs=2, prompt_logprobs=True)
    first, *_ = await collect(eyas, prompt, SamplingParams(max_tokens=1, temperature=0.0), extras)
    assert first.prompt_tokens[0].logprob is None
    assert [token.id for token in first.prompt_tokens[1:]] == [token.id for token in said]
    for scored, token in zip(first.prompt_tokens[1:], said, strict=True):
        assert scored.logprob == pytest.approx(token.logprob, abs=0.02)  # a prompt is read in one batch
        assert [other.id for other in scored.top] == [other.id for other in token.top]


@pytest.mark.parametrize("prompt", [[Message("user", "猎鹰🦅")], "猎鹰🦅<|im_end|>x"])
async def test_parts_of_characters_and_special_tokens_are_scored_too(
    eyas: LlamaCppEngine, prompt: str | list[Message]
) -> None:
    text = prompt if isinstance(prompt, str) else await eyas.render(prompt)
    first, *_ = await collect(eyas, prompt, extras=Extras(prompt_logprobs=True))
    assert first.prompt_tokens == tuple(
        Token(token.id, token.text, token.raw, scored.logprob, token.special)
        for token, scored in zip(await eyas.tokenize(text), first.prompt_tokens, strict=True)
    )
    assert any("\ufffd" in token.text for token in first.prompt_tokens)
    assert any(token.text == END for token in first.prompt_tokens)
    assert all(token.logprob is not None and -200 < token.logprob < 0 for token in first.prompt_tokens[1:])


async def test_an_unlikely_part_of_a_character_has_the_logprob_that_the_whole_list_tells(eyas: LlamaCppEngine) -> None:
    """The server does not report such a token; what is computed for it must be what a list of everything says."""
    ids = [token.id for token in await eyas.tokenize("The falcon 🦅")]
    scored = (await collect(eyas, TokenPrompt(tuple(ids)), extras=Extras(prompt_logprobs=True)))[0].prompt_tokens
    parts = [place for place, token in enumerate(scored) if "\ufffd" in token.text]
    assert len(parts) > 1
    for place in parts:
        (said,) = tokens_of(
            await collect(
                eyas,
                TokenPrompt(tuple(ids[:place])),
                SamplingParams(max_tokens=1, temperature=0.0, logit_bias=((ids[0], 100.0),)),
                Extras(top_logprobs=4096),
            )
        )
        listed = {token.id: token.logprob for token in said.top}
        assert scored[place].logprob == pytest.approx(listed[ids[place]], abs=0.02)


async def test_a_prompt_that_is_too_long_is_not_scored(eyas: LlamaCppEngine) -> None:
    with pytest.raises(ContextWindowExceeded):
        await collect(eyas, "a " * 2100, extras=Extras(prompt_logprobs=True))


# Token ids


@pytest.mark.parametrize("ids", [(-1,), (1, 4096), (2**31,), (2**40,)])
async def test_what_is_no_token_is_refused_by_name(eyas: LlamaCppEngine, ids: tuple[int, ...]) -> None:
    with pytest.raises(InvalidRequest, match=r"is no token of this model\. Its tokens are 0 to 4095\."):
        await collect(eyas, TokenPrompt(ids))
    with pytest.raises(InvalidRequest, match=str(ids[-1])):
        await eyas.detokenize(ids)
    with pytest.raises(InvalidRequest):
        await collect(eyas, HI, SamplingParams(logit_bias=((ids[-1], 1.0),)))


async def test_names_of_special_tokens_count_only_where_they_are_wanted(eyas: LlamaCppEngine) -> None:
    (special,) = await eyas.tokenize(END)
    assert special.special
    plain = await eyas.tokenize(END, special=False)
    assert len(plain) > 1
    assert not any(token.special for token in plain)
    assert b"".join(token.raw for token in plain).decode() == END


async def test_a_text_that_is_too_long_to_be_read_still_has_tokens(eyas: LlamaCppEngine) -> None:
    assert len(await eyas.tokenize("a " * 4000)) > 2048
    with pytest.raises(ContextWindowExceeded):
        await eyas.tokenize("a " * 500_000)


# Shapes


@pytest.mark.parametrize("prompt", [HI, "Hi"])
async def test_a_regular_expression_shapes_the_reply(eyas: LlamaCppEngine, prompt: Prompt) -> None:
    pattern = r"(yes|no), [0-9]{3}\."
    params = SamplingParams(max_tokens=32, temperature=1.0, seed=3, grammar=Grammar("regex", pattern))
    assert re.fullmatch(pattern, text_of(await collect(eyas, prompt, params)))


@pytest.mark.parametrize("prompt", [HI, "Hi"])
async def test_a_schema_shapes_the_reply(eyas: LlamaCppEngine, prompt: Prompt) -> None:
    schema = (
        '{"type": "object", "properties": {"age": {"type": "integer", "maximum": 9}}, "required": ["age"],'
        ' "additionalProperties": false}'
    )
    params = SamplingParams(max_tokens=64, temperature=0.0, grammar=Grammar("json_schema", schema))
    reply = json.loads(text_of(await collect(eyas, prompt, params)))
    assert list(reply) == ["age"]
    assert isinstance(reply["age"], int)


async def test_any_object_begins_as_one(eyas: LlamaCppEngine) -> None:
    params = SamplingParams(max_tokens=8, temperature=0.0, grammar=Grammar("json_object"))
    assert text_of(await collect(eyas, HI, params)).startswith("{")


@pytest.mark.parametrize("grammar", [Grammar("regex", "(a"), Grammar("json_schema", '{"type": "nope"}')])
async def test_a_shape_that_cannot_be_is_an_invalid_request(eyas: LlamaCppEngine, grammar: Grammar) -> None:
    with pytest.raises(InvalidRequest):
        await collect(eyas, HI, SamplingParams(grammar=grammar))


async def test_the_new_params_reach_the_model(eyas: LlamaCppEngine) -> None:
    plain = text_of(await collect(eyas, HI))
    (first, *_) = await eyas.tokenize(plain, special=False)
    banned = SamplingParams(max_tokens=48, temperature=0.0, logit_bias=((first.id, -100.0),))
    assert not text_of(await collect(eyas, HI, banned)).startswith(first.text)
    for params in (
        SamplingParams(max_tokens=48, temperature=1.5, seed=1, presence_penalty=2.0),
        SamplingParams(max_tokens=48, temperature=1.5, seed=1, frequency_penalty=2.0),
        SamplingParams(max_tokens=48, temperature=1.5, seed=1, typical_p=0.9),
    ):
        neutral = SamplingParams(max_tokens=48, temperature=1.5, seed=1)
        assert text_of(await collect(eyas, "1 2 3 4 5 6 7 8", params)) != text_of(
            await collect(eyas, "1 2 3 4 5 6 7 8", neutral)
        )


# Tools


@pytest.mark.parametrize("choice", ["required", "get_weather"])
async def test_a_tool_is_called(caller: LlamaCppEngine, choice: str) -> None:
    assert await caller.has_native_tools()
    deltas = await collect(caller, HI, extras=Extras(tools=(TIME, WEATHER), tool_choice=choice))
    pieces = [piece for delta in deltas for piece in delta.tool_calls]
    assert [piece.name for piece in pieces if piece.name] == ["get_weather"]
    assert pieces[0].id
    assert {piece.index for piece in pieces} == {0}
    assert json.loads("".join(piece.arguments for piece in pieces)) == {"city": "Abu Dhabi"}
    assert text_of(deltas) == ""
    assert deltas[-1].finish_reason == "stop"


async def test_calls_and_their_answers_are_part_of_the_prompt(caller: LlamaCppEngine) -> None:
    call = ToolCall("c1", "get_weather", '{"city": "Al Ain"}')
    talk = [*HI, Message("assistant", "", (call,)), Message("tool", "hot", tool_call_id="c1")]
    rendered = await caller.render(talk)
    assert '{"name": "get_weather", "arguments": {"city": "Al Ain"}}' in rendered
    assert "<tool_response>\nhot\n</tool_response>" in rendered
    usage = (await collect(caller, talk))[-1].usage
    assert usage is not None
    assert usage.prompt_tokens == (await caller.count_tokens(talk)).tokens


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [("", "{}"), ("not json", "not json"), ('{"city":', '{"city":'), ('{"a": NaN}', '{"a": NaN}'), ("[1]", "[1]")],
)
async def test_a_call_whose_arguments_are_no_json_does_not_end_the_conversation(
    caller: LlamaCppEngine, arguments: str, shown: str
) -> None:
    call = ToolCall("c1", "get_weather", arguments)
    talk = [*HI, Message("assistant", "", (call,)), Message("tool", "an error", tool_call_id="c1")]
    assert f'"arguments": {shown}}}' in await caller.render(talk)
    assert (await collect(caller, talk))[-1].finish_reason == "stop"


async def test_a_template_that_knows_no_tools_says_so(eyas: LlamaCppEngine) -> None:
    assert not await eyas.has_native_tools()
    with pytest.raises(NotSupported, match="tools"):
        await collect(eyas, HI, extras=Extras(tools=(WEATHER,)))


async def test_an_older_server_shows_by_its_prompt_whether_it_knows_tools(
    eyas: LlamaCppEngine, caller: LlamaCppEngine
) -> None:
    assert await caller._vocabulary.renders_tools()
    assert not await eyas._vocabulary.renders_tools()


async def test_tools_and_logprobs_exclude_each_other(caller: LlamaCppEngine) -> None:
    with pytest.raises(NotSupported, match="logprobs together with tools"):
        await collect(caller, HI, extras=Extras(tools=(WEATHER,), top_logprobs=1))


# Vectors


async def test_texts_and_their_tokens_have_the_same_vector_of_length_one(eyas: LlamaCppEngine) -> None:
    ids = TokenPrompt(tuple(token.id for token in await eyas.tokenize("Hello")))
    vectors, tokens = await eyas.embed(["Hello", "猎鹰飞得很快。", ids])
    assert tokens == 2 * len(ids.ids) + len(await eyas.tokenize("猎鹰飞得很快。"))
    assert vectors[0] == pytest.approx(vectors[2], abs=1e-5)
    assert vectors[0] != pytest.approx(vectors[1], abs=1e-2)
    for vector in vectors:
        assert math.sqrt(sum(value * value for value in vector)) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("text", ["word " * 3000, "a " * 500_000])
async def test_what_is_too_long_for_a_vector_says_both_numbers(eyas: LlamaCppEngine, text: str) -> None:
    with pytest.raises(ContextWindowExceeded) as caught:
        await eyas.embed(["short", text])
    assert caught.value.prompt_tokens > caught.value.limit == 2048


@pytest.mark.parametrize("text", ["", TokenPrompt(())])
async def test_an_empty_text_has_no_vector(eyas: LlamaCppEngine, text: str | TokenPrompt) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await eyas.embed([text])
    assert caught.value.code == "empty_input"


async def test_both_processes_end_with_the_engine() -> None:
    engine = LlamaCppEngine(EYAS, LlamaCppOptions(prompt_cache_mib=0))
    await engine.embed(["Hello"])
    await engine.start()
    processes = [engine._child.pid, engine._embedder.pid]
    await engine.aclose()
    for pid in processes:
        assert pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
