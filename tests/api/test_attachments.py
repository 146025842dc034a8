"""Files beside messages, over HTTP."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from falconry.messages import SamplingParams
from falconry.protocols.images import MOST_BYTES
from falconry.storage.attachments import MOST_CHARACTERS, MOST_PICTURES
from tests.attachments.documents import text_pdf
from tests.attachments.test_names import NAMES
from tests.conftest import LiveServer
from tests.gate.people import two_people
from tests.pulse import Pulse

PICTURES = {"pictures": MOST_PICTURES, "picture_bytes": MOST_BYTES}
RAW = {"Content-Type": "application/octet-stream"}


async def upload(client: httpx.AsyncClient, data: bytes, name: str = "a.txt", language: str = "en") -> httpx.Response:
    headers = {**RAW, "Accept-Language": language}
    return await client.post("/api/attachments", params={"name": name}, content=data, headers=headers)


async def test_a_file_is_uploaded_listed_read_and_removed(server: LiveServer) -> None:
    answer = await upload(server.client, "猎鹰 & owls\r\n".encode("gb18030"), "notes 笔记.txt")
    assert answer.status_code == 201
    added = answer.json()
    expected = {"id": added["id"], "name": "notes 笔记.txt", "media_type": "text/plain", "size": 13, "characters": 10}
    assert added == expected
    listed = (await server.client.get("/api/attachments")).json()
    assert listed["attachments"] == [added]
    assert listed["limits"] == {"files": 20, "bytes": 16 * 2**20, "characters": MOST_CHARACTERS} | PICTURES
    read = await server.client.get(f"/api/attachments/{added['id']}")
    assert read.text == "猎鹰 & owls\n"
    assert (await server.client.delete(f"/api/attachments/{added['id']}")).status_code == 204
    assert (await server.client.get(f"/api/attachments/{added['id']}")).status_code == 404


async def test_a_file_is_given_back_as_a_download_and_as_text_only(server: LiveServer) -> None:
    added = (await upload(server.client, b"<script>alert(1)</script>", "page.html")).json()
    read = await server.client.get(f"/api/attachments/{added['id']}")
    assert read.headers["content-type"] == "text/plain; charset=utf-8"
    assert read.headers["x-content-type-options"] == "nosniff"
    assert read.headers["content-disposition"] == "attachment; filename=\"page.html\"; filename*=UTF-8''page.html"


async def test_a_pdfs_text_is_given_back_as_a_text_file(server: LiveServer) -> None:
    added = (await upload(server.client, text_pdf("Falcons."), "猎鹰.pdf")).json()
    assert (added["name"], added["media_type"]) == ("猎鹰.pdf", "application/pdf")
    read = await server.client.get(f"/api/attachments/{added['id']}")
    assert read.text == "Falcons."
    assert "filename*=UTF-8''%E7%8C%8E%E9%B9%B0.pdf.txt" in read.headers["content-disposition"]


async def test_what_could_not_be_read_is_told_in_the_askers_language(server: LiveServer) -> None:
    pdf = text_pdf("One page.", "")
    english, chinese = [(await upload(server.client, pdf, language=language)).json() for language in ("en", "zh-CN")]
    assert english["warning"] == "1 of 2 pages have no text, only pictures."
    assert chinese["warning"] == "2 页中有 1 页没有文字，只有图片。"


@pytest.mark.parametrize("name", NAMES)
async def test_any_name_is_stored_and_given_back_safely(server: LiveServer, name: str) -> None:
    raw = name.encode("utf-8", "surrogatepass")
    query = "".join(f"%{byte:02x}" for byte in raw)
    answer = await server.client.post(f"/api/attachments?name={query}", content=b"text", headers=RAW)
    assert answer.status_code == 201
    added = answer.json()
    assert added["name"].isprintable()
    read = await server.client.get(f"/api/attachments/{added['id']}")
    assert (read.status_code, read.text) == (200, "text")


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"", "file_empty"), (b"BM" + bytes(64), "file_is_image"), (b"%PDF-1.7\n%%EOF", "file_broken")],
)
async def test_a_file_without_text_is_refused_in_both_languages(server: LiveServer, data: bytes, code: str) -> None:
    english, chinese = [await upload(server.client, data, language=language) for language in ("en", "zh-CN")]
    assert english.status_code == chinese.status_code == 422
    assert english.json()["error"]["code"] == code
    assert english.json()["error"]["text"] == english.json()["error"]["message"]
    assert chinese.json()["error"]["text"] != english.json()["error"]["text"]
    assert (await server.client.get("/api/attachments")).json()["attachments"] == []


async def test_too_large_a_text_is_refused_with_the_limit(server: LiveServer) -> None:
    answer = await upload(server.client, b"x" * (MOST_CHARACTERS + 1), language="zh-CN")
    error = answer.json()["error"]
    assert (error["code"], error["details"]) == ("file_too_long", {"limit": MOST_CHARACTERS})
    assert "2,000,000" in error["text"]


async def test_too_large_a_file_is_refused_before_it_is_read(server: LiveServer) -> None:
    answer = await upload(server.client, b"x" * (16 * 2**20 + 1))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


async def test_a_form_is_not_taken_for_a_file(server: LiveServer) -> None:
    answer = await server.client.post("/api/attachments", files={"file": b"text"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "not_a_form")


async def test_a_sent_file_stays_with_its_message(server: LiveServer) -> None:
    added = (await upload(server.client, b"Falcons are fast.", "facts.txt")).json()
    chat = server.services.chat
    conversation = await chat.create_conversation()
    question, reply = await chat.ask(
        conversation.id, "Summarise.", parent_id=None, params=SamplingParams(max_tokens=3), attachments=[added["id"]]
    )
    running = chat.find(reply.id)
    assert running is not None
    assert running.task is not None
    await running.task
    assert [file.name for file in question.attachments] == ["facts.txt"]
    refused = await server.client.delete(f"/api/attachments/{added['id']}")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "attachment_sent")
    seen = (await server.client.get(f"/api/replies/{reply.id}/prompt")).json()
    assert seen["messages"][-1]["content"] == '<file name="facts.txt">\nFalcons are fast.\n</file>\n\nSummarise.'


async def test_another_persons_files_do_not_exist(server: LiveServer) -> None:
    async with two_people(server) as (ada, bob):
        added = (await upload(ada.client, b"secret")).json()
        for method in ("GET", "DELETE"):
            assert (await bob.client.request(method, f"/api/attachments/{added['id']}")).status_code == 404
        assert (await bob.client.get("/api/attachments")).json()["attachments"] == []
        assert (await ada.client.get(f"/api/attachments/{added['id']}")).text == "secret"


async def test_others_are_served_while_files_are_read(server: LiveServer) -> None:
    pdf = text_pdf(*["Falcons are fast. " * 30] * 150)
    pulse = await asyncio.to_thread(Pulse, server.url)  # it waits, and the server is in this thread
    answers = await asyncio.gather(*(upload(server.client, pdf) for _ in range(6)))
    await asyncio.to_thread(pulse.__exit__)
    assert {answer.status_code for answer in answers} == {201}
    assert pulse.slowest < 0.5  # the promise is 0.2, with a machine of one's own
