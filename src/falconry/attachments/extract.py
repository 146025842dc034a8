"""What kind of file is it, and what is its text? By its content: a name says what somebody wants it to be."""

from __future__ import annotations

import re

from falconry.attachments.encodings import decode
from falconry.attachments.result import Extracted, Unreadable

_PDF = re.compile(rb"\s*%PDF-", re.DOTALL)
_IMAGES = (
    rb"\x89PNG\r\n",
    rb"\xff\xd8\xff",
    rb"GIF8[79]a",
    rb"RIFF.{4}WEBP",
    rb"BM.{4}\0\0\0\0",
    rb"II\*\0|MM\0\*",
    rb".{4}ftyp(?:heic|heix|mif1|avif)",
)
_IMAGE = re.compile(rb"|".join(_IMAGES), re.DOTALL)
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # Word 97, and everything of Office's with a password


def extract(data: bytes, *, most_characters: int, until: float) -> Extracted:
    """The text of a file.

    HTML, XML and source code stay as they are: nothing is lost, and a model reads them as well as their text.

    Args:
        most_characters: of its text.
        until: the moment, by `time.monotonic`, at which what has been read must do.

    Raises Unreadable.
    """
    found = _extract(data, most_characters, until)
    if len(found.text) > most_characters:
        raise Unreadable("file_too_long", limit=most_characters)
    if not found.text.strip():
        raise Unreadable("file_empty")
    return found


def is_image(data: bytes) -> bool:
    """Whether a file is a picture, of whatever kind."""
    return _IMAGE.match(data[:32]) is not None


def _extract(data: bytes, most_characters: int, until: float) -> Extracted:
    if not data.strip():
        raise Unreadable("file_empty")
    if _PDF.match(data[:1024]):
        from falconry.attachments.pdf import extract_pdf  # its import takes longer than to read most files

        return extract_pdf(data, most_characters=most_characters, until=until)
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        from falconry.attachments.office import extract_office

        return extract_office(data)
    if is_image(data):
        raise Unreadable("file_is_image")
    if data.startswith(_OLD_OFFICE):
        raise Unreadable("file_old_office")
    return Extracted("text/plain", decode(data))
