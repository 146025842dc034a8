"""JSON as the page reads it: compact, UTF-8, and without lone surrogates, which no browser could decode."""

from __future__ import annotations

import json

from starlette.responses import Response


def to_json(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace").decode()


class PageJSON(Response):
    """A JSON answer that nobody may keep: it holds what people said."""

    media_type = "application/json"

    def __init__(self, content: object) -> None:
        super().__init__(to_json(content), headers={"Cache-Control": "no-store"})
