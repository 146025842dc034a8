"""The two languages of the pages: every text stands in the tables, and only there."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from falconry.i18n import table
from tests.web.untranslated import in_module, in_script

EN, ZH = table("en", "web"), table("zh", "web")
# Names are the same in both languages; the button for the other language speaks that one.
NAMES = {"Falconry", "OpenAPI", "OpenAI", "Anthropic, text-generation-inference", "openapi.json", "curl", "中文"}
NAMES |= {"falconry users add NAME"}


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


def test_no_script_has_texts_of_its_own() -> None:
    static = files("falconry.web").joinpath("static")
    scripts = {entry.name: entry.read_text() for entry in static.iterdir() if entry.name.endswith(".js")}
    assert len(scripts) > 15
    found = {name: {text for text in in_script(source) if text not in NAMES} for name, source in scripts.items()}
    # What is left may only be put together from texts and names, as `${t("page_admin")} · Falconry` is.
    joined = re.compile(r"\$\{.*\}[^A-Za-z]*(Falconry)?")
    assert {
        name: rest for name, texts in found.items() if (rest := {t for t in texts if not joined.fullmatch(t)})
    } == {}


def test_no_page_has_texts_of_its_own() -> None:
    pages = {entry.name: entry.read_text() for entry in files("falconry.web").iterdir() if entry.name.endswith(".py")}
    assert len(pages) > 10
    found = {name: in_module(source) - NAMES for name, source in pages.items() if name != "markdown.py"}
    assert {name: texts for name, texts in found.items() if texts} == {}


@pytest.mark.parametrize(
    "line",
    [
        'made.textContent = "Nothing here";',
        "made.title = `Close`;",
        "el('button', { title: 'Close' })",
        'el("p", { className: "f-muted" }, "Nothing here")',
        'button("Close", "close", close)',
        'made.setAttribute("aria-label", "Close");',
        'el("nav", { aria: { label: "Main" } })',
        "notice('Saved.');",
        'const text = "It was saved somewhere";',
        'const name = "保存";',
    ],
)
def test_what_the_finder_finds_in_scripts(line: str) -> None:
    assert in_script(line)


@pytest.mark.parametrize(
    "line",
    [
        'made.textContent = t("close"); // Nothing "here" to see',
        'el("p", { className: "f-muted f-none" }, t("none"))',
        "made.title = `${count} / ${all}`;",
        'button(t("close"), "close", close)',
        'headers["Content-Type"] = "application/json";',
        'input.placeholder = "";',
    ],
)
def test_what_it_passes_over(line: str) -> None:
    assert in_script(line) == set()


def test_what_the_finder_finds_in_pages() -> None:
    source = '''"""A module."""\ngr.Button("x", label="Send it")\npage = f"<p>{text}</p><b>Not here</b>"\n'''
    assert in_module(source) == {"Send it", "Not here"}
