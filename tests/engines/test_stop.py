"""Stop sequences, across every possible cut of the text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falconry.engines.stop import StopFilter

ALPHABET = st.text(alphabet="ab\n:", max_size=30)


def run(pieces: list[str], stop: list[str]) -> tuple[str, bool]:
    filtered = StopFilter(stop)
    shown = "".join(filtered.feed(piece) for piece in pieces)
    return shown + filtered.flush(), filtered.stopped


@given(pieces=st.lists(ALPHABET), stop=st.lists(st.text(alphabet="ab\n:", max_size=4), max_size=3))
def test_does_not_depend_on_the_cuts(pieces: list[str], stop: list[str]) -> None:
    whole = "".join(pieces)
    shown, stopped = run(pieces, stop)
    assert (shown, stopped) == run(list(whole), stop)
    assert stopped == any(text in whole for text in stop if text)
    assert not any(text in shown for text in stop if text)
    assert stopped or shown == whole
    assert whole.startswith(shown)


@given(text=ALPHABET, stop=st.text(alphabet="ab\n:", min_size=1, max_size=4))
def test_no_part_of_a_stop_sequence_is_shown_before_it(text: str, stop: str) -> None:
    filtered = StopFilter([stop])
    shown = ""
    for character in text + stop:
        shown += filtered.feed(character)
        assert (text + stop)[: (text + stop).index(stop)].startswith(shown)
    assert filtered.stopped


def test_holds_back_only_what_may_become_a_stop_sequence() -> None:
    filtered = StopFilter(["\nUser:"])
    assert filtered.feed("Lions.\nU") == "Lions."
    assert filtered.feed("nicorns") == "\nUnicorns"
    assert filtered.feed("\nUser") == ""
    assert filtered.feed(":") == ""
    assert filtered.stopped
    assert filtered.feed("anything") == ""


def test_shows_at_the_end_what_was_held_back() -> None:
    filtered = StopFilter(["\nUser:"])
    assert filtered.feed("Lions.\nUse") + filtered.flush() == "Lions.\nUse"
    assert not filtered.stopped


@pytest.mark.parametrize("stop", [[], [""]])
def test_nothing_to_stop_at(stop: list[str]) -> None:
    assert run(["a", "", "b"], stop) == ("ab", False)
