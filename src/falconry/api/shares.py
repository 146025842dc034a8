"""Our own API: links by which anybody may read a conversation as it was when it was shared."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from falconry.access.person import Person
from falconry.api.schemas import Id
from falconry.api.strict import StrictRoute
from falconry.errors import NotAllowed
from falconry.gate.identity import Asker
from falconry.gate.marks import user
from falconry.services import Services
from falconry.storage.shares import Share, Shares

Json = dict[str, Any]


def shares_router(services: Services) -> APIRouter:
    """Routes under /api/conversations/{id}/share."""
    router = APIRouter(
        prefix="/api/conversations/{conversation_id}/share", tags=["conversations"], route_class=StrictRoute
    )
    everybodys = Shares(services.database)

    @router.get("")
    @user("conversations")
    async def listed(asker: Asker, conversation_id: Id) -> Json:
        """The links to a conversation, and whether new ones can be made here."""
        found = await everybodys.of(asker.id).of_conversation(conversation_id)
        return {"shares": [_json(share) for share in found], "enabled": _refusal(asker) is None}

    @router.post("", status_code=201)
    @user("conversations")
    async def share(request: Request, asker: Asker, conversation_id: Id) -> Json:
        """Make a link that shows the branch on show, as it is now, to anybody who has it.

        Only this answer has the link; afterwards it is known by its id, and can be revoked.
        """
        mine = everybodys.of(asker.id)
        await mine.of_conversation(conversation_id)  # another's does not exist, whatever the settings say
        if (refusal := _refusal(asker)) is not None:
            raise refusal
        made, token = await mine.create(conversation_id)
        path = f"/s/{token}"
        # A proxy may speak https where we do not; a browser says how it came.
        origin = request.headers.get("origin") or str(request.base_url).rstrip("/")
        return {**_json(made), "path": path, "url": origin + path}

    @router.delete("", status_code=204)
    @user("conversations")
    async def revoke_all(asker: Asker, conversation_id: Id) -> None:
        """Revoke all links to a conversation; they lead nowhere from now on."""
        await everybodys.of(asker.id).revoke(conversation_id)

    @router.delete("/{share_id}", status_code=204)
    @user("conversations")
    async def revoke(asker: Asker, conversation_id: Id, share_id: Id) -> None:
        """Revoke one link; it leads nowhere from now on."""
        await everybodys.of(asker.id).revoke(conversation_id, share_id)

    def _refusal(asker: Person) -> NotAllowed | None:
        """Why this person can make no links."""
        if not asker.id:
            return NotAllowed(
                "Links can be shared only where people log in. Add a user first: falconry users add NAME.",
                code="share_needs_login",
            )
        if not services.settings.share_links:
            return NotAllowed(
                "This Falconry makes no links to share. An admin can allow them with the setting share_links.",
                code="share_links_off",
            )
        return None

    return router


def _json(share: Share) -> Json:
    return {"id": share.id, "created_at": share.created_at.isoformat()}
