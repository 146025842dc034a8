"""Code in colours: pygments classes, whose colours static/message.css chooses for light and dark.

The text of a highlighted block is exactly the text that came in, tabs included, for people copy it from there.
"""

from __future__ import annotations

import time
from functools import lru_cache

from markdown_it.common.utils import escapeHtml
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES, Token, _TokenType
from pygments.util import ClassNotFound

LONGEST = 60_000  # characters; longer code is shown without colours
PATIENCE = 0.25  # seconds for one block, so that no lexer can hold the server up


@lru_cache(maxsize=128)
def _lexer(language: str) -> Lexer | None:
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


@lru_cache(maxsize=256)
def _css_class(kind: _TokenType | None) -> str:
    while kind is not None and kind is not Token:
        if name := STANDARD_TYPES.get(kind):
            return name
        kind = kind.parent
    return ""


def highlight(code: str, language: str) -> str:
    """Code as HTML with spans by token class; just escaped where the language is unknown or the code too long."""
    lexer = _lexer(language.lower()) if language and len(code) <= LONGEST else None
    if lexer is None:
        return escapeHtml(code)
    deadline = time.monotonic() + PATIENCE
    parts: list[str] = []
    length = 0
    for kind, value in lexer.get_tokens(code):
        name = _css_class(kind)
        text = escapeHtml(value)
        parts.append(f'<span class="{name}">{text}</span>' if name and not value.isspace() else text)
        if not code.startswith(value, length) or time.monotonic() > deadline:
            return escapeHtml(code)  # this lexer changes the text (line ends, say), or dawdles
        length += len(value)
    return "".join(parts) if length == len(code) else escapeHtml(code)
