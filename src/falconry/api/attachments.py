"""Files and pictures beside messages: upload one, read what became of it, throw it away before it is sent."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from falconry.access.person import Person
from falconry.api.schemas import Id
from falconry.api.strict import StrictRoute, UnsupportedMediaType
from falconry.attachments.names import content_disposition, safe_name
from falconry.attachments.pictures import read_picture
from falconry.errors import InvalidRequest, NotFound
from falconry.gate.guard import SANDBOX
from falconry.gate.identity import Asker, language_of
from falconry.gate.marks import user
from falconry.i18n import error_text
from falconry.messages import PICTURE_TYPES
from falconry.protocols.images import MOST_BYTES
from falconry.services import Services
from falconry.storage.attachments import MOST_CHARACTERS, MOST_PICTURES, Attachments

Json = dict[str, Any]

MOST_FILES = 20  # of one message; NewTurn has the same limit
# What a form sends: its parts are not the file.
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
_RAW_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {kind: {} for kind in sorted(PICTURE_TYPES)}}}


def attachments_router(services: Services) -> APIRouter:
    """Routes under /api/attachments."""
    router = APIRouter(prefix="/api/attachments", route_class=StrictRoute, tags=["attachments"])
    everybodys = Attachments(services.database)

    def mine(asker: Person) -> Attachments:
        return everybodys.of(asker.id)

    @router.get("")
    @user("conversations")
    async def unsent(asker: Asker) -> Json:
        """The files that no message has taken along yet, and what one message may have of them."""
        limits = {
            "files": MOST_FILES,
            "bytes": services.settings.max_body_mib * 2**20,
            "characters": MOST_CHARACTERS,
            "pictures": MOST_PICTURES,
            "picture_bytes": MOST_BYTES,
        }
        return {"attachments": [file.about() for file in await mine(asker).unsent()], "limits": limits}

    @router.post("", status_code=201, openapi_extra=_RAW_BODY)
    @user("conversations")
    async def upload(request: Request, asker: Asker, name: Annotated[str, Query(max_length=4096)] = "") -> Json:
        """Send a file's bytes as the body; its text is kept, and the id goes into the next message's `attachments`.

        Text of any encoding, PDF, Word, PowerPoint, Excel and OpenDocument. `warning` says what could not be read.
        PNG, JPEG and GIF are kept as they are, for models that see pictures. A file that is not sent within a day is
        thrown away.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind in _FORMS:
            raise UnsupportedMediaType(
                "Send the file's bytes as the body, with the header Content-Type: application/octet-stream.",
                code="not_a_form",
            )
        data = await request.body()
        files = mine(asker)
        await files.purge()
        picture = read_picture(data)
        if picture is not None:
            return (await files.add(safe_name(name), picture.media_type, len(data), picture=data)).about()
        found = await services.extractor.read(data, most_characters=MOST_CHARACTERS)
        added = (await files.add(safe_name(name), found.media_type, len(data), found.text)).about()
        if found.warning:
            added["warning"] = error_text(found.warning, language_of(request))
        return added

    @router.get("/{attachment_id}", responses={200: {"content": {"text/plain": {}}}})
    @user("conversations")
    async def text(asker: Asker, attachment_id: Id) -> Response:
        """The text of a file, as the model reads it."""
        file = await mine(asker).get(attachment_id)
        if file.is_picture:
            raise InvalidRequest(
                "This file is a picture and has no text. The picture is at /api/attachments/{id}/image.",
                code="file_is_picture",
            )
        name = file.name if file.media_type.startswith("text/") else f"{file.name}.txt"
        headers = {"Content-Disposition": content_disposition(name), "X-Content-Type-Options": "nosniff"}
        return Response(file.text, media_type="text/plain; charset=utf-8", headers=headers)

    @router.get("/{picture_id}/image", responses=_PICTURE)
    @user("conversations")
    async def image(asker: Asker, picture_id: Id) -> Response:
        """A picture, as it was sent."""
        file = await mine(asker).get(picture_id)
        if file.image is None:
            raise NotFound("This file is no picture.", code="file_not_picture")
        headers = {
            "Content-Disposition": content_disposition(file.name, kind="inline"),
            "Content-Security-Policy": SANDBOX,
            "X-Content-Type-Options": "nosniff",
            # It never changes; nobody else's cache is to have it.
            "Cache-Control": "private, max-age=604800, immutable",
        }
        return Response(file.image.data, media_type=file.image.media_type, headers=headers)

    @router.delete("/{attachment_id}", status_code=204)
    @user("conversations")
    async def remove(asker: Asker, attachment_id: Id) -> None:
        """Throw away a file that has not been sent yet."""
        await mine(asker).remove(attachment_id)

    return router
