"""Branches, the trash and the list, while replies are written and others watch."""

from __future__ import annotations

import asyncio

import pytest

from falconry.chat.chat import Chat
from falconry.engines.canned import CannedEngine
from falconry.errors import (
    ContextWindowExceeded,
    ConversationNotFound,
    InvalidRequest,
    NotFound,
    ReplyNotFound,
    StaleConversation,
)
from falconry.messages import Delta, Message, StoredMessage, TokenPrompt
from falconry.storage.values import new_id
from tests.chat.conftest import OpenChat, ended, until_text
from tests.chat.test_turn import END, FAST, Scripted, Silent


async def answered(
    chat: Chat, conversation_id: str, text: str, **options: object
) -> tuple[StoredMessage, StoredMessage]:
    head = (await chat.conversation(conversation_id)).head_id
    question, reply = await chat.ask(conversation_id, text, parent_id=head, **options)  # type: ignore[arg-type]
    return question, await ended(chat, reply)


def sent(engine: Scripted, call: int) -> list[Message]:
    prompt = engine.prompts[call]
    assert not isinstance(prompt, str | TokenPrompt)
    return list(prompt)


def script(*texts: str) -> Scripted:
    calls: list[list[Delta | Exception]] = [[Delta(text), END] for text in texts]
    return Scripted(*calls)


async def test_an_edit_is_answered_without_what_came_after_the_edited_message(open_chat: OpenChat) -> None:
    engine = script("one", "two", "three")
    async with open_chat(engine) as chat:
        conversation = (await chat.create_conversation()).id
        await answered(chat, conversation, "first")
        second, _ = await answered(chat, conversation, "second")
        _, reply = await answered(chat, conversation, "instead", edit_of=second.id, persona="Biologist")
        assert [message.content for message in sent(engine, 2)[1:]] == ["first", "one", "instead"]
        assert [m.content for m in await chat.messages(conversation)] == ["first", "one", "instead", "three"]
        assert reply.persona == "Biologist"


async def test_an_earlier_reply_is_written_again_with_what_came_before_it(open_chat: OpenChat) -> None:
    engine = script("one", "two", "again")
    async with open_chat(engine) as chat:
        conversation = (await chat.create_conversation()).id
        _, first = await answered(chat, conversation, "first")
        _, second = await answered(chat, conversation, "second")
        with pytest.raises(StaleConversation):
            await chat.regenerate(first.id, head_id=first.id)
        new = await ended(chat, await chat.regenerate(first.id, head_id=second.id, persona="Tutor"))
        assert [message.content for message in sent(engine, 2)[1:]] == ["first"]
        assert [m.content for m in await chat.messages(conversation)] == ["first", "again"]
        assert (await chat.versions([new]))[new.id] == [first.id, new.id]
        assert new.persona == "Tutor"


async def test_a_question_without_an_answer_is_answered_as_it_stands(open_chat: OpenChat) -> None:
    engine = script("one", "again")
    async with open_chat(engine) as chat:
        conversation = (await chat.create_conversation()).id
        question, reply = await answered(chat, conversation, "first")
        assert await chat.delete_branch(reply.id) == question.id
        await ended(chat, await chat.regenerate(question.id, head_id=question.id))
        assert [m.content for m in await chat.messages(conversation)] == ["first", "again"]
        assert [message.content for message in sent(engine, 1)[1:]] == ["first"]


async def test_a_question_that_lost_its_answer_is_not_sent_with_the_next_one(open_chat: OpenChat) -> None:
    engine = script("one", "two")
    async with open_chat(engine) as chat:
        conversation = (await chat.create_conversation()).id
        _, reply = await answered(chat, conversation, "first")
        await chat.delete_branch(reply.id)
        _, second = await answered(chat, conversation, "second")
        assert [message.content for message in sent(engine, 1)[1:]] == ["second"]
        assert second.context is not None
        assert second.context.left_out == 1


async def test_what_was_sent_on_another_branch_says_nothing_about_this_one(open_chat: OpenChat) -> None:
    """Where the last prompt began is a message of its own branch: an edit above it is fitted anew, and whole."""
    async with open_chat(CannedEngine(rate=FAST, context_length=400, text="short")) as chat:
        conversation = (await chat.create_conversation()).id
        first, _ = await answered(chat, conversation, "word " * 60)
        while True:
            _, reply = await answered(chat, conversation, "word " * 60)
            assert reply.context is not None
            if reply.context.left_out:
                break
        _, edited = await answered(chat, conversation, "brief", edit_of=first.id)
        assert edited.context is not None
        assert (edited.context.left_out, edited.context.start_id) == (0, None)
        await chat.show_branch(conversation, reply.id, head_id=edited.id)
        _, after = await answered(chat, conversation, "more")
        assert after.context is not None
        branch = {message.id for message in await chat.messages(conversation)}
        assert after.context.start_id in branch
        assert (await chat.prompt(after.id)).messages[-1].content == "more"


