"""The one sanitiser: every piece of HTML that a page shows has gone through `clean`.

The allow-list holds what markdown makes and no more: no images, no styles, no ids, no event handlers, no forms. Links
go to http, https and mailto only, open in a new tab, and tell the other side nothing about us.
"""

from __future__ import annotations

import re

import nh3

_HTML_TAGS = frozenset(
    [
        "a",
        "b",
        "blockquote",
        "br",
        "button",
        "code",
        "del",
        "div",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "kbd",
        "li",
        "ol",
        "p",
        "pre",
        "s",
        "span",
        "strong",
        "sub",
        "sup",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "ul",
    ]
)
_MATHML_TAGS = frozenset(
    [
        "math",
        "menclose",
        "mfrac",
        "mi",
        "mmultiscripts",
        "mn",
        "mo",
        "mover",
        "mpadded",
        "mphantom",
        "mprescripts",
        "mroot",
        "mrow",
        "mspace",
        "msqrt",
        "mstyle",
        "msub",
        "msubsup",
        "msup",
        "mtable",
        "mtd",
        "mtext",
        "mtr",
        "munder",
        "munderover",
        "none",
    ]
)
_MATHML_ATTRIBUTES = frozenset(
    [
        "accent",
        "accentunder",
        "columnalign",
        "columnlines",
        "columnspacing",
        "depth",
        "display",
        "displaystyle",
        "fence",
        "form",
        "height",
        "largeop",
        "linethickness",
        "lspace",
        "mathvariant",
        "maxsize",
        "minsize",
        "movablelimits",
        "notation",
        "rowlines",
        "rowspacing",
        "rspace",
        "scriptlevel",
        "separator",
        "stretchy",
        "symmetric",
        "voffset",
        "width",
    ]
)
_ATTRIBUTES = {
    "a": {"href", "class", "title"},
    "ol": {"start"},
    "code": {"class"},
    "span": {"class"},
    "div": {"class"},
    "th": {"class"},
    "td": {"class"},
    "li": {"class"},
    "button": {"class"},
} | {tag: set(_MATHML_ATTRIBUTES) for tag in _MATHML_TAGS}

_SURROGATE = re.compile("[\ud800-\udfff]")
SAFE_LINK = re.compile(r"(?:https?://|mailto:)[^\s]", re.IGNORECASE)

_CLEANER = nh3.Cleaner(
    tags=set(_HTML_TAGS | _MATHML_TAGS),
    clean_content_tags={"script", "style"},
    attributes=_ATTRIBUTES,
    link_rel="noopener noreferrer",
    set_tag_attribute_values={"a": {"target": "_blank"}, "button": {"type": "button"}},
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
)


def clean(html: str) -> str:
    """HTML of which only the harmless part is left. Half a character, which an endpoint may send, becomes a mark."""
    try:
        return _CLEANER.clean(html)
    except UnicodeEncodeError:
        return _CLEANER.clean(_SURROGATE.sub("\ufffd", html))
