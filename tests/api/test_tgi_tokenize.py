"""Tokens for programs: each in the shape of its own protocol."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from falconry.services import open_services
from falconry.settings import Settings
from tests.conftest import LiveServer, serve
from tests.engines.tiny_gguf import write_reciter

TEXT = "A falcon 鷹 flies<|im_end|>"


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncGenerator[httpx.AsyncClient, None]:
    async with open_services(make_settings(model="eyas")) as services, serve(services) as live:
        yield live.client


async def ask(client: httpx.AsyncClient, path: str, **body: Any) -> Any:
    answer = await client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_tgis_tokens_name_their_characters(client: httpx.AsyncClient) -> None:
    tokens = await ask(client, "/tokenize", inputs=TEXT)
    for token in tokens:
        assert token["text"] == TEXT[token["start"] : token["stop"]]
    assert tokens[0]["start"] == 0
    assert (tokens[-1]["text"], tokens[-1]["stop"]) == ("<|im_end|>", len(TEXT))
    # A character that is several tokens belongs to all of them.
    assert [token["text"] for token in tokens].count("鷹") > 1


async def test_the_three_protocols_agree(client: httpx.AsyncClient) -> None:
    ours = [token["id"] for token in await ask(client, "/tokenize", inputs=TEXT)]
    vllm = await ask(client, "/tokenize", prompt=TEXT, model="anything", return_token_strs=True)
    assert vllm["tokens"] == ours
    assert (vllm["count"], vllm["max_model_len"]) == (len(ours), 2048)
    assert vllm["token_strs"][-1] == "<|im_end|>"
    llama = await ask(client, "/tokenize", content=TEXT)
    assert llama["tokens"] == ours
    for name in ("prompt", "content"):
        assert (await ask(client, "/detokenize", tokens=ours))[name] == TEXT


async def test_llama_cpps_pieces_are_bytes_where_they_are_no_text(client: httpx.AsyncClient) -> None:
    tokens = (await ask(client, "/tokenize", content="a鷹", with_pieces=True))["tokens"]
    assert tokens[0]["piece"] == "a"
    assert bytes(byte for token in tokens[1:] for byte in token["piece"]).decode() == "鷹"


async def test_names_of_special_tokens_may_count_as_text(client: httpx.AsyncClient) -> None:
    parsed = await ask(client, "/tokenize", content="<|im_end|>")
    plain = await ask(client, "/tokenize", content="<|im_end|>", parse_special=False)
    assert len(parsed["tokens"]) == 1
    assert len(plain["tokens"]) > 1


async def test_a_text_longer_than_the_context_is_tokenized(client: httpx.AsyncClient) -> None:
    text = "a falcon flies over the hills and 鹰 sees a mouse.\n" * 3000
    tokens = await ask(client, "/tokenize", inputs=text)
    assert len(tokens) > 2048 * 4
    assert tokens[-1]["stop"] == len(text)
    assert all(after["start"] >= before["start"] for before, after in pairwise(tokens))
    line = await ask(client, "/tokenize", inputs=text[: len(text) // 3000])
    assert len(tokens) == 3000 * len(line), "no token is cut in two where the pieces meet"


async def test_half_a_megabyte_is_the_most(client: httpx.AsyncClient) -> None:
    answer = await client.post("/tokenize", json={"inputs": "falcon " * 200_000})
    assert (answer.status_code, answer.json()["error_type"]) == (422, "validation")


async def test_a_chat_as_the_model_reads_it(client: httpx.AsyncClient) -> None:
    messages = [{"role": "user", "content": "Hello"}]
    answer = await ask(client, "/chat_tokenize", model="tgi", messages=messages)
    text = answer["templated_text"]
    assert text.startswith("<|im_start|>user\nHello<|im_end|>")
    assert "".join(token["text"] for token in answer["tokenize_response"]) == text
    vllm = await ask(client, "/tokenize", messages=messages)
    assert vllm["tokens"] == [token["id"] for token in answer["tokenize_response"]]


async def test_a_chat_of_a_model_without_a_template_is_in_the_plain_format(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    model = write_reciter(tmp_path / "plain.gguf", [b"a", b"b"], chat_template=None)
    async with open_services(make_settings(model="plain", models=[model])) as services, serve(services) as live:
        answer = await ask(live.client, "/chat_tokenize", messages=[{"role": "user", "content": "Hello"}])
        assert answer["templated_text"] == "\nUser: Hello\nAssistant:"


@pytest.mark.parametrize("body", [{}, {"inputs": None}, {"inputs": 5}, {"messages": []}, {"messages": [{"role": "x"}]}])
async def test_what_is_no_text_is_refused(server: LiveServer, body: dict[str, Any]) -> None:
    answer = await server.client.post("/tokenize", json=body)
    assert (answer.status_code, answer.json()["error_type"]) == (422, "validation")


async def test_the_tokenizer_tells_the_names_of_its_tokens(client: httpx.AsyncClient) -> None:
    info = (await client.get("/tokenizer_info")).json()
    assert (info["bos_token"], info["eos_token"]) == ("<|endoftext|>", "<|im_end|>")
    assert "messages" in info["chat_template"]
    assert len((await ask(client, "/tokenize", prompt=info["eos_token"], add_special_tokens=False))["tokens"]) == 1


async def test_a_backend_that_does_not_tell_has_no_tokenizer(server: LiveServer) -> None:
    answer = await server.client.get("/tokenizer_info")
    assert (answer.status_code, answer.json()["error_type"]) == (422, "validation")


async def test_tokens_that_there_are_not_are_refused(client: httpx.AsyncClient) -> None:
    for tokens in ([2**30], [-1], ["a"], [2**70]):
        answer = await client.post("/detokenize", json={"tokens": tokens})
        assert (answer.status_code, answer.json()["error_type"]) == (422, "validation")
