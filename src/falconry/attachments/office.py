"""The text of office documents: zip files of XML, of Word, PowerPoint, Excel, and OpenDocument.

The XML is read as a stream, and never with a document type: whoever declares entities wants something else than to be
read. What is unpacked is counted.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from xml.parsers import expat

from falconry.attachments.result import Budget, Extracted, Unreadable

_PIECE = 2**20  # bytes; expat reads a name or an attribute that goes on again from its start with each piece
_MOST_PARTS = 5_000
_OFFICE = "application/vnd.openxmlformats-officedocument"
_OPEN_DOCUMENT = b"application/vnd.oasis.opendocument."
# The ends of elements after which something else begins, by their names without prefix.
_BREAKS = {"p": "\n", "h": "\n", "br": "\n", "cr": "\n", "line-break": "\n", "tr": "\n", "table-row": "\n"}
_BLANKS = {"tab": "\t", "s": " ", "tc": "\t", "table-cell": "\t"}


def extract_office(data: bytes) -> Extracted:
    """Raises Unreadable: no office document, encrypted, broken, or too large when unpacked."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            return _extract(archive, Budget())
    except (zipfile.BadZipFile, expat.ExpatError, NotImplementedError, EOFError, OSError, ValueError) as error:
        raise Unreadable("file_broken") from error
    except RuntimeError as error:  # zipfile's word for an entry with a password
        raise Unreadable("file_encrypted") from error


def _extract(archive: zipfile.ZipFile, budget: Budget) -> Extracted:
    names = set(archive.namelist())
    if "word/document.xml" in names:
        parts = ["word/document.xml", *_numbered(names, r"word/(?:foot|end)notes\.xml")]
        return Extracted(f"{_OFFICE}.wordprocessingml.document", _joined(archive, parts, budget))
    if "ppt/presentation.xml" in names:
        parts = _numbered(names, r"ppt/slides/slide(\d+)\.xml")
        return Extracted(f"{_OFFICE}.presentationml.presentation", _joined(archive, parts, budget))
    if "xl/workbook.xml" in names:
        return Extracted(f"{_OFFICE}.spreadsheetml.sheet", _sheets(archive, names, budget))
    if {"mimetype", "content.xml"} <= names:
        kind = b"".join(_unpack(archive, "mimetype", budget))[:100].strip()
        if kind.startswith(_OPEN_DOCUMENT):
            return Extracted(kind.decode("ascii", "replace"), _joined(archive, ["content.xml"], budget))
    raise Unreadable("file_not_text")


def _numbered(names: set[str], pattern: str) -> list[str]:
    """The parts with such names, in the order of their numbers."""
    found = [match for name in names if (match := re.fullmatch(pattern, name))]
    if len(found) > _MOST_PARTS:
        raise Unreadable("file_expands", limit_mib=100)
    found.sort(key=lambda match: (int(match[1]) if match.groups() else 0, match[0]))
    return [match[0] for match in found]


def _unpack(archive: zipfile.ZipFile, name: str, budget: Budget) -> Iterator[bytes]:
    """A part in pieces. How large it says to be is not believed."""
    with archive.open(name) as part:
        while piece := part.read(_PIECE):
            budget.spend(len(piece))
            yield piece


def _parse(
    archive: zipfile.ZipFile,
    name: str,
    budget: Budget,
    *,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None],
    text: Callable[[str], None],
) -> None:
    """Go through one XML part; elements come with their names without prefix."""

    def refuse(*_: object) -> None:
        raise Unreadable("file_broken")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = lambda tag, attributes: start(tag.rpartition(":")[2], attributes)
    parser.EndElementHandler = lambda tag: end(tag.rpartition(":")[2])
    parser.CharacterDataHandler = text
    for piece in _unpack(archive, name, budget):
        parser.Parse(piece, False)
    parser.Parse(b"", True)


def _joined(archive: zipfile.ZipFile, parts: list[str], budget: Budget) -> str:
    return "\n\n".join(text for part in parts if (text := _flow(archive, part, budget)))


