from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from time import monotonic

import pytest

from falconry.chat.chat import Chat
from falconry.engines.canned import REPLIES, CannedEngine
from falconry.errors import EngineInterrupted, EngineUnavailable, InvalidRequest, ModelNotFound, StaleConversation
from falconry.messages import NO_EXTRAS, Delta, Extras, Prompt, SamplingParams, TokenPrompt, Usage
from tests.chat.conftest import OpenChat, ended, until_text

FAST = 5000.0


class Scripted(CannedEngine):
    """Does one scripted thing per call: deltas to yield, or an error to raise."""

    def __init__(self, *calls: list[Delta | Exception], can_continue: bool = True) -> None:
        super().__init__()
        self.can_continue = can_continue
        self.calls = list(calls)
        self.prompts: list[Prompt] = []
        self.params: list[SamplingParams] = []

    async def generate(
        self, prompt: Prompt, params: SamplingParams, extras: Extras = NO_EXTRAS
    ) -> AsyncGenerator[Delta, None]:
        self.prompts.append(prompt)
        self.params.append(params)
        for step in self.calls.pop(0):
            if isinstance(step, Exception):
                raise step
            yield step


class Silent(CannedEngine):
    """Never answers; says when it was asked and when it was let go."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.closed = asyncio.Event()

    async def generate(
        self, prompt: Prompt, params: SamplingParams, extras: Extras = NO_EXTRAS
    ) -> AsyncGenerator[Delta, None]:
        self.asked.set()
        try:
            await asyncio.Event().wait()
            yield Delta()
        finally:
            self.closed.set()


END = Delta(finish_reason="stop", usage=Usage(10, 5, 2))


async def ask(chat: Chat, text: str = "hello", **options: object) -> tuple[str, str]:
    """Ask in a new conversation; gives its id and the reply's."""
    conversation = await chat.create_conversation()
    _, reply = await chat.ask(conversation.id, text, parent_id=None, **options)  # type: ignore[arg-type]
    return conversation.id, reply.id


async def test_a_reply_is_stored_whole_with_its_numbers(open_chat: OpenChat) -> None:
    async with open_chat(CannedEngine(rate=FAST, seed=1)) as chat:
        _, reply_id = await ask(chat)
        reply = await ended(chat, await chat.message(reply_id))
        assert reply.content in REPLIES["en"]
        assert (reply.status, reply.finish_reason, reply.model) == ("complete", "stop", "test")
        assert reply.usage is not None
        assert reply.context is not None
        assert reply.usage.prompt_tokens == reply.context.prompt_tokens
        assert reply.seconds is not None


async def test_the_question_is_stored_before_the_engine_is_asked(open_chat: OpenChat) -> None:
    engine = Silent()
    async with open_chat(engine) as chat:
        conversation_id, _ = await ask(chat, "remember me")
        question, reply = await chat.messages(conversation_id)
        assert (question.content, reply.status) == ("remember me", "running")
        await engine.asked.wait()


async def test_what_is_shown_is_already_stored(open_chat: OpenChat) -> None:
    async with open_chat(CannedEngine(rate=200)) as chat:
        _, reply_id = await ask(chat)
        reply = await chat.message(reply_id)
        for characters in (1, 40, 100):
            shown = await until_text(chat, reply, characters)
            assert (await chat.message(reply_id)).content.startswith(shown)


async def test_nobody_needs_to_watch(open_chat: OpenChat) -> None:
    async with open_chat(CannedEngine(rate=FAST)) as chat:
        _, reply_id = await ask(chat)
        reply = chat.find(reply_id)
        assert reply is not None
        assert reply.task is not None
        await reply.task
        assert (await chat.message(reply_id)).status == "complete"


async def test_stop_keeps_the_text_and_the_next_message_is_taken(open_chat: OpenChat) -> None:
    async with open_chat(CannedEngine(rate=50)) as chat:
        conversation_id, reply_id = await ask(chat)
        shown = await until_text(chat, await chat.message(reply_id), 20)
        stopped = await chat.stop(reply_id)
        assert stopped.status == "stopped"
        assert stopped.content.startswith(shown)
        assert (await chat.message(reply_id)).content == stopped.content
        assert (await chat.stop(reply_id)).status == "stopped"
        _, second = await chat.ask(conversation_id, "go on", parent_id=reply_id)
        assert (await chat.stop(second.id)).status == "stopped"


