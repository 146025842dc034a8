"""The bot without a model."""

from __future__ import annotations

import asyncio
import math
from contextlib import aclosing

import pytest

from falconry.engines.canned import REPLIES, CannedEngine, tokenize
from falconry.errors import ContextWindowExceeded, EngineInterrupted, NotSupported
from falconry.messages import NO_EXTRAS, Delta, Extras, Grammar, Message, Prompt, SamplingParams

ENGLISH = [Message("system", "You are kind."), Message("user", "Which animals live on the savanna?")]
CHINESE = [*ENGLISH, Message("assistant", "Lions."), Message("user", "其中哪一种最强壮？")]


async def reply(
    engine: CannedEngine, prompt: Prompt, params: SamplingParams | None = None, extras: Extras = NO_EXTRAS
) -> list[Delta]:
    async with aclosing(engine.generate(prompt, params or SamplingParams(), extras)) as deltas:
        return [delta async for delta in deltas]


async def text(engine: CannedEngine, prompt: Prompt, params: SamplingParams | None = None) -> str:
    return "".join(delta.text for delta in await reply(engine, prompt, params))


@pytest.mark.parametrize(
    ("prompt", "language"),
    [
        (ENGLISH, "en"),
        (CHINESE, "zh"),
        ("Hello", "en"),
        ("你好", "zh"),
        ("System:好\nUser: Hi\nAssistant:", "en"),
        ("System:Be kind\nUser: Hi\nAssistant: Hi\nUser: 你好\nAssistant:", "zh"),
    ],
)
async def test_replies_in_the_language_of_the_last_question(prompt: Prompt, language: str) -> None:
    replies = REPLIES["zh" if language == "zh" else "en"]
    assert await text(CannedEngine(rate=math.inf), prompt) in replies


async def test_all_three_replies_come_up() -> None:
    engine = CannedEngine(seed=1, rate=math.inf)
    assert {await text(engine, ENGLISH) for _ in range(40)} == set(REPLIES["en"])


async def test_a_seed_repeats_the_choice() -> None:
    first, second = (CannedEngine(seed=5, rate=math.inf) for _ in range(2))
    assert [await text(first, ENGLISH) for _ in range(5)] == [await text(second, ENGLISH) for _ in range(5)]
    fixed = SamplingParams(seed=7)
    assert len({await text(CannedEngine(rate=math.inf), ENGLISH, fixed) for _ in range(9)}) == 1


async def test_streams_at_the_set_rate_after_the_delay() -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    deltas = await reply(CannedEngine(rate=100, delay=0.1, text="a b c d e f g h i j"), "x")
    assert 0.2 <= loop.time() - start < 1.0
    assert [delta.text for delta in deltas][:2] == ["a", " b"]


async def test_a_fast_stream_is_coalesced() -> None:
    deltas = await reply(CannedEngine(rate=100_000, text="word " * 2000), "x", SamplingParams(max_tokens=None))
    assert deltas[-1].usage is not None
    assert deltas[-1].usage.completion_tokens == 2001
    assert len(deltas) < 200


async def test_max_tokens_and_context_window_end_it_by_length() -> None:
    short = await reply(CannedEngine(rate=math.inf, text="one two three"), "x", SamplingParams(max_tokens=2))
    assert "".join(delta.text for delta in short) == "one two"
    assert short[-1].finish_reason == "length"
    full = await reply(CannedEngine(rate=math.inf, text="one two three", context_length=3), "x y")
    assert "".join(delta.text for delta in full) == "one"
    assert full[-1].finish_reason == "length"


async def test_a_reply_of_just_max_tokens_is_whole() -> None:
    deltas = await reply(CannedEngine(rate=math.inf, text="one two"), "x", SamplingParams(max_tokens=2))
    assert deltas[-1].finish_reason == "stop"


async def test_a_stop_sequence_is_not_shown_and_ends_the_count() -> None:
    engine = CannedEngine(rate=10_000, text="Lions.\nUser: and tigers?")
    deltas = await reply(engine, "x", SamplingParams(stop=("\nUser:",)))
    assert "".join(delta.text for delta in deltas) == "Lions."
    assert deltas[-1].finish_reason == "stop"
    assert deltas[-1].usage is not None
    assert deltas[-1].usage.completion_tokens == len(tokenize("Lions.\nUser:"))


async def test_continues_the_reply_that_broke_off() -> None:
    whole = REPLIES["en"][1]
    rest = await text(CannedEngine(rate=math.inf), [*ENGLISH, Message("assistant", whole[:50])])
    assert whole[:50] + rest == whole


async def test_too_long_a_prompt_is_refused_with_both_numbers() -> None:
    engine = CannedEngine(context_length=10)
    with pytest.raises(ContextWindowExceeded) as caught:
        await reply(engine, "word " * 20)
    assert (caught.value.prompt_tokens, caught.value.limit) == (21, 10)


async def test_counts_what_it_renders() -> None:
    engine = CannedEngine()
    rendered = await engine.render(ENGLISH)
    assert rendered == "system: You are kind.\nuser: Which animals live on the savanna?\nassistant:"
    assert await engine.count_tokens(ENGLISH) == await engine.count_tokens(rendered)


def test_tokens_join_to_the_text() -> None:
    for whole in (*REPLIES["en"], *REPLIES["zh"], "  two spaces\r\n\t👩‍👩‍👧 é"):
        assert "".join(tokenize(whole)) == whole


async def test_tokens_have_an_id_that_stays_the_same() -> None:
    engine = CannedEngine(rate=math.inf, text="one two")
    deltas = await reply(engine, "x", extras=Extras(top_logprobs=5))
    tokens = [token for delta in deltas for token in delta.tokens]
    assert [(token.text, token.id, token.logprob) for token in tokens] == [
        ("one", 2053932785, 0.0),
        (" two", 1878860630, 0.0),
    ]
    assert [token.id for token in await engine.tokenize("one two")] == [token.id for token in tokens]
    assert all(token.logprob is None for token in await engine.tokenize("one two"))


async def test_an_empty_prompt_has_no_tokens() -> None:
    first, *_ = await reply(CannedEngine(rate=math.inf), "", extras=Extras(prompt_logprobs=True))
    assert first == Delta()


async def test_it_can_give_no_shape() -> None:
    with pytest.raises(NotSupported, match="response_format"):
        await reply(CannedEngine(), "x", SamplingParams(grammar=Grammar("json_object")))


async def test_breaks_off_when_told_to() -> None:
    async with aclosing(
        CannedEngine(rate=math.inf, text="one two three", fail_after=2).generate("x", SamplingParams())
    ) as deltas:
        assert [(await anext(deltas)).text, (await anext(deltas)).text] == ["one", " two"]
        with pytest.raises(EngineInterrupted):
            await anext(deltas)


async def test_falls_silent_when_told_to_until_it_is_closed() -> None:
    engine = CannedEngine(rate=math.inf, text="one two three", hang_after=1)
    async with aclosing(engine.generate("x", SamplingParams())) as deltas:
        assert (await anext(deltas)).text == "one"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(deltas)


@pytest.mark.parametrize(("rate", "delay"), [(0.0, 0.0), (-1.0, 0.0), (1.0, -1.0)])
def test_impossible_paces_are_refused(rate: float, delay: float) -> None:
    with pytest.raises(ValueError, match="rate"):
        CannedEngine(rate=rate, delay=delay)
