"""Pictures beside messages: told from documents by their content, and refused where no model could see them."""

from __future__ import annotations

from falconry.attachments.extract import is_image
from falconry.attachments.extractor import UnreadableFile
from falconry.errors import InvalidRequest
from falconry.messages import PICTURE_TYPES, Image
from falconry.protocols.images import MOST_BYTES, MOST_PIXELS, read_image


def read_picture(data: bytes) -> Image | None:
    """The picture that a file is; None for whatever is none, and for kinds that not every model that sees can read.

    Raises UnreadableFile for a picture that is damaged or too large.
    """
    if not is_image(data):
        return None
    try:
        image = read_image(data, "picture")
    except InvalidRequest as error:
        if error.code == "image_type":
            return None
        raise _refusal(error) from error
    return image if image.media_type in PICTURE_TYPES else None


def _refusal(error: InvalidRequest) -> UnreadableFile:
    """The same, said to whoever has chosen a file: a program is told the place in its request."""
    if error.code == "image_too_large":
        return UnreadableFile(
            f"The picture has more than {MOST_BYTES // 2**20} MiB. Attach a smaller one.",
            code="picture_too_large",
            limit_mib=MOST_BYTES // 2**20,
        )
    if error.code == "image_too_many_pixels":
        return UnreadableFile(
            f"The picture has more than {MOST_PIXELS // 1_000_000} million pixels. Make it smaller.",
            code="picture_too_many_pixels",
            limit=MOST_PIXELS // 1_000_000,
        )
    return UnreadableFile("The picture is damaged. Save it anew, and attach it again.", code="picture_broken")
