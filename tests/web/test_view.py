"""The live view's routes, over a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from falconry.api.errors import install_error_handlers
from falconry.gate.gate import Gate
from falconry.gate.route_table import read_routes
from falconry.messages import StoredMessage
from falconry.services import Services
from falconry.web.markdown import render_blocks
from falconry.web.view import view_router
from tests.conftest import LiveServer
from tests.gate.people import two_people
from tests.web.conftest import page_services, serve_app
from tests.web.engines import SLOW_TEXT
from tests.web.test_live import ARTICLE

Event = tuple[str, dict[str, Any]]


class View:
    """The view's routes and the chat behind them."""

    def __init__(self, client: httpx.AsyncClient, services: Services) -> None:
        self.client = client
        self.services = services
        self.chat = services.chat

    async def ask(self, model: str, text: str = "hello", conversation: str | None = None) -> StoredMessage:
        """Ask in a conversation, by default a new one; gives the running reply."""
        if conversation is None:
            conversation = (await self.chat.create_conversation()).id
        head = (await self.chat.conversation(conversation)).head_id
        return (await self.chat.ask(conversation, text, parent_id=head, model=model))[1]

    async def ended(self, reply: StoredMessage) -> StoredMessage:
        if (running := self.chat.find(reply.id)) and running.task:
            await asyncio.wait([running.task])
        return await self.chat.message(reply.id)

    async def show(self, conversation_id: str, **params: Any) -> dict[str, Any]:
        response = await self.client.get(f"/view/conversations/{conversation_id}", params=params)
        response.raise_for_status()
        assert response.headers["cache-control"] == "no-store"
        shown: dict[str, Any] = response.json()
        return shown

    @asynccontextmanager
    async def events(self, conversation_id: str, lang: str = "en") -> AsyncGenerator[AsyncIterator[Event], None]:
        path = f"/view/conversations/{conversation_id}/events?lang={lang}"
        async with self.client.stream("GET", path) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            assert response.headers["cache-control"] == "no-store"
            assert response.headers["x-accel-buffering"] == "no"
            yield _events(response)


async def _events(response: httpx.Response) -> AsyncIterator[Event]:
    name = ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


async def _until(events: AsyncIterator[Event], last: str) -> AsyncIterator[Event]:
    """Events up to the first one of a name."""
    async for name, data in events:
        yield name, data
        if name == last:
            return


class Reader:
    """What a page knows of a reply: blocks, and text appended behind them."""

    def __init__(self) -> None:
        self.blocks: list[str] = []
        self.tail = ""

    def take(self, news: dict[str, Any]) -> None:
        if "blocks" in news:
            self.blocks[news["from"] :] = news["blocks"]
            self.tail = ""
        self.tail += news["append"]


@pytest.fixture
async def view(tmp_path: Path) -> AsyncGenerator[View, None]:
    async with page_services(tmp_path / "data") as services:
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        install_error_handlers(app)
        app.include_router(view_router(services))
        app.add_middleware(Gate, people=services.people, limits=services.limits, table=read_routes(app), local=True)
        async with (
            serve_app(app, services) as url,
            httpx.AsyncClient(base_url=url, timeout=20, trust_env=False) as client,
        ):
            yield View(client, services)


async def test_conversation_shows_plain_questions_and_rendered_replies(view: View) -> None:
    reply = await view.ended(await view.ask("acme/article-7B", "<b>what?</b>\n  two"))
    shown = await view.show(reply.conversation_id)
    question, answer = shown["messages"]
    assert question["text"] == "<b>what?</b>\n  two"
    assert "html" not in question
    assert answer["html"] == list(render_blocks(ARTICLE))
    assert (answer["status"], answer["finish_reason"], answer["left_out"]) == ("complete", "stop", 0)
    assert answer["tokens"] > 50
    assert answer["tokens_per_second"] > 0
    assert (shown["head_id"], shown["running"], shown["has_earlier"]) == (reply.id, None, False)


async def test_earlier_messages_come_in_pages(view: View) -> None:
    reply = await view.ended(await view.ask("acme/article-7B"))
    for number in range(4):
        reply = await view.ended(await view.ask("acme/article-7B", str(number), reply.conversation_id))
    newest = await view.show(reply.conversation_id, limit=4)
    assert [m["text"] for m in newest["messages"][::2]] == ["2", "3"]
    assert newest["has_earlier"]
    before = await view.show(reply.conversation_id, limit=60, before=newest["messages"][0]["id"])
    assert [m["text"] for m in before["messages"][::2]] == ["hello", "0", "1"]
    assert not before["has_earlier"]


