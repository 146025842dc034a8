"""The real engine, killed in the middle of a reply: the reply goes on, and the chat stays usable."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from time import monotonic

import pytest

from falconry.engines.llama_cpp import LlamaCppEngine, LlamaCppOptions
from falconry.messages import SamplingParams
from falconry.models import eyas
from tests.chat.conftest import OpenChat, ended, until_text

STORY = SamplingParams(temperature=0.0, max_tokens=400)


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGSEGV])
async def test_a_reply_goes_on_after_its_engine_was_killed(open_chat: OpenChat, sig: signal.Signals) -> None:
    engine = LlamaCppEngine(eyas.path(), LlamaCppOptions())
    async with open_chat(engine) as chat:
        conversation = await chat.create_conversation()
        _, reply = await chat.ask(conversation.id, "Tell me a story", parent_id=None, params=STORY)
        shown = await until_text(chat, reply, 1)
        assert engine.pid is not None
        first_pid = engine.pid
        os.kill(first_pid, signal.SIGSTOP)  # held for a moment, so that it cannot finish first
        os.kill(first_pid, sig)
        with suppress(ProcessLookupError):  # SIGKILL does not wait for it
            os.kill(first_pid, signal.SIGCONT)
        whole = await ended(chat, reply)
        assert whole.status == "complete"
        assert whole.content.startswith(shown)
        assert len(whole.content) > len(shown)
        assert engine.pid != first_pid
        _, again = await chat.ask(conversation.id, "Tell me a story", parent_id=reply.id, params=STORY)
        assert (await ended(chat, again)).status == "complete"


async def test_an_engine_that_dies_again_and_again_ends_the_reply_and_says_so(open_chat: OpenChat) -> None:
    engine = LlamaCppEngine(eyas.path(), LlamaCppOptions())
    async with open_chat(engine) as chat:
        conversation = await chat.create_conversation()
        _, reply = await chat.ask(conversation.id, "Tell me a story", parent_id=None, params=STORY)
        shown = await until_text(chat, reply, 1)
        killed: set[int] = set()
        begun = monotonic()
        while (running := chat.find(reply.id)) is not None and running.status == "running":
            assert monotonic() - begun < 30
            if engine.pid is not None and engine.pid not in killed:
                killed.add(engine.pid)
                os.kill(engine.pid, signal.SIGKILL)
            with chat.watch(conversation.id) as watcher:
                await watcher.wait(0.01)
        kept = await chat.message(reply.id)
        assert kept.content.startswith(shown)
        assert kept.status in ("interrupted", "complete")
        if kept.status == "interrupted":
            assert kept.error is not None
