"""Thinking that stands in the text of a reply."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falconry.chat.think_tags import ThinkTags
from falconry.messages import Delta


def split(text: str, step: int = 1, *, begun: bool = False) -> tuple[str, str]:
    """Feed a text piece by piece; gives text, without blanks in front as a turn stores it, and thinking."""
    tags = ThinkTags(begun=begun)
    pairs = [tags.feed(Delta(text[start : start + step])) for start in range(0, len(text), step)]
    pairs.append(tags.flush())
    return tags.whole("".join(text for text, _ in pairs).lstrip(), "".join(thinking for _, thinking in pairs))


@pytest.mark.parametrize("step", [1, 3, 1000])
@pytest.mark.parametrize(
    ("reply", "text", "thinking"),
    [
        ("<think>\nhm\n</think>\n\nAnswer", "Answer", "\nhm\n"),
        ("\n <think>a</think>b</think>", "b</think>", "a"),
        ("<thinking>a < b </think></thinking> c", "c", "a < b </think>"),
        ("<think>\n\n</think>\n\nNo thought", "No thought", "\n\n"),
        ("<think>never ended </thi", "", "never ended </thi"),
        ("hm\nso\n</think>\n\nAnswer", "Answer", "hm\nso\n"),
        ("Write `</think>` to end it.", "Write `</think>` to end it.", ""),
        ("The tag <think>x</think> is text", "The tag <think>x</think> is text", ""),
        ("<thin ice", "<thin ice", ""),
        ("<", "<", ""),
        (" plain", "plain", ""),
        ("", "", ""),
    ],
)
def test_thinking_is_taken_out(reply: str, text: str, thinking: str, step: int) -> None:
    assert split(reply, step) == (text, thinking)


def test_a_reply_that_is_continued_has_no_thinking_in_front() -> None:
    assert split("<think>a</think>", begun=True) == ("<think>a</think>", "")


def test_thinking_that_comes_apart_leaves_the_text_alone() -> None:
    tags = ThinkTags()
    assert tags.feed(Delta(thinking="hm")) == ("", "hm")
    assert tags.feed(Delta("x\n</think>\ny")) == ("x\n</think>\ny", "")
    assert tags.whole("x\n</think>\ny", "hm") == ("x\n</think>\ny", "hm")


@given(st.text(alphabet="<think>/ \na", max_size=60), st.integers(1, 7))
def test_how_it_comes_does_not_matter_and_nothing_is_lost(reply: str, step: int) -> None:
    text, thinking = split(reply, step)
    assert (text, thinking) == split(reply, 1000)
    kept = list(text + thinking)
    assert len(reply) - len(kept) <= len("\n <thinking></thinking>\n") + sum(char.isspace() for char in reply)
