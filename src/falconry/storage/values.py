"""What every table needs: ids, and text as both databases can hold it."""

from __future__ import annotations

import re
import uuid

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """Text as both databases can hold it: NUL and lone surrogates become U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def new_id() -> str:
    return uuid.uuid4().hex