async def test_continue_is_for_the_branch_on_show(open_chat: OpenChat) -> None:
    engine = script("one", "two", " more")
    async with open_chat(engine) as chat:
        conversation = (await chat.create_conversation()).id
        _, first = await answered(chat, conversation, "first")
        second = await ended(chat, await chat.regenerate(first.id))
        with pytest.raises(StaleConversation):
            await chat.resume(first.id)
        assert await chat.show_branch(conversation, first.id, head_id=second.id) == first.id
        assert (await ended(chat, await chat.resume(first.id))).content == "one more"


async def test_while_a_reply_is_written_nothing_is_switched_deleted_or_rated(open_chat: OpenChat) -> None:
    async with open_chat(Silent()) as chat:
        conversation = (await chat.create_conversation()).id
        question, reply = await chat.ask(conversation, "hello", parent_id=None)
        for attempt in (
            chat.show_branch(conversation, question.id, head_id=reply.id),
            chat.delete_branch(question.id),
            chat.delete_branch(reply.id),
            chat.regenerate(reply.id),
            chat.ask(conversation, "edit", parent_id=reply.id, edit_of=question.id),
            chat.rate(reply.id, 1),
        ):
            with pytest.raises(StaleConversation) as error:
                await attempt
            assert error.value.code == "reply_running"
        await chat.stop(reply.id)
        assert (await chat.rate(reply.id, 1)).rating == 1


async def test_a_rating_stays_when_a_reply_is_continued(open_chat: OpenChat) -> None:
    async with open_chat(script("one", " more")) as chat:
        conversation = (await chat.create_conversation()).id
        _, reply = await answered(chat, conversation, "first")
        await chat.rate(reply.id, -1, "better")
        again = await ended(chat, await chat.resume(reply.id))
        assert (again.content, again.rating, again.correction) == ("one more", -1, "better")


@pytest.mark.parametrize("forever", [False, True])
async def test_a_deleted_conversation_stops_its_reply_and_can_be_had_back_from_the_trash(
    open_chat: OpenChat, forever: bool
) -> None:
    async with open_chat(CannedEngine(rate=50)) as chat:
        conversation = (await chat.create_conversation()).id
        _, reply = await chat.ask(conversation, "hello", parent_id=None)
        shown = await until_text(chat, reply, 10)
        await chat.delete_conversation(conversation, forever=forever)
        assert chat.running(conversation) is None
        with pytest.raises(ConversationNotFound):
            await chat.conversation(conversation)
        with pytest.raises(ConversationNotFound):
            await chat.ask(conversation, "and?", parent_id=reply.id)
        if forever:
            with pytest.raises(ConversationNotFound):
                await chat.restore_conversation(conversation)
            return
        await chat.restore_conversation(conversation)
        stored = await chat.message(reply.id)
        assert stored.status == "stopped"
        assert stored.content.startswith(shown)


@pytest.mark.parametrize("milliseconds", [0, 1, 2, 4, 8])
async def test_a_conversation_deleted_while_somebody_asks_leaves_no_reply_that_runs_for_ever(
    open_chat: OpenChat, milliseconds: int
) -> None:
    async with open_chat(CannedEngine(rate=50)) as chat:
        for _ in range(5):
            conversation = (await chat.create_conversation()).id
            asking = asyncio.create_task(chat.ask(conversation, "hello", parent_id=None))
            await asyncio.sleep(milliseconds / 1000)
            await chat.delete_conversation(conversation)
            try:
                _, reply = await asking
            except (ConversationNotFound, ReplyNotFound):
                pass
            else:
                if (running := chat.find(reply.id)) is not None and running.task is not None:
                    await asyncio.wait((running.task,))  # deleting may have ended it
            await chat.restore_conversation(conversation)
            assert "running" not in [message.status for message in await chat.messages(conversation)]


async def test_whoever_lists_hears_of_every_change_of_the_list(open_chat: OpenChat) -> None:
    async with open_chat(CannedEngine(rate=FAST)) as chat:
        with chat.watch(None) as watcher:

            async def heard() -> bool:
                return await watcher.wait(0)

            before = chat.list_version()
            conversation = (await chat.create_conversation()).id
            assert await heard()
            await chat.change_conversation(conversation, pinned=True)
            assert await heard()
            folder = await chat.create_folder("Birds")
            assert await heard()
            await chat.rename_folder(folder.id, "Falcons")
            assert await heard()
            await chat.delete_folder(folder.id)
            assert await heard()
            _, reply = await chat.ask(conversation, "hello", parent_id=None)
            assert await heard()
            await ended(chat, reply)
            assert await heard()
            await chat.rate(reply.id, 1)
            assert not await heard()
            await chat.delete_conversation(conversation)
            assert await heard()
            await chat.restore_conversation(conversation)
            assert await heard()
            assert chat.list_version() == before + 9


