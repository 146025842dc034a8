"""Our own API: the folders in which a person keeps conversations."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter

from falconry.access.person import Person
from falconry.api.schemas import FolderName, Id, named
from falconry.api.strict import StrictRoute
from falconry.chat.chat import Chat
from falconry.gate.identity import Asker
from falconry.gate.marks import user
from falconry.services import Services

Json = dict[str, Any]


def folders_router(services: Services) -> APIRouter:
    """Routes under /api/folders."""
    router = APIRouter(prefix="/api/folders", route_class=StrictRoute, tags=["conversations"])

    def mine(asker: Person) -> Chat:
        return services.chat.of(asker.id)

    @router.get("")
    @user("conversations")
    async def folders(asker: Asker) -> Json:
        """The folders by name, and how many conversations are in each."""
        return {"folders": [asdict(folder) for folder in await mine(asker).folders()]}

    @router.post("", status_code=201)
    @user("conversations")
    async def create(asker: Asker, body: FolderName) -> Json:
        """Make a folder. Conversations are put into it by a PATCH of theirs."""
        return asdict(await mine(asker).create_folder(named(body.name)))

    @router.patch("/{folder_id}")
    @user("conversations")
    async def rename(asker: Asker, folder_id: Id, body: FolderName) -> Json:
        """Rename a folder."""
        return asdict(await mine(asker).rename_folder(folder_id, named(body.name)))

    @router.delete("/{folder_id}", status_code=204)
    @user("conversations")
    async def delete(asker: Asker, folder_id: Id) -> None:
        """Delete a folder; its conversations stay, without one."""
        await mine(asker).delete_folder(folder_id)

    return router