async def test_a_message_shows_its_versions_files_and_numbers(view: View) -> None:
    file = await view.chat._store.attachments.add("notes.txt", "text/plain", 13, "Falcons dive.")
    conversation = await view.chat.create_conversation()
    question, first = await view.chat.ask(
        conversation.id, "What?", parent_id=None, model="acme/article-7B", attachments=[file.id], persona="Tutor"
    )
    await view.ended(first)
    second = await view.ended(await view.chat.regenerate(first.id, model="acme/article-7B"))
    await view.chat.rate(second.id, -1, "Falcons dive.")
    await view.chat.change_conversation(conversation.id, title="Birds", pinned=True)
    shown = await view.show(conversation.id)
    asked, answer = shown["messages"]
    assert asked["attachments"] == [
        {"id": file.id, "name": "notes.txt", "media_type": "text/plain", "size": 13, "characters": 13}
    ]
    assert (asked["versions"], answer["versions"]) == ([question.id], [first.id, second.id])
    assert (answer["rating"], answer["correction"], answer["persona"]) == (-1, "Falcons dive.", None)
    assert (answer["start_id"], answer["seconds"] > 0) == (None, True)
    assert (shown["title"], shown["titled_by"], shown["pinned"], shown["folder_id"]) == ("Birds", "person", True, None)
    head = await view.chat.show_branch(conversation.id, first.id, head_id=second.id)
    again = await view.show(conversation.id)
    assert (again["head_id"], again["messages"][1]["id"], again["messages"][1]["persona"]) == (head, first.id, "Tutor")


async def test_where_the_prompt_began_is_shown(view: View) -> None:
    reply = await view.ended(await view.ask("tiny", "word " * 60))
    for _ in range(3):
        reply = await view.ended(await view.ask("tiny", "word " * 60, reply.conversation_id))
    messages = (await view.show(reply.conversation_id))["messages"]
    assert messages[-1]["start_id"] == messages[messages[-1]["left_out"]]["id"]


async def test_messages_around_a_hit_and_after_it(view: View) -> None:
    reply = await view.ended(await view.ask("acme/article-7B", "0"))
    for number in range(1, 6):
        reply = await view.ended(await view.ask("acme/article-7B", str(number), reply.conversation_id))
    whole = [m["id"] for m in (await view.show(reply.conversation_id))["messages"]]
    around = await view.show(reply.conversation_id, around=whole[6], limit=4)
    assert [m["id"] for m in around["messages"]] == whole[4:8]
    assert (around["has_earlier"], around["has_later"], around["on_show"]) == (True, True, True)
    after = await view.show(reply.conversation_id, after=whole[7], limit=60)
    assert [m["id"] for m in after["messages"]] == whole[8:]
    assert (after["has_later"], (await view.show(reply.conversation_id))["has_later"]) == (False, False)
    unknown = {"around": "0" * 32}
    assert (await view.client.get(f"/view/conversations/{reply.conversation_id}", params=unknown)).status_code == 404


async def test_unknown_conversation_is_an_error_in_the_asked_language(view: View) -> None:
    response = await view.client.get("/view/conversations/none?lang=zh")
    assert response.status_code == 404
    assert response.json()["error"]["text"] == "这个对话不存在。"
    assert (await view.client.get("/view/conversations/none/events")).status_code == 404


@pytest.mark.parametrize("side", ["before", "after", "around"])
@pytest.mark.parametrize("place", ["\0", "x", "0" * 33, ""])
async def test_only_an_id_can_be_asked_before(view: View, side: str, place: str) -> None:
    conversation = await view.chat.create_conversation()
    answer = await view.client.get(f"/view/conversations/{conversation.id}", params={side: place})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_field")


async def test_failed_reply_says_why_in_both_languages(view: View) -> None:
    reply = await view.ended(await view.ask("tiny", "word " * 500))
    for lang, words in (("en", "Shorten it"), ("zh-Hans-CN", "请缩短消息")):
        message = (await view.show(reply.conversation_id, lang=lang))["messages"][1]
        assert (message["status"], message["error_code"]) == ("failed", "context_length_exceeded")
        assert words in message["error_text"]


