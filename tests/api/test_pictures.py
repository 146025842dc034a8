"""Pictures beside messages, over HTTP: kept, served back to their owner alone, and seen by models that can."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

import httpx
import pytest

from falconry.chat.chat import Chat
from falconry.engines.base import Engine
from falconry.engines.pool import EnginePool, ModelSpec
from falconry.messages import Delta, Message, StoredMessage
from falconry.services import Services
from falconry.storage.conversations import Conversations
from tests.api.scripted import END, ScriptedEngine, asked
from tests.api.test_attachments import upload
from tests.conftest import LiveServer, serve
from tests.gate.people import two_people
from tests.pictures import picture, png

RED, BLUE = png("red"), png("blue")


class Seeing(ScriptedEngine):
    sees_images = True


@pytest.fixture
async def seeing(services: Services) -> AsyncGenerator[tuple[LiveServer, Seeing, ScriptedEngine], None]:
    engine, blind = Seeing([Delta("Red."), END]), ScriptedEngine([Delta("What?"), END])
    engines: dict[str, Engine] = {"seeing": engine, "blind": blind, "other": ScriptedEngine([END])}
    specs = {
        name: ModelSpec(name, name, "canned", partial(_same, each), vision=each.sees_images)
        for name, each in engines.items()
    }
    async with AsyncExitStack() as stack:
        pool = EnginePool(specs, "seeing", loaded_models=2)
        stack.push_async_callback(pool.aclose)
        chat = Chat(Conversations(services.database), pool)
        stack.push_async_callback(chat.aclose)
        live = await stack.enter_async_context(serve(replace(services, pool=pool, chat=chat)))
        yield live, engine, blind


def _same(engine: Engine) -> Engine:
    return engine


async def ask(live: LiveServer, conversation: str, **body: object) -> StoredMessage:
    """Ask, and wait for the reply."""
    answer = await live.client.post(f"/api/conversations/{conversation}/replies", json={"content": "", **body})
    assert answer.status_code == 201, answer.text
    return await ended(live, answer.json()["reply"]["id"])


async def ended(live: LiveServer, reply_id: str) -> StoredMessage:
    reply = live.services.chat.find(reply_id)
    if reply is not None and reply.task is not None:
        await reply.task
    return await live.services.chat.message(reply_id)


async def added(client: httpx.AsyncClient, data: bytes, name: str = "red.png") -> str:
    answer = await upload(client, data, name)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def pictures(message: Message) -> list[bytes]:
    return [image.data for image in message.images]


async def test_a_picture_is_told_by_its_content_and_served_as_it_was(server: LiveServer) -> None:
    for kind in ("PNG", "JPEG", "GIF"):
        data = picture("red", kind)
        about = (await upload(server.client, data, "page.html")).json()
        media_type = f"image/{kind.lower()}"
        assert about == {
            "id": about["id"], "name": "page.html", "media_type": media_type, "size": len(data), "characters": 0
        }  # fmt: skip
        shown = await server.client.get(f"/api/attachments/{about['id']}/image")
        assert (shown.status_code, shown.content) == (200, data)
        assert shown.headers["content-type"] == media_type
        assert shown.headers["x-content-type-options"] == "nosniff"
        assert shown.headers["content-disposition"].startswith('inline; filename="page.html"')
        assert "sandbox" in shown.headers.get_list("content-security-policy")[0]
        assert shown.headers["cache-control"].startswith("private, ")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (picture("red", "WEBP"), "file_is_image"),
        (picture("red", "BMP"), "file_is_image"),
        (RED[:20], "picture_broken"),
        (RED + bytes(10 * 2**20), "picture_too_large"),
        (picture("red", "GIF", (6000, 5000)), "picture_too_many_pixels"),
    ],
)
async def test_what_no_model_could_see_is_refused_in_both_languages(server: LiveServer, data: bytes, code: str) -> None:
    english, chinese = [await upload(server.client, data, language=language) for language in ("en", "zh-CN")]
    assert (english.status_code, english.json()["error"]["code"]) == (422, code)
    assert chinese.json()["error"]["text"] != english.json()["error"]["text"]
    assert (await server.client.get("/api/attachments")).json()["attachments"] == []


async def test_svg_and_html_stay_text(server: LiveServer) -> None:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    about = (await upload(server.client, svg, "red.svg")).json()
    assert about["media_type"] == "text/plain"
    answer = await server.client.get(f"/api/attachments/{about['id']}/image")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "file_not_picture")


async def test_a_picture_has_no_text(server: LiveServer) -> None:
    answer = await server.client.get(f"/api/attachments/{await added(server.client, RED)}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "file_is_picture")


async def test_another_persons_picture_does_not_exist(server: LiveServer) -> None:
    async with two_people(server) as (ada, bob):
        photo = await added(ada.client, RED)
        assert (await bob.client.get(f"/api/attachments/{photo}/image")).status_code == 404
        assert (await server.client.get(f"/api/attachments/{photo}/image")).status_code == 401
        assert (await ada.client.get(f"/api/attachments/{photo}/image")).content == RED


async def test_the_model_sees_it_in_every_later_turn(seeing: tuple[LiveServer, Seeing, ScriptedEngine]) -> None:
    live, engine, _ = seeing
    talk = (await live.services.chat.create_conversation()).id
    photos = [await added(live.client, data) for data in (RED, BLUE)]
    first = await ask(live, talk, attachments=photos)
    (_, question) = asked(engine)
    assert (pictures(question), question.content) == ([RED, BLUE], "")
    await ask(live, talk, content="And now?", parent_id=first.id)
    assert pictures(asked(engine)[1]) == [RED, BLUE]
    said = (await live.client.get(f"/api/conversations/{talk}")).json()["messages"]
    assert [file["media_type"] for file in said[0]["attachments"]] == ["image/png"] * 2
    prompt = (await live.client.get(f"/api/replies/{first.id}/prompt")).json()
    assert "[picture: red.png]" in prompt["messages"][-1]["content"]


async def test_a_model_that_cannot_see_is_not_asked(seeing: tuple[LiveServer, Seeing, ScriptedEngine]) -> None:
    live, _, blind = seeing
    talk = (await live.services.chat.create_conversation()).id
    body = {"content": "What is it?", "model": "blind", "attachments": [await added(live.client, RED)]}
    answer = await live.client.post(f"/api/conversations/{talk}/replies", json=body, headers={"Accept-Language": "zh"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "model_cannot_see")
    assert error["text"].startswith("“blind”看不了图片")
    assert blind.asked == []
    assert (await live.client.get(f"/api/conversations/{talk}")).json()["messages"] == []


async def test_old_pictures_are_named_to_a_model_that_cannot_see(
    seeing: tuple[LiveServer, Seeing, ScriptedEngine],
) -> None:
    live, engine, blind = seeing
    talk = (await live.services.chat.create_conversation()).id
    first = await ask(live, talk, content="What is it?", attachments=[await added(live.client, RED)])
    second = await ask(live, talk, content="Thanks.", parent_id=first.id, model="blind")
    (_, question, _, _) = asked(blind)
    assert (pictures(question), question.content) == ([], "[picture: red.png]\n\nWhat is it?")
    again = await live.client.post(f"/api/replies/{second.id}/regenerate", json={"model": "seeing"})
    await ended(live, again.json()["reply"]["id"])
    assert pictures(asked(engine)[1]) == [RED]


async def test_the_models_tell_whether_they_see(seeing: tuple[LiveServer, Seeing, ScriptedEngine]) -> None:
    models = (await seeing[0].client.get("/api/models")).json()["models"]
    assert {model["name"]: model["vision"] for model in models} == {"seeing": True, "blind": False, "other": False}


async def test_of_compared_models_those_that_see_answer(seeing: tuple[LiveServer, Seeing, ScriptedEngine]) -> None:
    live, engine, blind = seeing
    comparisons = live.services.comparisons
    made = await comparisons.create(["seeing", "blind"])
    body = {"content": "What is it?", "turn": 0, "attachments": [await added(live.client, RED)]}
    assert (await live.client.post(f"/api/comparisons/{made.id}/turns", json=body)).status_code < 300
    answers = (await comparisons.finished(made.id)).rounds[0].answers
    assert [answer.text for answer in answers] == ["Red.", ""]
    assert pictures(asked(engine)[-1]) == [RED]
    failed = answers[1].message
    assert failed is not None
    assert failed.error is not None
    assert (failed.error["code"], blind.asked) == ("model_cannot_see", [])


async def test_what_none_can_see_is_refused_without_a_name(
    seeing: tuple[LiveServer, Seeing, ScriptedEngine],
) -> None:
    live, _, _ = seeing
    made = await live.services.comparisons.create(["blind", "other"], blind=True)
    body = {"content": "What is it?", "turn": 0, "attachments": [await added(live.client, RED)]}
    answer = await live.client.post(f"/api/comparisons/{made.id}/turns", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "none_can_see")
    assert "blind" not in answer.json()["error"]["message"]
