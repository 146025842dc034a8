"""A conversation that somebody has shared: a page from the server, to be read by anybody who has its link.

It shows what was said and by which model, the pictures beside it, and nothing else: no system message, no settings, no
thoughts, no other files. The pictures are in the page itself, so that they end with the link.
"""

from __future__ import annotations

import asyncio
from html import escape
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Path as PathParameter
from fastapi.responses import Response

from falconry.errors import NotFound
from falconry.gate.identity import language_of
from falconry.gate.marks import public
from falconry.messages import Attachment, StoredMessage
from falconry.protocols.images import as_data_uri
from falconry.services import Services
from falconry.storage.shares import SharedConversation, Shares
from falconry.web.markdown import render_blocks
from falconry.web.plain import Texts, brand, other_language, plain_page, texts_for

# The address is the secret: no search engine and no cache is to know it; other sites do not by the guard's headers.
_HEADERS = {"X-Robots-Tag": "noindex, nofollow, noarchive"}
_STYLES = ("message.css", "shared.css")


def shared_router(services: Services) -> APIRouter:
    """GET /s/{token}."""
    router = APIRouter(include_in_schema=False)
    shares = Shares(services.database)

    @router.get("/s/{token}")
    @public
    async def shared(request: Request, token: Annotated[str, PathParameter(max_length=200)]) -> Response:
        texts = texts_for(language_of(request))
        try:
            if not services.settings.share_links:
                raise NotFound("This link does not lead to anything, or not any more.", code="share_not_found")
            found = await shares.read(token)
        except NotFound:
            return _page(request, texts("shared_gone"), _gone(request, texts), status=404)
        # A thread, because a long conversation takes a second to render.
        body = await asyncio.to_thread(_body, request, texts, found)
        return _page(request, escape(found.conversation.title) or texts("untitled"), body)

    return router


def _page(request: Request, title: str, body: str, *, status: int = 200) -> Response:
    return plain_page(request, title, body, status=status, headers=_HEADERS, styles=_STYLES)


def _gone(request: Request, texts: Texts) -> str:
    return (
        f'<div class="door"><main>{brand()}<section class="card"><h1>{texts("shared_gone")}</h1>'
        f'<p class="muted">{texts("shared_gone_more")}</p></section></main>'
        f"<footer>{other_language(request)}</footer></div>"
    )


def _body(request: Request, texts: Texts, found: SharedConversation) -> str:
    day = found.shared_at.strftime("%Y-%m-%d")
    turns = "".join(_turn(message, texts) for message in found.messages if message.role in ("user", "assistant"))
    return (
        f'<div class="shared"><header>{brand()}{other_language(request)}</header><main>'
        f"<h1>{escape(found.conversation.title) or texts('untitled')}</h1>"
        f'<p class="muted">{texts("shared_on", day=day)}</p>'
        f'<div class="f-column">{turns}</div></main>'
        f'<footer class="muted">{texts("shared_note")}</footer></div>'
    )


def _turn(message: StoredMessage, texts: Texts) -> str:
    if message.role == "user":
        pictures = "".join(f"<li>{_picture(file)}</li>" for file in message.attachments)
        beside = f'<ul class="f-attached">{pictures}</ul>' if pictures else ""
        bubble = f'<div class="f-bubble">{escape(message.content)}</div>' if message.content.strip() else ""
        return f'<article class="f-turn f-question" aria-label="{texts("you")}">{beside}{bubble}</article>'
    blocks = "".join(f'<div class="f-block">{html}</div>' for html in render_blocks(message.content))
    name = escape(message.model or "") or texts("assistant")
    return (
        f'<article class="f-turn" aria-label="{name}"><p class="shared-who">{name}</p>'
        f'<div class="f-blocks">{blocks}</div>{_ending(message, texts)}</article>'
    )


def _picture(file: Attachment) -> str:
    if file.image is None:
        return escape(file.as_text())
    return f'<img class="shared-picture" src="{as_data_uri(file.image)}" alt="{escape(file.name)}">'


def _ending(message: StoredMessage, texts: Texts) -> str:
    ended = {
        "stopped": texts("ended_stopped"),
        "interrupted": texts("ended_interrupted"),
        "running": texts("ended_interrupted"),
        "failed": texts("ended_failed"),
    }.get(message.status)
    return f'<p class="muted shared-end">{ended}</p>' if ended else ""
