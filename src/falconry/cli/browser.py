"""Whether there is a browser that a person would see, and opening the page in it."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser


def find_browser() -> str | None:
    """The browser's name; None on a machine without a screen, where only text browsers would be left."""
    if sys.platform.startswith("linux") and not any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    ):
        return None
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return None
    return str(getattr(browser, "name", "") or type(browser).__name__)


def open_page(url: str) -> None:
    """Open a page. In a thread, for some browsers keep their caller waiting until they are closed."""
    if find_browser() is not None:
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
