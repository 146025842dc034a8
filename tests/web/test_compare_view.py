"""The live view of comparisons, over a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from falconry.api.errors import install_error_handlers
from falconry.compare.comparisons import Comparisons
from falconry.gate.gate import Gate
from falconry.gate.route_table import read_routes
from falconry.services import Services
from falconry.storage.votes import Comparison
from falconry.web.compare_view import compare_view_router
from tests.web.conftest import page_services, serve_app

Event = tuple[str, dict[str, Any]]


class View:
    """The view's routes and the comparisons behind them."""

    def __init__(self, client: httpx.AsyncClient, services: Services) -> None:
        self.client = client
        self.services = services
        self.comparisons: Comparisons = services.comparisons

    async def ask(self, *models: str, blind: bool = False) -> Comparison:
        made = await self.comparisons.create(models, blind=blind)
        await self.comparisons.ask(made.id, "hello", turn=0)
        return made

    @asynccontextmanager
    async def followed(
        self, *models: str, blind: bool = False, tabs: int = 1
    ) -> AsyncGenerator[tuple[Comparison, list[AsyncIterator[Event]]], None]:
        """Ask when tabs look on: an answer that has ended before tells nobody how it ended."""
        made = await self.comparisons.create(models, blind=blind)
        async with AsyncExitStack() as stack:
            open_tabs = [await stack.enter_async_context(self.events(made.id)) for _ in range(tabs)]
            for events in open_tabs:
                await anext(events)
            await self.comparisons.ask(made.id, "hello", turn=0)
            yield made, open_tabs

    async def show(self, comparison_id: str, **params: str) -> dict[str, Any]:
        response = await self.client.get(f"/view/comparisons/{comparison_id}", params=params)
        response.raise_for_status()
        assert response.headers["cache-control"] == "no-store"
        shown: dict[str, Any] = response.json()
        return shown

    @asynccontextmanager
    async def events(self, comparison_id: str) -> AsyncGenerator[AsyncIterator[Event], None]:
        async with self.client.stream("GET", f"/view/comparisons/{comparison_id}/events") as response:
            assert response.status_code == 200
            yield _events(response)


async def _events(response: httpx.Response) -> AsyncGenerator[Event, None]:
    name = ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


async def until(events: AsyncIterator[Event], *names: str) -> list[Event]:
    """All events up to the last of these, in that order; those of the sidebar's list left out."""
    wanted, found = list(names), []
    async with asyncio.timeout(20):
        async for event in events:
            if event[0] != "list":
                found.append(event)
            if wanted and event[0] == wanted[0]:
                del wanted[0]
            if not wanted:
                return found
    raise AssertionError(f"{wanted} did not come")


@pytest.fixture
async def view(tmp_path: Path) -> AsyncGenerator[View, None]:
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(page_services(tmp_path))
        app = FastAPI(openapi_url=None)
        install_error_handlers(app)
        app.include_router(compare_view_router(services))
        table = read_routes(app)
        app.add_middleware(Gate, people=services.people, limits=services.limits, table=table, local=True)
        url = await stack.enter_async_context(serve_app(app, services))
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=30, trust_env=False))
        yield View(client, services)


async def test_all_columns_come_through_one_stream(view: View) -> None:
    async with view.followed("canned", "thinks") as (made, [events]):
        found = await until(events, "status", "status")
    assert found[0][0] == "state"
    assert found[0][1]["turns"] == 1
    assert {data["place"] for name, data in found if name == "snapshot"} == {0, 1}
    ended = {data["place"]: data for name, data in found if name == "status"}
    assert (ended[0]["model"], ended[1]["model"]) == ("canned", "thinks")
    assert ended[1]["thinking_html"]
    shown = await view.show(made.id)
    assert [answer["html"] for answer in shown["turns"][0]["answers"]] == [ended[0]["html"], ended[1]["html"]]
    assert shown["state"]["running"] == []


async def test_a_tab_that_comes_late_sees_the_whole_answer(view: View) -> None:
    made = await view.ask("slow", "canned")
    async with view.events(made.id) as events:
        await until(events, "snapshot", "patch", "patch")
    async with view.events(made.id) as events:
        found = await until(events, "snapshot")
    (_, snapshot), *_ = [event for event in found if event[0] == "snapshot" and event[1]["place"] == 0]
    assert "word0" in json.dumps(snapshot["text"])
    await view.comparisons.stop(made.id)


async def test_one_that_breaks_ends_alone_and_begins_anew(view: View) -> None:
    async with view.followed("breaks", "slow") as (made, [events]):
        found = await until(events, "status")
        assert found[-1][1]["place"] == 0
        assert (found[-1][1]["status"], bool(found[-1][1]["error_text"])) == ("interrupted", True)
        await view.comparisons.retry(made.id, 0)
        found = await until(events, "state", "snapshot")
        assert {data["place"] for name, data in found if name == "snapshot"} == {0}
        await view.comparisons.stop(made.id)


