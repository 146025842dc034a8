"""Fields of a JSON object that somebody else wrote: typed, within their ranges, and named where they are wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeGuard, TypeVar

from falconry.storage.values import storable
from falconry.transfer.refusals import ImportRefused, wrong_value

C = TypeVar("C", bound=str)

LONGEST_TEXT = 4 * 1024 * 1024  # characters, as of a message that somebody sends
MOST_DETAILS = 30
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(5000, 1, 1, tzinfo=UTC)  # what the cursor of a list can name


@dataclass(frozen=True, slots=True)
class Fields:
    """An object, and where it stands in the file, for whoever has to mend it.

    Every getter raises ImportRefused where the value is missing (and has no default), or of another kind or range.
    """

    values: Mapping[str, Any]
    where: str

    def inner(self, value: object, where: str) -> Fields:
        """An object inside of this one. Raises ImportRefused where it is none."""
        if not isinstance(value, Mapping):
            raise wrong_value(self.where, where)
        return Fields(value, f"{self.where} › {where}")

    def nested(self, name: str) -> Fields | None:
        value = self.values.get(name)
        return None if value is None else self.inner(value, name)

    def objects(self, name: str) -> Iterator[Fields]:
        """The objects of a list; none where there is no list."""
        value = self.values.get(name)
        if value is None:
            return
        if not isinstance(value, list):
            raise wrong_value(self.where, name)
        for place, each in enumerate(value, 1):
            yield self.inner(each, f"{name} {place}")

    def text(self, name: str, shortest: int, longest: int | None = None, *, default: str | None = None) -> str:
        """A text as the databases can hold it; `longest` in characters, `LONGEST_TEXT` by default."""
        value = self.values.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or not shortest <= len(value) <= (longest or LONGEST_TEXT):
            raise wrong_value(self.where, name)
        return storable(value)

    def optional_text(self, name: str, longest: int | None) -> str | None:
        return None if self.values.get(name) is None else self.text(name, 0, longest)

    def texts(self, name: str, longest: int) -> list[str]:
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(each, str) and len(each) <= longest for each in value):
            raise wrong_value(self.where, name)
        return [storable(each) for each in value]

    def pairs(self, name: str) -> Iterator[tuple[int, float]]:
        """Pairs of an id and a number."""
        value = self.values.get(name)
        if value is None:
            return
        if not isinstance(value, list):
            raise wrong_value(self.where, name)
        for each in value:
            if not (isinstance(each, list) and len(each) == 2 and type(each[0]) is int and _is_number(each[1])):
                raise wrong_value(self.where, name)
            yield each[0], float(each[1])

    def choice(self, name: str, choices: tuple[C, ...], *, default: C | None = None) -> C:
        value = self.values.get(name)
        if value is None and default is not None:
            return default
        for each in choices:
            if each == value:
                return each
        raise wrong_value(self.where, name)

    def optional_choice(self, name: str, choices: tuple[C, ...]) -> C | None:
        return None if self.values.get(name) is None else self.choice(name, choices)

    def boolean(self, name: str) -> bool:
        value = self.values.get(name, False)
        if not isinstance(value, bool):
            raise wrong_value(self.where, name)
        return value

    def integer(self, name: str, low: int, high: int, *, default: int | None = None) -> int:
        value = self.values.get(name)
        if value is None and default is not None:
            return default
        if type(value) is not int or not low <= value <= high:
            raise wrong_value(self.where, name)
        return value

    def optional_integer(self, name: str, low: int, high: int) -> int | None:
        return None if self.values.get(name) is None else self.integer(name, low, high)

    def number(self, name: str, low: float, high: float, *, default: float | None = None) -> float:
        value = self.values.get(name)
        if value is None and default is not None:
            return default
        if not _is_number(value) or not low <= value <= high:
            raise wrong_value(self.where, name)
        return float(value)

    def optional_number(self, name: str, low: float, high: float) -> float | None:
        return None if self.values.get(name) is None else self.number(name, low, high)

    def moment(self, name: str, *, default: datetime | None = None) -> datetime:
        """A time as ISO 8601 writes it, with its zone."""
        value = self.values.get(name)
        if value is None and default is not None:
            return default
        try:
            moment = datetime.fromisoformat(value) if isinstance(value, str) and len(value) < 50 else None
            if moment is not None and moment.tzinfo is not None and _EARLIEST <= moment <= _LATEST:
                return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        raise wrong_value(self.where, name)

    def optional_moment(self, name: str) -> datetime | None:
        return None if self.values.get(name) is None else self.moment(name)

    def error(self, name: str) -> dict[str, object] | None:
        """An error as `FalconryError.as_dict` gives it."""
        fields = self.nested(name)
        if fields is None:
            return None
        details = fields.nested("details")
        found: dict[str, str | int | float] = {}
        for key, value in list(details.values.items())[:MOST_DETAILS] if details else ():
            if not isinstance(value, str | int | float) or len(str(value)) > 2000 or not _is_finite(value):
                raise wrong_value(self.where, name)
            found[storable(key[:100])] = storable(value) if isinstance(value, str) else value
        return {"code": fields.text("code", 1, 100), "message": fields.text("message", 0, 5000), "details": found}


def _is_number(value: object) -> TypeGuard[int | float]:
    return type(value) in (int, float) and _is_finite(value)


def _is_finite(value: object) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def unix_moment(value: object, fallback: datetime) -> datetime:
    """A time in seconds, or in milli-, micro- or nanoseconds, since 1970; the fallback where it is none."""
    if not _is_number(value) or value <= 0:
        return fallback
    for unit in (1.0, 1e3, 1e6, 1e9):
        if value / unit < 1e11:
            try:
                moment = datetime.fromtimestamp(value / unit, UTC)
            except (ValueError, OverflowError, OSError):
                return fallback
            return moment if moment <= _LATEST else fallback
    return fallback


def as_object(value: object, where: str) -> Fields:
    """Raises ImportRefused where a value is no object."""
    if not isinstance(value, Mapping):
        raise ImportRefused()
    return Fields(value, where)
