"""Bare addresses as links, in texts that have no blanks between an address and what follows it.

GitHub's rule ends an address at a blank, so in `见 https://example.com/a，然后` the comma and the words after it would
belong to it. Here it ends at Chinese punctuation, quotes and invisible characters as well, and may begin right after a
Chinese character.
"""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from mdit_py_plugins.gfm_autolink import gfm_autolink_plugin

LONGEST = 2000  # characters of an address
# What ends an address: blanks, brackets and quotes that no address has, full-width punctuation, and characters without
# width, which could make it look like another one.
_ENDS = r"\s<>\"`*\\“”‘’…\u200b-\u200f\u202a-\u202e\u2060-\u2069\u3000-\u303f\uff00-\uffef\x00-\x1f"
_HOST = r"(?:[a-z0-9][a-z0-9._-]*|[^\W\d_a-z][\w.-]*|\[[0-9a-f:.]+\])(?::\d{1,5})?"
_ADDRESS = re.compile(rf"(?:https?://|(?=www\.)){_HOST}(?:[/?#][^{_ENDS}]{{0,{LONGEST}}})?", re.IGNORECASE)
_TRAILING = "?!.,:;'_~]}"


def _trimmed(address: str) -> str:
    """Without the punctuation of the sentence around it; a closing bracket stays where it was opened inside."""
    while address and (address[-1] in _TRAILING or (address[-1] == ")" and address.count(")") > address.count("("))):
        address = address[:-1]
    return address


def _link(state: StateInline, start: int, silent: bool) -> bool:
    """A link from `start`, which may lie before the current position, in text that is pending already."""
    before = state.src[start - 1] if start else " "
    if silent or state.linkLevel > 0 or (before.isascii() and (before.isalnum() or before in "_/.@-")):
        return False
    match = _ADDRESS.match(state.src, start, state.posMax)
    address = _trimmed(match[0]) if match else ""
    host = address.partition("://")[2] or address
    if not host or (host == address and host.count(".") < 2):
        return False
    url = state.md.normalizeLink(address if "://" in address else f"http://{address}")
    if not state.md.validateLink(url):
        return False
    if state.pos > start:
        state.pending = state.pending[: start - state.pos]
    opening = state.push("link_open", "a", 1)
    opening.attrs = {"href": url}
    state.push("text", "", 0).content = address
    state.push("link_close", "a", -1)
    state.pos = start + len(address)
    return True


def _protocol(state: StateInline, silent: bool) -> bool:
    """At the colon of an address whose `https` has been read as text."""
    if not state.src.startswith("://", state.pos):
        return False
    for name in ("https", "http"):
        if state.pending[-len(name) :].lower() == name:
            return _link(state, state.pos - len(name), silent)
    return False


def _www(state: StateInline, silent: bool) -> bool:
    return state.src.startswith("www.", state.pos) and _link(state, state.pos, silent)


def autolinks(md: MarkdownIt) -> None:
    """A markdown-it plugin: bare web addresses by the rule above, bare e-mail addresses by GitHub's."""
    md.use(gfm_autolink_plugin)
    md.disable(["gfm_autolink_www", "gfm_autolink_protocol"])
    md.inline.ruler.push("autolink_www", _www)
    md.inline.ruler.push("autolink_protocol", _protocol)
