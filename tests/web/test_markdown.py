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
            "a b blockquote br button code del div em h3 h4 h5 h6 hr kbd li ol p pre s span strong sub sup "
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
        ("between $5 and not 6$", "<p>between $5 and not 6$</p>"),
        ("From $20 to $30/month, **$40**", "<p>From $20 to $30/month, <strong>$40</strong></p>"),
        ("苹果$5一斤，梨6$", "<p>苹果$5一斤，梨6$</p>"),
        ("**步骤：**Python 安装", "<p><strong>步骤：</strong>Python 安装</p>"),
        ("用**“引号”**Python", "<p>用<strong>“引号”</strong>Python</p>"),
        ("**中文**，*斜体*字", "<p><strong>中文</strong>，<em>斜体</em>字</p>"),
        ("roses\nviolets", "<p>roses<br>\nviolets</p>"),
        ("H<sub>2</sub>O<br/>x<b>y</b>", "<p>H<sub>2</sub>O<br>\nx&lt;b&gt;y&lt;/b&gt;</p>"),
        ("a fact[^1]", "<p>a fact<sup>1</sup></p>"),
        ("[^1]: the source", "<p><sup>1</sup> the source</p>"),
        ("# a\n\n###### b", "<h3>a</h3><h6>b</h6>"),
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


def links(source: str) -> list[str]:
    return re.findall(r"<a [^>]*>(.*?)</a>", html(source))


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("见 https://example.com/a，然后", ["https://example.com/a"]),
        ("（https://example.com/b）。", ["https://example.com/b"]),
        ("访问https://example.com查看", ["https://example.com"]),
        ("https://zh.wikipedia.org/wiki/游隼。", ["https://zh.wikipedia.org/wiki/游隼"]),
        ("**https://example.com/c**：", ["https://example.com/c"]),
        ("(see https://example.com/d_(e)) and", ["https://example.com/d_(e)"]),
        ("https://example.com/?a=1&b=2.", ["https://example.com/?a=1&amp;b=2"]),
        ("www.example.com、 a@example.com，", ["www.example.com", "a@example.com"]),
        ("http://[::1]:8000/x http://localhost:7860", ["http://[::1]:8000/x", "http://localhost:7860"]),
        ("xhttps://example.com https:// http://, www. `https://example.com`", []),
        ("https://example.com/\u202egpj.exe", ["https://example.com/"]),
    ],
)
def test_bare_addresses_end_where_people_mean(source: str, shown: list[str]) -> None:
    assert links(source) == shown


def test_pipes_in_code_do_not_split_a_row() -> None:
    table = "| op | name |\n|---|---|\n| `a|b` | or |\n| `c\\|d` | x |\n| e | `f` | g |\n\n```\n|`x|y`|\n```"
    shown = html(table)
    for cell in ("<code>a|b</code>", "<code>c|d</code>", "or", "e", "<code>f</code>"):
        assert f"<td>{cell}</td>" in shown
    assert "|`x|y`|" in shown


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
    [
        "$x^2$",
        "$ x^2 $",
        "\\begin{equation}\nx^2\n\\end{equation}",
        "\\(x^2\\)",
        "a $x^2$ b",
        "$$\nx^2\n$$",
        "\\[\nx^2\n\\]",
        "\\[ x^2 \\]",
        "$$x^2$$",
        "a $$x^2$$ b",
    ],
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
        *(
            "[a]: b\n",
            "```\n",
            "- > ",
            "a|b\n-|-\n",
            "$\\frac{1}{2}$ ",
            "](",
            "~~",
            "&",
            "http://a.b ",
            "http://",
            "www.",
            "[^a]",
            "<br>",
            "$x$",
            "|`a|b`|\n|-|\n",
        ),
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


@pytest.mark.parametrize(
    "source", ["w" * 30_000, "line & more\n" * 30_000, "|" * 9000 + "\n<b>", "漢\n" * 6000 + "[" * 9000]
)
def test_plain_text_comes_in_pieces_of_which_none_is_long(source: str) -> None:
    (block,) = render_blocks(source)
    pieces = re.findall(r'<div class="plain">(.*?)</div>', block, re.DOTALL)
    assert len(pieces) > 1
    assert max(len(_text(piece)) for piece in pieces) <= 4000
    assert "".join(map(_text, pieces)) == source


def test_half_a_character_is_shown_as_a_mark() -> None:
    assert html("a\ud800b") == "<p>a\ufffdb</p>"


def test_empty_text_has_no_blocks() -> None:
    assert render_blocks("") == ()
    assert render_blocks(" \n\n") == ()


def test_references_work_in_a_finished_text() -> None:
    assert 'href="https://example.com"' in html("[a][1]\n\nb\n\n[1]: https://example.com")
