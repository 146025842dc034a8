"""Titles of conversations that the model itself writes, after its first answer.

Until then, and where what it writes is no title, the first words of the conversation stand. Nobody waits for it, and a
title that a person gave is never touched.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

from falconry.chat.context_window import Prompters, sendable
from falconry.chat.prompt_format import PLAIN_STOP
from falconry.chat.think_tags import ThinkTags
from falconry.engines.pool import EnginePool
from falconry.errors import FalconryError
from falconry.messages import Message, SamplingParams, StoredMessage
from falconry.settings import BUILT_IN_MODEL
from falconry.storage.conversations import Conversations

logger = logging.getLogger(__name__)

SECONDS = 120.0  # after which the first words stay
PARAMS = SamplingParams(max_tokens=600, temperature=0.2)  # a model that thinks does so first
LONGEST = 60  # characters of a title; Chinese ones carry more and are half as long
MOST_SENT = 6000  # characters of each message that go out to an endpoint for the sake of a title
INSTRUCTIONS = {
    False: "Write a title for this conversation: two to six words that say what it is about. "
    "Answer with the title alone, in the language of the conversation.",
    True: "请给这段对话写一个标题，用不超过十二个字概括它谈的内容。只回答标题本身。",
}

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_OTHER_WORD = re.compile("[^\\W\\d_\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_LABEL = re.compile(r"^(?:title|conversation title|标题|对话标题)\s*[:：]\s*", re.IGNORECASE)
_AROUND = "\"'“”‘’«»「」『』《》`*_#-–—.。:：,，;； \t"
# Marks of templates and of speakers, and what a model says that does not understand what it is asked for.
_NO_TITLE = re.compile(
    r"[<>{}\[\]|\\]|\b(?:user|assistant|system)\s*:|用户[:：]|助手[:：]|"
    r"^(?:sorry|i am|i'm|i can|i cannot|i do|sure|certainly|here is|here's|of course|as an ai)\b|"
    r"^(?:抱歉|对不起|好的|当然|我是|我不)",
    re.IGNORECASE,
)


class Titles:
    """Writes titles, each as a task of its own."""

    def __init__(self, pool: EnginePool, prompters: Prompters) -> None:
        self._pool = pool
        self._prompters = prompters
        self._tasks: set[asyncio.Task[None]] = set()

    def consider(
        self, reply: StoredMessage, store: Conversations, owner_id: str, changed: Callable[[str], None]
    ) -> None:
        """Have a title written where a reply ended a conversation's first exchange.

        Args:
            store: of the conversation's owner.
            changed: called with the conversation's id when it has got its title.
        """
        if reply.depth != 1 or reply.status != "complete" or not reply.content.strip() or not self._can(reply.model):
            return
        task = asyncio.create_task(self._entitle(reply, store, owner_id, changed), name=f"title {reply.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _can(self, model: str | None) -> bool:
        """The built-in model is too small to sum anything up, and the bot without one only knows three sentences."""
        return model != BUILT_IN_MODEL and self._kind(model) not in (None, "canned")

    def _kind(self, model: str | None) -> str | None:
        return next((info.engine for info in self._pool.models() if info.name == model), None)

    async def _entitle(
        self, reply: StoredMessage, store: Conversations, owner_id: str, changed: Callable[[str], None]
    ) -> None:
        try:
            conversation = await store.get(reply.conversation_id)
            if conversation.titled_by != "message" or conversation.comparison_id is not None:
                return
            said = sendable(await store.transcript(reply.id))
            async with asyncio.timeout(SECONDS):
                written = await self._write(reply, said, owner_id)
            title = title_in(written, chinese=_is_chinese(said[0].content)) if said else None
            if title is not None and await store.entitle(reply.conversation_id, title):
                changed(reply.conversation_id)
        except TimeoutError:
            logger.info("%s took too long to write a title.", reply.model)
        except FalconryError as error:
            logger.info("%s wrote no title: %s", reply.model, error.code)
        except Exception:
            logger.exception("A title failed")

    async def _write(self, reply: StoredMessage, said: Sequence[StoredMessage], owner_id: str) -> str:
        """What the model answers, its first line at least.

        The prompt begins as that of the next turn will, so that a local engine has read most of it already; an endpoint
        may have to be paid for each token, so it gets long messages shortened, and pictures by their names.
        """
        model = reply.model or ""
        async with self._pool.engine(model) as engine:
            prompter = await self._prompters.of(engine, vision=self._pool.spec(model).vision)
        read = prompter.messages(said)
        if self._kind(model) != "llama_cpp":
            read = [Message(each.role, _shortened(each.as_message().content)) for each in said]
        system = reply.context.system if reply.context else ""
        asked = [*read, Message("user", INSTRUCTIONS[_is_chinese(read[0].content)])]
        messages = [Message("system", system), *asked] if system.strip() else asked
        params = replace(PARAMS, stop=PLAIN_STOP) if prompter.plain else PARAMS
        text, tags = "", ThinkTags()
        work = self._pool.generate(model, prompter.prompt(messages), params, owner=owner_id)
        async with aclosing(work) as deltas:
            async for delta in deltas:
                text += tags.feed(delta)[0]
                if "\n" in text.strip() or len(text) > 4 * LONGEST:
                    break
        return tags.whole(text + tags.flush()[0], "")[0]

    async def aclose(self) -> None:
        """Write no more titles."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def title_in(written: str, *, chinese: bool) -> str | None:
    """The title that a model wrote, None where it wrote something else.

    Args:
        chinese: the conversation is in Chinese.
    """
    lines = written.strip().splitlines()
    line = " ".join(lines[0].split()) if lines else ""
    title = _LABEL.sub("", line.strip(_AROUND)).strip(_AROUND)
    most = LONGEST // 2 if chinese else LONGEST
    if not 2 <= len(title) <= most or _NO_TITLE.search(title) or _is_chinese(title) != chinese:
        return None
    if any(title.casefold() in instruction.casefold() for instruction in INSTRUCTIONS.values()):
        return None
    return title if any(character.isalnum() for character in title) else None


def _is_chinese(text: str) -> bool:
    """Whether a text has more Chinese characters than words of other scripts: a name or two does not count."""
    start = text[:2000]
    return len(_HAN.findall(start)) > len(_OTHER_WORD.findall(start))


def _shortened(text: str) -> str:
    return text if len(text) <= MOST_SENT else text[: MOST_SENT // 2] + "\n…\n" + text[-MOST_SENT // 2 :]
