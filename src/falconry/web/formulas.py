r"""LaTeX to MathML, and the delimiters that models use for it: `\( \)` and `\[ \]` beside the dollars.

Browsers show MathML by themselves, so no script is needed. What cannot be converted is shown as it was written.
"""

from __future__ import annotations

import re
from functools import lru_cache

from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

# A formula beyond this many characters, or with braces nested deeper, is shown as source: conversion is recursive.
LONGEST = 2000
DEEPEST = 40
# "log n" needs a gap that the converter leaves out.
_FUNCTION = re.compile(r"(<mi>[a-z]{2,6}</mi>)(?=<m(?:i|n|row|sub|sup|frac|sqrt)\b)")
# They would reach outside of the formula: links, images, raw HTML and styles.
_FORBIDDEN = re.compile(r"\\(?:href|url|includegraphics|html\w*|class|style|cssId|require|def|newcommand)\b")


def _depth(latex: str) -> int:
    deepest = depth = 0
    for char in latex:
        if char == "{":
            depth += 1
            deepest = max(deepest, depth)
        elif char == "}":
            depth -= 1
    return deepest


@lru_cache(maxsize=1024)
def render_formula(latex: str, display: bool) -> str:
    """MathML of a formula; its escaped source where it is broken, too long, or not allowed."""
    source = f'<code class="formula">{escapeHtml(latex)}</code>'
    if len(latex) > LONGEST or _FORBIDDEN.search(latex) or _depth(latex) > DEEPEST or "\\left" * 20 in latex:
        return source
    try:
        mathml = str(convert(latex, display="block" if display else "inline"))
        return _FUNCTION.sub(r'\1<mspace width="0.17em" />', mathml)
    except Exception:
        # The converter has no common error class; a formula that it cannot read is no reason to lose a reply.
        return source


def _inline(state: StateInline, silent: bool) -> bool:
    opening = state.src[state.pos : state.pos + 2]
    if opening not in ("\\(", "\\["):
        return False
    end = state.src.find("\\)" if opening == "\\(" else "\\]", state.pos + 2, state.pos + 2 + LONGEST)
    content = state.src[state.pos + 2 : end].strip()
    if end < 0 or not content:
        return False
    if not silent:
        token = state.push("math_inline" if opening == "\\(" else "math_inline_double", "math", 0)
        token.content = content
    state.pos = end + 2
    return True


def _block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """From a line that begins with `\\[` to one that ends with `\\]`, so that no line in between becomes a list."""
    begin = state.bMarks[start] + state.tShift[start]
    if state.is_code_block(start) or not state.src.startswith("\\[", begin):
        return False
    for line in range(start, min(end, start + 100)):
        stop = state.eMarks[line]
        if line > start and state.isEmpty(line):
            return False
        text = state.src[begin if line == start else state.bMarks[line] : stop].rstrip()
        if text.endswith("\\]"):
            break
        if "\\]" in text:
            return False
    else:
        return False
    if silent:
        return True
    lines = [state.src[begin + 2 : state.eMarks[start]]] if line > start else []
    lines += [state.src[state.bMarks[n] + state.tShift[n] : state.eMarks[n]] for n in range(start + 1, line)]
    first = begin + 2 if line == start else state.bMarks[line]
    lines.append(state.src[first : state.eMarks[line]].rstrip()[:-2])
    token = state.push("math_block", "math", 0)
    token.block = True
    token.content = "\n".join(lines)
    token.map = [start, line + 1]
    state.line = line + 1
    return True


def bracket_math(md: MarkdownIt) -> None:
    """A markdown-it plugin: `\\( … \\)` and `\\[ … \\]` become the same tokens as `$ … $` and `$$ … $$`."""
    md.inline.ruler.before("escape", "math_brackets", _inline)
    md.block.ruler.before("fence", "math_brackets_block", _block, {"alt": ["paragraph", "blockquote", "list"]})
