"""Our own API: conversations as files, out and in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from falconry.access.person import Person
from falconry.api.schemas import Id
from falconry.api.strict import StrictRoute, UnsupportedMediaType
from falconry.attachments.names import content_disposition
from falconry.errors import ConversationNotFound, InvalidRequest
from falconry.event_stream import EventStream
from falconry.gate.identity import Asker, language_of
from falconry.gate.marks import user
from falconry.i18n import error_text
from falconry.library.library import Library
from falconry.library.values import LONGEST_NAME, Persona, SavedPrompt, handle_of, persona_from
from falconry.services import Services
from falconry.storage.library import MOST_ENTRIES
from falconry.storage.transfer import TransferStore, Tree
from falconry.storage.values import storable
from falconry.transfer.json_format import document
from falconry.transfer.markdown import file_name, to_markdown, zipped
from falconry.transfer.reading import ImportedFile, read_file
from falconry.transfer.refusals import ImportRefused, wrong_value

Json = dict[str, Any]
Format = Annotated[Literal["json", "markdown"], Query()]
IMPORT_PATH = "/api/import"
PIECE = 64 * 1024  # bytes that are sent at a time
MOST_TOLD = 1000  # ids of new conversations in an answer
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
_RAW_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("application/json", "application/zip")
        },
    }
}


def _files(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """For the description: an answer that is a file of one of these media types."""
    return {200: {"content": {kind: {} for kind in kinds}}}


class Download(EventStream):
    """A file that is sent as it is made; a reader who stops reading is cut as one of events is."""

    def __init__(self, pieces: AsyncGenerator[bytes, None], media_type: str, name: str) -> None:
        self.media_type = media_type
        super().__init__(pieces)
        self.headers["Content-Disposition"] = content_disposition(name)
        self.headers["X-Content-Type-Options"] = "nosniff"


def transfer_router(services: Services) -> APIRouter:
    """Export of one conversation or of everything, and import."""
    router = APIRouter(prefix="/api", tags=["conversations"], route_class=StrictRoute)
    everybodys = TransferStore(services.database)
    library = Library.on(services.database)

    @router.get("/conversations/{conversation_id}/export", responses=_files("application/json", "text/markdown"))
    @user("conversations")
    async def export_one(request: Request, asker: Asker, conversation_id: Id, format: Format = "json") -> Response:  # noqa: A002
        """One conversation as a file: `json` with all versions, to be imported again, or the branch on show as
        `markdown`."""
        tree = await everybodys.of(asker.id).tree(conversation_id)
        language = language_of(request)
        if format == "json":
            pieces = document(_each([tree]), [tree.folder] if tree.folder else [])
            return Download(_in_pieces(pieces), "application/json", file_name(tree.conversation.title, "json"))
        text = _encoded(to_markdown(tree, language))
        return Download(_in_pieces(text), "text/markdown; charset=utf-8", file_name(tree.conversation.title, "md"))

    @router.get("/export", responses=_files("application/json", "application/zip"))
    @user("conversations")
    async def export_all(request: Request, asker: Asker, format: Format = "json") -> Response:  # noqa: A002
        """Everything: all conversations, folders, personas and prompts as one `json` file, or a zip file with the
        branches on show as `markdown`. What lies in the trash is not in it."""
        store = everybodys.of(asker.id)
        trees = _trees(store, await store.ids())
        day = datetime.now(UTC).strftime("%Y-%m-%d")
        if format == "markdown":
            pieces = zipped(trees, language_of(request))
            return Download(_in_pieces(pieces), "application/zip", f"falconry-{day}.zip")
        own = library.of(asker.id)
        prompts = [known.prompt for known in await own.prompts("en") if not known.shipped]
        kept = {
            "personas": [known.persona.as_json() for known in await own.own_personas()],
            "prompts": [{"name": prompt.name, "content": prompt.content} for prompt in prompts],
        }
        pieces = document(trees, await store.folders(), kept)
        return Download(_in_pieces(pieces), "application/json", f"falconry-{day}.json")

    @router.post("/import", openapi_extra=_RAW_BODY)
    @user("conversations")
    async def import_file(request: Request, asker: Asker) -> Json:
        """Import a file, sent as the body: an export of Falconry's, of ChatGPT's (zip or conversations.json) or of
        Open WebUI's.

        All of it or nothing: what is wrong with a file is told with its place. `skipped` conversations are here
        already; `problems` says what was left out.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind in _FORMS:
            raise UnsupportedMediaType(
                "Send the file's bytes as the body, with the header Content-Type: application/octet-stream.",
                code="not_a_form",
            )
        raw = await request.body()
        file = await asyncio.to_thread(read_file, raw, services.settings.max_import_mib * 2**20)
        del raw
        found = await _take(file, asker, everybodys, library)
        services.unread.set()
        services.chat.of(asker.id).list_changed()
        language = language_of(request)
        problems = [{**note.as_dict(), "text": error_text(note.as_dict(), language)} for note in file.notes]
        return {**found, "kind": file.kind, "problems": problems}

    return router


