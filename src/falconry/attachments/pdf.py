"""The text of PDFs, by pypdf, page by page until there is no more time or room."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from io import BytesIO
from time import monotonic

import pypdf
import pypdf.filters
from pypdf.errors import DependencyError, LimitReachedError, PyPdfError

from falconry.attachments.result import Budget, Extracted, Unreadable

MEDIA_TYPE = "application/pdf"
# What pypdf raises for files that nobody thought of.
_BROKEN = (
    PyPdfError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


def extract_pdf(data: bytes, *, most_characters: int, until: float) -> Extracted:
    """The text of a PDF, with a warning where not all pages gave theirs.

    Args:
        until: the moment, by `time.monotonic`, after which no further page is read.

    Raises Unreadable: encrypted, broken, without any text, too long, or too large when unpacked.
    """
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it tells every flaw of the file
    _count_what_is_unpacked(Budget())
    try:
        reader = pypdf.PdfReader(BytesIO(data), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("pdf_encrypted")
        return _read(reader, most_characters, until)
    except DependencyError as error:  # a cipher that pypdf leaves to others
        raise Unreadable("pdf_encrypted") from error
    except LimitReachedError as error:
        raise Unreadable("file_expands", limit_mib=100) from error
    except _BROKEN as error:
        raise Unreadable("file_broken") from error


def _read(reader: pypdf.PdfReader, most_characters: int, until: float) -> Extracted:
    found: list[str] = []
    characters = read = silent = 0
    for page in reader.pages:
        if monotonic() > until:
            break
        read += 1
        text = _page(page)
        silent += not text
        characters += len(text)
        if characters > most_characters:
            raise Unreadable("file_too_long", limit=most_characters)
        if text:
            found.append(text)
    text = "\n\n".join(found)
    pages = len(reader.pages)
    if not text:
        raise Unreadable("pdf_without_text" if pages else "file_broken")
    if read < pages:
        return Extracted(MEDIA_TYPE, text, "pdf_partly_read", {"read": read, "pages": pages})
    if silent:
        return Extracted(MEDIA_TYPE, text, "pdf_pages_without_text", {"count": silent, "pages": pages})
    return Extracted(MEDIA_TYPE, text)


def _page(page: pypdf.PageObject) -> str:
    """One page's text; a page that is broken has none."""
    try:
        text = page.extract_text()
    except LimitReachedError:
        raise
    except _BROKEN:
        return ""
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE).strip()


def _count_what_is_unpacked(budget: Budget) -> None:
    """pypdf limits each stream; a file may have thousands of them."""
    unpack: Callable[[bytes], bytes] = pypdf.filters.decompress

    def counted(data: bytes) -> bytes:
        unpacked = unpack(data)
        budget.spend(len(unpacked))
        return unpacked

    pypdf.filters.decompress = counted
