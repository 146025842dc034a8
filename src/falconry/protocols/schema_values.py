"""Texts, numbers and listed values in JSON schemas, each with the keywords that all engines read alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from falconry.errors import InvalidRequest
from falconry.protocols.portable_regex import portable_regex
from falconry.protocols.schema_errors import fault, too_large
from falconry.protocols.schema_refs import RawSchema

MAX_COUNT = 1_000_000
MAX_LEAST = 500
"""Characters or items that there must be. Each is a step of the grammar."""
_MOST, _NO_LIMIT = 1900, 2010
"""One reader of llama.cpp counts to 1999, takes more than 2000 for no limit, and fails in between. The other one takes
6 s and 700 MB for an array of a million items, so that more items are never allowed."""
MAX_VALUES = 1000
"""Values in one list."""
_MAX_INTEGER = 10**15 - 1
"""llama.cpp's grammar for integers has 16 digits, and makes 2 GB of rules from a minimum of 1e16, then hangs."""
_MAX_NUMBER = 1e9
_MAX_MULTIPLE = 100
"""multipleOf is an automaton with as many states: 999983 took 5 s and 370 MB."""

# Formats that both readers know, and such as are patterns. All others only describe, as JSON schema has it.
_FORMATS = frozenset({"date", "time", "date-time", "uuid"})
_LABEL = "[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?"
_PATTERNS = {
    "email": rf"^[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*@{_LABEL}(\.{_LABEL})+$",
    "hostname": rf"^{_LABEL}(\.{_LABEL})*$",
    "ipv4": r"^((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])$",
    "ipv6": r"^([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}$",
    "uri": r"^[a-z][a-z0-9+.-]*://[A-Za-z0-9._~:/?#@!$&()*+,;=%-]+$",
    "duration": r"^P([1-9][0-9]{0,4}D|([1-9][0-9]{0,4}D)?T([1-9][0-9]{0,3}H)?([1-9][0-9]{0,3}M)?[0-9]{1,4}S)$",
}
_PATTERNS |= {"url": _PATTERNS["uri"], "idn-email": _PATTERNS["email"]}


def array(raw: RawSchema, keyword: str, place: str) -> list[Any]:
    value = raw[keyword]
    if not isinstance(value, list):
        raise fault(f"{place}/{keyword}", "it is a list")
    return value


def count(raw: RawSchema, keyword: str, place: str) -> int | None:
    """A number of characters, items or properties; None where there is none."""
    if keyword not in raw:
        return None
    value = raw[keyword]
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value) or value < 0:
        raise fault(f"{place}/{keyword}", "it is a whole number, 0 or more")
    if keyword == "maxItems" or (keyword == "maxLength" and value < _NO_LIMIT):
        return int(min(value, _MOST))
    limit = MAX_LEAST if keyword.startswith("min") else MAX_COUNT
    if value > limit:
        raise too_large(f"{place}/{keyword}", f"it is at most {limit}; choose less, or leave it out")
    return int(value)


# -- texts


def string(raw: RawSchema, place: str) -> dict[str, Any]:
    least, most = count(raw, "minLength", place) or 0, count(raw, "maxLength", place)
    if most is not None and least > most:
        raise fault(place, f"minLength ({least}) is more than maxLength ({most})")
    lengths = {"minLength": least} if least else {}
    lengths |= {} if most is None else {"maxLength": most}
    name = raw.get("format", "")
    if not isinstance(name, str):
        raise fault(f"{place}/format", "it is a text")
    if "pattern" in raw:
        if lengths:
            raise fault(place, "minLength and maxLength cannot stand beside pattern; count in the pattern: {1,20}")
        return {"type": "string", "pattern": _pattern(raw["pattern"], f"{place}/pattern")}
    if lengths:
        return {"type": "string"} | lengths
    if name in _FORMATS:
        return {"type": "string", "format": name}
    return {"type": "string"} | ({"pattern": _PATTERNS[name]} if name in _PATTERNS else {})


def _pattern(pattern: object, place: str) -> str:
    if not isinstance(pattern, str):
        raise fault(place, "it is a text")
    try:
        return portable_regex(pattern)
    except InvalidRequest as error:
        problem = error.message.removesuffix(".")
        raise (too_large if error.code != "invalid_regex" else fault)(place, problem) from error


# -- numbers


