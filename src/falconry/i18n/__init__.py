"""The two languages. One JSON table per language and area, or a folder of them; a key is `area.name`.

A text may hold `{name}` fields, filled from the values. Where English has another form for one thing than for several,
`name_one` stands beside `name` and is taken when `count` is 1; Chinese has one form for both. A test compares the keys
and the fields of both languages.

Errors carry their English sentence with them, so for them there is a Chinese table only, by the error's code.
"""

from __future__ import annotations

import json
import locale
import os
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal, TypeAlias

Language: TypeAlias = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
AREAS = ("web", "cli")


@cache
def table(language: Language, area: str) -> Mapping[str, str]:
    """All texts of one area, by name."""
    folder = files(__package__).joinpath(language)
    pages = folder.joinpath(area)
    found = sorted(pages.iterdir(), key=lambda file: file.name) if pages.is_dir() else [folder.joinpath(f"{area}.json")]
    texts: dict[str, str] = {}
    for file in found:
        texts |= json.loads(file.read_text(encoding="utf-8"))
    return texts


def translate(key: str, language: Language, /, **values: object) -> str:
    """The text of `area.name` in a language, its fields filled in. Raises KeyError where there is no such text."""
    area, _, name = key.partition(".")
    texts = table(language, area)
    one = texts.get(f"{name}_one") if values.get("count") == 1 else None
    return (one or texts[name]).format(**values)


def error_text(error: Mapping[str, object], language: Language) -> str:
    """The sentence for an error as `FalconryError.as_dict` gives it; its own English one where no table has it."""
    message = str(error.get("message") or error.get("code", ""))
    if language == "en":
        return message
    details = error.get("details")
    values = {"message": message, **(details if isinstance(details, Mapping) else {})}
    try:
        return translate(f"errors.{error['code']}", language, **values)
    except (KeyError, IndexError):
        return message


def match_language(tag: str | None) -> Language:
    """The nearest of our languages for a tag: `zh`, `zh-CN`, `zh-Hans-CN`, `zh_TW.UTF-8` are zh; all else is en."""
    return "zh" if tag and tag.lower().replace("_", "-").split("-")[0] == "zh" else "en"


def accepted_language(header: str | None) -> Language:
    """The preferred one of our languages in an Accept-Language header (RFC 9110, 12.5.4)."""
    best: tuple[float, Language] = (0.0, "en")
    for part in (header or "").split(","):
        tag, _, weight = part.strip().partition(";q=")
        if not tag.strip():
            continue
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            continue
        if quality > best[0] and tag.split("-")[0].lower() in LANGUAGES:
            best = (quality, match_language(tag))
    return best[1]


def terminal_language(setting: str = "auto") -> Language:
    """The terminal's language: the setting, else the locale's."""
    if setting != "auto":
        return match_language(setting)
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return match_language(value)
    return match_language(locale.getlocale()[0])
