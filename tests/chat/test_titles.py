"""Titles that models write, and what is no title."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from falconry.chat.chat import Chat
from falconry.chat.titles import INSTRUCTIONS, MOST_SENT, title_in
from falconry.engines.base import Engine
from falconry.engines.pool import EnginePool, ModelSpec
from falconry.errors import EngineInterrupted
from falconry.messages import Conversation, Delta, Message, TokenPrompt
from falconry.settings import BUILT_IN_MODEL
from falconry.storage.conversations import Conversations
from falconry.storage.database import Database
from tests.chat.conftest import ended
from tests.chat.test_turn import END, Scripted, Silent


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ("Animals of the savanna", "Animals of the savanna"),
        ('  "Animals of the Savanna."\n\nIt is about animals.', "Animals of the Savanna"),
        ("**Title: Falcons and owls**", "Falcons and owls"),
        ("# Falcons\nThey dive", "Falcons"),
        ("C++ for beginners", "C++ for beginners"),
        ("How does 小红书 work?", "How does 小红书 work?"),
        ("", None),
        ("…", None),
        ("x", None),
        ("a " * 40, None),
        ("<think>no end", None),
        ("<|im_start|>assistant", None),
        ("User: hello Assistant: hi", None),
        ("{{ title }}", None),
        ("Sorry, I cannot do that", None),
        ("Here is a title for you", None),
        (INSTRUCTIONS[False].rstrip(".")[:60], None),
        ("关于猎鹰", None),
    ],
)
def test_what_is_a_title_of_an_english_conversation(written: str, title: str | None) -> None:
    assert title_in(written, chinese=False) == title


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ("猎鹰的速度", "猎鹰的速度"),
        ("标题：《草原上的动物》。", "草原上的动物"),
        ("Python 入门", "Python 入门"),
        ("The speed of falcons", None),
        ("好的，这是标题", None),
        ("这" * 40, None),
    ],
)
def test_what_is_a_title_of_a_chinese_conversation(written: str, title: str | None) -> None:
    assert title_in(written, chinese=True) == title


@asynccontextmanager
async def chat_with(
    tmp_path: Path, engine: Engine, *, name: str = "big", kind: str = "openai", titles: bool = True
) -> AsyncGenerator[Chat, None]:
    async with await Database.open(f"sqlite:///{tmp_path / 'falconry.db'}", tmp_path / "running") as database:
        pool = EnginePool({name: ModelSpec(name, name, kind, lambda: engine)}, name, loaded_models=1)
        chat = Chat(Conversations(database), pool, titles=titles)
        try:
            yield chat
        finally:
            await chat.aclose()
            await pool.aclose()


async def first_exchange(chat: Chat, text: str = "Which animals live on the savanna?") -> str:
    conversation = await chat.create_conversation()
    _, reply = await chat.ask(conversation.id, text, parent_id=None)
    await ended(chat, reply)
    return conversation.id


async def settled(chat: Chat, conversation_id: str) -> Conversation:
    """The conversation when no title is being written any more."""
    assert chat._titles is not None
    await asyncio.gather(*chat._titles._tasks)
    return await chat.conversation(conversation_id)


async def test_after_the_first_answer_the_model_gives_the_title(tmp_path: Path) -> None:
    engine = Scripted([Delta("Lions."), END], [Delta("Savanna animals\n"), Delta("and more"), END], [Delta("x"), END])
    async with chat_with(tmp_path, engine) as chat:
        conversation_id = await first_exchange(chat)
        found = await settled(chat, conversation_id)
        assert (found.title, found.titled_by) == ("Savanna animals", "model")
        prompt = engine.prompts[1]
        assert not isinstance(prompt, str | TokenPrompt)
        first = engine.prompts[0]
        assert not isinstance(first, str | TokenPrompt)
        # It goes on from what the engine has read already.
        assert list(prompt[:-1]) == [*first, Message("assistant", "Lions.")]
        _, second = await chat.ask(conversation_id, "and?", parent_id=found.head_id)
        await ended(chat, second)
        assert (await settled(chat, conversation_id)).title == "Savanna animals"
        assert engine.calls == []


async def test_what_a_person_named_keeps_its_name(tmp_path: Path) -> None:
    engine = Scripted([Delta("Lions."), END], [Delta("Savanna animals"), END])
    async with chat_with(tmp_path, engine) as chat:
        conversation_id = await first_exchange(chat)
        await chat.change_conversation(conversation_id, title="Mine")
        found = await settled(chat, conversation_id)
        assert (found.title, found.titled_by) == ("Mine", "person")


@pytest.mark.parametrize(
    "answer", [[Delta("Sorry, I cannot."), END], [EngineInterrupted("gone")], [RuntimeError("bug")], [END]]
)
async def test_where_there_is_no_title_the_first_words_stay(tmp_path: Path, answer: list[Delta | Exception]) -> None:
    async with chat_with(tmp_path, Scripted([Delta("Lions."), END], answer)) as chat:
        found = await settled(chat, await first_exchange(chat))
        assert (found.title, found.titled_by) == ("Which animals live on the savanna?", "message")


@pytest.mark.parametrize(
    ("name", "kind", "titles"),
    [(BUILT_IN_MODEL, "llama_cpp", True), ("canned", "canned", True), ("big", "openai", False)],
)
async def test_models_that_cannot_and_settings_that_forbid_are_not_asked(
    tmp_path: Path, name: str, kind: str, titles: bool
) -> None:
    engine = Scripted([Delta("Lions."), END])
    async with chat_with(tmp_path, engine, name=name, kind=kind, titles=titles) as chat:
        conversation_id = await first_exchange(chat)
        if chat._titles is not None:
            await settled(chat, conversation_id)
        assert len(engine.prompts) == 1
        assert (await chat.conversation(conversation_id)).titled_by == "message"


async def test_a_reply_that_failed_has_nothing_to_sum_up(tmp_path: Path) -> None:
    engine = Scripted([EngineInterrupted("gone")], [EngineInterrupted("gone")])
    async with chat_with(tmp_path, engine) as chat:
        await settled(chat, await first_exchange(chat))
        assert len(engine.prompts) == 2


async def test_what_the_model_thinks_first_is_no_title(tmp_path: Path) -> None:
    thoughts = [Delta("<think>\nThe user wants"), Delta("\n\na title.\n</think>\n\n"), Delta("Fast birds"), END]
    async with chat_with(tmp_path, Scripted([Delta("Lions."), END], [*thoughts])) as chat:
        assert (await settled(chat, await first_exchange(chat))).title == "Fast birds"


async def test_an_endpoint_is_not_sent_a_book_for_the_sake_of_a_title(tmp_path: Path) -> None:
    engine = Scripted([Delta("Lions."), END], [Delta("Long stories"), END])
    async with chat_with(tmp_path, engine) as chat:
        found = await settled(chat, await first_exchange(chat, "falconry, " * 1000))
        assert found.title == "Long stories"
        prompt = engine.prompts[1]
        assert not isinstance(prompt, str | TokenPrompt)
        assert max(len(message.content) for message in prompt) <= MOST_SENT + 3


async def test_the_question_is_in_the_language_of_the_conversation(tmp_path: Path) -> None:
    engine = Scripted([Delta("狮子。"), END], [Delta("草原上的动物"), END])
    async with chat_with(tmp_path, engine, kind="llama_cpp") as chat:
        assert (await settled(chat, await first_exchange(chat, "草原上有哪些动物？"))).title == "草原上的动物"
        prompt = engine.prompts[1]
        assert not isinstance(prompt, str | TokenPrompt)
        assert prompt[-1].content == INSTRUCTIONS[True]


async def test_a_title_that_takes_for_ever_holds_up_nothing(tmp_path: Path) -> None:
    class SlowTitle(Silent):
        def generate(self, *args: object, **kwargs: object) -> AsyncGenerator[Delta, None]:
            if self.asked.is_set():
                return super().generate(*args, **kwargs)  # type: ignore[arg-type]
            self.asked.set()
            return Scripted([Delta("Lions."), END]).generate("", None)  # type: ignore[arg-type]

    engine = SlowTitle()
    async with chat_with(tmp_path, engine) as chat:
        await first_exchange(chat)
        await chat.aclose()
    assert engine.asked.is_set()
