"""Markdown to a list of safe HTML blocks, one per paragraph, list, table, code block and so on.

A page that shows a growing reply replaces only the blocks that changed; `falconry.web.live` builds on that. Raw HTML in
the text is shown as text, images become links to click, and every block goes through the sanitiser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping, Sequence
from functools import lru_cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.parser_inline import ParserInline
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Scanned
from markdown_it.token import Token

from falconry.web.autolinks import autolinks
from falconry.web.formulas import formulas, render_formula
from falconry.web.highlight import highlight
from falconry.web.light_html import light_html
from falconry.web.pipes import pipes_in_code
from falconry.web.sanitiser import SAFE_LINK, clean

# Beyond these a text is shown as plain text. Markdown's grammar has quadratic corners (20,000 `[` take 0.8 s, a table
# with 2,500 columns 1.4 s), and no honest reply comes near.
LONGEST = 300_000  # characters of one text
MOST_BRACKETS = 600  # `[` in one paragraph
MOST_COLUMNS = 200  # `|` in one line
LONGEST_LINE = 20_000  # characters of one line
MOST_LINES = 10_000
MOST_CELLS = 8_000  # `|` in one text
PIECE = 4000  # characters; a browser lays out those pieces of a plain text alone that are in sight
_LANGUAGE = re.compile(r"[\w+#.-]{1,30}")
_TASK = re.compile(r"\[([ xX])\] ")
_PARAGRAPH_END = re.compile(r"\n[ \t]*\n")


class _CjkState(StateInline):
    """Emphasis that knows Chinese: `**重点：**内容` is bold although no space follows the mark.

    CommonMark asks whether a mark stands beside a space or punctuation, which Chinese text seldom has. Where the
    neighbour outside is a CJK character, or the one inside is Chinese punctuation, the mark may open and close there.
    """

    def scanDelims(self, start: int, canSplitWord: bool) -> Scanned:  # noqa: N802, N803 (markdown-it's names)
        scanned = super().scanDelims(start, canSplitWord)
        before = self.src[start - 1] if start > 0 else " "
        end = start + scanned.length
        after = self.src[end] if end < self.posMax else " "
        if self.src[start] == "_":  # snake_case_名字 is no emphasis
            return scanned
        may_open = not after.isspace() and (_is_cjk(before) or _is_wide(after))
        may_close = not before.isspace() and (_is_cjk(after) or _is_wide(before))
        return Scanned(scanned.can_open or may_open, scanned.can_close or may_close, scanned.length)


def _is_cjk(char: str) -> bool:
    return "\u2e80" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7af" or "\uff00" <= char <= "\uffef"


def _is_wide(char: str) -> bool:
    """Chinese punctuation, quotes included."""
    return _is_cjk(char) or char in "“”‘’…—·"


class _CjkInline(ParserInline):
    def parse(self, src: str, md: MarkdownIt, env: MutableMapping[str, Any], tokens: list[Token]) -> list[Token]:
        state = _CjkState(src, md, env, tokens)
        self.tokenize(state)
        for rule in self.ruler2.getRules(""):
            rule(state)
        return state.tokens


class _Renderer(RendererHTML):
    def fence(self, tokens: Sequence[Token], idx: int, options: Any, env: MutableMapping[str, Any]) -> str:
        token = tokens[idx]
        words = token.info.split()
        language = words[0] if words and _LANGUAGE.fullmatch(words[0]) else ""
        return (
            f'<div class="code-block"><div class="code-head"><span class="code-language">{escapeHtml(language)}</span>'
            f'<button class="copy-code"></button></div>'
            f"<pre><code>{highlight(token.content, language)}</code></pre></div>"
        )

    def code_block(self, tokens: Sequence[Token], idx: int, options: Any, env: MutableMapping[str, Any]) -> str:
        return self.fence(tokens, idx, options, env)

    def image(self, tokens: Sequence[Token], idx: int, options: Any, env: MutableMapping[str, Any]) -> str:
        """A link to click: loading a picture would tell another server who reads what, and when."""
        token = tokens[idx]
        source = str(token.attrs.get("src", ""))
        name = self.renderInlineAsText(token.children or [], options, env) or source
        if not SAFE_LINK.match(source):
            return escapeHtml(name)
        return f'<a class="image-link" href="{escapeHtml(source)}">{escapeHtml(name)}</a>'

    def table_open(self, tokens: Sequence[Token], idx: int, options: Any, env: MutableMapping[str, Any]) -> str:
        return '<div class="table-scroll"><table>'

    def table_close(self, tokens: Sequence[Token], idx: int, options: Any, env: MutableMapping[str, Any]) -> str:
        return "</table></div>"

    def math_inline(self, tokens: Sequence[Token], idx: int, options: Any, env: MutableMapping[str, Any]) -> str:
        return render_formula(tokens[idx].content.strip(), False)

    def math_block(self, tokens: Sequence[Token], idx: int, options: Any, env: MutableMapping[str, Any]) -> str:
        return f'<div class="math-block">{render_formula(tokens[idx].content.strip(), True)}</div>'

    def math_inline_double(self, tokens: Sequence[Token], idx: int, options: Any, env: MutableMapping[str, Any]) -> str:
        return render_formula(tokens[idx].content.strip(), True)


def _cell_alignment(tokens: list[Token]) -> None:
    """Alignment of table cells as a class: the content policy of the page and the sanitiser know no styles."""
    for token in tokens:
        if token.type in ("th_open", "td_open") and (style := str(token.attrs.pop("style", ""))):
            token.attrs["class"] = "align-" + style.rpartition(":")[2].strip()


def _task_items(tokens: list[Token]) -> None:
    """`- [ ] task` begins with a box to look at; one to click would change nothing."""
    for item, paragraph, inline in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if item.type == "list_item_open" and paragraph.type == "paragraph_open" and inline.children:
            first = inline.children[0]
            if match := _TASK.match(first.content):
                first.content = ("☐ " if match[1] == " " else "☑ ") + first.content[match.end() :]


def _lower_headings(tokens: list[Token]) -> None:
    """The page has the first two levels: its own title, and one heading for each message."""
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"


def _parser() -> MarkdownIt:
    # A line end is a line end: models write poems and addresses with single ones, and Chinese has no blanks to join by.
    md = MarkdownIt("commonmark", {"html": False, "maxNesting": 40, "breaks": True}, renderer_cls=_Renderer)
    md.inline = _CjkInline()
    md.enable(["table", "strikethrough"])
    md.use(autolinks)
    md.use(formulas)
    md.use(light_html)
    md.renderer.rules.update(  # type: ignore[attr-defined]
        {name: getattr(md.renderer, name) for name in ("math_inline", "math_inline_double", "math_block")}
    )
    md.validateLink = lambda url: SAFE_LINK.match(url) is not None  # type: ignore[method-assign]
    md.core.ruler.before("block", "pipes_in_code", pipes_in_code)
    md.core.ruler.push("lower_headings", lambda state: _lower_headings(state.tokens))
    md.core.ruler.push("task_items", lambda state: _task_items(state.tokens))
    md.core.ruler.push("cell_alignment", lambda state: _cell_alignment(state.tokens))
    return md


_MD = _parser()


def plain(source: str) -> str:
    """A text as it is, in one block of several pieces, cut at line ends where there are any."""
    pieces: list[str] = []
    start = 0
    while start < len(source) or not pieces:
        end = start + PIECE
        if end < len(source) and (line_end := source.rfind("\n", start + PIECE // 2, end)) >= 0:
            end = line_end + 1
        pieces.append(f'<div class="plain">{escapeHtml(source[start:end])}</div>')
        start = end
    return "".join(pieces)


def is_bounded(source: str) -> bool:
    """Whether parsing this text takes time in proportion to its length."""
    if len(source) > LONGEST or source.count("\n") > MOST_LINES or source.count("|") > MOST_CELLS:
        return False
    if source.count("[") > MOST_BRACKETS and any(
        part.count("[") > MOST_BRACKETS for part in _PARAGRAPH_END.split(source)
    ):
        return False
    if len(source) <= MOST_COLUMNS:
        return True
    return all(len(line) <= LONGEST_LINE and line.count("|") <= MOST_COLUMNS for line in source.splitlines())


def split_blocks(source: str) -> list[tuple[int, str]]:
    """The top-level blocks of a text: the line at which each starts (0 is the first) and its safe HTML."""
    if not source.strip():
        return []
    if not is_bounded(source):
        return [(0, plain(source))]
    env: dict[str, Any] = {}
    try:
        tokens = _MD.parse(source, env)
        return [
            (
                block[0].map[0] if block[0].map else 0,
                clean(_MD.renderer.render(block, _MD.options, env)).strip(),
            )
            for block in _top_level(tokens)
        ]
    except RecursionError:
        return [(0, plain(source))]


def _top_level(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    start = depth = 0
    for index, token in enumerate(tokens):
        depth += token.nesting
        if depth == 0:
            yield tokens[start : index + 1]
            start = index + 1


@lru_cache(maxsize=2048)
def render_blocks(source: str) -> tuple[str, ...]:
    """A finished text as safe HTML blocks. Cached: the last 2048 texts are rendered once."""
    return tuple(html for _, html in split_blocks(source))
