"""Finds text for people that stands in the sources instead of the tables of both languages."""

from __future__ import annotations

import ast
import re

STRING = r'"((?:[^"\\\n]|\\.)*)"|\'((?:[^\'\\\n]|\\.)*)\'|`((?:[^`\\]|\\.)*)`'
# What people get to see or hear: a literal right behind one of these.
SINKS = re.compile(
    r"(?:\.(?:textContent|title|placeholder|alt|innerText|ariaLabel)\s*=\s*"
    r"|\b(?:title|placeholder|alt|label|textContent|innerText|description|roledescription|valuetext):\s*"
    r"|setAttribute\(\s*\"(?:aria-(?:label|description|roledescription|valuetext)|title|placeholder|alt)\",\s*"
    r"|\b(?:notice|announce|dialog|button|confirm|alert|Text)\(\s*"
    r"|\.(?:append|prepend|replaceChildren)\(\s*)"
    rf"(?:{STRING})"
)
# A child of `el(tag, {…}, "text")`.
CHILD = re.compile(rf"\}},\s*(?:{STRING})\s*[,)]")
WORDS = re.compile(r"[A-Za-z]{2,}|[\u3400-\u9fff]")
SENTENCE = re.compile(r"^[A-Z][a-z]+(?:'[a-z]+)?,? [a-z]+,? [a-z]+")
CHINESE = re.compile(r"[\u3400-\u9fff]")
COMMENTS = re.compile(r"/\*.*?\*/|(?<![:\"'`\\])//[^\n]*", re.DOTALL)
KEYWORDS = {"label", "placeholder", "info", "title", "value", "description"}


def in_script(source: str) -> set[str]:
    """Literals of a JavaScript module that people would see: in a place that is shown, or plainly a sentence."""
    code = COMMENTS.sub("", source)
    shown = {_text(match) for pattern in (SINKS, CHILD) for match in pattern.finditer(code)}
    found = {text for text in shown if WORDS.search(re.sub(r"\$\{[^}]*\}", "", text))}
    literals = {_text(match) for match in re.finditer(STRING, code)}
    return found | {text for text in literals if SENTENCE.match(text) or CHINESE.search(text)}


def _text(match: re.Match[str]) -> str:
    return next((group for group in match.groups() if group is not None), "")


def in_module(source: str) -> set[str]:
    """Literals of a Python module of the pages that people would see: texts of components, and text between tags."""
    tree = ast.parse(source)
    documentation = {
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in KEYWORDS and isinstance(node.value, ast.Constant):
            if isinstance(node.value.value, str) and WORDS.search(node.value.value):
                found.add(node.value.value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in documentation:
            between = re.findall(r">([^<>{}]+)<", node.value)
            found |= {text.strip() for text in between if WORDS.search(text)}
            if CHINESE.search(node.value):
                found.add(node.value)
    return found