def integer(raw: RawSchema, place: str) -> dict[str, Any]:
    low, high = _bounds(raw, place, step=1)
    multiple = raw.get("multipleOf", 1)
    if not isinstance(multiple, int | float) or multiple != int(multiple) or not 1 <= multiple <= _MAX_MULTIPLE:
        raise fault(f"{place}/multipleOf", f"it is a whole number, 1 to {_MAX_MULTIPLE}; leave it out")
    step = int(multiple)
    if low is None and high is None:
        return _numeric("integer", None, None, step if step > 1 else None)
    # Always both bounds: with a minimum of 1000 alone one reader allows 110. They are the first and the last multiple.
    least = -(-math.ceil(-_MAX_INTEGER if low is None else max(low, -_MAX_INTEGER)) // step) * step
    most = math.floor(_MAX_INTEGER if high is None else min(high, _MAX_INTEGER)) // step * step
    if least > _MAX_INTEGER or most < -_MAX_INTEGER:
        raise too_large(place, f"integers have 15 digits at most; choose bounds within {_MAX_INTEGER}")
    if least > most:
        raise fault(place, "no number is within these bounds")
    return _numeric("integer", least, most, step if step > 1 else None)


def number(raw: RawSchema, place: str) -> dict[str, Any]:
    low, high = _bounds(raw, place, step=0)
    exclusive = {}
    if low is not None:
        low = max(low, -_MAX_NUMBER)
    if high is not None:
        high = min(high, _MAX_NUMBER)
    if (low is not None and low > _MAX_NUMBER) or (high is not None and high < -_MAX_NUMBER):
        raise too_large(place, "bounds are within a thousand million; leave them out")
    if low is not None and high is not None and (low > high or (low == high and _excludes(raw, low))):
        raise fault(place, "no number is within these bounds")
    if low is not None and raw.get("exclusiveMinimum") == low:
        exclusive["exclusiveMinimum"], low = low, None
    if high is not None and raw.get("exclusiveMaximum") == high:
        exclusive["exclusiveMaximum"], high = high, None
    multiple = raw.get("multipleOf")
    if multiple is not None and multiple not in (0.1, 0.01, 0.5, 0.25, *range(1, _MAX_MULTIPLE + 1)):
        raise fault(f"{place}/multipleOf", f"it is 0.01, 0.1, 0.25, 0.5 or 1 to {_MAX_MULTIPLE}; leave it out")
    if multiple is not None and (low is not None or high is not None or exclusive):
        raise fault(f"{place}/multipleOf", "it cannot stand beside bounds; leave one out")
    return _numeric("number", low, high, multiple) | exclusive


def _excludes(raw: RawSchema, value: float) -> bool:
    return value in (raw.get("exclusiveMinimum"), raw.get("exclusiveMaximum"))


def _numeric(kind: str, low: float | None, high: float | None, multiple: float | None) -> dict[str, Any]:
    found = {"type": kind, "minimum": low, "maximum": high, "multipleOf": multiple}
    return {keyword: value for keyword, value in found.items() if value is not None}


def _bounds(raw: RawSchema, place: str, *, step: int) -> tuple[float | None, float | None]:
    """The lowest and the highest number; one that is excluded itself is moved by a step."""
    for keyword in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
        if keyword in raw and (isinstance(raw[keyword], bool) or not isinstance(raw[keyword], int | float)):
            raise fault(f"{place}/{keyword}", "it is a number")
    lows = [raw["minimum"]] if "minimum" in raw else []
    highs = [raw["maximum"]] if "maximum" in raw else []
    if "exclusiveMinimum" in raw:
        low = raw["exclusiveMinimum"]
        lows.append(math.floor(low) + step if step else low)
    if "exclusiveMaximum" in raw:
        high = raw["exclusiveMaximum"]
        highs.append(math.ceil(high) - step if step else high)
    return max(lows, default=None), min(highs, default=None)


# -- listed values


def values(raw: RawSchema, place: str, types: Sequence[str]) -> list[Any] | None:
    """The values of enum and const that have the right type; None where nothing is listed."""
    if "enum" not in raw and "const" not in raw:
        return None
    listed = array(raw, "enum", place) if "enum" in raw else [raw["const"]]
    if len(listed) > MAX_VALUES:
        raise too_large(f"{place}/enum", f"it lists {len(listed)} values, and at most {MAX_VALUES} are allowed")
    if "const" in raw:
        listed = [value for value in listed if _same(value, raw["const"])]
    kinds = raw.get("type", list(types))
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if not isinstance(kinds, list):
        raise fault(f"{place}/type", "it is the name of a type, or a list of them")
    kept = [value for value in listed if _kind(value) in kinds or (_kind(value) == "integer" and "number" in kinds)]
    if not kept:
        raise fault(f"{place}/{'enum' if 'enum' in raw else 'const'}", "no value is of the right type; correct one")
    return kept


def _same(one: object, other: object) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value == int(value) else "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"