async def test_left_out_messages_are_counted(view: View) -> None:
    reply = await view.ended(await view.ask("tiny", "word " * 60))
    for _ in range(3):
        reply = await view.ended(await view.ask("tiny", "word " * 60, reply.conversation_id))
    assert (await view.show(reply.conversation_id))["messages"][-1]["left_out"] > 0


async def test_events_tell_a_reply_from_beginning_to_end(view: View) -> None:
    reply = await view.ask("slow")
    reader, names = Reader(), []
    async with asyncio.timeout(20), view.events(reply.conversation_id) as events:
        async for name, data in events:
            names.append(name)
            if name in ("snapshot", "patch") and "text" in data:
                reader.take(data["text"])
            if len(names) == 12:
                await view.chat.stop(reply.id)
            if name == "status":
                break
    stored = await view.chat.message(reply.id)
    assert names[:2] == ["state", "snapshot"]
    assert set(names[2:-1]) == {"patch"}
    assert data["status"] == "stopped"
    assert data["text"] == stored.content
    assert data["html"] == list(render_blocks(stored.content))
    text = "".join(reader.blocks).removeprefix("<p>").removesuffix("</p>") + reader.tail
    assert stored.content.startswith(text)  # its last words may come with the status only
    assert SLOW_TEXT.startswith(stored.content)
    assert len(text) > 50


async def test_late_watcher_gets_everything_at_once_and_two_see_the_same(view: View) -> None:
    reply = await view.ask("slow")
    await asyncio.sleep(1)

    async def read() -> tuple[str, float]:
        started = perf_counter()
        first = 0.0
        reader = Reader()
        async with view.events(reply.conversation_id) as events:
            async for name, data in events:
                if name == "snapshot":
                    first = perf_counter() - started
                    assert "word0 word1 word2" in "".join(data["text"]["blocks"])
                if name in ("snapshot", "patch") and "text" in data:
                    reader.take(data["text"])
                if name == "status":
                    text = "".join(reader.blocks).replace("<p>", "").replace("</p>", "") + reader.tail
                    assert data["text"].startswith(text)
                    assert len(text) > 100
                    return data["text"], first
        raise AssertionError("the stream ended without a status")

    readers = [asyncio.create_task(read()) for _ in range(3)]
    await asyncio.sleep(1)
    await view.chat.stop(reply.id)
    shown = await asyncio.gather(*readers)
    assert len({text for text, _ in shown}) == 1
    assert max(first for _, first in shown) < 1


async def test_thinking_has_a_channel_of_its_own(view: View) -> None:
    conversation = await view.chat.create_conversation()
    thinking = Reader()
    async with asyncio.timeout(20), view.events(conversation.id) as events:
        await anext(events)
        await view.ask("thinks", "hm?", conversation.id)
        async for name, data in events:
            if name in ("snapshot", "patch") and "thinking" in data:
                thinking.take(data["thinking"])
            if name == "status":
                break
    assert "".join(thinking.blocks) + thinking.tail in (
        "<p>First I *think*.</p>",
        "<p>First I <em>think</em>.</p>",
    ) or (thinking.blocks[0].startswith("<p>First"))
    assert data["thinking_html"] == ["<p>First I <em>think</em>.</p>"]
    assert 0 <= data["thinking_seconds"] < 5


async def test_other_tabs_hear_of_new_messages(view: View) -> None:
    conversation = await view.chat.create_conversation()
    async with asyncio.timeout(20), view.events(conversation.id) as events:
        name, data = await anext(events)
        assert (name, data["head_id"], data["running"]) == ("state", None, None)
        reply = await view.ask("acme/article-7B", "from elsewhere", conversation.id)
        seen = []
        async for name, data in events:
            seen.append(name)
            if name == "changed" and data["head_id"] == reply.id and data["running"] is None:
                break
    assert "changed" in seen


async def test_the_end_of_another_version_tells_of_all_of_them(view: View) -> None:
    first = await view.ended(await view.ask("acme/article-7B"))
    async with asyncio.timeout(20), view.events(first.conversation_id) as events:
        await anext(events)
        second = await view.chat.regenerate(first.id, model="breaks")
        ended = [data async for _, data in _until(events, "status")][-1]
    assert (ended["id"], ended["versions"]) == (second.id, [first.id, second.id])


