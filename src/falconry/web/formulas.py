r"""LaTeX to MathML, and the delimiters that models use for it: `\( \)`, `\[ \]`, dollars, and bare environments.

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
from mdit_py_plugins.dollarmath import dollarmath_plugin

# A formula beyond this many characters, or with braces nested deeper, is shown as source: conversion is recursive.
LONGEST = 2000
DEEPEST = 40
# "log n" needs a gap that the converter leaves out.
_FUNCTION = re.compile(r"(<mi>[a-z]{2,6}</mi>)(?=<m(?:i|n|row|sub|sup|frac|sqrt)\b)")
# What stands between two dollars is a formula by more than them: "$5 and not 6$" and "$5的苹果" are prices.
_WORDS = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{3,}|[\u4e00-\u9fff]")
_LATEX = re.compile(r"[\\^_={}]")
_BEGIN = re.compile(r"\\begin\{((?:equation|align|gather|multline|eqnarray|cases|[pbvBV]?matrix)\*?)\}")
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


def _closing(src: str, mark: str, start: int, end: int) -> int:
    """Where the closing dollars stand, those that are escaped apart; -1 where there are none."""
    while (found := src.find(mark, start, end)) >= 0:
        backslashes = len(src[start:found]) - len(src[start:found].rstrip("\\"))
        if backslashes % 2 == 0:
            return found
        start = found + 1
    return -1


def _is_formula(content: str, after: str) -> bool:
    """Whether what stands between two single dollars is a formula, and not the text between two prices."""
    if not content.strip() or after.isdigit():
        return False
    latex = bool(_LATEX.search(content))
    if content[0].isspace() or content[-1].isspace():
        return latex and content[0].isspace() and content[-1].isspace() and "\n" not in content
    return latex or not ((content[0].isdigit() and _WORDS.search(content)) or re.search(r"[\u4e00-\u9fff]", content))


def _dollars(state: StateInline, silent: bool) -> bool:
    """`$ … $` and `$$ … $$` inside of a paragraph."""
    src, start = state.src, state.pos
    if src[start] != "$" or (start and src[start - 1].isdigit()):
        return False
    mark = "$$" if src.startswith("$$", start) else "$"
    begin = start + len(mark)
    end = _closing(src, mark, begin, min(state.posMax, begin + 2 * LONGEST))
    if end < 0:
        return False
    content, after = src[begin:end], src[end + len(mark) : end + len(mark) + 1]
    if not (content.strip() if mark == "$$" else _is_formula(content, after)):
        return False
    if not silent:
        token = state.push("math_inline" if mark == "$" else "math_inline_double", "math", 0)
        token.content = content
    state.pos = end + len(mark)
    return True


def _environment(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """`\\begin{align} … \\end{align}` without any delimiters, from the beginning of a line to the end of one."""
    begin = state.bMarks[start] + state.tShift[start]
    match = _BEGIN.match(state.src, begin) if not state.is_code_block(start) else None
    if match is None:
        return False
    closing = f"\\end{{{match[1]}}}"
    for line in range(start, min(end, start + 100)):
        text = state.src[state.bMarks[line] : state.eMarks[line]]
        if text.rstrip().endswith(closing):
            break
        if closing in text or not text.strip():
            return False
    else:
        return False
    if not silent:
        token = state.push("math_block", "math", 0)
        token.block = True
        token.content = state.src[begin : state.eMarks[line]]
        token.map = [start, line + 1]
        state.line = line + 1
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


def formulas(md: MarkdownIt) -> None:
    """A markdown-it plugin: all delimiters become `math_inline`, `math_inline_double` or `math_block`."""
    # Of the plugin only `$$` blocks: its single dollars take "$5 and 10$" for a formula.
    md.use(dollarmath_plugin, allow_labels=False, allow_space=False, allow_digits=False)
    md.inline.ruler.at("math_inline", _dollars)
    md.inline.ruler.before("escape", "math_brackets", _inline)
    for name, rule in (("math_brackets_block", _block), ("math_environment", _environment)):
        md.block.ruler.before("fence", name, rule, {"alt": ["paragraph", "blockquote", "list"]})