async def _take(file: ImportedFile, asker: Person, everybodys: TransferStore, library: Library) -> Json:
    """Store what a file holds. All of it is checked before any of it is written."""
    own = library.of(asker.id)
    personas = [_persona(values, number) for number, values in enumerate(file.personas, 1)]
    prompts = await _new_prompts(own, [_prompt(values, number) for number, values in enumerate(file.prompts, 1)])
    added_personas, _ = await own.import_personas(personas) if personas else ([], 0)
    for prompt in prompts:
        await own.add_prompt(prompt)
    imported = await everybodys.of(asker.id).add(file.trees, file.folders)
    return {
        "imported": len(imported.added),
        "skipped": imported.skipped,
        "conversation_ids": list(imported.added[:MOST_TOLD]),
        "personas": len(added_personas),
        "prompts": len(prompts),
    }


def _persona(values: Mapping[str, Any], number: int) -> Persona:
    try:
        return persona_from(values)
    except InvalidRequest as error:
        raise _refused(f"personas {number}", error) from error


def _prompt(values: Mapping[str, Any], number: int) -> SavedPrompt:
    name, content = values.get("name"), values.get("content")
    where = f"prompts {number}"
    if not isinstance(name, str) or not isinstance(content, str):
        raise wrong_value(where, "name" if not isinstance(name, str) else "content")
    try:
        return SavedPrompt(storable(name), storable(content))
    except InvalidRequest as error:
        raise _refused(where, error) from error


def _refused(where: str, error: InvalidRequest) -> ImportRefused:
    return ImportRefused(f"{where}: {error.message}", code="import_too_complex", where=where, problem=error.message)


async def _new_prompts(own: Library, prompts: Sequence[SavedPrompt]) -> list[SavedPrompt]:
    """Those that are not there yet; one whose name is taken gets a number behind it. Raises InvalidRequest."""
    known = {each.prompt for each in await own.prompts("en") if not each.shipped}
    taken = {prompt.handle for prompt in known}
    contents = {prompt.content for prompt in known}
    new: list[SavedPrompt] = []
    for prompt in prompts:
        if prompt in known or (prompt.handle in taken and prompt.content in contents):
            continue
        name, number = prompt.name, 2
        while handle_of(name) in taken:
            name, number = f"{prompt.name[: LONGEST_NAME - 5].rstrip()} {number}", number + 1
        new.append(replace(prompt, name=name))
        taken.add(handle_of(name))
    if len(known) + len(new) > MOST_ENTRIES:
        raise InvalidRequest(
            f"There is room for {MOST_ENTRIES} of them. Delete some first.", code="library_full", limit=MOST_ENTRIES
        )
    return new


# -- pieces


async def _each(trees: Iterable[Tree]) -> AsyncIterator[Tree]:
    for tree in trees:
        yield tree


async def _trees(store: TransferStore, ids: Sequence[str]) -> AsyncIterator[Tree]:
    """One conversation in memory at a time. What is deleted meanwhile is not in the file."""
    for conversation_id in ids:
        try:
            tree = await store.tree(conversation_id)
        except ConversationNotFound:
            continue
        yield tree


async def _encoded(pieces: Iterable[str]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece.encode()


async def _in_pieces(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The same bytes, `PIECE` of them or more at a time."""
    kept = bytearray()
    async for piece in pieces:
        kept += piece
        if len(kept) >= PIECE:
            yield bytes(kept)
            kept.clear()
            await asyncio.sleep(0)  # a reader that takes all at once must not keep the others waiting
    if kept:
        yield bytes(kept)