async def test_a_tab_hears_of_its_conversation_and_of_the_list(open_chat: OpenChat) -> None:
    async with open_chat(CannedEngine(rate=FAST)) as chat:
        mine, other = (await chat.create_conversation()).id, (await chat.create_conversation()).id
        with chat.watch(mine, listed=True) as both, chat.watch(mine) as one:
            await chat.change_conversation(other, title="Owls")
            assert (await both.wait(0), both.only_list) == (True, True)
            assert not await one.wait(0)
            await chat.change_conversation(mine, title="Falcons")
            assert (await both.wait(0), both.only_list) == (True, False)
            assert await one.wait(0)
            await chat.change_conversation(other, title="Owls")
            await chat.change_conversation(mine, title="Falcons")
            await chat.change_conversation(other, title="Owls")
            assert (await both.wait(0), both.only_list) == (True, False)
            assert (await both.wait(0), both.only_list) == (False, False)
        assert chat._replies._watchers == {}


async def test_a_watched_list_does_not_keep_a_reply_alive(open_chat: OpenChat) -> None:
    async with open_chat(Silent()) as chat:
        conversation = (await chat.create_conversation()).id
        _, reply = await chat.ask(conversation, "hello", parent_id=None)
        running = chat.find(reply.id)
        assert running is not None
        with chat.watch(None), chat.watch(new_id(), listed=True):
            assert chat._replies.unwatched_seconds(running) > 0
            with chat.watch(conversation, listed=True):
                assert chat._replies.unwatched_seconds(running) == 0
        await chat.stop(reply.id)


async def test_the_model_reads_the_files_and_the_gauge_counts_them(open_chat: OpenChat) -> None:
    engine = script("one", "two")
    async with open_chat(engine) as chat:
        file = await chat._store.attachments.add("notes.txt", "text/plain", 14, "Falcons dive.")
        conversation = (await chat.create_conversation()).id
        with_file = await chat.context(conversation, draft="What?", attachments=[file.id])
        assert with_file.prompt_tokens > (await chat.context(conversation, draft="What?")).prompt_tokens
        _, reply = await answered(chat, conversation, "What?", attachments=[file.id])
        assert sent(engine, 0)[1].content == '<file name="notes.txt">\nFalcons dive.\n</file>\n\nWhat?'
        assert reply.context is not None
        assert reply.context.prompt_tokens == with_file.prompt_tokens
        await answered(chat, conversation, "And?")
        assert "Falcons dive." in sent(engine, 1)[1].content
        assert "Falcons dive." in (await chat.prompt(reply.id)).messages[1].content


async def test_a_file_alone_is_a_message(open_chat: OpenChat) -> None:
    async with open_chat(script("one", "two")) as chat:
        file = await chat._store.attachments.add("notes.txt", "text/plain", 14, "Falcons dive.")
        conversation = (await chat.create_conversation()).id
        question, reply = await answered(chat, conversation, " ", attachments=[file.id])
        assert question.attachments == (file,)
        edited, answer = await answered(chat, conversation, "", edit_of=question.id)
        assert edited.attachments == (file,)
        for attempt in (
            chat.ask(conversation, " ", parent_id=answer.id),
            chat.ask(conversation, " ", parent_id=answer.id, attachments=[]),
            chat.ask(conversation, " ", parent_id=answer.id, edit_of=question.id, attachments=[]),
        ):
            with pytest.raises(InvalidRequest) as error:
                await attempt
            assert error.value.code == "empty_message"
        assert reply.content == "one"


async def test_files_that_are_too_long_are_refused_with_both_numbers_and_old_ones_are_left_out(
    open_chat: OpenChat,
) -> None:
    async with open_chat(CannedEngine(rate=FAST, context_length=256)) as chat:
        long = await chat._store.attachments.add("long.txt", "text/plain", 5000, "word " * 1000)
        fits = await chat._store.attachments.add("fits.txt", "text/plain", 400, "word " * 80)
        conversation = (await chat.create_conversation()).id
        with pytest.raises(ContextWindowExceeded):
            await chat.context(conversation, draft="x", attachments=[long.id])
        _, reply = await answered(chat, conversation, "x", attachments=[fits.id])
        assert reply.status == "complete"
        _, later = await answered(chat, conversation, "word " * 80)
        assert later.context is not None
        assert later.context.left_out == 2


async def test_a_file_that_is_gone_is_said_so_and_nothing_is_stored(open_chat: OpenChat) -> None:
    async with open_chat(script()) as chat:
        conversation = (await chat.create_conversation()).id
        for attempt in (
            chat.ask(conversation, "x", parent_id=None, attachments=[new_id()]),
            chat.context(conversation, draft="x", attachments=[new_id()]),
        ):
            with pytest.raises(NotFound):
                await attempt
        assert await chat.messages(conversation) == []


async def test_what_does_not_exist_cannot_be_shown_deleted_or_rated(open_chat: OpenChat) -> None:
    async with open_chat(script("one")) as chat:
        conversation = (await chat.create_conversation()).id
        question, reply = await answered(chat, conversation, "first")
        for attempt in (
            chat.show_branch(conversation, new_id(), head_id=reply.id),
            chat.delete_branch(new_id()),
            chat.rate(new_id(), 1),
            chat.page(conversation, around=new_id(), limit=5),
            chat.ask(conversation, "x", parent_id=reply.id, edit_of=new_id()),
        ):
            with pytest.raises(ReplyNotFound):
                await attempt
        with pytest.raises(InvalidRequest):
            await chat.rate(question.id, 1)
