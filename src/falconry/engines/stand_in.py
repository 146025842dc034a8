"""An empty picture of a given size, to count with in place of a real one.

How many tokens a model makes of a picture depends on its size alone. To read one for that takes llama.cpp 0.75 s for
2 MB of JPEG (2048 × 1536 pixels, noise) and 0.05 s for an empty one, and the tokens are counted while a person types.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from falconry.messages import Image, Message


def with_stand_ins(messages: Sequence[Message]) -> list[Message]:
    """The same messages with an empty picture in the place of each."""
    return [
        replace(message, images=tuple(_empty(image.width, image.height) for image in message.images))
        if message.images
        else message
        for message in messages
    ]


@lru_cache(maxsize=64)
def _empty(width: int, height: int) -> Image:
    """A PNG (https://www.w3.org/TR/png-3/) of one bit a pixel, all black."""
    row = bytes(1 + (width + 7) // 8)  # a filter, and the pixels
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((1, 0, 0, 0, 0))
    chunks = (b"IHDR", head), (b"IDAT", zlib.compress(row * height)), (b"IEND", b"")
    return Image("image/png", b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in chunks), width, height)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")
