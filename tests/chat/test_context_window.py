from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falconry.chat.context_window import KEEP, MIN_REPLY, Fitted, Prompter, fit, sendable
from falconry.engines.canned import CannedEngine
from falconry.errors import ContextWindowExceeded
from falconry.messages import Message, Prompt, StoredMessage, TokenCount, TokenPrompt

SYSTEM = "Canary 7141: never forget this."


def branch(*texts: str) -> list[StoredMessage]:
    """Messages of user and assistant in turns."""
    now = datetime.now(UTC)
    return [
        StoredMessage(str(n), "c", str(n - 1) if n else None, "assistant" if n % 2 else "user", text, now, depth=n)
        for n, text in enumerate(texts)
    ]


def words(count: int) -> str:
    return "word " * count


class CountingEngine(CannedEngine):
    """Remembers what it was asked to count."""

    def __init__(self, context_length: int) -> None:
        super().__init__(context_length=context_length)
        self.counted: list[Prompt] = []

    async def count_tokens(self, prompt: Prompt) -> TokenCount:
        self.counted.append(prompt)
        return await super().count_tokens(prompt)


async def fitted(
    path: list[StoredMessage], length: int | None, *, start_id: str | None = None, max_tokens: int | None = 64
) -> Fitted:
    prompter = Prompter(CannedEngine(context_length=length or 10**6), plain=False)
    return await fit(prompter, SYSTEM, path, context_length=length, max_tokens=max_tokens, start_id=start_id)


async def test_all_is_sent_while_it_fits() -> None:
    result = await fitted(branch("one", "two", "three"), 4096)
    assert [m.content for m in result.messages] == [SYSTEM, "one", "two", "three"]
    assert (result.use.left_out, result.use.start_id) == (0, None)


async def test_the_count_is_the_engines_own_of_exactly_what_is_sent() -> None:
    engine = CannedEngine()
    result = await fitted(branch("你好，世界", "hello there", "再见"), 4096)
    assert result.use.prompt_tokens == (await engine.count_tokens(result.messages)).tokens


async def test_a_cut_leaves_about_seventy_percent_and_begins_with_a_question() -> None:
    result = await fitted(branch(*[words(20) for _ in range(101)]), 1000)
    assert result.messages[0] == Message("system", SYSTEM)
    assert result.messages[1].role == "user"
    assert 0.6 * 936 < result.use.prompt_tokens < (KEEP + 0.02) * 936
    assert result.use.left_out == 101 - (len(result.messages) - 1)


async def test_after_a_cut_the_next_turns_only_append() -> None:
    texts = [words(20) for _ in range(101)]
    first = await fitted(branch(*texts), 1000)
    longer = await fitted(branch(*texts, words(20), words(20)), 1000, start_id=first.use.start_id)
    assert longer.messages[: len(first.messages)] == first.messages
    assert longer.use.start_id == first.use.start_id


async def test_the_system_message_and_the_newest_are_always_sent() -> None:
    result = await fitted(branch(words(500), words(500), words(700)), 1000)
    assert [m.content for m in result.messages] == [SYSTEM, words(700)]
    assert result.use.left_out == 2


async def test_a_newest_message_that_is_too_long_is_refused_with_both_numbers() -> None:
    with pytest.raises(ContextWindowExceeded) as error:
        await fitted(branch("hi", "ho", words(2000)), 1000)
    assert error.value.limit == 1000 - MIN_REPLY
    assert error.value.prompt_tokens > 2000
    assert error.value.details == {"prompt_tokens": error.value.prompt_tokens, "limit": error.value.limit}


async def test_a_long_question_may_take_the_replys_room_but_not_all_of_it() -> None:
    result = await fitted(branch(words(900)), 1000, max_tokens=1024)
    assert result.room is not None
    assert result.room >= MIN_REPLY


async def test_a_short_reply_does_not_let_the_history_take_the_room_of_the_shortest_one() -> None:
    for turns in range(3, 101, 2):
        result = await fitted(branch(*[words(20) for _ in range(turns)]), 1000, max_tokens=1)
        assert result.use.prompt_tokens <= 1000 - MIN_REPLY


async def test_an_unknown_window_sends_all() -> None:
    result = await fitted(branch(*[words(50) for _ in range(99)]), None)
    assert len(result.messages) == 100
    assert result.room is None


async def test_a_question_without_an_answer_is_left_out_and_counted() -> None:
    path = branch("answered", "yes", "failed", "", "now")
    assert [m.content for m in sendable(path)] == ["answered", "yes", "now"]
    assert (await fitted(path, 4096)).use.left_out == 2


async def test_a_partial_reply_at_the_end_is_sent_to_be_continued() -> None:
    result = await fitted(branch("tell me", "Once upon"), 4096)
    assert result.messages[-1] == Message("assistant", "Once upon")


async def test_endless_history_is_not_even_counted() -> None:
    engine = CountingEngine(1000)
    path = branch(*[words(300) for _ in range(2001)])
    await fit(Prompter(engine, plain=False), SYSTEM, path, context_length=1000, max_tokens=64)
    assert max(sum(len(m.content) for m in p) for p in engine.counted if not isinstance(p, str | TokenPrompt)) < 40_000


async def test_a_messages_own_count_is_asked_for_once() -> None:
    engine = CountingEngine(1000)
    prompter = Prompter(engine, plain=False)
    path = branch(*[f"{n} " + words(20) for n in range(101)])
    for _ in range(2):
        await fit(prompter, SYSTEM, path, context_length=1000, max_tokens=64)
    texts = [prompt for prompt in engine.counted if isinstance(prompt, str)]
    assert len(texts) == len(set(texts)) > 0


async def test_an_estimate_is_kept_within_the_window_with_its_error() -> None:
    class Estimating(CannedEngine):
        async def count_tokens(self, prompt: Prompt) -> TokenCount:
            return replace(await super().count_tokens(prompt), error=0.25)

    prompter = Prompter(Estimating(), plain=False)
    result = await fit(prompter, SYSTEM, branch(*[words(20) for _ in range(101)]), context_length=1000, max_tokens=64)
    assert result.use.error == 0.25
    assert result.use.prompt_tokens * 1.25 <= 936


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 120), min_size=1, max_size=40),
    length=st.integers(256, 2000),
    max_tokens=st.one_of(st.none(), st.integers(1, 4000)),
)
async def test_whatever_comes_the_prompt_fits_or_is_refused(
    sizes: list[int], length: int, max_tokens: int | None
) -> None:
    path = branch(*[words(size) + "x" for size in sizes])
    if path[-1].role == "assistant":
        path.pop()
    if not path:
        return
    try:
        result = await fitted(path, length, max_tokens=max_tokens)
    except ContextWindowExceeded as error:
        too_long = error.prompt_tokens, error.limit
        assert too_long[0] > too_long[1]
        return
    count = await CannedEngine().count_tokens(result.messages)
    assert count.tokens == result.use.prompt_tokens <= length - min(MIN_REPLY, length // 4)
    assert result.messages[0].content == SYSTEM
    assert result.messages[-1].content == path[-1].content
    assert result.use.left_out + len(result.messages) - 1 == len(path)
