"""The branch on show as Markdown, for people and their notes; and all conversations as a zip file of such.

It is not read again: versions, ratings and settings are in the JSON file only.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

from falconry.i18n import Language, translate
from falconry.messages import StoredMessage
from falconry.storage.transfer import Tree

_UNFIT = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+')
LONGEST_NAME = 80  # characters of a file's name


def file_name(title: str, ending: str) -> str:
    """A title as the name of a file on any system."""
    name = " ".join(_UNFIT.sub(" ", title).split()).strip(". ")[:LONGEST_NAME].strip(". ")
    while len(name.encode()) > 200:
        name = name[:-1]
    return f"{name or 'conversation'}.{ending}"


def branch(tree: Tree) -> list[StoredMessage]:
    """The branch on show, oldest first."""
    by_id = {each.message.id: each.message for each in tree.messages}
    found: list[StoredMessage] = []
    place = by_id.get(tree.conversation.head_id or "")
    while place is not None:
        found.append(place)
        place = by_id.get(place.parent_id or "")
    return found[::-1]


def to_markdown(tree: Tree, language: Language) -> Iterator[str]:
    """A conversation, a piece for each message."""
    conversation = tree.conversation
    yield f"# {_line(conversation.title) or translate('web.untitled', language)}\n\n"
    yield f"*{_time(conversation.created_at)}*\n"
    for message in branch(tree):
        yield f"\n---\n\n**{_line(_who(message, language))}** · {_time(message.created_at)}\n\n"
        for file in message.attachments:
            yield f"{'🖼️' if file.is_picture else '📎'} {_line(file.name)}\n\n"
        if message.thinking.strip():
            thought = translate("web.thought", language)
            yield f"<details><summary>{thought}</summary>\n\n{message.thinking.strip()}\n\n</details>\n\n"
        if message.content.strip():
            yield f"{_closed(message.content.strip())}\n"
        if (ended := _ended(message, language)) is not None:
            yield f"\n*{ended}*\n"


def _who(message: StoredMessage, language: Language) -> str:
    if message.role == "user":
        return translate("web.you", language)
    names = [name for name in (message.persona, message.model) if name]
    return " · ".join(names) or translate("web.assistant", language)


def _ended(message: StoredMessage, language: Language) -> str | None:
    keys = {
        "stopped": "web.ended_stopped",
        "interrupted": "web.ended_interrupted",
        "running": "web.ended_interrupted",
        "failed": "web.ended_failed",
    }
    return translate(keys[message.status], language) if message.status in keys else None


def _closed(text: str) -> str:
    """A block of code that was never closed would swallow all messages after it."""
    fence = ""
    for line in text.splitlines():
        mark = re.match(r" {0,3}(`{3,}|~{3,})(.*)", line)
        if mark is None:
            continue
        if not fence:
            fence = mark[1]
        elif mark[1].startswith(fence) and not mark[2].strip():
            fence = ""
    return f"{text}\n{fence}" if fence else text


def _line(text: str) -> str:
    """One line, with what Markdown would take for a mark told to be none."""
    return re.sub(r"([\\`*_\[\]<>#])", r"\\\1", " ".join(text.split()))


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


class _Pipe(io.RawIOBase):
    """What a zip file is written into: keeps what has not been handed on yet."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        self._kept += memoryview(data)  # type: ignore[arg-type]
        return len(memoryview(data))  # type: ignore[arg-type]

    def take(self) -> bytes:
        taken, self._kept = bytes(self._kept), bytearray()
        return taken


async def zipped(trees: AsyncIterator[Tree], language: Language) -> AsyncIterator[bytes]:
    """A zip file with one Markdown file for each conversation, in the folders of its own; in pieces."""
    pipe = _Pipe()
    taken: set[str] = set()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        async for tree in trees:
            name = _free_name(tree, taken, language)
            moment = max(tree.conversation.updated_at.astimezone(UTC), datetime(1980, 1, 1, tzinfo=UTC))
            info = zipfile.ZipInfo(name, moment.timetuple()[:6])
            info.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(info, "w") as file:
                for piece in to_markdown(tree, language):
                    file.write(piece.encode())
            yield pipe.take()
    yield pipe.take()


def _free_name(tree: Tree, taken: set[str], language: Language) -> str:
    title = tree.conversation.title or translate("web.untitled", language)
    begin = file_name(tree.folder, "")[:-1] + "/" if tree.folder else ""
    day = tree.conversation.created_at.astimezone(UTC).strftime("%Y-%m-%d ")
    name = begin + file_name(day + title, "md")
    number = 2
    while name.casefold() in taken:
        name = f"{begin}{file_name(f'{day}{title[:60]} {number}', 'md')}"
        number += 1
    taken.add(name.casefold())
    return name
