"""Bytes to text, whatever they were encoded in: UTF-8, UTF-16, UTF-32, GB18030, Big5 or Windows' Latin-1.

A byte order mark decides; else the encoding under which the text looks most like writing. In the two Chinese ones the
characters that people use stand together (GB 2312's first level at lead bytes B0 to D7, Big5's at A4 to C6), so text
that is read under the wrong one falls outside of them by a third.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass

from falconry.attachments.result import Unreadable

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins as UTF-16's does, so it comes first
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROL = re.compile("[\x00-\x07\x0e-\x1a\x1c-\x1f\x7f\ufffe\uffff]")
_SAMPLE = 65_536  # bytes by which the encoding is guessed
_LIKELY = 0.7
"""The share of a Chinese text's characters that are common ones, by which it is taken for Chinese."""
# What writing consists of: Latin, Greek, Cyrillic, punctuation, kana, hanzi, hangul, full-width forms.
_WRITING = re.compile("[\t\n\r -~\u00a0-\u04ff\u2000-\u206f\u3000-\u30ff\u4e00-\u9fff\uac00-\ud7a3\uff00-\uffef]")


def decode(data: bytes) -> str:
    """The text of a file. Raises Unreadable("file_not_text") where it is none."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _text(data[len(mark) :], encoding)
    sample = data[:_SAMPLE]
    if b"\0" in sample:
        return _text(data, _wide(sample) or "utf-8")
    if _decodes(data, "utf-8"):
        return _text(data, "utf-8")
    return _text(data, _guess(data, sample))


def _text(data: bytes, encoding: str) -> str:
    """A single character that is broken, or a control character among thousands, does not make a text a binary."""
    text = data.decode(encoding, "replace")
    strange = len(_CONTROL.findall(text)) + text.count("\ufffd")
    if strange > max(1, len(text) // 200):
        raise Unreadable("file_not_text")
    return _CONTROL.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def _wide(sample: bytes) -> str | None:
    """Which UTF-16 or UTF-32 bytes with zeros among them are: in Latin text one byte of each unit is zero."""
    found = [
        (_writing(sample[: len(sample) // unit * unit], encoding), encoding)
        for encoding, unit in (("utf-16-le", 2), ("utf-16-be", 2), ("utf-32-le", 4), ("utf-32-be", 4))
    ]
    share, encoding = max(found)
    return encoding if share > 0.9 else None


def _guess(data: bytes, sample: bytes) -> str:
    """For what is no UTF-8 and has no zeros."""
    chinese = [(share(sample), name) for name, share in _CHINESE.items() if _decodes(data, name)]
    best, encoding = max(chinese, default=(0.0, ""))
    # A few rare characters are still likelier than a text of accented letters only.
    if best >= _LIKELY or (encoding and sum(byte >= 0x80 for byte in sample) > len(sample) // 2):
        return encoding
    if len(data) % 2 == 0:  # Chinese as UTF-16, without a mark
        wide, name = max((_writing(sample, name), name) for name in ("utf-16-le", "utf-16-be"))
        if wide > 0.95 and wide > _writing(sample, "cp1252"):
            return name
    return "cp1252"


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _writing(sample: bytes, encoding: str) -> float:
    """The share of characters, under an encoding, that writing consists of."""
    text = sample.decode(encoding, "replace")
    return len(_WRITING.findall(text)) / len(text) if text else 0.0


@dataclass(frozen=True, slots=True)
class _Level:
    """Where an encoding of two bytes a character has the common ones, and its punctuation: lead bytes."""

    common: range
    punctuation: range
    trail: Callable[[int], bool]

    def __call__(self, sample: bytes) -> float:
        """The share of common characters among those that are not ASCII."""
        common = others = place = 0
        while place < len(sample) - 1:
            lead, trail = sample[place], sample[place + 1]
            if lead < 0x80:
                place += 1
                continue
            if not self.trail(trail):
                others += 1
            elif lead in self.common:
                common += 1
            elif lead not in self.punctuation:
                others += 1
            place += 2
        return common / (common + others) if common else 0.0


_CHINESE: dict[str, Callable[[bytes], float]] = {
    "gb18030": _Level(range(0xB0, 0xD8), range(0xA1, 0xAA), lambda trail: trail >= 0xA1),
    "big5": _Level(range(0xA4, 0xC7), range(0xA1, 0xA4), lambda trail: 0x40 <= trail <= 0x7E or trail >= 0xA1),
}
