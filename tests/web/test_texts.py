"""The two languages of the pages."""

from __future__ import annotations

import re
from importlib.resources import files

from falconry.i18n import table

EN, ZH = table("en", "web"), table("zh", "web")


def _sources() -> str:
    package = files("falconry.web")
    scripts = [entry for entry in package.joinpath("static").iterdir() if entry.name.endswith(".js")]
    pages = [entry for entry in package.iterdir() if entry.name.endswith(".py")]
    return "\n".join(entry.read_text() for entry in [*scripts, *pages])


def test_every_text_that_a_page_asks_for_exists() -> None:
    asked = set(re.findall(r"\b(?:t|texts)\(\"(\w+)\"", _sources()))
    assert len(asked) > 60
    assert asked <= EN.keys()


def test_no_text_is_left_over() -> None:
    words = set(re.findall(r"[\"'](\w+)[\"']", _sources()))
    assert ZH.keys() <= words


def test_chinese_texts_are_chinese() -> None:
    latin_only = {name for name, text in ZH.items() if not re.search("[\u3000-\u9fff\uff00-\uffef]", text)}
    assert latin_only == set()
