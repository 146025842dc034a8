"""Pictures in a conversation with the real llama.cpp and a tiny projector: seen, counted, and named to the blind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from falconry.chat.chat import Chat
from falconry.engines.base import Engine
from falconry.engines.llama_cpp import LlamaCppEngine, LlamaCppOptions
from falconry.engines.pool import EnginePool, ModelSpec
from falconry.errors import InvalidRequest
from falconry.messages import SamplingParams, StoredMessage
from falconry.storage.attachments import Attachments
from falconry.storage.conversations import Conversations
from falconry.storage.database import Database
from tests.chat.conftest import ended
from tests.engines.random_gguf import write_projector, write_random
from tests.engines.tiny_gguf import SPECIAL, vocabulary_of
from tests.pictures import png

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMES, _ = vocabulary_of(())
NO_END = tuple((NAMES.index(name), -100.0) for name in SPECIAL)
GREEDY = SamplingParams(max_tokens=8, temperature=0.0, logit_bias=NO_END)
TOKENS = 16  # that the projector makes of a picture


@dataclass(frozen=True)
class House:
    chat: Chat
    files: Attachments

    async def picture(self, colour: str) -> str:
        data = png(colour)
        return (await self.files.add(f"{colour}.png", "image/png", len(data), picture=data)).id

    async def ask(
        self, talk: str, text: str, *pictures: str, model: str = "seer", edit_of: str | None = None
    ) -> StoredMessage:
        """The reply, ended."""
        _, reply = await self.chat.ask(
            talk,
            text,
            parent_id=(await self.chat.conversation(talk)).head_id,
            model=model,
            params=GREEDY,
            attachments=pictures or None,
            edit_of=edit_of,
        )
        return await ended(self.chat, reply)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("house")
    model = write_random(folder / "seer.gguf")
    projector = write_projector(folder / "mmproj.gguf")

    def make(seeing: Path | None) -> Engine:
        return LlamaCppEngine(model, LlamaCppOptions(projector=seeing))

    specs = {
        "seer": ModelSpec("seer", "Seer", "llama_cpp", partial(make, projector), vision=True),
        "blind": ModelSpec("blind", "Blind", "llama_cpp", partial(make, None)),
    }
    async with await Database.open(f"sqlite:///{folder / 'falconry.db'}", folder / "running") as database:
        pool = EnginePool(specs, "seer", loaded_models=2)
        chat = Chat(Conversations(database), pool)
        try:
            yield House(chat, Attachments(database))
        finally:
            await chat.aclose()
            await pool.aclose()


async def test_what_is_seen_changes_the_reply_and_is_counted_exactly(house: House) -> None:
    said = []
    for colours in ((), ("red",), ("blue",), ("red",)):
        talk = (await house.chat.create_conversation()).id
        files = [await house.picture(colour) for colour in colours]
        counted = await house.chat.context(talk, draft="What?", model="seer", params=GREEDY, attachments=files)
        reply = await house.ask(talk, "What?", *files)
        assert reply.status == "complete", reply.error
        assert reply.usage is not None
        assert (counted.prompt_tokens, counted.error) == (reply.usage.prompt_tokens, 0.0)
        said.append((reply.content, counted.prompt_tokens))
    assert said[1] == said[3]
    assert len({text for text, _ in said}) == 3
    assert said[1][1] == said[0][1] + TOKENS


async def test_it_is_seen_again_after_an_edit_and_when_regenerated(house: House) -> None:
    talk = (await house.chat.create_conversation()).id
    first = await house.ask(talk, "What?", await house.picture("red"))
    assert first.parent_id is not None
    edited = await house.ask(talk, "What?", edit_of=first.parent_id)
    assert edited.content == first.content
    again = await ended(house.chat, await house.chat.regenerate(edited.id, model="seer", params=GREEDY))
    assert again.content == first.content


async def test_a_blind_model_is_not_asked_of_a_new_picture_and_told_the_name_of_an_old_one(house: House) -> None:
    talk = (await house.chat.create_conversation()).id
    with pytest.raises(InvalidRequest, match="Blind cannot see pictures"):
        await house.ask(talk, "What?", await house.picture("red"), model="blind")
    await house.ask(talk, "What?", await house.picture("red"))
    reply = await house.ask(talk, "And?", model="blind")
    assert reply.status == "complete"
    seen = await house.chat.prompt(reply.id)
    assert seen.prompt is not None
    assert "[picture: red.png]" in seen.prompt


async def test_an_old_picture_leaves_the_window_with_its_message(house: House) -> None:
    talk = (await house.chat.create_conversation()).id
    await house.ask(talk, "What? " * 20, await house.picture("red"))
    left_out = 0
    for _ in range(40):
        reply = await house.ask(talk, "And then? " * 20)
        assert reply.status == "complete", reply.error
        assert reply.context is not None
        left_out = reply.context.left_out
        if left_out:
            break
    assert left_out > 0
