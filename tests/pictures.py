"""Pictures for tests, made on the spot."""

from __future__ import annotations

import io
from typing import Literal

from PIL import Image


def picture(
    colour: str, kind: Literal["PNG", "JPEG", "GIF", "WEBP", "BMP"] = "PNG", size: tuple[int, int] = (64, 48)
) -> bytes:
    """A file of one colour; `size` in pixels."""
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, kind)
    return file.getvalue()


def png(colour: str) -> bytes:
    return picture(colour)
