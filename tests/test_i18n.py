"""Both languages say the same things, with the same fields."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from string import Formatter

import pytest

from falconry.errors import ContextWindowExceeded
from falconry.i18n import (
    AREAS,
    LANGUAGES,
    accepted_language,
    error_text,
    match_language,
    table,
    terminal_language,
    translate,
)
from falconry.models import bad_file


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def singular(name: str, area: str) -> bool:
    """Whether a text is the English form for one thing, which Chinese does not have."""
    return name.endswith("_one") and name.removesuffix("_one") in table("en", area)


@pytest.mark.parametrize("area", AREAS)
def test_same_keys(area: str) -> None:
    assert {name for name in table("en", area) if not singular(name, area)} == set(table("zh", area))


@pytest.mark.parametrize("area", AREAS)
def test_same_fields(area: str) -> None:
    for name, text in table("en", area).items():
        if singular(name, area):  # "one" may need neither the number nor what the several have
            assert fields(text) <= fields(table("en", area)[name.removesuffix("_one")]), name
        else:
            assert fields(text) == fields(table("zh", area)[name]), name


@pytest.mark.parametrize("area", AREAS)
def test_whatever_is_counted_in_words_has_a_form_for_one(area: str) -> None:
    for name, text in table("en", area).items():
        if not singular(name, area) and re.search(r"\{count\}(?: \w+)? [a-z]{2,}s\b", text):
            assert f"{name}_one" in table("en", area), name


def test_no_text_stands_in_two_files() -> None:
    for language in LANGUAGES:
        names = [
            name
            for file in files("falconry.i18n").joinpath(language, "web").iterdir()
            for name in json.loads(file.read_text(encoding="utf-8"))
        ]
        assert len(names) == len(set(names))


def test_one_thing_is_told_as_one() -> None:
    assert translate("web.tokens", "en", count=1) == "1 token"
    assert translate("web.tokens", "en", count=2) == "2 tokens"
    assert "1" in translate("web.tokens", "zh", count=1)


@pytest.mark.parametrize("area", AREAS)
def test_no_text_is_empty_or_untranslated(area: str) -> None:
    for name, text in table("zh", area).items():
        assert text.strip(), name
        # Names and pure symbols are the same everywhere; a sentence is not.
        if re.search(r"[a-z]{3,} [a-z]{2,} [a-z]{2,}", table("en", area)[name]):
            assert re.search("[\u4e00-\u9fff]", text), name


def test_every_area_has_its_tables() -> None:
    for language, areas in (("en", {*AREAS}), ("zh", {*AREAS, "errors"})):
        found = {path.name.removesuffix(".json") for path in files("falconry.i18n").joinpath(language).iterdir()}
        assert found - {"__init__.py", "__pycache__"} == areas


def codes_in_the_source() -> set[str]:
    found = set()
    for path in Path(str(files("falconry"))).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        found |= set(re.findall(r'code="([a-z_]+)"', text))
        found |= set(re.findall(r'default_code(?:: ClassVar\[str\])? = "([a-z_]+)"', text))
    return found


def test_every_error_has_a_chinese_sentence_and_no_sentence_is_left_over() -> None:
    codes = codes_in_the_source()
    assert len(codes) > 30
    assert set(table("zh", "errors")) == codes | set(bad_file.SENTENCES) | {"http_error"}


def test_what_is_wrong_with_a_model_file_has_the_same_fields_in_both_languages() -> None:
    for code, sentence in bad_file.SENTENCES.items():
        assert fields(sentence) == fields(table("zh", "errors")[code]), code


def test_an_error_is_told_in_both_languages() -> None:
    error = ContextWindowExceeded(1234, 1000).as_dict()
    for language in LANGUAGES:
        assert "1234" in error_text(error, language)
        assert "1000" in error_text(error, language)
    assert error_text(error, "en") == error["message"]


def test_an_error_whose_details_are_missing_is_told_in_english() -> None:
    assert error_text({"code": "endpoint_silent", "message": "x did not answer"}, "zh") == "x did not answer"


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("zh", "zh"),
        ("zh-Hans-CN", "zh"),
        ("zh_TW.UTF-8", "zh"),
        ("ZH-HK", "zh"),
        ("en-US", "en"),
        ("fr", "en"),
        (None, "en"),
    ],
)
def test_the_nearest_language(tag: str | None, language: str) -> None:
    assert match_language(tag) == language


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-US,en;q=0.9,zh;q=0.8", "en"),
        ("fr,zh;q=0.5,en;q=0.3", "zh"),
        ("en;q=x,zh;q=0.1", "zh"),
        ("", "en"),
        (None, "en"),
    ],
)
def test_the_browsers_language(header: str | None, language: str) -> None:
    assert accepted_language(header) == language


def test_the_terminals_language(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert terminal_language() == "zh"
    assert terminal_language("en") == "en"
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    assert terminal_language() == "en"


def test_an_error_nobody_translated_keeps_its_own_words() -> None:
    assert error_text({"code": "brand_new", "message": "What happened."}, "zh") == "What happened."


def test_an_unknown_text_is_an_error() -> None:
    with pytest.raises(KeyError):
        translate("cli.no_such_text", "en")
