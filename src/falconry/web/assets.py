"""Our own scripts, styles and texts, under an address that holds a hash of all of them.

The address changes with the content, so browsers may keep a file for ever and never show an old one; and since all
files lie under one hash, the modules import each other by plain relative names.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from functools import cache
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from falconry.gate.marks import public
from falconry.i18n import LANGUAGES, table

_TYPES = {
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "json": "application/json",
}
FOR_EVER = "public, max-age=31536000, immutable"


@cache
def assets() -> dict[str, bytes]:
    """Name to content: everything in static/, and the texts of both languages as en.json and zh.json."""
    found = {
        entry.name: entry.read_bytes()
        for entry in files("falconry.web").joinpath("static").iterdir()
        if entry.name.rpartition(".")[2] in _TYPES
    }
    for language in LANGUAGES:
        found[f"{language}.json"] = json.dumps(dict(table(language, "web")), ensure_ascii=False).encode()
    return found


@cache
def base_url() -> str:
    """Where the assets are served, without a slash at the end. Gradio has other files under /static."""
    digest = hashlib.sha256(b"\0".join(name.encode() + b"\0" + body for name, body in sorted(assets().items())))
    return f"/static/falconry/{digest.hexdigest()[:16]}"


@cache
def _zipped(name: str) -> bytes:
    return gzip.compress(assets()[name], mtime=0)


@public
async def serve_asset(request: Request) -> Response:
    """GET {base_url}/{name}; an old hash is a 404, for an old page has to be loaded anew anyway."""
    name = request.path_params["name"]
    if request.path_params["digest"] != base_url().rpartition("/")[2] or name not in assets():
        return Response(status_code=404)
    headers = {"Cache-Control": FOR_EVER, "Vary": "Accept-Encoding"}
    media_type = _TYPES[name.rpartition(".")[2]]
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(_zipped(name), headers=headers | {"Content-Encoding": "gzip"}, media_type=media_type)
    return Response(assets()[name], headers=headers, media_type=media_type)
