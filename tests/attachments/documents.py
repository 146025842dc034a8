"""Documents for tests, friendly and hostile ones, made on the spot."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def pdf(objects: Mapping[int, bytes], *, trailer: bytes = b"/Root 1 0 R", startxref: int | None = None) -> bytes:
    """A PDF file of numbered objects, with a right cross-reference table unless `startxref` says otherwise."""
    out = bytearray(b"%PDF-1.7\n")
    places = {}
    for number, body in objects.items():
        places[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 1\n0000000000 65535 f \n"
    for number, place in places.items():
        out += b"%d 1\n%010d 00000 n \n" % (number, place)
    size = max(objects) + 1
    out += b"trailer\n<< /Size %d %s >>\nstartxref\n%d\n" % (size, trailer, table if startxref is None else startxref)
    return bytes(out + b"%%EOF\n")


def stream(data: bytes, extra: bytes = b"", *, length: int | None = None) -> bytes:
    """A stream object; `length` is what it says of itself."""
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data) if length is None else length, extra, data)


def flate(data: bytes) -> bytes:
    return stream(zlib.compress(data, 9), b"/Filter /FlateDecode")


def page_text(text: str) -> bytes:
    """A page's content with one line for each of the text's."""
    lines = b"".join(b"(%s) Tj T*\n" % line.encode("latin-1") for line in text.split("\n"))
    return b"BT /F1 12 Tf 14 TL 72 720 Td\n" + lines + b"ET"


def pdf_of(contents: Sequence[bytes]) -> bytes:
    """A PDF with one page for each of these streams."""
    count = len(contents)
    kids = b" ".join(b"%d 0 R" % (10 + number) for number in range(count))
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, count),
        3: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    }
    for number, content in enumerate(contents):
        objects[10 + number] = (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % (10 + count + number)
        )
        objects[10 + count + number] = content
    return pdf(objects)


def text_pdf(*pages: str) -> bytes:
    return pdf_of([stream(page_text(text)) for text in pages])


def zipped(parts: Mapping[str, bytes | Iterable[bytes]]) -> bytes:
    """A zip file; a part may come in pieces, so that a bomb need not lie in memory."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in parts.items():
            with archive.open(name, "w", force_zip64=True) as part:
                for piece in [content] if isinstance(content, bytes) else content:
                    part.write(piece)
    return out.getvalue()


def docx(body: str) -> bytes:
    document = f'<?xml version="1.0"?><w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'
    return zipped({"[Content_Types].xml": b"<Types/>", "word/document.xml": document.encode()})


def paragraph(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def laughs() -> bytes:
    """A billion laughs: entities of entities."""
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return f'<?xml version="1.0"?><!DOCTYPE z [<!ENTITY l0 "lol">{entities}]><z>&l9;</z>'.encode()
