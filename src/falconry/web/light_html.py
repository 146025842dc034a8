"""The few pieces of HTML and Markdown dialects that models write into plain text: line breaks, small marks, footnotes.

Everything else that looks like HTML is shown as it was written.
"""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline

_BREAK = re.compile(r"<br ?/?>", re.IGNORECASE)
# One word or formula, on one line, with no other mark inside: whoever writes about HTML itself writes whole elements.
_SMALL = re.compile(r"<(sub|sup|kbd)>([^<>\n]{1,80})</\1>")
_NOTE = re.compile(r"\[\^([\w-]{1,20})\](:?)")


def _tag(state: StateInline, silent: bool) -> bool:
    if state.src[state.pos] != "<":
        return False
    if match := _BREAK.match(state.src, state.pos, state.posMax):
        if not silent:
            state.push("hardbreak", "br", 0)
    elif match := _SMALL.match(state.src, state.pos, state.posMax):
        if not silent:
            name = match[1]
            state.push(f"{name}_open", name, 1)
            state.push("text", "", 0).content = match[2]
            state.push(f"{name}_close", name, -1)
    else:
        return False
    state.pos = match.end()
    return True


def _footnote(state: StateInline, silent: bool) -> bool:
    """`[^1]` as a small raised mark; where it begins a paragraph, as in `[^1]: the source`, too."""
    match = _NOTE.match(state.src, state.pos, state.posMax)
    if match is None or (match[2] and state.pos > 0):
        return False
    if f"^{match[1]}".upper() in state.env.get("references", {}):
        return False  # its address stands below, so it is a link
    if not silent:
        state.push("sup_open", "sup", 1)
        state.push("text", "", 0).content = match[1]
        state.push("sup_close", "sup", -1)
    state.pos = match.end()
    return True


def light_html(md: MarkdownIt) -> None:
    """A markdown-it plugin."""
    md.inline.ruler.before("autolink", "light_html", _tag)
    md.inline.ruler.before("link", "footnote_mark", _footnote)
