"""A file that somebody wants to import: whose it is, by its content, and everything in it, within limits.

Whatever is wrong with it is told with its place, and then nothing of it is taken.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal, NoReturn, TypeAlias

from falconry.errors import FalconryError, InvalidRequest
from falconry.protocols.json_limits import check_json
from falconry.storage.transfer import Tree
from falconry.transfer import chatgpt, json_format, open_webui
from falconry.transfer.fields import Fields, as_object
from falconry.transfer.refusals import ImportRefused, Notes

Kind: TypeAlias = Literal["falconry", "chatgpt", "open-webui"]

MOST_CONVERSATIONS = 20_000
MOST_MESSAGES = 400_000
MOST_MEMBERS = 100_000  # files in a zip file
MOST_NODES = 2_000_000  # lists and objects of one conversation
MOST_COMMAS = 10_000_000  # of one file: nobody else is served while the parser reads a list of small values
DEPTH = 64
_BLANKS = " \t\r\n"


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """What a file holds.

    Attributes:
        folders: names, of those too that are empty.
        personas, prompts: as `falconry.library` writes them; they are checked there.
        notes: what was left out, a sentence for each kind.
    """

    kind: Kind
    trees: tuple[Tree, ...]
    folders: tuple[str, ...] = ()
    personas: tuple[Mapping[str, Any], ...] = ()
    prompts: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[FalconryError, ...] = ()


def read_file(raw: bytes, most: int) -> ImportedFile:
    """Read a JSON file, or a zip file of such. It takes seconds for a large one: call it in a thread.

    Args:
        most: bytes that it may have, unpacked.

    Raises ImportRefused.
    """
    reader = _Reader()
    if raw[:4] == b"PK\x03\x04":
        for name, text in _unpacked(raw, most):
            reader.read(text, name)
    else:
        if len(raw) > most:
            raise _too_large(most)
        reader.read(_decoded(raw, "JSON"), "")
    return reader.result()


class _Reader:
    def __init__(self) -> None:
        self._notes = Notes()
        self._kinds: list[Kind] = []
        self._trees: list[Tree] = []
        self._messages = 0
        self._head: dict[str, Any] = {}

    def read(self, text: str, name: str) -> None:
        """Read one JSON file. What is of no known kind in a zip file is passed over."""
        for key, value in _values(text, name or "JSON"):
            if key is not None:
                self._head[key] = value
            elif isinstance(value, Mapping):
                self._conversation(value, name)
            else:
                raise ImportRefused()

    def _conversation(self, value: Mapping[str, Any], name: str) -> None:
        number = len(self._kinds) + 1
        title = value.get("title")
        where = f"{name}{': ' if name else ''}#{number}" + (f" “{title[:60]}”" if isinstance(title, str) else "")
        try:
            check_json(value, depth=DEPTH, nodes=MOST_NODES)
        except InvalidRequest as error:
            raise ImportRefused(
                f"{where}: {error.message}", code="import_too_complex", where=where, problem=error.message
            ) from error
        kind, tree = self._tree(as_object(value, where))
        self._kinds.append(kind)
        self._messages += len(tree.messages)
        if number > MOST_CONVERSATIONS or self._messages > MOST_MESSAGES:
            raise ImportRefused(
                f"The file has more than {MOST_CONVERSATIONS:,} conversations or {MOST_MESSAGES:,} messages.",
                code="import_too_much",
                conversations=MOST_CONVERSATIONS,
                messages=MOST_MESSAGES,
            )
        if tree.messages or kind == "falconry":  # others keep conversations in which nothing that they show was said
            self._trees.append(tree)

    def _tree(self, fields: Fields) -> tuple[Kind, Tree]:
        if self._head.get("format") == json_format.FORMAT:
            json_format.check_version(Fields(self._head, json_format.FORMAT))
            return "falconry", json_format.read_tree(fields)
        if chatgpt.is_conversation(fields.values):
            return "chatgpt", chatgpt.read_tree(fields, self._notes)
        if open_webui.is_conversation(fields.values):
            return "open-webui", open_webui.read_tree(fields, self._notes)
        raise ImportRefused()

    def result(self) -> ImportedFile:
        if self._head.get("format") == json_format.FORMAT:
            head = Fields(self._head, json_format.FORMAT)
            json_format.check_version(head)
            lists = {name: tuple(each.values for each in head.objects(name)) for name in ("personas", "prompts")}
            folders = tuple(head.texts("folders", 200))
            return ImportedFile("falconry", tuple(self._trees), folders, lists["personas"], lists["prompts"])
        if not self._kinds:
            raise ImportRefused()
        return ImportedFile(self._kinds[0], tuple(self._trees), notes=tuple(self._notes.all()))


# -- files


def _unpacked(raw: bytes, most: int) -> Iterator[tuple[str, str]]:
    """Names and texts of the JSON files in a zip file that may hold conversations."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            members = [each for each in archive.infolist() if each.filename.lower().endswith(".json")]
            if len(archive.infolist()) > MOST_MEMBERS:
                raise _bad_zip()
            named = [each for each in members if PurePosixPath(each.filename).name.startswith("conversations")]
            chosen = named or members
            if not chosen:
                raise ImportRefused()
            left = most
            for member in chosen:
                # Others have windows of gigabytes, and errors of their own; no export is packed like that.
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise _bad_zip()
                if member.file_size > left:
                    raise _too_large(most)
                with archive.open(member) as file:
                    content = file.read(left + 1)  # the size that it says may be a lie
                left -= len(content)
                if left < 0:
                    raise _too_large(most)
                name = PurePosixPath(member.filename).name[:100]
                yield name, _decoded(content, name)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise _bad_zip() from error


