"""A page of ours without Gradio: whole as it comes from the server, and useful without any script.

Everything is in the page itself, since who has not come in yet is not given other files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse

from falconry.gate.identity import language_of
from falconry.i18n import Language, translate
from falconry.web.assets import assets

Texts = Callable[..., str]
LOCALES: dict[Language, str] = {"en": "en", "zh": "zh-CN"}
# What a person chose in the pages holds here too: the theme, and the language unless the address names one.
_CHOICES = """(() => {
  try {
    const theme = localStorage.getItem("falconry.theme"), language = localStorage.getItem("falconry.language");
    if (theme) document.documentElement.dataset.theme = theme;
    const address = new URL(location);
    const other = ["en", "zh"].includes(language) && language !== "LANGUAGE";
    if (other && "METHOD" === "GET" && !address.searchParams.has("lang")) {
      address.searchParams.set("lang", language);
      location.replace(address);
    }
  } catch { /* without storage there is nothing chosen */ }
})();"""


def texts_for(language: Language) -> Texts:
    """A function that gives texts of the pages, escaped for HTML."""

    def text(name: str, **values: object) -> str:
        return escape(translate(f"web.{name}", language, **values))

    return text


def plain_page(
    request: Request,
    title: str,
    body: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    script: str = "",
    styles: Sequence[str] = (),
) -> HTMLResponse:
    """The page around a body.

    Args:
        title, body: HTML; whatever came from outside has been escaped.
        script: JavaScript of ours, for what the page can do beyond being read.
        styles: names of further style sheets of ours.
    """
    language = language_of(request)
    choices = _CHOICES.replace("LANGUAGE", language).replace("METHOD", request.method)
    looks = "".join(f"<style>{assets()[name].decode()}</style>" for name in ("plain.css", *styles))
    # Not `<head>` alone: by that Gradio's pages are known, which get other first lines (page_head.py).
    html = (
        f'<!doctype html><html lang="{LOCALES[language]}"><head data-plain><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title} · Falconry</title>'
        f'<link rel="icon" type="image/svg+xml" href="data:image/svg+xml,{quote(assets()["falcon.svg"].decode())}">'
        f"{looks}<script>{choices}</script></head>"
        f"<body>{body}{f'<script>{script}</script>' if script else ''}</body></html>"
    )
    return HTMLResponse(html, status, {"Cache-Control": "no-store", "Vary": "Accept-Language", **(headers or {})})


def brand() -> str:
    """The falcon and the name, a way home."""
    return f'<a class="brand" href="/">{assets()["falcon.svg"].decode()}<span>Falconry</span></a>'


def other_language(request: Request) -> str:
    """A link to the same page in the other language; it is remembered as the choice that the pages know."""
    other: Language = "en" if language_of(request) == "zh" else "zh"
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "lang"]
    address = "?" + "&".join(f"{quote(name)}={quote(value)}" for name, value in [*kept, ("lang", other)])
    remember = f"try{{localStorage.setItem('falconry.language','{other}')}}catch{{}}"
    name = "中文" if other == "zh" else "English"
    locale = LOCALES[other]
    return f'<a href="{escape(address)}" lang="{locale}" hreflang="{locale}" onclick="{remember}">{name}</a>'
