"""Markdown to safe HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falconry.web.markdown import render_blocks, split_blocks
from tests.web.payloads import PAYLOADS


def html(source: str) -> str:
    return "".join(render_blocks(source))


class _Checker(HTMLParser):
    """Fails on everything that could act."""

    TAGS = frozenset(
        re.findall(
            r"\w+",
            "a b blockquote br button code del div em h1 h2 h3 h4 h5 h6 hr li ol p pre s span strong sub sup "
            "table tbody td th thead tr ul math menclose mfrac mi mn mo mover mpadded mphantom mroot mrow mspace "
            "msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover",
        )
    )

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in self.TAGS, tag
        for name, value in attrs:
            assert not name.startswith("on"), name
            assert name not in ("src", "style", "id", "srcdoc", "action", "formaction"), name
            if name == "href":
                assert tag == "a"
                assert re.match(r"https?://|mailto:", value or "", re.IGNORECASE), value
        if tag == "a":
            values = dict(attrs)
            assert values["target"] == "_blank"
            assert values["rel"] == "noopener noreferrer"


def assert_safe(fragment: str) -> None:
    checker = _Checker(convert_charrefs=True)
    checker.feed(fragment)
    checker.close()


@pytest.mark.parametrize("payload", PAYLOADS)
def test_payload_becomes_harmless(payload: str) -> None:
    assert_safe(html(payload))
    assert_safe(html(f"> {payload}\n\n- {payload}\n\n**{payload}**"))


@settings(deadline=None)
@given(st.text(alphabet="<>\"'&;:/()[]!`*_~#$\\{}|-=+ \n\tajx1漢", max_size=200))
def test_any_text_becomes_harmless(source: str) -> None:
    for _, block in split_blocks(source):
        assert_safe(block)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("**重点：**内容", "<p><strong>重点：</strong>内容</p>"),
        ("这是**“引用”**吗", "<p>这是<strong>“引用”</strong>吗</p>"),
        ("snake_case_name", "<p>snake_case_name</p>"),
        ("a ~~b~~ c", "<p>a <s>b</s> c</p>"),
        ("- [ ] a\n- [x] b", "<ul>\n<li>☐ a</li>\n<li>☑ b</li>\n</ul>"),
        ("1 < 2 & 3", "<p>1 &lt; 2 &amp; 3</p>"),
        ("It costs $5 and $6.", "<p>It costs $5 and $6.</p>"),
        ("3. c\n4. d", '<ol start="3">\n<li>c</li>\n<li>d</li>\n</ol>'),
    ],
)
def test_inline_text(source: str, expected: str) -> None:
    assert html(source) == expected


def test_blocks_are_split_at_the_top_level() -> None:
    blocks = split_blocks("# a\n\nb\nc\n\n- d\n\n  e\n\n```\nf\n```\n")
    assert [line for line, _ in blocks] == [0, 2, 5, 9]


def test_image_is_a_link_to_click() -> None:
    assert html("![a cat](https://example.com/cat.png)") == (
        '<p><a class="image-link" href="https://example.com/cat.png" target="_blank" '
        'rel="noopener noreferrer">a cat</a></p>'
    )


def test_addresses_become_links() -> None:
    assert 'href="https://example.com/a"' in html("see https://example.com/a.")
    assert 'href="mailto:a@example.com"' in html("<a@example.com>")


def test_table_scrolls_and_keeps_its_alignment() -> None:
    table = html("|a|b|\n|:-:|-:|\n|1|2|")
    assert table.startswith('<div class="table-scroll"><table>')
    assert '<td class="align-center">1</td>' in table
    assert '<td class="align-right">2</td>' in table


def test_code_keeps_every_character() -> None:
    code = "\n\tif x:\t\n    y = '<&>\"'  \n\n\t\tz\n"
    for language in ("python", "make", "unknown", ""):
        shown = html(f"```{language}\n{code}```")
        assert "copy-code" in shown
        assert f'<span class="code-language">{language}</span>' in shown
        assert _text(shown.partition("<code>")[2]) == code


def _text(fragment: str) -> str:
    parts: list[str] = []

    class Text(HTMLParser):
        def handle_data(self, data: str) -> None:
            parts.append(data)

    parser = Text(convert_charrefs=True)
    parser.feed(fragment)
    parser.close()
    return "".join(parts)


@settings(deadline=None)
@given(st.text(alphabet="abc\t \n'\"<>&#/*{}()=1漢", max_size=120))
def test_highlighting_never_changes_code(code: str) -> None:
    shown = "".join(block for _, block in split_blocks(f"~~~~python\n{code}\n~~~~"))
    assert _text(shown.partition("<code>")[2]) == code + "\n"


def test_code_has_colours() -> None:
    assert '<span class="k">return</span>' in html("```python\nreturn 1\n```")


@pytest.mark.parametrize(
    "source",
    ["$x^2$", "\\(x^2\\)", "a $x^2$ b", "$$\nx^2\n$$", "\\[\nx^2\n\\]", "\\[ x^2 \\]", "$$x^2$$", "a $$x^2$$ b"],
)
def test_formulas_become_mathml(source: str) -> None:
    assert "<msup><mi>x</mi><mn>2</mn></msup>" in html(source)


def test_formula_with_lines_that_look_like_a_list() -> None:
    assert "<li>" not in html("\\[\na\n- b\n\\]")


@pytest.mark.parametrize("broken", ["\\href{javascript:a}{b}", "{" * 50 + "a" + "}" * 50, "x" * 3000])
def test_formula_that_is_not_converted_shows_its_source(broken: str) -> None:
    assert html(f"${broken}$") == f'<p><code class="formula">{broken}</code></p>'


@pytest.mark.parametrize(
    "piece",
    [
        *("[", "![", "*", "_", "`", "> ", ">", "- ", "a\n", "|", "|a", "<", "[a](", "$", "\\(", "*a_", "**a ", "\t"),
        *("[a]: b\n", "```\n", "- > ", "a|b\n-|-\n", "$\\frac{1}{2}$ ", "](", "~~", "&", "http://a.b "),
    ],
)
def test_time_is_bounded(piece: str) -> None:
    source = piece * (100_000 // len(piece))
    started = perf_counter()
    blocks = render_blocks(source)
    assert perf_counter() - started < 5  # 1 s on a quiet machine
    assert len(blocks) > 0 or not source.strip()


def test_deep_nesting_is_bounded() -> None:
    source = "\n".join("  " * depth + "- a" for depth in range(500))
    started = perf_counter()
    assert_safe(html(source))
    assert perf_counter() - started < 2


def test_empty_text_has_no_blocks() -> None:
    assert render_blocks("") == ()
    assert render_blocks(" \n\n") == ()


def test_references_work_in_a_finished_text() -> None:
    assert 'href="https://example.com"' in html("[a][1]\n\nb\n\n[1]: https://example.com")
