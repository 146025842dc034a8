"""Pictures are told by their content and measured without being decoded."""

from __future__ import annotations

import base64
import io
import random
import struct
import time
from typing import Any

import pytest
from PIL import Image as Picture

from falconry.errors import InvalidRequest
from falconry.protocols.images import MOST_BYTES, as_data_uri, read_base64, read_data_uri, read_image

SIZES = [(1, 1), (64, 48), (1000, 3), (777, 1234)]
KINDS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "image/png": [("PNG", {})],
    "image/gif": [("GIF", {})],
    "image/jpeg": [("JPEG", {}), ("JPEG", {"progressive": True}), ("JPEG", {"exif": b"Exif\0\0" + bytes(3000)})],
    "image/webp": [("WEBP", {}), ("WEBP", {"lossless": True}), ("WEBP", {"exif": b"Exif\0\0" + bytes(30)})],
}
FORMS = [
    pytest.param(media, *form, id=f"{media}-{place}") for media in KINDS for place, form in enumerate(KINDS[media])
]


def written(kind: str, size: tuple[int, int], options: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    Picture.new("RGB", size, "red").save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(("media_type", "kind", "options"), FORMS)
@pytest.mark.parametrize("size", SIZES)
def test_kind_and_size_are_read(media_type: str, kind: str, options: dict[str, Any], size: tuple[int, int]) -> None:
    data = written(kind, size, options)
    image = read_image(data, "image")
    assert (image.media_type, image.width, image.height) == (media_type, *size)
    assert image.data == data
    assert read_data_uri(as_data_uri(image), "image") == image


def test_what_is_said_of_a_picture_does_not_count() -> None:
    content = base64.b64encode(written("PNG", (3, 4), {})).decode()
    assert read_data_uri(f"data:image/jpeg;base64,{content}", "image").media_type == "image/png"
    assert read_base64(content, "image").height == 4


@pytest.mark.parametrize("url", ["http://127.0.0.1/x.png", "https://example.org/x.png", "file:///etc/passwd", "x", ""])
def test_nothing_is_fetched(url: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_data_uri(url, "image")
    assert caught.value.code == "image_not_inline"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "image_type"),
        (b"no picture", "image_type"),
        (b"BM" + bytes(100), "image_type"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image_type"),
        (b"\x00\x00\x00\x20ftypisom" + bytes(100), "image_type"),
        (b"\x89PNG\r\n\x1a\n", "image_broken"),
        (b"\x89PNG\r\n\x1a\n" + bytes(30), "image_broken"),
        (b"\xff\xd8", "image_broken"),
        (b"\xff\xd8\xff\xe0\xff\xff", "image_broken"),
        (b"GIF89a", "image_broken"),
        (b"RIFF\x00\x00\x00\x00WAVE" + bytes(30), "image_broken"),
        (b"\x89PNG\r\n\x1a\n" + bytes(MOST_BYTES), "image_too_large"),
    ],
)
def test_what_is_no_picture_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_image(data, "image")
    assert caught.value.code == code


def test_more_pixels_than_memory_should_hold_are_refused() -> None:
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 60_000, 60_000) + bytes(9)
    with pytest.raises(InvalidRequest, match="60000 × 60000 pixels") as caught:
        read_image(head, "image")
    assert caught.value.code == "image_too_many_pixels"


def test_the_largest_frame_of_a_jpeg_counts() -> None:
    """A decoder may take the second one, which the first hides."""
    small = written("JPEG", (8, 8), {})
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 11, 8, 50_000, 50_000, 1) + bytes(3)
    with pytest.raises(InvalidRequest, match="50000 × 50000"):
        read_image(small[:-2] + frame + small[-2:], "image")


@pytest.mark.parametrize("marker", [b"\xff", b"\xff\xe0\x00\x00", b"\xff\xe0\x00\x02", b"\xff\xd0", b"\xff\x00"])
def test_a_jpeg_of_nothing_but_markers_takes_no_time(marker: bytes) -> None:
    """The whole server would wait for it; nor does a frame get through behind them."""
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 11, 8, 8, 8, 1) + bytes(3)
    markers = marker * ((MOST_BYTES - 100) // len(marker))
    began = time.process_time()
    for data in (markers, frame + markers, markers + frame):
        with pytest.raises(InvalidRequest) as caught:
            read_image(b"\xff\xd8" + data, "image")
        assert caught.value.code == "image_broken"
    assert (time.process_time() - began) / 3 < 0.6


def test_a_large_jpeg_is_read_to_its_end() -> None:
    """Of noise every 256th byte is a marker's first one."""
    noise = Picture.frombytes("RGB", (1800, 1800), random.Random(0).randbytes(3 * 1800 * 1800))
    file = io.BytesIO()
    noise.save(file, "JPEG", quality=98)
    assert len(file.getvalue()) > 4 * 2**20
    image = read_image(file.getvalue(), "image")
    assert (image.width, image.height) == (1800, 1800)


@pytest.mark.parametrize("url", ["data:image/png;base64,!!!!", "data:image/png,abc", "data:,"])
def test_what_is_no_base64_is_damaged(url: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_data_uri(url, "image")
    assert caught.value.code in ("image_broken", "image_type")


def test_damaged_pictures_end_in_a_sentence() -> None:
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    for kind, size, options in ((form[0], (40, 30), form[1]) for forms in KINDS.values() for form in forms):
        whole = written(kind, size, options)
        for _ in range(200):
            data = bytearray(whole[: rng.randrange(len(whole) + 1)])
            for _ in range(rng.randrange(8)):
                if data:
                    data[rng.randrange(len(data))] = rng.randrange(256)
            try:
                image = read_image(bytes(data), "image")
            except InvalidRequest:
                continue
            assert 0 < image.width * image.height <= 25_000_000, f"seed {seed}"
