"""Server-sent events, by the rules of the WHATWG standard."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falconry.protocols.sse import DONE, Event, EventParser, StreamTooLong, comment, dump_json, encode, encode_json


def parse(*chunks: bytes) -> list[Event]:
    parser = EventParser()
    return [event for chunk in chunks for event in parser.feed(chunk)]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", [Event("a")]),
        (b"data:a\n\n", [Event("a")]),
        (b"data:  a\n\n", [Event(" a")]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [Event("a"), Event("b")]),
        (b"data: a\r\rdata: b\r\r", [Event("a"), Event("b")]),
        (b"data: a\ndata: b\n\n", [Event("a\nb")]),
        (b"data\n\n", [Event("")]),
        (b"\xef\xbb\xbfdata: a\n\n", [Event("a")]),
        (b": ping\n\n:\n\ndata: a\n\n", [Event("a")]),
        (b"event: error\ndata: a\n\ndata: b\n\n", [Event("a", "error"), Event("b")]),
        (b"id: 7\ndata: a\n\ndata: b\n\n", [Event("a", id="7"), Event("b", id="7")]),
        (b"event: lonely\n\nretry: 9\nnonsense: x\ndata: a\n\n", [Event("a")]),
        ("data: 隼\n\n".encode(), [Event("隼")]),
        (b"data: \xff\xfe!\n\n", [Event("\ufffd\ufffd!")]),
        (b"data: cut", []),
    ],
)
def test_reads_the_standard(stream: bytes, events: list[Event]) -> None:
    assert parse(stream) == events
    # Cut into single bytes, and into all pairs of halves, it is the same.
    assert parse(*(bytes([byte]) for byte in stream)) == events
    assert all(parse(stream[:cut], stream[cut:]) == events for cut in range(len(stream)))


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"))


@given(st.lists(TEXTS), st.lists(st.integers(1, 30), min_size=1))
def test_reads_what_it_writes_however_it_is_cut(texts: list[str], sizes: list[int]) -> None:
    stream = b"".join(encode(text) for text in texts)
    chunks: list[bytes] = []
    at = 0
    while at < len(stream):
        size = sizes[len(chunks) % len(sizes)]
        chunks.append(stream[at : at + size])
        at += size
    assert [event.data for event in parse(*chunks)] == texts


@given(st.text())
def test_json_is_one_line_for_every_client(text: str) -> None:
    frame = encode_json({"text": text})
    assert len(frame.decode().splitlines()) == 2
    assert json.loads(parse(frame)[0].data) == {"text": text}


def test_json_has_no_nan() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        dump_json(float("nan"))


def test_writes_name_and_id() -> None:
    assert encode("a\r\nb", event="delta", event_id="3") == b"event: delta\nid: 3\ndata: a\ndata: b\n\n"
    with pytest.raises(ValueError, match="one line"):
        encode("a", event="two\nlines")


def test_done_and_comments_are_as_clients_want_them() -> None:
    assert DONE == b"data: [DONE]\n\n"
    assert parse(comment("still here"), DONE) == [Event("[DONE]")]


@pytest.mark.parametrize(
    "stream", [b"data: " + b"x" * 200, b"data: " + b"x" * 200 + b"\n\n", b"data: 123456789\n" * 20]
)
def test_a_line_or_event_without_end_is_refused(stream: bytes) -> None:
    parser = EventParser(max_bytes=100)

    def feed_in_pieces() -> None:
        for at in range(0, len(stream), 10):
            parser.feed(stream[at : at + 10])

    with pytest.raises(StreamTooLong):
        feed_in_pieces()


def test_counts_lines_so_that_comments_show_life() -> None:
    parser = EventParser()
    parser.feed(b": pin")
    assert parser.lines == 0
    parser.feed(b"g\n")
    assert parser.lines == 1


def test_gives_an_event_without_its_blank_line_at_the_end() -> None:
    parser = EventParser()
    assert parser.feed(b"data: a\n\ndata: b") == [Event("a")]
    assert parser.finish() == [Event("b")]
    assert parser.finish() == []