def _bad_zip() -> ImportRefused:
    return ImportRefused("The zip file is damaged or encrypted. Export it once more.", code="import_bad_zip")


def _too_large(most: int) -> ImportRefused:
    return ImportRefused(
        f"Unpacked, this is more than {most // 2**20} MiB. Export less at a time, or raise max_import_mib.",
        code="import_too_large",
        limit_mib=most // 2**20,
    )


def _decoded(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _no_json(name, f"byte {error.start} is not UTF-8") from error


def _no_json(name: str, problem: str) -> ImportRefused:
    return ImportRefused(f"{name} is not valid: {problem}.", code="import_no_json", name=name, problem=problem)


# -- JSON, a conversation at a time


class _Once(ValueError):
    """A name stands twice in one object."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _Once(name[:100])
            seen.add(name)
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant)


_Member: TypeAlias = tuple[str | None, Any]
"""A member of Falconry's own file by its name; or a conversation, without one."""


def _values(text: str, name: str) -> Iterator[_Member]:
    """What a file holds, one conversation at a time, so that a large file is not in memory twice."""
    if text.count(",") > MOST_COMMAS:
        problem = f"it has more than {MOST_COMMAS:,} values"
        raise ImportRefused(f"{name}: {problem}", code="import_too_complex", where=name, problem=problem)
    place = _skip(text, 0)
    try:
        if text.startswith("[", place):
            end = yield from _conversations(text, place)
        elif not text.startswith("{", place):
            raise ImportRefused()
        elif f'"{json_format.FORMAT}"' in text[:1000]:
            end = yield from _own_members(text, place)
        else:
            value, end = _DECODER.raw_decode(text, place)
            yield None, value
        if _skip(text, end) < len(text):
            raise _no_json(name, f"something follows after character {end}")
    except json.JSONDecodeError as error:
        raise _no_json(name, f"{error.msg}, line {error.lineno}, column {error.colno}") from error
    except _Once as error:
        raise _no_json(name, f"“{error}” stands twice in one object") from error
    except RecursionError as error:
        raise _no_json(name, "it is nested too deeply") from error
    except ValueError as error:
        raise _no_json(name, "a number is too large, or no number") from error


def _own_members(text: str, place: int) -> Generator[_Member, None, int]:
    """The members of one object at the top. Gives where it ends."""
    seen: set[str] = set()
    place = _skip(text, place + 1)
    while not text.startswith("}", place):
        if seen:
            place = _skip(text, _expect(text, place, ","))
        key, place = _DECODER.raw_decode(text, place)
        if not isinstance(key, str):
            raise json.JSONDecodeError("Expecting a name", text, place)
        if key in seen:
            raise _Once(key[:100])
        seen.add(key)
        place = _skip(text, _expect(text, _skip(text, place), ":"))
        if key == "conversations" and text.startswith("[", place):
            place = yield from _conversations(text, place)
        else:
            value, place = _DECODER.raw_decode(text, place)
            yield key, value
        place = _skip(text, place)
    return place + 1


def _conversations(text: str, place: int) -> Generator[_Member, None, int]:
    """The items of a list that begins here. Gives where it ends."""
    place = _skip(text, place + 1)
    if text.startswith("]", place):
        return place + 1
    while True:
        value, place = _DECODER.raw_decode(text, place)
        yield None, value
        place = _skip(text, place)
        if text.startswith("]", place):
            return place + 1
        place = _skip(text, _expect(text, place, ","))


def _skip(text: str, place: int) -> int:
    while place < len(text) and text[place] in _BLANKS:
        place += 1
    return place


def _expect(text: str, place: int, sign: str) -> int:
    if not text.startswith(sign, place):
        raise json.JSONDecodeError(f"Expecting '{sign}'", text, place)
    return place + 1
