"""What all bodies of requests have in common: the first thing that is wrong with a list is enough."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema


def _fail_fast(part: Any) -> None:
    """Set the option of that name for all lists in a schema, as `pydantic.FailFast` does for one."""
    if isinstance(part, dict):
        if part.get("type") == "list":
            part["fail_fast"] = True
        for name, inner in part.items():
            if name != "metadata":
                _fail_fast(inner)
    elif isinstance(part, list | tuple):
        for inner in part:
            _fail_fast(inner)


class RequestBody(BaseModel):
    """The base of every body's model.

    By default pydantic lists whatever is wrong: for a hundred thousand wrong values it took a second, in which nobody
    else was served.
    """

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[BaseModel], handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        _fail_fast(schema)
        return schema
