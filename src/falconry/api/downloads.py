"""Our own API: models that are fetched, for admins."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import ConfigDict, Field

from falconry.api.errors import error_body
from falconry.api.request_body import RequestBody
from falconry.api.strict import StrictRoute
from falconry.gate.identity import language_of
from falconry.gate.marks import admin
from falconry.i18n import Language
from falconry.models.download import Download
from falconry.services import Services

Json = dict[str, Any]
DownloadId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]


class WantedModel(RequestBody):
    """A model to be fetched: a name of the catalogue, `org/name`, `org/name:Q8_0`, `org/name/file.gguf` or a URL."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, Field(min_length=1, max_length=2000)]


def downloads_router(services: Services) -> APIRouter:
    """Routes under /api/downloads."""
    router = APIRouter(prefix="/api/downloads", route_class=StrictRoute, tags=["models"])
    downloads = services.downloads

    @router.get("")
    @admin
    async def listed(request: Request) -> Json:
        """The downloads that have begun, in their order: those that run, and those that ended and are not removed.

        `state` is "waiting", "running", "verifying", "done", "failed" (and then `error` says why), "cancelled" or
        "paused". Sizes are in bytes, `speed` in bytes per second, `remaining` in seconds; null is what nobody knows.
        `model` is the name under which it can be chosen once it is there.
        """
        language = language_of(request)
        return {"downloads": [download_json(download, language) for download in downloads.all()]}

    @router.post("", status_code=202)
    @admin
    async def start(request: Request, body: WantedModel) -> Json:
        """Begin to fetch a model, or go on with one that was cut off. Whoever wants what is being fetched already gets
        that download. The hub is asked first, and the disk has to have room."""
        return download_json(await downloads.start(body.model), language_of(request))

    @router.post("/{download_id}/cancel")
    @admin
    async def cancel(request: Request, download_id: DownloadId) -> Json:
        """End a download and remove what has been fetched of it. One that has ended stays as it is."""
        return download_json(await downloads.cancel(download_id), language_of(request))

    @router.post("/{download_id}/pause")
    @admin
    async def pause(request: Request, download_id: DownloadId) -> Json:
        """End a download for now and keep what has been fetched: to start it again goes on from there."""
        return download_json(await downloads.pause(download_id), language_of(request))

    @router.delete("/{download_id}", status_code=204)
    @admin
    async def remove(download_id: DownloadId) -> None:
        """Take a download that has ended off the list, with what was fetched of it and is not complete."""
        await downloads.remove(download_id)

    return router


def download_json(download: Download, language: Language) -> Json:
    """A download for the page and for programs; what went wrong in the asker's language as `text`."""
    return {
        "id": download.id,
        "wanted": download.wanted,
        "title": download.title,
        "files": list(download.files),
        "total": download.total,
        "done": download.done,
        "speed": download.speed,
        "remaining": download.remaining,
        "state": download.state,
        "error": error_body(download.error, language) if download.error is not None else None,
        "path": str(download.path),
        "model": download.model,
    }
