"""Branches of a conversation: made by edits and further answers, switched between, and deleted."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from falconry.errors import ConversationNotFound, InvalidRequest, NotFound, ReplyNotFound, StaleConversation
from falconry.storage.conversations import Conversations
from falconry.storage.database import Database
from falconry.storage.users import Users
from falconry.storage.values import new_id
from tests.storage.talk import again, reply_to, said, say, talk


async def head_of(store: Conversations, conversation_id: str) -> str | None:
    return (await store.get(conversation_id)).head_id


async def test_an_edit_is_a_sibling_with_a_branch_of_its_own(store: Conversations) -> None:
    conversation_id = await talk(store, 2)
    first, _, second, _ = await store.path(conversation_id)
    edited, answer = await say(store, conversation_id, "better", "as you say", edit_of=second.id)
    assert (edited.parent_id, edited.depth) == (second.parent_id, second.depth)
    assert await said(store, conversation_id) == ["question 0", "answer 0", "better", "as you say"]
    path = await store.path(conversation_id)
    versions = await store.versions(path)
    assert versions[edited.id] == [second.id, edited.id]
    assert versions[first.id] == [first.id]
    assert versions[answer.id] == [answer.id]


async def test_the_first_message_can_be_edited_and_its_versions_are_those_of_this_conversation(
    store: Conversations,
) -> None:
    other, conversation_id = await talk(store, 1), await talk(store, 1)
    first = (await store.path(conversation_id))[0]
    edited, _ = await say(store, conversation_id, "anew", edit_of=first.id)
    assert (edited.parent_id, edited.depth) == (None, 0)
    assert (await store.versions(await store.path(conversation_id)))[edited.id] == [first.id, edited.id]
    assert len((await store.versions(await store.path(other)))[(await store.path(other))[0].id]) == 1


async def test_the_first_words_follow_an_edit_of_the_first_message(store: Conversations) -> None:
    conversation_id = await talk(store, 2)
    first, _, second, _ = await store.path(conversation_id)
    await say(store, conversation_id, "not the first", edit_of=second.id)
    assert (await store.get(conversation_id)).title == "question 0"
    await say(store, conversation_id, "About owls", edit_of=first.id)
    assert (await store.get(conversation_id)).title == "About owls"
    await store.change(conversation_id, title="Mine")
    await say(store, conversation_id, "About hawks", edit_of=first.id)
    assert (await store.get(conversation_id)).title == "Mine"


async def test_only_a_question_of_the_same_conversation_can_be_edited(store: Conversations) -> None:
    conversation_id, other = await talk(store, 1), await talk(store, 1)
    question, reply = await store.path(conversation_id)
    foreign = (await store.path(other))[0]
    draft = reply_to(conversation_id)
    with pytest.raises(InvalidRequest) as error:
        await store.append_turn(conversation_id, reply.id, "x", draft, edit_of=reply.id)
    assert error.value.code == "not_a_question"
    for unknown in (foreign.id, new_id()):
        with pytest.raises(ReplyNotFound):
            await store.append_turn(conversation_id, reply.id, "x", draft, edit_of=unknown)
    with pytest.raises(StaleConversation):
        await store.append_turn(conversation_id, question.id, "x", draft, edit_of=question.id)
    assert await said(store, conversation_id) == ["question 0", "answer 0"]


async def test_any_reply_on_show_can_be_written_again(store: Conversations) -> None:
    conversation_id = await talk(store, 3)
    path = await store.path(conversation_id)
    new = await again(store, path[1], "better")
    assert await said(store, conversation_id) == ["question 0", "better"]
    assert (await store.versions([new]))[new.id] == [path[1].id, new.id]
    with pytest.raises(StaleConversation):  # not on show any more
        await store.append_reply(path[3].id, path[2].id, reply_to(conversation_id))
    with pytest.raises(StaleConversation):  # seen by a stale tab
        await store.append_reply(new.id, path[0].id, reply_to(conversation_id), head_id=path[-1].id)


async def test_switching_comes_back_to_where_one_was(store: Conversations) -> None:
    conversation_id = await talk(store, 2)
    q0, a0, q1, a1 = await store.path(conversation_id)
    b1 = await again(store, a1, "other answer 1")
    edited, _ = await say(store, conversation_id, "instead", edit_of=q0.id)
    # From the edit back to the first branch: to the answer that was left last, not to the first one.
    head = await head_of(store, conversation_id)
    assert await store.show(conversation_id, q0.id, head) == b1.id
    # Look at the older answer, go to the edit and back: the older one it is.
    assert await store.show(conversation_id, a1.id, b1.id) == a1.id
    on_edit = await store.show(conversation_id, edited.id, a1.id)
    assert await store.show(conversation_id, q0.id, on_edit) == a1.id
    assert await said(store, conversation_id) == [m.content for m in (q0, a0, q1, a1)]


async def test_what_is_on_show_already_stays_and_nothing_changes(store: Conversations) -> None:
    conversation_id = await talk(store, 2)
    q0, _, _, a1 = await store.path(conversation_id)
    b1 = await again(store, a1, "second")
    await store.show(conversation_id, a1.id, b1.id)  # b1 was left later than a1 was written
    before = await store.get(conversation_id)
    assert await store.show(conversation_id, q0.id, a1.id) == a1.id
    assert await store.get(conversation_id) == before


async def test_switching_does_not_move_a_conversation_up_but_tells_who_watches(store: Conversations) -> None:
    conversation_id = await talk(store, 1)
    _, first = await store.path(conversation_id)
    second = await again(store, first, "second")
    before = await store.get(conversation_id)
    await store.show(conversation_id, first.id, second.id)
    after = await store.get(conversation_id)
    assert (after.updated_at, after.version > before.version) == (before.updated_at, True)


async def test_a_stale_tab_cannot_switch(store: Conversations) -> None:
    conversation_id = await talk(store, 2)
    path = await store.path(conversation_id)
    with pytest.raises(StaleConversation):
        await store.show(conversation_id, path[0].id, path[1].id)
    with pytest.raises(StaleConversation):
        await store.show(conversation_id, path[0].id, None)
    for unknown in (new_id(), (await store.path(await talk(store, 1)))[0].id):
        with pytest.raises(ReplyNotFound):
            await store.show(conversation_id, unknown, path[-1].id)


async def test_of_many_who_switch_and_ask_at_once_one_wins(store: Conversations) -> None:
    conversation_id = await talk(store, 1)
    _, first = await store.path(conversation_id)
    second = await again(store, first, "second")
    tries = [store.show(conversation_id, first.id, second.id) for _ in range(3)]
    tries += [store.append_turn(conversation_id, second.id, "q", reply_to(conversation_id)) for _ in range(3)]  # type: ignore[misc]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(not isinstance(result, BaseException) for result in results) == 1
    assert sum(isinstance(result, StaleConversation) for result in results) == 5


async def test_deleting_a_version_shows_the_one_before_or_else_the_one_after(store: Conversations) -> None:
    conversation_id = await talk(store, 1)
    question, first = await store.path(conversation_id)
    second = await again(store, first, "second")
    third = await again(store, second, "third")
    assert await store.delete_branch(third.id) == second.id
    assert await store.show(conversation_id, first.id, second.id) == first.id
    assert await store.delete_branch(first.id) == second.id
    assert await store.delete_branch(second.id) == question.id
    assert await said(store, conversation_id) == ["question 0"]


async def test_deleting_takes_all_below_along_and_nothing_else(store: Conversations) -> None:
    conversation_id, other = await talk(store, 3), await talk(store, 2)
    path = await store.path(conversation_id)
    await say(store, conversation_id, "branch", edit_of=path[4].id)
    assert await store.delete_branch(path[2].id) == path[1].id
    assert await said(store, conversation_id) == ["question 0", "answer 0"]
    for gone in path[2:]:
        with pytest.raises(ReplyNotFound):
            await store.message(gone.id)
    assert len(await store.path(other)) == 4


async def test_deleting_what_is_not_on_show_leaves_the_head(store: Conversations) -> None:
    conversation_id = await talk(store, 1)
    _, first = await store.path(conversation_id)
    second = await again(store, first, "second")
    version = (await store.get(conversation_id)).version
    assert await store.delete_branch(first.id) == second.id
    assert await said(store, conversation_id) == ["question 0", "second"]
    assert (await store.get(conversation_id)).version > version


async def test_deleting_the_first_message_leaves_an_empty_conversation_that_goes_on(store: Conversations) -> None:
    conversation_id = await talk(store, 2)
    assert await store.delete_branch((await store.path(conversation_id))[0].id) is None
    assert await said(store, conversation_id) == []
    await say(store, conversation_id, "from the start")
    assert await said(store, conversation_id) == ["from the start", "answer to from the start"]


async def test_a_question_whose_answer_was_deleted_can_be_answered_or_followed(store: Conversations) -> None:
    conversation_id = await talk(store, 1)
    question, reply = await store.path(conversation_id)
    await store.delete_branch(reply.id)
    answer = await store.append_reply(question.id, question.id, reply_to(conversation_id))
    assert answer.parent_id == question.id
    await store.finish_reply(replace(answer, status="complete"))
    await store.delete_branch(answer.id)
    asked, _ = await say(store, conversation_id, "and?")
    assert asked.parent_id == question.id


async def test_of_many_who_ask_at_once_for_another_answer_one_gets_it(store: Conversations) -> None:
    conversation_id = await talk(store, 1)
    question, _ = await store.path(conversation_id)
    tries = [store.append_reply(question.id, question.id, reply_to(conversation_id)) for _ in range(5)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == 4 * ["StaleConversation"] + ["StoredMessage"]


async def test_nothing_is_moved_away_from_below_a_reply_that_is_written(store: Conversations) -> None:
    conversation_id = await talk(store, 1)
    question, first = await store.path(conversation_id)
    answer = await store.append_reply(first.id, question.id, reply_to(conversation_id))
    for refused in (
        store.show(conversation_id, first.id, answer.id),
        store.delete_branch(question.id),
        store.delete_branch(first.id),
        store.append_turn(conversation_id, answer.id, "and?", reply_to(conversation_id)),
    ):
        with pytest.raises(StaleConversation) as caught:
            await refused
        assert caught.value.code == "reply_running"
    await store.finish_reply(replace(answer, status="complete"))
    assert await store.show(conversation_id, first.id, answer.id) == first.id


async def test_a_rating_comes_back_and_can_be_taken_back(store: Conversations) -> None:
    conversation_id = await talk(store, 1)
    question, reply = await store.path(conversation_id)
    before = await store.get(conversation_id)
    rated = await store.rate(reply.id, -1, "Falcons \x00 dive.")
    assert (rated.rating, rated.correction) == (-1, "Falcons \ufffd dive.")
    assert await store.message(reply.id) == rated
    after = await store.get(conversation_id)
    assert (after.updated_at, after.version > before.version) == (before.updated_at, True)
    again_unrated = await store.rate(reply.id, None, None)
    assert (again_unrated.rating, again_unrated.correction) == (None, None)
    with pytest.raises(InvalidRequest):
        await store.rate(question.id, 1, None)


async def test_pages_around_and_after_a_message(store: Conversations) -> None:
    conversation_id = await talk(store, 10)
    path = await store.path(conversation_id)
    page = await store.page(conversation_id, around=path[8].id, limit=6)
    assert page.messages == path[5:11]
    assert (page.has_earlier, page.has_later, page.on_show) == (True, True, True)
    after = await store.page(conversation_id, after=path[10].id, limit=100)
    assert after.messages == path[11:]
    assert (after.has_earlier, after.has_later) == (True, False)
    start = await store.page(conversation_id, around=path[0].id, limit=4)
    assert (start.messages, start.has_earlier) == (path[:4], False)
    assert (await store.page(conversation_id, after=path[-1].id, limit=4)).messages == []


async def test_a_page_around_what_is_not_on_show_is_of_its_own_branch(store: Conversations) -> None:
    conversation_id = await talk(store, 2)
    path = await store.path(conversation_id)
    await say(store, conversation_id, "instead", edit_of=path[0].id)
    page = await store.page(conversation_id, around=path[2].id, limit=10)
    assert (page.messages, page.on_show, page.has_later) == (path, False, False)
    with pytest.raises(ReplyNotFound):
        await store.page(conversation_id, around=new_id(), limit=10)


async def test_files_go_with_the_message_and_its_edits(store: Conversations) -> None:
    conversation = await store.create()
    file = await store.attachments.add("notes.txt", "text/plain", 5, "Falcons dive.")
    other = await store.attachments.add("more.txt", "text/plain", 5, "Owls do not.")
    question, _ = await say(store, conversation.id, "What is in it?", attachments=[file.id, other.id])
    assert question.attachments == (file, other)
    seen = (await store.transcript(question.id))[0]
    assert [attached.text for attached in seen.attachments] == ["Falcons dive.", "Owls do not."]
    edited, _ = await say(store, conversation.id, "And now?", edit_of=question.id)
    assert edited.attachments == (file, other)
    without, _ = await say(store, conversation.id, "And now?", edit_of=question.id, attachments=[])
    assert without.attachments == ()
    fewer, _ = await say(store, conversation.id, "And now?", edit_of=question.id, attachments=[other.id])
    assert fewer.attachments == (other,)


async def test_files_are_deleted_with_the_last_message_that_carries_them(store: Conversations) -> None:
    conversation = await store.create()
    file = await store.attachments.add("notes.txt", "text/plain", 5, "Falcons dive.")
    question, _ = await say(store, conversation.id, "What is in it?", attachments=[file.id])
    edited, _ = await say(store, conversation.id, "And now?", edit_of=question.id)
    await store.delete_branch(question.id)
    assert (await store.attachments.get(file.id)).text == "Falcons dive."
    await store.delete_branch(edited.id)
    with pytest.raises(NotFound):
        await store.attachments.get(file.id)


async def test_a_message_of_files_alone_gives_the_title(store: Conversations) -> None:
    conversation = await store.create()
    file = await store.attachments.add("notes.txt", "text/plain", 5, "Falcons dive.")
    await say(store, conversation.id, "", attachments=[file.id])
    assert (await store.get(conversation.id)).title == "notes.txt"


async def test_nothing_is_stored_where_a_file_is_missing(store: Conversations) -> None:
    conversation = await store.create()
    elsewhere = await store.create()
    sent = await store.attachments.add("notes.txt", "text/plain", 5, "Falcons dive.")
    await say(store, elsewhere.id, "here", attachments=[sent.id])
    for ids in ([new_id()], [sent.id]):
        with pytest.raises(NotFound):
            await store.append_turn(conversation.id, None, "x", reply_to(conversation.id), attachments=ids)
    assert await said(store, conversation.id) == []


async def test_a_stranger_neither_sees_nor_changes_branches(database: Database, store: Conversations) -> None:
    users = Users(database)
    ada = store.of((await users.add("ada", "user", "a hash")).id)
    bob = store.of((await users.add("bob", "user", "a hash")).id)
    conversation_id = await talk(ada, 1)
    question, reply = await ada.path(conversation_id)
    for stranger in (bob, store):
        for attempt in (
            stranger.show(conversation_id, question.id, reply.id),
            stranger.page(conversation_id, around=question.id, limit=5),
            stranger.append_turn(conversation_id, reply.id, "x", reply_to(conversation_id), edit_of=question.id),
        ):
            with pytest.raises(ConversationNotFound):
                await attempt
        for other in (stranger.delete_branch(question.id), stranger.rate(reply.id, 1, None)):
            with pytest.raises(ReplyNotFound):
                await other
    file = await bob.attachments.add("his.txt", "text/plain", 5, "His own.")
    with pytest.raises(NotFound):
        await ada.append_turn(conversation_id, reply.id, "x", reply_to(conversation_id), attachments=[file.id])
    assert await said(ada, conversation_id) == ["question 0", "answer 0"]