async def test_stop_before_the_first_token_frees_the_engine(open_chat: OpenChat) -> None:
    engine = Silent()
    async with open_chat(engine) as chat:
        _, reply_id = await ask(chat)
        await engine.asked.wait()
        begun = monotonic()
        stopped = await chat.stop(reply_id)
        assert monotonic() - begun < 0.5
        assert engine.closed.is_set()
        assert (stopped.status, stopped.content) == ("stopped", "")


async def test_two_stops_at_once_and_a_stop_after_the_end_do_no_harm(open_chat: OpenChat) -> None:
    async with open_chat(CannedEngine(rate=20)) as chat:
        _, reply_id = await ask(chat)
        first, second = await asyncio.gather(chat.stop(reply_id), chat.stop(reply_id))
        assert first.status == second.status == "stopped"
        assert (await chat.message(reply_id)).status == "stopped"


async def test_after_a_crash_the_reply_goes_on_from_its_text_once(open_chat: OpenChat) -> None:
    engine = Scripted(
        [Delta("Lions are "), Delta("strong"), EngineInterrupted("gone")],
        [Delta(" animals."), END],
    )
    async with open_chat(engine) as chat:
        _, reply_id = await ask(chat, params=SamplingParams(max_tokens=100))
        reply = await ended(chat, await chat.message(reply_id))
        assert (reply.content, reply.status) == ("Lions are strong animals.", "complete")
        continued = engine.prompts[1]
        assert not isinstance(continued, str | TokenPrompt)
        assert (continued[-1].role, continued[-1].content) == ("assistant", "Lions are strong")
        assert engine.params[1].max_tokens == 97


async def test_a_crash_before_the_first_token_asks_again(open_chat: OpenChat) -> None:
    engine = Scripted([EngineInterrupted("gone")], [Delta("Here I am."), END], can_continue=False)
    async with open_chat(engine) as chat:
        _, reply_id = await ask(chat)
        assert (await ended(chat, await chat.message(reply_id))).content == "Here I am."


@pytest.mark.parametrize("can_continue", [True, False])
async def test_a_second_crash_or_an_engine_that_cannot_continue_keeps_the_text(
    open_chat: OpenChat, can_continue: bool
) -> None:
    crash: list[Delta | Exception] = [Delta("part"), EngineInterrupted("gone")]
    async with open_chat(Scripted(crash, crash, can_continue=can_continue)) as chat:
        _, reply_id = await ask(chat)
        reply = await ended(chat, await chat.message(reply_id))
        assert reply.status == "interrupted"
        assert reply.content == ("partpart" if can_continue else "part")
        assert reply.error is not None
        assert reply.error["code"] == "engine_interrupted"


async def test_an_engine_that_is_away_fails_the_reply_with_its_reason(open_chat: OpenChat) -> None:
    async with open_chat(Scripted([EngineUnavailable("The model cannot be reached.")])) as chat:
        conversation_id, reply_id = await ask(chat)
        reply = await ended(chat, await chat.message(reply_id))
        assert reply.status == "failed"
        assert reply.error is not None
        assert reply.error["code"] == "engine_unavailable"
        assert len(await chat.messages(conversation_id)) == 2