async def test_a_tab_hears_when_the_list_changes(view: View) -> None:
    mine, other = await view.chat.create_conversation(), await view.chat.create_conversation()
    async with asyncio.timeout(20), view.events(mine.id) as events:
        assert (await anext(events))[0] == "state"
        await view.chat.change_conversation(other.id, title="Owls")
        assert await anext(events) == ("list", {})
        await view.chat.change_conversation(mine.id, title="Falcons")
        names = {(await anext(events))[0], (await anext(events))[0]}
        assert names == {"changed", "list"}
        folder = await view.chat.create_folder("Birds")
        assert await anext(events) == ("list", {})
        await view.chat.delete_folder(folder.id)
        assert await anext(events) == ("list", {})


async def test_a_page_without_a_conversation_hears_of_the_list_alone(view: View) -> None:
    async with asyncio.timeout(20), view.client.stream("GET", "/view/events") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        events = _events(response)
        assert await anext(events) == ("list", {})
        conversation = await view.chat.create_conversation()
        assert await anext(events) == ("list", {})
        reply = await view.ask("slow", "hello", conversation.id)
        assert await anext(events) == ("list", {})
        await view.chat.stop(reply.id)
        assert await anext(events) == ("list", {})
        view.services.stopping.set()
        assert [name async for name, _ in events] == []


async def test_deleted_conversation_ends_its_stream(view: View) -> None:
    conversation = await view.chat.create_conversation()
    async with asyncio.timeout(20), view.events(conversation.id) as events:
        await anext(events)
        await view.chat.delete_conversation(conversation.id)
        assert [name async for name, _ in events] == ["deleted"]


async def test_streams_end_when_falconry_does(view: View) -> None:
    conversation = await view.chat.create_conversation()
    async with asyncio.timeout(5), view.events(conversation.id) as events:
        await anext(events)
        view.services.stopping.set()
        assert [name async for name, _ in events] == []


async def test_watcher_that_leaves_is_forgotten_at_once(view: View) -> None:
    conversation = await view.chat.create_conversation()
    before = len(asyncio.all_tasks())
    for _ in range(5):
        async with view.events(conversation.id) as events:
            await anext(events)
    async with asyncio.timeout(5):
        while len(asyncio.all_tasks()) > before + 5:  # noqa: ASYNC110  # connections that idle may remain
            await asyncio.sleep(0.02)


async def test_cost_does_not_grow_with_the_conversation(view: View) -> None:
    """A reply after 200 messages costs the server about what it costs after none."""

    async def cost(conversation: str | None) -> float:
        reply = await view.ask("flood", "go", conversation)
        started = process_time()
        async with view.events(reply.conversation_id) as events:
            await anext(events)
            await asyncio.sleep(2)
        used = process_time() - started
        await view.chat.stop(reply.id)
        return used

    short = await cost(None)
    long = (await view.chat.create_conversation()).id
    for number in range(100):
        await view.ended(await view.ask("acme/article-7B", str(number), long))
    assert await cost(long) < 1.5 * short + 0.1


async def test_another_persons_conversation_is_not_to_be_seen_or_heard_of(view: View) -> None:
    live = LiveServer(str(view.client.base_url), view.client, view.services)
    async with two_people(live) as (ada, bob):
        chat = view.chat.of(ada.user.id)
        conversation = await chat.create_conversation()
        question, reply = await chat.ask(conversation.id, "hello", parent_id=None, model="acme/article-7B")
        await View(ada.client, replace(view.services, chat=chat)).ended(reply)
        path = f"/view/conversations/{conversation.id}"
        for query in ("", f"?around={question.id}", f"?after={question.id}", f"?before={reply.id}"):
            assert (await ada.client.get(path + query)).status_code == 200
            assert (await bob.client.get(path + query)).status_code == 404
        assert (await bob.client.get(f"{path}/events")).status_code == 404
        his = await view.chat.of(bob.user.id).create_conversation()
        elsewhere = f"/view/conversations/{his.id}?around={question.id}"
        assert (await bob.client.get(elsewhere)).status_code == 404
        async with asyncio.timeout(20), bob.client.stream("GET", "/view/events") as response:
            events = _events(response)
            assert await anext(events) == ("list", {})
            await chat.change_conversation(conversation.id, title="Hers")
            await view.chat.of(bob.user.id).change_conversation(his.id, title="His")
            assert await anext(events) == ("list", {})
            view.services.stopping.set()
            assert [name async for name, _ in events] == []
