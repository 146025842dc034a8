"""Empty pictures to count with: of the right size, whole, and small."""

from __future__ import annotations

import io

import pytest
from PIL import Image as Picture

from falconry.engines.stand_in import with_stand_ins
from falconry.messages import Message
from falconry.protocols.images import read_image
from tests.pictures import picture, png


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (64, 48), (2048, 1536), (20_000, 3)])
def test_a_stand_in_has_the_size_of_the_picture(size: tuple[int, int]) -> None:
    real = read_image(picture("red", "JPEG", size), "picture")
    (message,) = with_stand_ins([Message("user", "What?", images=(real,))])
    (empty,) = message.images
    assert message.content == "What?"
    assert read_image(empty.data, "picture") == empty
    with Picture.open(io.BytesIO(empty.data)) as opened:
        opened.load()
        assert opened.size == size
    assert len(empty.data) < 2000


def test_what_has_no_picture_stays_as_it_is() -> None:
    plain, seen = Message("user", "Hi"), Message("user", "", images=(read_image(png("red"), "picture"),))
    assert with_stand_ins([plain, seen])[0] is plain