def _flow(archive: zipfile.ZipFile, part: str, budget: Budget) -> str:
    """Running text. Word and PowerPoint keep it in `t`, beside what is no text; OpenDocument anywhere in its body."""
    found: list[str] = []
    open_document = part == "content.xml"
    inside = 0  # elements that hold text, or the body, which are open

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal inside
        if tag == ("body" if open_document else "t"):
            inside += 1
        elif tag == "s" and open_document:
            count = attributes.get("text:c", "1")
            found.append(" " * (min(int(count), 100) if count.isascii() and count.isdecimal() else 1))

    def end(tag: str) -> None:
        nonlocal inside
        if tag == ("body" if open_document else "t"):
            inside -= 1
        elif tag != "s":
            found.append(_BREAKS.get(tag) or _BLANKS.get(tag) or "")

    def text(data: str) -> None:
        if inside:
            found.append(re.sub(r"\s+", " ", data) if open_document else data)

    _parse(archive, part, budget, start=start, end=end, text=text)
    return _tidy("".join(found))


def _tidy(text: str) -> str:
    # A table's cell holds a paragraph, whose break would tear its row apart.
    text = re.sub(r"\n\t", "\t", text)
    text = re.sub(r"[ \t]+\n", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _sheets(archive: zipfile.ZipFile, names: set[str], budget: Budget) -> str:
    """Tables as lines with tabs between the cells: what one gets by copying out of Excel."""
    shared = _shared_texts(archive, budget) if "xl/sharedStrings.xml" in names else []
    sheets = _numbered(names, r"xl/worksheets/sheet(\d+)\.xml")
    return "\n\n".join(text for sheet in sheets if (text := _Sheet(shared).read(archive, sheet, budget)))


def _shared_texts(archive: zipfile.ZipFile, budget: Budget) -> list[str]:
    found: list[str] = []
    current: list[str] = []
    inside = False

    def start(tag: str, _: dict[str, str]) -> None:
        nonlocal inside
        inside = tag == "t"

    def end(tag: str) -> None:
        nonlocal inside
        inside = False
        if tag == "si":
            found.append("".join(current))
            current.clear()

    def text(data: str) -> None:
        if inside:
            current.append(data)

    _parse(archive, "xl/sharedStrings.xml", budget, start=start, end=end, text=text)
    return found


class _Sheet:
    """One worksheet, row by row."""

    def __init__(self, shared: list[str]) -> None:
        self._shared = shared
        self._rows: list[str] = []
        self._cells: list[str] = []
        self._kind = ""
        self._column = 0
        self._value: list[str] = []
        self._inside = False

    def read(self, archive: zipfile.ZipFile, name: str, budget: Budget) -> str:
        _parse(archive, name, budget, start=self._start, end=self._end, text=self._text)
        return "\n".join(row for row in self._rows if row).strip("\n")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "row":
            self._cells = []
        elif tag == "c":
            self._kind = attributes.get("t", "")
            self._column = _column(attributes.get("r", "")) or len(self._cells)
            self._value = []
        self._inside = tag in ("v", "t")

    def _end(self, tag: str) -> None:
        self._inside = False
        if tag == "c":
            # Cells that are left out are empty ones; a column far to the right is not worth a thousand tabs.
            self._cells += [""] * min(self._column - len(self._cells), 50)
            self._cells.append(self._cell("".join(self._value)))
        elif tag == "row":
            self._rows.append("\t".join(self._cells).rstrip("\t"))

    def _cell(self, value: str) -> str:
        if self._kind == "s" and value.isascii() and value.isdecimal() and int(value) < len(self._shared):
            value = self._shared[int(value)]
        return " ".join(value.split())

    def _text(self, data: str) -> None:
        if self._inside:
            self._value.append(data)


def _column(reference: str) -> int:
    """The number of a cell's column, from 0: "C7" is 2."""
    number = 0
    for letter in reference[:3]:
        if "A" <= letter <= "Z":
            number = number * 26 + ord(letter) - 64
    return max(0, number - 1)
