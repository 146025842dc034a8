"""PDF and office documents: their text, and what hostile ones cost."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import zlib
from asyncio.subprocess import PIPE
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from time import monotonic

import psutil
import pypdf
import pytest

from falconry.attachments.child import MEMORY
from falconry.attachments.extractor import AT_ONCE, REFUSALS, Extractor, ReadFile, UnreadableFile
from tests.attachments.documents import (
    docx,
    flate,
    laughs,
    page_text,
    paragraph,
    pdf,
    pdf_of,
    stream,
    text_pdf,
    zipped,
)

MOST = 2_000_000
ODT = b"application/vnd.oasis.opendocument.text"
OFFICE = 'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
TEXT = 'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'


async def read(data: bytes, *, most: int = MOST) -> ReadFile:
    return await Extractor().read(data, most_characters=most)


async def refused(data: bytes) -> UnreadableFile:
    with pytest.raises(UnreadableFile) as error:
        await read(data)
    return error.value


# -- what can be read


async def test_the_text_of_a_pdf() -> None:
    found = await read(text_pdf("Falcons are fast.", "Owls are quiet.\nAnd round."))
    assert found == ReadFile("application/pdf", "Falcons are fast.\n\nOwls are quiet.\nAnd round.")


async def test_pages_without_text_are_told() -> None:
    found = await read(pdf_of([stream(page_text("One page.")), stream(b"q Q"), stream(b"q Q")]))
    assert found.text == "One page."
    assert found.warning == {
        "code": "pdf_pages_without_text",
        "message": "2 of 3 pages have no text, only pictures.",
        "details": {"count": 2, "pages": 3},
    }


async def test_a_word_document_with_a_table() -> None:
    table = f"<w:tbl><w:tr><w:tc>{paragraph('a')}</w:tc><w:tc>{paragraph('b')}</w:tc></w:tr></w:tbl>"
    hidden = "<w:p><w:r><w:instrText>PAGE</w:instrText></w:r></w:p>"
    found = await read(docx(paragraph("猎鹰 &amp; owls") + table + hidden + paragraph("The end.")))
    assert found.text == "猎鹰 & owls\na\tb\n\nThe end."
    assert found.media_type.endswith("wordprocessingml.document")


async def test_an_open_document() -> None:
    content = (
        f"<office:document-content {OFFICE} {TEXT}><office:styles>no text</office:styles><office:body><office:text>"
        '<text:h>Title</text:h><text:p>Two<text:s text:c="2"/>words\n   and <text:span>more</text:span></text:p>'
        "</office:text></office:body></office:document-content>"
    )
    found = await read(zipped({"mimetype": ODT, "content.xml": content.encode()}))
    assert found == ReadFile(ODT.decode(), "Title\nTwo  words and more")


async def test_slides_come_in_the_order_of_their_numbers() -> None:
    def slide(text: str) -> bytes:
        return f'<p:sld xmlns:p="p" xmlns:a="a"><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:sld>'.encode()

    slides: dict[str, bytes] = {f"ppt/slides/slide{n}.xml": slide(f"Slide {n}") for n in (10, 2, 1)}
    found = await read(zipped({"ppt/presentation.xml": b"<p/>", **slides}))
    assert found.text == "Slide 1\n\nSlide 2\n\nSlide 10"


async def test_a_spreadsheet_is_lines_with_tabs() -> None:
    shared = '<sst xmlns="x"><si><t>name</t></si><si><r><t>spe</t></r><r><t>ed</t></r></si></sst>'
    sheet = (
        '<worksheet xmlns="x"><sheetData><row><c r="A1" t="s"><v>0</v></c><c r="C1" t="s"><v>1</v></c></row>'
        '<row><c r="A2" t="inlineStr"><is><t>falcon</t></is></c><c r="C2"><v>389</v></c></row></sheetData></worksheet>'
    )
    parts = {
        "xl/workbook.xml": b"<w/>",
        "xl/sharedStrings.xml": shared.encode(),
        "xl/worksheets/sheet1.xml": sheet.encode(),
    }
    assert (await read(zipped(parts))).text == "name\t\tspeed\nfalcon\t\t389"


@pytest.mark.parametrize(
    "text",
    ["# Notes\n\n- one\n", "a,b\n1,2\n", '{"a": [1, 2]}', "def f():\n\treturn 1\n", "<!doctype html>\n<p>Hi</p>"],
)
async def test_sources_stay_as_they_are(text: str) -> None:
    assert await read(text.encode()) == ReadFile("text/plain", text)


# -- what can not, and why


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "file_empty"),
        (b" \n\t ", "file_empty"),
        (docx(""), "file_empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "file_is_image"),
        (b"\xff\xd8\xff\xe0" + bytes(64), "file_is_image"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "file_old_office"),
        (random.Random(5).randbytes(5000), "file_not_text"),
        (zipped({"readme.txt": b"just an archive"}), "file_not_text"),
        (b"%PDF-1.7\n%%EOF", "file_broken"),
        (b"%PDF-1.7\n" + random.Random(6).randbytes(5000), "file_broken"),
        (pdf_of([stream(b"q Q")]), "pdf_without_text"),
        (zipped({"word/document.xml": b"<w:document"}), "file_broken"),
        (docx(paragraph("cut off"))[:200], "file_broken"),
        (zipped({"word/document.xml": laughs()}), "file_broken"),
    ],
)
async def test_what_is_wrong_is_said(data: bytes, code: str) -> None:
    error = await refused(data)
    assert error.code == code
    assert error.status == 422
    assert error.message == REFUSALS[code].text


async def test_a_pdf_with_a_password() -> None:
    writer = pypdf.PdfWriter(clone_from=pypdf.PdfReader(BytesIO(text_pdf("secret"))))
    writer.encrypt("password", algorithm="RC4-128")
    assert (await refused(_written(writer))).code == "pdf_encrypted"


async def test_a_pdf_that_only_may_not_be_changed_is_read() -> None:
    writer = pypdf.PdfWriter(clone_from=pypdf.PdfReader(BytesIO(text_pdf("open to read"))))
    writer.encrypt("", owner_password="owner", algorithm="RC4-128")
    assert (await read(_written(writer))).text == "open to read"


async def test_a_pdf_under_a_cipher_that_nobody_here_knows() -> None:
    encrypt = b"<< /Filter /Unknown /V 9 /R 9 /O (x) /U (y) /P -1 >>"
    data = text_pdf("secret").replace(b"/Root 1 0 R", b"/Root 1 0 R /ID [(a) (b)] /Encrypt %s" % encrypt)
    assert (await refused(data)).code in ("pdf_encrypted", "file_broken")


async def test_a_text_that_is_too_long_is_refused_with_the_limit() -> None:
    for data in (b"word " * 400, text_pdf(*["word " * 40] * 10), docx(paragraph("word " * 400))):
        with pytest.raises(UnreadableFile) as error:
            await read(data, most=1000)
        assert error.value.code == "file_too_long"
        assert error.value.details == {"limit": 1000}


# -- what tries to take Falconry down


def _zeros(mib: int) -> Iterator[bytes]:
    for _ in range(mib):
        yield b" " * 2**20


def _lying(archive: bytes) -> bytes:
    """The directory at the end says that the file unpacks to ten bytes."""
    place = archive.index(b"PK\x01\x02") + 24
    return archive[:place] + (10).to_bytes(4, "little") + archive[place + 4 :]


def _deep(depth: int) -> str:
    return "<w:p>" * depth + "</w:p>" * depth


def _pages(objects: dict[int, bytes]) -> bytes:
    return pdf({1: b"<< /Type /Catalog /Pages 2 0 R >>", **objects})


def _nested_streams(depth: int) -> bytes:
    """A stream that has to be unpacked again and again."""
    data = page_text("deep")
    for _ in range(depth):
        data = zlib.compress(data, 9)
    return pdf_of([stream(data, b"/Filter [%s]" % (b"/FlateDecode " * depth))])


def _form_loop() -> bytes:
    form = b"/Type /XObject /Subtype /Form /BBox [0 0 1 1] /Resources << /XObject << /A 4 0 R /B 4 0 R >> >>"
    page = b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /XObject << /A 4 0 R >> >> >>"
    return _pages(
        {
            2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            3: page,
            4: stream(b"/A Do /B Do " * 50, form),
        }
    )


HOSTILE: dict[str, Callable[[], bytes]] = {
    "a zip bomb": lambda: zipped({"word/document.xml": [b"<a>", *_zeros(300), b"</a>"]}),
    "a zip bomb of many parts": lambda: zipped(
        {
            "ppt/presentation.xml": b"<p/>",
            **{f"ppt/slides/slide{n}.xml": [b"<a>", *_zeros(30), b"</a>"] for n in range(6)},
        }
    ),
    "a zip that lies about sizes": lambda: _lying(zipped({"word/document.xml": [b"<a>", *_zeros(200), b"</a>"]})),
    "elements of a hundred thousand levels": lambda: docx(_deep(100_000)),
    "a billion laughs": lambda: zipped({"word/document.xml": laughs()}),
    "an external entity": lambda: zipped(
        {"word/document.xml": b'<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><d>&x;</d>'}
    ),
    "an attribute of fifty million characters": lambda: zipped(
        {"word/document.xml": [b'<w:document a="', *_zeros(50), b'"/>']}
    ),
    "a PDF stream of a gigabyte": lambda: pdf_of([_bomb()]),
    "a PDF of many large streams": lambda: pdf_of([flate(b"0 0 m " * 3_000_000)] * 12),
    "streams in streams": lambda: _nested_streams(40),
    "a content array without end": lambda: _pages(
        {
            2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            3: b"<< /Type /Page /Parent 2 0 R /Contents [%s] >>" % (b"4 0 R " * 200_000),
            4: flate(page_text("again ") * 2000),
        }
    ),
    "a page tree that contains itself": lambda: _pages({2: b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 >>"}),
    "a form that draws itself": _form_loop,
    "a billion pages, by its own account": lambda: _pages({2: b"<< /Type /Pages /Kids [] /Count 1000000000 >>"}),
    "two hundred thousand pages": lambda: _pages(
        {
            2: b"<< /Type /Pages /Kids [%s] /Count 200000 >>" % (b"3 0 R " * 200_000),
            3: b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R >>",
            4: stream(page_text("page")),
        }
    ),
    "arrays in arrays": lambda: _pages({2: b"<< /Type /Pages /Kids " + b"[" * 100_000 + b"]" * 100_000 + b" >>"}),
    "a cross-reference table elsewhere": lambda: text_pdf("text").replace(b"startxref\n", b"startxref\n99999999"),
    "a cross-reference table that leads in circles": lambda: text_pdf("text").replace(
        b"/Root 1 0 R", b"/Root 1 0 R /Prev 9"
    ),
    "a stream that lies about its length": lambda: pdf_of([stream(page_text("text"), length=2**31)]),
    "an object that refers to itself": lambda: _pages({2: b"2 0 R"}),
    "a PDF that is cut off": lambda: text_pdf(*["page"] * 50)[:4000],
    "one line of 16 MB": lambda: b"x" * 16 * 2**20,
    "sixteen million brackets": lambda: b"[" * 16 * 2**20,
    "a binary called text": lambda: b"MZ\x90\0" + random.Random(4).randbytes(2**20),
    "bytes that every encoding has another idea of": lambda: bytes(random.Random(9).choices(range(128, 256), k=2**20)),
}


def _bomb() -> bytes:
    """A stream of 1 GiB, made piece by piece."""
    packer = zlib.compressobj(6)
    packed = b"".join(packer.compress(piece) for piece in _zeros(1024)) + packer.flush()
    return stream(packed, b"/Filter /FlateDecode")


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_document_ends_soon_and_takes_nothing_down(name: str) -> None:
    data = HOSTILE[name]()
    begun = monotonic()
    try:
        found = await read(data)
    except UnreadableFile as error:
        assert error.code in REFUSALS  # noqa: PT017 - either is fine, as long as it is one of them
    else:
        assert len(found.text) <= MOST
    assert monotonic() - begun < 12  # ten, and the end of a process on a busy machine
    assert [child for child in psutil.Process().children() if "falconry.attachments.child" in child.cmdline()] == []


MEASURED = """
import sys
from falconry.attachments import child
child.SECONDS = 100  # the machine may be busy, and time is not what is measured
child.main(2_000_000)
for line in open("/proc/self/status"):
    if line.startswith(("VmPeak", "VmHWM")):
        sys.stderr.write(line)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", ["a zip bomb", "a PDF stream of a gigabyte", "one line of 16 MB"])