async def test_votes_and_names_reach_every_tab(view: View) -> None:
    async with view.followed("canned", "thinks", blind=True, tabs=2) as (made, [first, second]):
        await until(first, "status", "status", "state")
        await until(second, "status", "status", "state")
        await view.comparisons.vote(made.id, 0, {1})
        for events in (first, second):
            (_, state), *_ = await until(events, "state")
            assert (state["votes"], state["hidden"]) == ([[0, [1]]], True)
        await view.comparisons.reveal(made.id)
        for events in (first, second):
            (_, state), *_ = await until(events, "state")
            assert not state["hidden"]
        await view.comparisons.delete(made.id)
        assert (await until(first, "deleted"))[-1][0] == "deleted"


async def test_nothing_in_any_event_tells_what_is_blind(view: View) -> None:
    async with view.followed("canned", "thinks", "breaks", blind=True) as (made, [events]):
        found = await until(events, "status", "status", "status", "state")
    told = [json.dumps(found), json.dumps(await view.show(made.id)), json.dumps(await view.show(made.id, lang="zh"))]
    state = await view.comparisons.state(made.id)
    ids = [answer.id or "" for answer in state.rounds[0].answers]
    for text in told:
        for secret in (*made.models, *made.columns, *ids):
            assert f'"{secret}"' not in text
        assert "<em>think</em>" not in text  # only some models think
    for name, data in found:
        assert name != "status" or (data["tokens"], data["seconds"], data["thinking_html"]) == (None, None, [])


async def test_blind_answers_grow_in_step(view: View) -> None:
    """The quick one, of the same text, is never shown further than the slow one."""
    made = await view.ask("slow", "flood", blind=True)
    slow = made.models.index("slow")
    flood = made.columns[1 - slow]
    async with view.events(made.id) as events:
        lengths = {0: 0, 1: 0}
        async with asyncio.timeout(20):
            async for name, data in events:
                assert name != "status"
                if name in ("snapshot", "patch"):
                    text = data.get("text", {})
                    lengths[data["place"]] += len(text.get("append", "")) + sum(map(len, text.get("blocks", [])))
                if lengths[slow] > 100:
                    break
    reply = view.services.chat.running(flood)
    assert reply is not None
    running = view.services.chat.running(made.columns[slow])
    assert running is not None
    assert len(reply.text) > 1.5 * len(running.text)  # so it would have told
    assert lengths[1 - slow] < 3 * lengths[slow]
    shown = (await view.client.get(f"/view/comparisons/{made.id}")).json()
    assert shown["state"]["running"] == [0, 1]
    await view.comparisons.stop(made.id)


async def test_a_blind_end_waits_for_the_slowest(view: View) -> None:
    async with view.followed("slow", "canned", blind=True) as (made, [events]):
        slow, quick = made.models.index("slow"), made.models.index("canned")
        await until(events, "snapshot")
        await wait_for_end(view, made.columns[quick])
        running = view.services.chat.running(made.columns[slow])
        assert running is not None
        shown = await view.show(made.id)
        assert shown["state"]["running"] == [0, 1]
        assert [answer["status"] for answer in shown["turns"][0]["answers"]] == ["running", "running"]
        found = await until(events, "status")
        assert found[-1][1]["place"] == quick
        still = view.services.chat.running(made.columns[slow])
        assert still is not None
        assert len(still.text) > len(found[-1][1]["text"])
        await view.comparisons.stop(made.id)


async def wait_for_end(view: View, column: str) -> None:
    with view.services.chat.watch(column) as watcher:
        while view.services.chat.running(column) is not None:
            await watcher.wait(10)


async def test_the_sidebars_list_is_told_of(view: View) -> None:
    made = await view.ask("canned", "thinks")
    await view.comparisons.finished(made.id)
    async with view.events(made.id) as events:
        assert (await anext(events))[0] == "state"
        await view.services.chat.create_conversation("new")
        async with asyncio.timeout(10):
            assert (await anext(events))[0] == "list"


async def test_watching_keeps_all_answers_alive(view: View) -> None:
    made = await view.ask("slow", "flood")
    replies = view.services.chat._replies
    async with view.events(made.id) as events:
        await until(events, "snapshot", "snapshot")
        running = [reply for column in made.columns if (reply := view.services.chat.running(column))]
        assert [replies.unwatched_seconds(reply) for reply in running] == [0, 0]
    await view.comparisons.stop(made.id)


async def test_what_does_not_exist(view: View) -> None:
    for path in ("/view/comparisons/" + "0" * 32, f"/view/comparisons/{'0' * 32}/events"):
        assert (await view.client.get(path)).status_code == 404
    assert (await view.client.get("/view/comparisons/nothing")).status_code == 400
