"""Pictures as programs send them: told by their content, measured without being decoded, and never fetched.

Whoever decodes a picture takes memory for all its pixels, however small the file is. So its size is read here from its
first bytes, and what is too large never gets there.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from itertools import islice

from falconry.errors import InvalidRequest
from falconry.messages import Image

MOST_IMAGES = 16
"""In one message."""
MOST_BYTES = 10 * 2**20
MOST_PIXELS = 25_000_000
"""75 MB as bytes of red, green and blue."""
MOST_SIDE = 20_000
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers of JPEG: frames, which tell the size, and those that nothing follows."""
_MOST_STEPS = 250_000
"""Two for each byte of 255 among the compressed ones: 80,000 in a picture of 10 MiB. It takes 0.1 s."""


def read_data_uri(uri: str, field: str) -> Image:
    """The picture in a `data:` URI. Raises InvalidRequest; an address to fetch it from is refused."""
    head, comma, content = uri.partition(",")
    if not comma or not head[:5].lower() == "data:":
        raise InvalidRequest(
            f"{field}: Falconry fetches no picture from an address. Send the picture itself, as a data: URI.",
            code="image_not_inline",
            field=field,
        )
    if not head.lower().endswith(";base64"):
        raise _broken(field)
    return read_base64(content, field)


def read_base64(content: str, field: str) -> Image:
    """The picture in a base64 text. Raises InvalidRequest."""
    if len(content) > MOST_BYTES * 4 // 3 + 4:
        raise _too_large(field)
    try:
        return read_image(base64.b64decode(content, validate=True), field)
    except (binascii.Error, ValueError) as error:
        raise _broken(field) from error


def read_image(data: bytes, field: str) -> Image:
    """The picture in some bytes. Raises InvalidRequest where they are none, or too many."""
    if len(data) > MOST_BYTES:
        raise _too_large(field)
    kind = next((kind for kind in _KINDS if data.startswith(kind[1])), None)
    if kind is None:
        raise InvalidRequest(
            f"{field}: this is no picture that models can see. Send PNG, JPEG, WebP or GIF.",
            code="image_type",
            field=field,
        )
    media_type, _, measure = kind
    size = measure(data)
    if size is None or min(size) < 1:
        raise _broken(field)
    if size[0] * size[1] > MOST_PIXELS or max(size) > MOST_SIDE:
        raise InvalidRequest(
            f"{field}: the picture has {size[0]} × {size[1]} pixels, and at most {MOST_PIXELS // 1_000_000} million "
            "are read. Make it smaller.",
            code="image_too_many_pixels",
            field=field,
            width=size[0],
            height=size[1],
            limit=MOST_PIXELS // 1_000_000,
        )
    return Image(media_type, data, *size)


def as_data_uri(image: Image) -> str:
    return f"data:{image.media_type};base64,{base64.b64encode(image.data).decode()}"


_Size = tuple[int, int] | None


def _png(data: bytes) -> _Size:
    if data[12:16] != b"IHDR" or len(data) < 24:
        return None
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def _gif(data: bytes) -> _Size:
    if len(data) < 10 or data[4:6] not in (b"7a", b"9a"):
        return None
    return int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")


def _jpeg(data: bytes) -> _Size:
    """The largest of its frames: a file may have more than one, and a decoder may take any. None where there is none,
    or they hide behind more markers than a picture has."""
    steps = list(islice(_jpeg_frames(data), _MOST_STEPS))
    sizes = [size for size in steps if size is not None]
    if not sizes or len(steps) == _MOST_STEPS:
        return None
    return max(sizes, key=lambda size: size[0] * size[1])


def _jpeg_frames(data: bytes) -> Iterator[_Size]:
    """The size of each frame, and None for each step between them: who sends a marker in every byte pays for it."""
    at = 2
    while at + 4 <= len(data):
        yield None
        if data[at] != 0xFF:  # the compressed pixels, up to the next marker
            at = data.find(b"\xff", at)
            if at < 0:
                return
            continue
        marker = data[at + 1]
        if marker in (0x00, 0xFF) or marker in _JPEG_BARE:
            at += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in _JPEG_SIZES and at + 9 <= len(data):
            yield int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        at += 2 + max(length, 2)


def _webp(data: bytes) -> _Size:
    kind, body = data[12:16], data[20:]
    if data[8:12] != b"WEBP" or len(body) < 10:
        return None
    if kind == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if kind == b"VP8L" and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    return None


_KINDS = (
    ("image/png", b"\x89PNG\r\n\x1a\n", _png),
    ("image/jpeg", b"\xff\xd8", _jpeg),
    ("image/gif", b"GIF8", _gif),
    ("image/webp", b"RIFF", _webp),
)


def _too_large(field: str) -> InvalidRequest:
    return InvalidRequest(
        f"{field}: the picture has more than {MOST_BYTES // 2**20} MiB. Send a smaller one.",
        code="image_too_large",
        field=field,
        limit_mib=MOST_BYTES // 2**20,
    )


def _broken(field: str) -> InvalidRequest:
    return InvalidRequest(f"{field}: the picture is damaged. Send it again.", code="image_broken", field=field)
