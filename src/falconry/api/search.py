"""Our own API: search over all of a person's messages and titles."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from falconry.api.strict import StrictRoute
from falconry.gate.identity import Asker
from falconry.gate.marks import user
from falconry.services import Services
from falconry.storage.search import Hit, Search

LONGEST_QUERY = 20_000  # characters; what is more than a person types is cut, and no mistake
LARGEST_CURSOR = 2**62


def search_router(services: Services) -> APIRouter:
    """GET /api/search."""
    router = APIRouter(prefix="/api", route_class=StrictRoute, tags=["conversations"])
    search = Search(services.database)

    @router.get("/search")
    @user("conversations")
    async def find(
        asker: Asker,
        q: Annotated[str, Query(max_length=LONGEST_QUERY)] = "",
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        before: Annotated[int | None, Query(ge=1, le=LARGEST_CURSOR)] = None,
    ) -> dict[str, Any]:
        """The newest messages and titles that have all words of `q`.

        The last word may be the beginning of one, as while somebody types; `"words in quotes"` stand side by side.
        Case, width and accents do not matter. `next` is `before` of the next page, null at the end; a page may be
        short and still have a next one. `waiting` messages have not been read for the search yet.
        """
        found = await search.of(asker.id).find(q, limit=limit, before=before)
        if found.waiting:
            services.unread.set()
        return {"hits": [_hit_json(hit) for hit in found.hits], "next": found.next, "waiting": found.waiting}

    return router


def _hit_json(hit: Hit) -> dict[str, Any]:
    return {
        "conversation_id": hit.conversation_id,
        "title": hit.title,
        "message_id": hit.message_id,
        "role": hit.role,
        "created_at": hit.created_at.isoformat(),
        "snippet": [{"text": piece.text, "hit": piece.hit} for piece in hit.snippet],
    }