async def test_a_hostile_document_never_has_more_than_its_memory(name: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-c", MEASURED), stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    answer, told = await process.communicate(HOSTILE[name]())
    assert b'"error"' in answer
    peaks = {line.split()[0]: int(line.split()[1]) * 1024 for line in told.decode().splitlines()}
    print(peaks)
    assert peaks["VmPeak:"] <= MEMORY
    assert peaks["VmHWM:"] <= MEMORY


# -- the child itself


async def test_a_child_that_hangs_is_ended() -> None:
    long = pdf_of([stream(page_text("page") * 100)] * 2000)
    begun = monotonic()
    with pytest.raises(UnreadableFile) as error:
        await Extractor(seconds=0.5).read(long, most_characters=MOST)
    assert error.value.code == "file_too_slow"
    assert monotonic() - begun < 5
    assert (await Extractor().read(b"and others are read", most_characters=MOST)).text == "and others are read"


async def test_a_child_that_is_killed_is_an_error_and_no_more() -> None:
    extractor = Extractor()
    reading = asyncio.create_task(extractor.read(text_pdf(*["page"] * 3000), most_characters=MOST))
    (await _begun()).kill()
    with pytest.raises(UnreadableFile) as error:
        await reading
    assert error.value.code == "file_broken"


async def test_no_child_outlives_an_asker_who_leaves() -> None:
    reading = asyncio.create_task(Extractor().read(text_pdf(*["page"] * 3000), most_characters=MOST))
    child = await _begun()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert not child.is_running()


PARENT = """
import asyncio
from falconry.attachments.extractor import Extractor
from tests.attachments.documents import text_pdf
asyncio.run(Extractor().read(text_pdf(*["page"] * 5000), most_characters=2_000_000))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere an alarm ends it some seconds later")
async def test_a_child_dies_with_a_parent_that_is_killed() -> None:
    root = Path(__file__).parents[2]
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, cwd=root)
    child = await _begun(psutil.Process(process.pid))
    process.kill()
    await process.wait()
    await asyncio.to_thread(psutil.wait_procs, [child], timeout=5)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


async def test_two_are_read_at_once_and_the_others_wait() -> None:
    extractor = Extractor()
    readings = [asyncio.create_task(extractor.read(text_pdf("page"), most_characters=MOST)) for _ in range(6)]
    most = 0
    while not all(reading.done() for reading in readings):
        most = max(most, len(_children()))
        await asyncio.sleep(0.001)
    assert most == AT_ONCE
    assert {(await reading).text for reading in readings} == {"page"}


def _children(parent: psutil.Process | None = None) -> list[psutil.Process]:
    found = []
    for child in (parent or psutil.Process()).children():
        try:
            if "falconry.attachments.child" in child.cmdline():
                found.append(child)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


async def _begun(parent: psutil.Process | None = None) -> psutil.Process:
    """The child, as soon as there is one."""
    for _ in range(20_000):
        if children := _children(parent):
            return children[0]
        await asyncio.sleep(0.0005)
    raise AssertionError("no child began")


PROBE = """
import sys
from falconry.attachments import child
child._limit()
loaded = {name.split(".")[1] for name in sys.modules if name.startswith("falconry.")}
assert loaded == {"attachments"}, loaded
attempts = {
    "socket": lambda: __import__("socket").create_connection(("127.0.0.1", 9)),
    "program": lambda: __import__("subprocess").run(["true"]),
    "shell": lambda: __import__("os").system("true"),
    "fork": lambda: __import__("os").fork(),
    "write": lambda: open("/tmp/falconry-probe", "w"),
    "memory": lambda: bytearray(400 * 2**20),
}
for name, attempt in attempts.items():
    try:
        attempt()
    except (PermissionError, MemoryError):
        continue
    sys.exit(name)
print("held")
"""


async def test_a_child_can_neither_connect_nor_write_nor_start_anything() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-P", "-c", PROBE, stdout=PIPE, stderr=PIPE)
    out, err = await process.communicate()
    assert (process.returncode, out) == (0, b"held\n"), err


async def test_keys_in_the_environment_do_not_reach_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_API_KEY", "secret")
    reading = asyncio.create_task(Extractor().read(text_pdf(*["page"] * 2000), most_characters=MOST))
    environment = (await _begun()).environ()
    await reading
    assert "HF_API_KEY" not in environment
    assert environment.get("PATH") == os.environ["PATH"]


def _written(writer: pypdf.PdfWriter) -> bytes:
    out = BytesIO()
    writer.write(out)
    return out.getvalue()
