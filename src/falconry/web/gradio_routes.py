"""The few of Gradio's routes that our pages need. All others do not exist: the gate lets nothing through to them.

Gradio brings some sixty, and leaves several of them open whatever its own login says: uploads, other people's files,
cancelling other people's jobs. Our pages have no event that reaches Python, so they need the page itself, its
scripts, its styles and its fonts. `tests/web/test_gradio_routes.py` drives a browser through the pages and looks that
nothing they ask for is missing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from falconry.gate.marks import Access
from falconry.gate.route_table import Entry

_READ = frozenset({"GET"})
_USER = Access("user", "conversations")
_FILES = ("/theme.css", "/assets/{path:path}", "/static/fonts/{path:path}", "/static/js/{path:path}")
# What Gradio's files are called; a longer name is an error of the file system, which Gradio hands on as a 500.
_FILE_NAME = r"[A-Za-z0-9._-]{1,200}(?:/[A-Za-z0-9._-]{1,200}){0,4}"


def gradio_entries(pages: Sequence[str]) -> list[Entry]:
    """The entries for the pages of a `gr.Blocks`, each `/` or `/name`, and for the files they are made of."""
    return [Entry(path, _READ, _USER, _pattern(path)) for path in (*pages, *_FILES)]


def _pattern(path: str) -> re.Pattern[str]:
    start, separator, _ = path.partition("{path:path}")
    return re.compile(re.escape(start) + (_FILE_NAME if separator else ""))
