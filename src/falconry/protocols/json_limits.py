"""Request bodies as JSON: parsed strictly, and bounded in depth and number before anybody walks through them."""

from __future__ import annotations

import json
import math
from typing import NoReturn

from falconry.errors import InvalidRequest

DEPTH = 64
"""Containers in containers. Schemas of tools reach 20 or 30."""
NODES = 100_000
"""Lists and objects, and keys of one object."""
_INFINITE = (math.inf, -math.inf)


def loads(raw: bytes, *, depth: int = DEPTH, nodes: int = NODES) -> object:
    """The value of a body. How many bytes it may have is for the caller to check.

    Stricter than `json.loads`: UTF-8 only, no NaN and no infinity, not as `1e999` either. A lone surrogate in a
    string is let through: JavaScript writes them, and replaces them when it reads.

    Raises:
        InvalidRequest: "invalid_json", "too_deep", "too_many_values", "too_many_keys".
    """
    try:
        text = raw.decode()
        value: object = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise _invalid(f"byte {error.start} is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise _invalid(f"{error.msg}, line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise _too_deep(depth) from error
    except ValueError as error:  # more digits than Python turns into a number, or one of ours
        raise _invalid("a number is too large, or is NaN or Infinity") from error
    check_json(value, depth=depth, nodes=nodes)
    return value


def check_json(value: object, *, depth: int = DEPTH, nodes: int = NODES) -> None:
    """Raise InvalidRequest where lists and objects are nested deeper than `depth`, or are more than `nodes`; and where
    one object has more keys."""
    level = [value] if isinstance(value, dict | list) else []
    left = depth
    count = len(level)
    while level:
        if left == 0:
            raise _too_deep(depth)
        left -= 1
        if any(type(container) is dict and len(container) > nodes for container in level):
            raise InvalidRequest(
                f"An object of the JSON has more than {nodes} keys. Send less at a time.",
                code="too_many_keys",
                limit=nodes,
            )
        # The parser makes exactly these two types, so the quick comparison is enough.
        level = [
            child
            for container in level
            for child in (container.values() if type(container) is dict else container)
            if type(child) is dict or type(child) is list
        ]
        count += len(level)
        if count > nodes:
            raise InvalidRequest(
                f"The JSON has more than {nodes} lists and objects. Send less at a time.",
                code="too_many_values",
                limit=nodes,
            )


def _finite(digits: str) -> float:
    number = float(digits)
    if number in _INFINITE:
        raise ValueError(digits)
    return number


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _invalid(problem: str) -> InvalidRequest:
    return InvalidRequest(f"The body is not valid JSON: {problem}.", code="invalid_json", problem=problem)


def _too_deep(limit: int) -> InvalidRequest:
    return InvalidRequest(
        f"The JSON is nested deeper than {limit} levels. Send it flatter.", code="too_deep", limit=limit
    )
