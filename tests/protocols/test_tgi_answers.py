"""What text-generation-inference's clients are answered: the texts of the tokens are the reply, to the character."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falconry.errors import (
    ContextWindowExceeded,
    EngineError,
    EngineInterrupted,
    EngineOverloaded,
    EngineUnavailable,
    FalconryError,
    InvalidRequest,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    NotSupported,
    TooManyRequests,
)
from falconry.messages import Delta, FinishReason, Token, Usage
from falconry.protocols import tgi
from falconry.protocols.failures import read_failure, read_overflow
from falconry.protocols.tgi_answers import (
    END,
    Reply,
    error_body,
    error_status,
    finish_word,
    info_json,
    last_frame,
    prefill_json,
    sequence_json,
    simple_tokens,
    token_frame,
)

EOS = Token(2, "<|im_end|>", special=True, logprob=-0.1)


def tokens_of(*pieces: bytes) -> tuple[Token, ...]:
    return tuple(
        Token(number, piece.decode("utf-8", "replace"), piece, -1.0) for number, piece in enumerate(pieces, 10)
    )


def spelled(reply: Reply) -> str:
    return "".join(token.text for token in reply.tokens if not token.special)


@given(st.text(min_size=1, max_size=20), st.sets(st.integers(1, 60)))
def test_tokens_that_cut_characters_in_two_spell_the_text(text: str, cuts: set[int]) -> None:
    raw = text.encode()
    edges = [0, *sorted(cut for cut in cuts if cut < len(raw)), len(raw)]
    pieces = [raw[start:end] for start, end in pairwise(edges)]
    reply = Reply(by_token=True)
    reply.take(Delta(text, tokens=tokens_of(*pieces)))
    reply.take(Delta(finish_reason="stop", tokens=(EOS,)))
    assert spelled(reply) == reply.text == text
    assert [token.raw for token in reply.tokens[:-1]] == pieces


def test_a_token_inside_a_character_adds_nothing_and_the_one_that_ends_it_all() -> None:
    reply = Reply(by_token=True)
    eagle = "鹰".encode()
    ready = reply.take(Delta("鹰!", tokens=tokens_of(eagle[:1], eagle[1:], b"!")))
    assert [token.text for token in ready] == ["", "鹰", "!"]


def test_the_token_that_may_be_the_last_one_waits_for_the_finish_reason() -> None:
    reply = Reply(by_token=True, limit=2)
    first, second = tokens_of(b"a", b"b")
    assert reply.take(Delta("a", tokens=(first,))) == [first]
    assert reply.take(Delta("b", tokens=(second,))) == []
    assert reply.take(Delta(finish_reason="length")) == []
    assert reply.last_token == second


def test_the_end_of_text_is_the_last_token_where_the_backend_tells_and_an_empty_one_elsewhere() -> None:
    told, silent = Reply(by_token=True), Reply(by_token=True)
    for reply in (told, silent):
        reply.take(Delta("a", tokens=tokens_of(b"a")))
    assert told.take(Delta(finish_reason="stop", tokens=(EOS,))) == []
    assert silent.take(Delta(finish_reason="stop")) == []
    assert (told.last_token, silent.last_token) == (EOS, END)
    assert (told.outcome(None).generated_tokens, silent.outcome(None).generated_tokens) == (2, 1)


def test_a_stop_sequence_stays_in_the_text_and_nothing_behind_it() -> None:
    reply = Reply(by_token=True)
    a, user, blank = tokens_of(b"a", b"\nUser:", b" x")
    assert reply.take(Delta("a", tokens=(a,))) == [a]
    reply.take(Delta("", finish_reason="stop", tokens=(user, blank), stop_sequence="\nUser"))
    assert reply.outcome(7).text == spelled(reply) == "a\nUser"
    assert reply.outcome(7).finish_reason == "stop_sequence"
    assert [token.id for token in reply.tokens] == [10, 11, 12], "what was generated was generated"


def test_text_that_no_token_spelled_is_not_lost() -> None:
    reply = Reply(by_token=True)
    reply.take(Delta("abc", tokens=tokens_of(b"a")))
    reply.take(Delta(finish_reason="stop"))
    assert spelled(reply) == "abc"
    assert reply.tokens[-1].id == -1


def test_a_backend_without_tokens_streams_its_deltas() -> None:
    reply = Reply(by_token=False)
    assert reply.take(Delta("Hello")) == [Token(-1, "Hello")]
    assert reply.take(Delta("", finish_reason="stop", usage=Usage(3, 9))) == []
    assert reply.last_token == END
    assert reply.outcome(None).generated_tokens == 9


def test_a_backend_that_ignores_the_question_for_tokens_streams_too() -> None:
    reply = Reply(by_token=True)
    shown = [reply.take(Delta("twelve chars")) for _ in range(8)]
    assert "".join(token.text for ready in shown for token in ready) == "twelve chars" * 8


def test_the_best_reply_is_the_likeliest_token_by_token() -> None:
    likely, unlikely = Reply(by_token=True), Reply(by_token=True)
    likely.take(Delta("aa", tokens=(Token(1, "a", b"a", -0.1), Token(1, "a", b"a", -0.3))))
    unlikely.take(Delta("a", tokens=(Token(1, "a", b"a", -0.3),)))
    assert likely.mean_logprob > unlikely.mean_logprob > Reply(by_token=True).mean_logprob


@pytest.mark.parametrize(
    ("reason", "stop_sequence", "word"),
    [("length", False, "length"), ("stop", False, "eos_token"), ("stop", True, "stop_sequence")],
)
def test_only_three_finish_reasons(reason: FinishReason, stop_sequence: bool, word: str) -> None:
    assert finish_word(reason, stop_sequence=stop_sequence) == word


def finished() -> Reply:
    reply = Reply(by_token=True)
    top = (Token(10, "a", b"a", -0.5), Token(11, "b", b"b", -1.5))
    reply.take(Delta(prompt_tokens=(Token(1, "x", b"x"), Token(2, "y", b"y", -2.0))))
    reply.take(Delta("a", tokens=(Token(10, "a", b"a", -0.5, top=top),)))
    reply.take(Delta(finish_reason="stop", tokens=(EOS,), usage=Usage(2, 2)))
    return reply


def test_frames_have_all_that_clients_look_for() -> None:
    reply = finished()
    frame = token_frame(1, reply.tokens[0], top=True)
    assert frame["token"] == {"id": 10, "text": "a", "logprob": -0.5, "special": False}
    assert (frame["generated_text"], frame["details"]) == (None, None)
    top: Any = frame["top_tokens"]
    assert [token["id"] for token in top] == [10, 11]
    assert "top_tokens" not in token_frame(1, reply.tokens[0])
    last = last_frame(2, reply.last_token, reply.outcome(4), prompt="xy")
    assert last["generated_text"] == "xya"
    assert last["details"] == {"finish_reason": "eos_token", "generated_tokens": 2, "seed": 4, "input_length": 2}
    assert last_frame(2, reply.last_token, reply.outcome(4), details=False)["details"] is None


def test_our_own_client_reads_the_frames() -> None:
    reply = finished()
    assert tgi.read_frame(token_frame(1, reply.tokens[0])).text == "a"
    last = tgi.read_frame(last_frame(2, reply.last_token, reply.outcome(None)))
    assert (last.text, last.generated_text, last.finish_reason) == ("", "a", "eos_token")
    assert (last.generated_tokens, last.input_length) == (2, 2)


def test_details_of_a_whole_reply() -> None:
    reply = finished()
    details: Any = sequence_json(reply, reply.outcome(None), top=True)
    assert details["prefill"] == prefill_json(reply.prefill)
    assert [token["logprob"] for token in details["prefill"]] == [None, -2.0]
    assert [token["special"] for token in details["tokens"]] == [False, True]
    assert [len(tops) for tops in details["top_tokens"]] == [2, 0]
    assert details["seed"] is None


def test_info_has_its_old_and_its_new_names() -> None:
    info = info_json("eyas", context_length=2048, concurrent=9, limits={"max_best_of": 2}, version="1")
    assert tgi.read_info(info) == tgi.Info("eyas", 2047, 2048)
    assert info["max_input_length"] == info["max_input_tokens"]
    assert tgi.read_info(info_json("x", context_length=None, concurrent=9, limits={}, version="1")) == tgi.Info("x")


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (InvalidRequest("x"), 422, "validation"),
        (NotSupported("adapter_id"), 422, "validation"),
        (ContextWindowExceeded(2, 1), 422, "validation"),
        (EngineOverloaded("x"), 429, "overloaded"),
        (TooManyRequests("x", retry_after=1), 429, "overloaded"),
        (EngineError("x"), 424, "generation"),
        (EngineInterrupted("x"), 500, "incomplete_generation"),
        (EngineUnavailable("x"), 503, "unhealthy"),
        (NotAuthenticated("x"), 401, "not_authenticated"),
        (NotAllowed("x", code="missing_scope"), 403, "missing_scope"),
        (NotFound("x"), 404, "not_found"),
    ],
)
def test_errors_have_tgis_status_and_type(error: FalconryError, status: int, kind: str) -> None:
    assert error_status(error) == status
    body = error_body(error)
    assert body["error_type"] == kind
    assert str(body["error"]).startswith("Input validation error: ") == (kind == "validation")


def test_a_prompt_that_is_too_long_is_told_with_both_numbers() -> None:
    body = error_body(ContextWindowExceeded(3000, 2048))
    assert body["error"] == "Input validation error: `inputs` must have less than 2048 tokens. Given: 3000"
    failure = read_failure(body)
    assert failure is not None
    overflow = read_overflow(failure)
    assert overflow is not None
    assert (overflow.prompt_tokens, overflow.limit) == (3000, 2048)


def test_tokens_of_a_text_name_their_characters() -> None:
    eagle = "鷹".encode()
    begin = Token(0, "<s>", special=True)
    found = list(simple_tokens("a 鷹b", [begin, *tokens_of(b"a", b" ", eagle[:2], eagle[2:], b"b")]))
    assert [(token["start"], token["stop"]) for token in found] == [(0, 0), (0, 1), (1, 2), (2, 3), (2, 3), (3, 4)]
    assert [token["text"] for token in found] == ["", "a", " ", "鷹", "鷹", "b"]


def test_the_blank_that_a_tokenizer_puts_before_the_first_word_is_no_character() -> None:
    found = list(simple_tokens("ab c", tokens_of(b" ab", b" c")))
    assert [(token["text"], token["start"], token["stop"]) for token in found] == [("ab", 0, 2), (" c", 2, 4)]


def test_a_special_token_that_is_written_out_has_its_characters() -> None:
    found = list(simple_tokens("<|im_end|>a", [EOS, *tokens_of(b"a")]))
    assert [token["text"] for token in found] == ["<|im_end|>", "a"]
