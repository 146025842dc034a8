"""JSON as the page reads it."""

from __future__ import annotations

from starlette.responses import Response

from falconry.protocols.sse import dump_json


class PageJSON(Response):
    """A JSON answer that nobody may keep: it holds what people said."""

    media_type = "application/json"

    def __init__(self, content: object) -> None:
        super().__init__(dump_json(content), headers={"Cache-Control": "no-store"})