async def test_a_bug_in_an_engine_ends_the_reply_and_nothing_else(
    open_chat: OpenChat, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_chat(Scripted([RuntimeError("bug")], [Delta("fine"), END])) as chat:
        conversation_id, reply_id = await ask(chat)
        reply = await ended(chat, await chat.message(reply_id))
        assert (reply.status, (reply.error or {}).get("code")) == ("failed", "internal_error")
        assert "bug" in caplog.text
        _, second = await chat.ask(conversation_id, "again", parent_id=reply_id)
        assert (await ended(chat, second)).content == "fine"


async def test_a_message_that_is_too_long_fails_with_both_numbers_and_does_not_block_the_chat(
    open_chat: OpenChat,
) -> None:
    async with open_chat(CannedEngine(rate=FAST, context_length=256)) as chat:
        conversation_id, reply_id = await ask(chat, "long " * 1000)
        reply = await ended(chat, await chat.message(reply_id))
        assert reply.error is not None
        assert reply.error["code"] == "context_length_exceeded"
        assert reply.error["details"] == {"prompt_tokens": pytest.approx(1030, abs=30), "limit": 192}
        _, second = await chat.ask(conversation_id, "short", parent_id=reply_id)
        after = await ended(chat, second)
        assert after.status == "complete"
        assert after.context is not None
        assert after.context.left_out == 2


async def test_the_gauge_counts_where_nothing_was_answered_yet(open_chat: OpenChat) -> None:
    async with open_chat(Scripted([EngineUnavailable("away")])) as chat:
        conversation_id, reply_id = await ask(chat)
        empty = await chat.context((await chat.create_conversation()).id)
        await ended(chat, await chat.message(reply_id))
        assert (await chat.context(conversation_id)).prompt_tokens == empty.prompt_tokens > 0


async def test_the_beginning_of_a_reply_has_no_blanks_and_its_end_is_never_lost(open_chat: OpenChat) -> None:
    engine = Scripted([Delta(" "), Delta("\n Hello"), Delta(" "), Delta(" you"), Delta(" there", finish_reason="stop")])
    async with open_chat(engine) as chat:
        _, reply_id = await ask(chat)
        assert (await ended(chat, await chat.message(reply_id))).content == "Hello  you there"


async def test_regenerate_keeps_the_first_answer(open_chat: OpenChat) -> None:
    engine = Scripted([Delta("one"), END], [Delta("two"), END])
    async with open_chat(engine) as chat:
        conversation_id, first_id = await ask(chat)
        await ended(chat, await chat.message(first_id))
        second = await ended(chat, await chat.regenerate(first_id))
        assert second.content == "two"
        assert engine.prompts[0] == engine.prompts[1]
        assert [m.content for m in await chat.messages(conversation_id)] == ["hello", "two"]
        assert (await chat.message(first_id)).content == "one"


async def test_continue_goes_on_in_the_same_reply(open_chat: OpenChat) -> None:
    engine = Scripted([Delta("Once upon", finish_reason="length")], [Delta(" a time."), END])
    async with open_chat(engine) as chat:
        conversation_id, reply_id = await ask(chat)
        first = await ended(chat, await chat.message(reply_id))
        assert first.finish_reason == "length"
        again = await ended(chat, await chat.resume(reply_id))
        assert (again.id, again.content, again.finish_reason) == (reply_id, "Once upon a time.", "stop")
        assert len(await chat.messages(conversation_id)) == 2


async def test_continue_is_refused_where_the_server_cannot(open_chat: OpenChat) -> None:
    engine = Scripted([Delta("Once", finish_reason="length")], can_continue=False)
    async with open_chat(engine) as chat:
        _, reply_id = await ask(chat)
        await ended(chat, await chat.message(reply_id))
        with pytest.raises(InvalidRequest) as error:
            await chat.resume(reply_id)
        assert error.value.code == "cannot_continue"
        assert (await chat.message(reply_id)).status == "complete"


async def test_one_reply_at_a_time_per_conversation(open_chat: OpenChat) -> None:
    engine = Silent()
    async with open_chat(engine) as chat:
        conversation_id, reply_id = await ask(chat)
        with pytest.raises(StaleConversation):
            await chat.ask(conversation_id, "and?", parent_id=reply_id)
        with pytest.raises(StaleConversation):
            await chat.regenerate(reply_id)
        await chat.stop(reply_id)


async def test_an_asker_who_leaves_at_once_still_gets_an_answer(open_chat: OpenChat) -> None:
    async with open_chat(CannedEngine(rate=FAST)) as chat:
        conversation = await chat.create_conversation()
        asking = asyncio.create_task(chat.ask(conversation.id, "hello", parent_id=None))
        await asyncio.sleep(0)
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
        with chat.watch(conversation.id) as watcher:
            while len(messages := await chat.messages(conversation.id)) < 2 or messages[-1].status == "running":
                await watcher.wait(1)
        assert messages[-1].status == "complete"


async def test_the_end_of_falconry_keeps_running_replies_as_interrupted(open_chat: OpenChat) -> None:
    async with open_chat(CannedEngine(rate=50)) as chat:
        _, reply_id = await ask(chat)
        shown = await until_text(chat, await chat.message(reply_id), 10)
        await chat.aclose()
        reply = await chat.message(reply_id)
        assert reply.status == "interrupted"
        assert reply.content.startswith(shown)


async def test_empty_messages_and_unknown_models_are_refused_before_anything_is_stored(open_chat: OpenChat) -> None:
    async with open_chat(CannedEngine()) as chat:
        conversation = await chat.create_conversation()
        with pytest.raises(InvalidRequest):
            await chat.ask(conversation.id, " \n ", parent_id=None)
        with pytest.raises(ModelNotFound):
            await chat.ask(conversation.id, "hi", parent_id=None, model="nobody/knows")
        assert await chat.messages(conversation.id) == []


async def test_the_prompt_that_the_model_saw_can_be_read_again(open_chat: OpenChat) -> None:
    async with open_chat(CannedEngine(rate=FAST)) as chat:
        conversation_id, reply_id = await ask(chat, "first", system="Be brief.")
        first = await ended(chat, await chat.message(reply_id))
        _, second = await chat.ask(conversation_id, "second", parent_id=reply_id, system="Be brief.")
        await ended(chat, second)
        seen = await chat.prompt(second.id)
        assert seen.prompt == f"system: Be brief.\nuser: first\nassistant: {first.content}\nuser: second\nassistant:"
        assert seen.context.prompt_tokens == (await CannedEngine().count_tokens(seen.prompt)).tokens


async def test_a_model_without_a_template_gets_the_plain_format(open_chat: OpenChat) -> None:
    class Plain(Scripted):
        async def has_chat_template(self) -> bool:
            return False

    engine = Plain([Delta(" Fine."), END])
    async with open_chat(engine) as chat:
        _, reply_id = await ask(chat, "How are you?", system="Be kind.")
        assert (await ended(chat, await chat.message(reply_id))).content == "Fine."
        assert engine.prompts == ["System:Be kind.\nUser: How are you?\nAssistant:"]
        assert engine.params[0].stop == ("\nUser:", "<|endoftext|>")


async def test_an_endpoint_that_tells_its_window_only_by_refusing_is_asked_again(open_chat: OpenChat) -> None:
    class Learning(CannedEngine):
        known = False

        async def context_length(self) -> int | None:
            return 400 if self.known else None

        async def generate(
            self, prompt: Prompt, params: SamplingParams, extras: Extras = NO_EXTRAS
        ) -> AsyncGenerator[Delta, None]:
            self.known = self.known or (await self.count_tokens(prompt)).tokens > 400
            async for delta in super().generate(prompt, params, extras):
                yield delta

    async with open_chat(Learning(rate=FAST, context_length=400)) as chat:
        conversation = await chat.create_conversation()
        head = None
        for _ in range(8):
            _, reply = await chat.ask(conversation.id, "word " * 60, parent_id=head)
            head = (await ended(chat, reply)).id
            assert (await chat.message(head)).status == "complete"
        last = await chat.message(head or "")
        assert last.context is not None
        assert last.context.left_out > 0


async def test_ten_windows_of_talk_always_carry_the_system_message(open_chat: OpenChat) -> None:
    canary = "Canary 7141 sings."
    engine = CannedEngine(rate=10**9, context_length=300)
    async with open_chat(engine) as chat:
        conversation = await chat.create_conversation()
        head = None
        for n in range(60):
            _, reply = await chat.ask(conversation.id, f"{n} " + "word " * 50, parent_id=head, system=canary)
            head = (await ended(chat, reply)).id
            seen = await chat.prompt(head)
            assert seen.messages[0].content == canary
            assert seen.messages[-1].content.startswith(f"{n} ")
            left_out = 2 * n + 1 - (len(seen.messages) - 1)
            assert seen.context.left_out == left_out


async def test_a_reply_that_nobody_watches_ends_after_its_time(open_chat: OpenChat) -> None:
    async with open_chat(Silent()) as chat:
        chat._unwatched_limit = 0.05
        _, reply_id = await ask(chat)
        reply = chat.find(reply_id)
        assert reply is not None
        assert reply.task is not None
        await reply.task
        assert (await chat.message(reply_id)).error == {
            "code": "unwatched",
            "message": "Nobody watched this reply for a long time, so it ended.",
            "details": {},
        }


async def test_thinking_in_the_text_is_kept_apart_and_not_sent_again(open_chat: OpenChat) -> None:
    steps: list[Delta | Exception] = [Delta("<thi"), Delta("nk>\nhm"), Delta("\n</think>\n\nAns"), Delta("wer"), END]
    engine = Scripted(steps, [Delta("more"), END])
    async with open_chat(engine) as chat:
        conversation_id, reply_id = await ask(chat)
        reply = await ended(chat, await chat.message(reply_id))
        assert (reply.content, reply.thinking) == ("Answer", "\nhm\n")
        assert reply.thinking_seconds is not None
        _, second = await chat.ask(conversation_id, "and?", parent_id=reply.id)
        await ended(chat, second)
        assert "hm" not in str(engine.prompts[-1])
