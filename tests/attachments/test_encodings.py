"""Texts of any encoding, and what is none."""

from __future__ import annotations

import random
import zlib

import pytest

from falconry.attachments.encodings import decode
from falconry.attachments.result import Unreadable

SIMPLIFIED = "稀树草原上生活着狮子、大象和长颈鹿。它们在早晨和傍晚最为活跃，中午则躲在树荫下休息。"
TRADITIONAL = "稀樹草原上生活著獅子、大象和長頸鹿。牠們在早晨和傍晚最為活躍，中午則躲在樹蔭下休息。"
WESTERN = "Déjà vu: où est la clé? Größe, señor, naïve – 100 €"
MIXED = "The savanna (稀树草原) has lions.\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        *(
            (SIMPLIFIED, name)
            for name in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gb18030")
        ),
        *((TRADITIONAL, name) for name in ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "big5", "gb18030")),
        *((WESTERN, name) for name in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "cp1252")),
        *((MIXED, name) for name in ("utf-8", "utf-16-le", "gb18030", "gb2312", "big5")),
        ("señor", "latin-1"),
        ("你好", "gb18030"),
        ("天氣", "big5"),
        ("Привет, мир", "utf-16-le"),
        ("plain\ttext\n", "ascii"),
        ("\x1b[31mred\x1b[0m log", "ascii"),
    ],
)
def test_a_text_comes_out_as_it_went_in(text: str, encoding: str) -> None:
    if text == MIXED and encoding == "big5":
        text = "The savanna (稀樹草原) has lions.\n"
    assert decode(text.encode(encoding)) == text


def test_a_long_text_is_guessed_by_its_beginning() -> None:
    text = SIMPLIFIED * 20_000
    assert decode(text.encode("gb18030")) == text


def test_line_ends_are_all_the_same() -> None:
    assert decode(b"one\r\ntwo\rthree\n") == "one\ntwo\nthree\n"


def test_one_control_character_or_broken_byte_does_not_make_a_binary() -> None:
    assert decode(b"log line\n" * 300 + b"\0") == "log line\n" * 300 + "\ufffd"
    assert decode(b"abc\x01def") == "abc\ufffddef"


@pytest.mark.parametrize(
    "data",
    [
        b"\0" * 1000,
        random.Random(1).randbytes(10_000),
        random.Random(2).randbytes(10_001),
        zlib.compress(SIMPLIFIED.encode() * 100),
        b"\x7fELF\x02\x01\x01" + b"\0" * 60,
        b"\xff\xfe" + random.Random(3).randbytes(9_999),
    ],
    ids=["zeros", "noise", "odd noise", "compressed", "program", "a false mark"],
)
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable) as error:
        decode(data)
    assert error.value.code == "file_not_text"
