"""Pictures beside messages, on both databases: kept byte for byte, read for models, and how many there may be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from falconry.errors import InvalidRequest, NotFound
from falconry.messages import Attachment, StoredMessage
from falconry.storage import attachments as store_of_files
from falconry.storage.attachments import MOST_PICTURE_BYTES, MOST_PICTURES, Attachments, attach, with_contents
from falconry.storage.comparisons import ComparisonStore
from falconry.storage.conversations import Conversations
from falconry.storage.database import Database
from falconry.storage.transfer import TransferStore
from falconry.transfer.json_format import document
from falconry.transfer.reading import read_file
from tests.pictures import png
from tests.storage.talk import say
from tests.storage.test_transfer import each

RED, BLUE = png("red"), png("blue")


@pytest.fixture
def files(database: Database) -> Attachments:
    return Attachments(database)


async def add(files: Attachments, data: bytes, name: str = "red.png", size: int | None = None) -> Attachment:
    return await files.add(name, "image/png", len(data) if size is None else size, picture=data)


async def test_a_picture_comes_back_byte_for_byte(files: Attachments) -> None:
    added = await add(files, RED)
    assert (added.is_picture, added.size, added.characters, added.image) == (True, len(RED), 0, None)
    found = await files.get(added.id)
    assert found.image is not None
    assert (found.image.data, found.image.media_type) == (RED, "image/png")
    assert (found.image.width, found.image.height) == (64, 48)
    assert (await files.unsent(), await files.about([added.id, "none"])) == ([added], (added,))


async def test_a_model_reads_pictures_before_the_text_and_another_their_names(
    files: Attachments, database: Database
) -> None:
    red, notes = await add(files, RED, "a [red] one.png"), await files.add("a.txt", "text/plain", 3, "abc")
    asked = StoredMessage("1", "2", None, "user", "What?", datetime.now(UTC), attachments=(red, notes))
    (read,) = await database.read(lambda c: with_contents(c, [asked]))
    seen, named = read.as_message(sees=True), read.as_message()
    assert [image.data for image in seen.images] == [RED]
    assert seen.content == '<file name="a.txt">\nabc\n</file>\n\nWhat?'
    assert named.images == ()
    assert named.content == '[picture: a (red) one.png]\n\n<file name="a.txt">\nabc\n</file>\n\nWhat?'


async def test_of_many_pictures_the_newest_are_shown(
    files: Attachments, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_of_files, "MOST_SHOWN_BYTES", len(RED) + len(BLUE))
    messages = [
        StoredMessage(str(place), "2", None, "user", "", datetime.now(UTC), attachments=(await add(files, data),))
        for place, data in enumerate((RED, RED, BLUE))
    ]
    read = await database.read(lambda c: with_contents(c, messages))
    shown = [message.as_message(sees=True) for message in read]
    assert [[image.data for image in message.images] for message in shown] == [[], [RED], [BLUE]]
    assert shown[0].content.startswith("[picture: red.png]")


async def test_a_picture_that_can_no_longer_be_shown_is_named(files: Attachments) -> None:
    broken = await files.get((await add(files, b"\x89PNG\r\n\x1a\n")).id)
    assert (broken.is_picture, broken.image) == (True, None)


async def test_a_message_takes_so_many_pictures(files: Attachments, store: Conversations, database: Database) -> None:
    conversation = (await store.create()).id
    many = [(await add(files, RED)).id for _ in range(MOST_PICTURES + 1)]
    with pytest.raises(InvalidRequest, match=f"at most {MOST_PICTURES} pictures"):
        await database.write(lambda c: attach(c, "", conversation, many))
    large = [(await add(files, RED, size=MOST_PICTURE_BYTES // 2 + 1)).id for _ in range(2)]
    with pytest.raises(InvalidRequest, match="32 MiB together"):
        await database.write(lambda c: attach(c, "", conversation, large))
    assert len(await database.write(lambda c: attach(c, "", conversation, many[1:]))) == MOST_PICTURES


async def test_unsent_pictures_make_room_by_their_size(files: Attachments, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_of_files, "MOST_UNSENT_BYTES", 2 * len(RED))
    notes = await files.add("a.txt", "text/plain", 10**6, "abc")
    first, second, third = [await add(files, RED) for _ in range(3)]
    assert await files.unsent() == [second, third]
    for gone in (notes, first):  # what is older than the oldest that finds room goes with it
        with pytest.raises(NotFound):
            await files.get(gone.id)


async def test_an_edit_keeps_the_picture_and_a_branch_reads_it(files: Attachments, store: Conversations) -> None:
    red = await add(files, RED)
    conversation = await store.create()
    asked, _ = await say(store, conversation.id, "What is it?", attachments=[red.id])
    edited, reply = await say(store, conversation.id, "Which colour?", edit_of=asked.id)
    assert edited.attachments == (red,)
    (first, _) = await store.transcript(reply.id)
    assert [image.data for image in first.as_message(sees=True).images] == [RED]


async def test_a_comparison_copies_pictures_for_its_columns(files: Attachments, database: Database) -> None:
    red = await add(files, RED)
    (copied,) = await ComparisonStore(database).copy_files([red.id])
    image = (await files.get(copied)).image
    assert copied != red.id
    assert image is not None
    assert image.data == RED


async def test_an_export_has_the_picture_and_an_import_brings_it(
    files: Attachments, store: Conversations, database: Database
) -> None:
    conversation = await store.create()
    await say(store, conversation.id, "What is it?", attachments=[(await add(files, RED, "rot 红.png")).id])
    transfer = TransferStore(database)
    tree = await transfer.tree(conversation.id)
    written = b"".join([piece async for piece in document(each([tree]))])
    (read,) = read_file(written, 10**8).trees
    (file,) = read.files
    assert (file.name, file.media_type, file.size, file.characters) == ("rot 红.png", "image/png", len(RED), 0)
    await store.delete(conversation.id)
    (added,) = (await transfer.add([replace(read, origin="elsewhere")])).added
    (question, _) = await store.transcript((await store.path(added))[-1].id)
    assert [image.data for image in question.as_message(sees=True).images] == [RED]
