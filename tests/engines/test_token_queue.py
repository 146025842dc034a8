"""Tokens in step with the text that is shown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from falconry.engines.stop import StopFilter
from falconry.engines.token_queue import TokenQueue
from falconry.messages import Token

END = Token(2, "<|end|>", special=True)
PIECES = st.lists(st.text(alphabet="ab\n隼", min_size=1, max_size=4), max_size=12)


def word(text: str) -> Token:
    return Token(7, text, text.encode())


def raw(*tokens: Token) -> str:
    return b"".join(token.raw for token in tokens).decode()


@given(pieces=PIECES, stop=st.lists(st.text(alphabet="ab\n", min_size=1, max_size=4), max_size=2))
def test_no_token_comes_before_its_text_and_none_is_lost(pieces: list[str], stop: list[str]) -> None:
    queue, filtered = TokenQueue(), StopFilter(stop)
    shown, spelled = "", ""
    for piece in pieces:
        queue.add(piece, [word(piece)])
        text = filtered.feed(piece)
        shown += text
        spelled += raw(*queue.take(text))
        assert shown.startswith(spelled)
    if filtered.matched is None:
        held = filtered.flush()
        spelled += raw(*queue.take(held), *queue.take_all())
        assert spelled == shown + held == "".join(pieces)
    else:
        spelled += raw(*queue.take_through(filtered.matched))
        assert spelled.startswith(shown + filtered.matched)
        assert "".join(pieces).startswith(spelled)


def test_a_token_that_is_half_shown_waits() -> None:
    queue = TokenQueue()
    queue.add("Lions.\n", [word("Lions.\n")])
    assert queue.take("Lions.") == ()
    assert queue.take("\n") == (word("Lions.\n"),)


def test_tokens_may_come_before_their_text() -> None:
    queue = TokenQueue()
    queue.add("", [word("Li")])
    queue.add("Lions", [word("ons")])
    assert queue.take("Lions") == (word("Li"), word("ons"))


def test_thoughts_and_their_marks_are_no_part_of_the_reply() -> None:
    queue = TokenQueue()
    queue.add("", [word("<think>")])
    queue.add("", [word("hm")], thinking=True)
    queue.add("", [word("</think>"), word("\n")])
    queue.add("Yes", [word("Yes")])
    assert queue.take("Yes") == (word("Yes"),)
    assert queue.take_all() == ()


def test_bytes_that_are_no_text_keep_their_tokens() -> None:
    queue = TokenQueue()
    queue.add("\ufffd", [Token(1, "\ufffd", b"\xff")])
    assert queue.take("\ufffd") == (Token(1, "\ufffd", b"\xff"),)


def test_a_special_token_ends_it() -> None:
    queue = TokenQueue()
    queue.add("Yes", [word("Yes")])
    queue.add("", [END])
    assert queue.take("Yes") == (word("Yes"),)
    assert queue.take_all() == (END,)


def test_what_a_server_cut_off_is_spelled_at_the_end() -> None:
    for stopped, rest in ((True, (word("\nUser"),)), (False, ())):
        queue = TokenQueue()
        queue.add("", [word("\nUser")])
        assert queue.take_all(stopped=stopped) == rest
