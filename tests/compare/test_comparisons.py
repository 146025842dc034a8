"""Asking several models at once, and what may be known of them while names are hidden."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from falconry.chat.chat import Chat
from falconry.compare.comparisons import Comparisons
from falconry.compare.rounds import State
from falconry.compare.told import state_json
from falconry.engines.canned import CannedEngine
from falconry.engines.pool import EnginePool, ModelSpec
from falconry.errors import InvalidRequest, ModelNotFound, NotFound, StaleConversation
from falconry.messages import SamplingParams
from falconry.storage.attachments import Attachments
from falconry.storage.comparisons import ComparisonStore
from falconry.storage.conversations import Conversations
from falconry.storage.database import Database

QUICK = "quick words " * 20
SLOW = "slow words " * 100


def specs() -> dict[str, ModelSpec]:
    engines = {
        "quick": lambda: CannedEngine(text=QUICK, rate=math.inf),
        "other": lambda: CannedEngine(text="other words", rate=math.inf),
        "third": lambda: CannedEngine(text="third words", rate=math.inf),
        "slow": lambda: CannedEngine(text=SLOW, rate=50),
        "breaks": lambda: CannedEngine(text=QUICK, rate=math.inf, fail_after=3),
        "tiny": lambda: CannedEngine(rate=math.inf, context_length=40),
    }
    return {name: ModelSpec(name, name, "canned", make) for name, make in engines.items()}


@dataclass(frozen=True)
class House:
    comparisons: Comparisons
    chat: Chat
    files: Attachments


@asynccontextmanager
async def open_house(folder: Path, models: dict[str, ModelSpec]) -> AsyncGenerator[House, None]:
    async with AsyncExitStack() as stack:
        database = await Database.open(f"sqlite:///{folder / 'falconry.db'}", folder / "running")
        stack.push_async_callback(database.aclose)
        pool = EnginePool(models, "quick", loaded_models=1)
        stack.push_async_callback(pool.aclose)
        chat = Chat(Conversations(database), pool)
        stack.push_async_callback(chat.aclose)
        yield House(Comparisons(ComparisonStore(database), chat, pool), chat, Attachments(database))


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[House, None]:
    async with open_house(tmp_path, specs()) as opened:
        yield opened


@pytest.fixture
def comparisons(house: House) -> Comparisons:
    return house.comparisons


async def until_text(house: House, column: str, characters: int) -> None:
    with house.chat.watch(column) as watcher:
        while (reply := house.chat.running(column)) is not None and len(reply.text) < characters:
            await watcher.wait(10)


def turns(state: State) -> list[dict[str, Any]]:
    """As they are told."""
    told: list[dict[str, Any]] = json.loads(json.dumps(state_json(state)))["turns"]
    return told


def statuses(state: State) -> list[str]:
    return [answer.latest.status if answer.latest else "none" for answer in state.rounds[-1].answers]


async def test_all_models_get_the_same_questions_in_order(comparisons: Comparisons) -> None:
    made = await comparisons.create(["quick", "other", "third"])
    for turn, question in enumerate(["first?", "second?"]):
        await comparisons.ask(made.id, question, turn=turn, params=SamplingParams(seed=7), system="Be brief.")
        state = await comparisons.finished(made.id)
    assert state.comparison.models == ("quick", "other", "third")
    assert [asked.question.content for asked in state.rounds] == ["first?", "second?"]
    assert [answer.text.strip() for answer in state.rounds[1].answers] == [QUICK.strip(), "other words", "third words"]
    answers = [answer.message for answer in state.rounds[1].answers]
    assert {message.params for message in answers if message} == {SamplingParams(seed=7)}
    assert {message.context.system for message in answers if message and message.context} == {"Be brief."}
    assert state.comparison.title == "first?"


async def test_two_to_four_different_models_that_exist(comparisons: Comparisons) -> None:
    for models in (["quick"], ["quick", "other", "third", "slow", "tiny"]):
        with pytest.raises(InvalidRequest, match="2 to 4"):
            await comparisons.create(models)
    with pytest.raises(InvalidRequest, match="only once"):
        await comparisons.create(["quick", "quick"])
    with pytest.raises(ModelNotFound):
        await comparisons.create(["quick", "nobody"])


async def test_one_that_breaks_stops_nobody_and_is_tried_again_alone(comparisons: Comparisons) -> None:
    made = await comparisons.create(["breaks", "other"])
    await comparisons.ask(made.id, "hello", turn=0, params=SamplingParams(seed=3), system="Be brief.")
    state = await comparisons.finished(made.id)
    assert statuses(state) == ["interrupted", "complete"]
    first = state.rounds[0].answers
    await comparisons.retry(made.id, 0)
    again = (await comparisons.finished(made.id)).rounds[0].answers
    assert again[0].id != first[0].id
    assert again[1].id == first[1].id
    assert again[0].message is not None
    assert again[0].message.params == SamplingParams(seed=3)
    assert again[0].message.context is not None
    assert again[0].message.context.system == "Be brief."


async def test_what_is_good_or_judged_is_not_tried_again(comparisons: Comparisons) -> None:
    made = await comparisons.create(["breaks", "other"])
    await comparisons.ask(made.id, "hello", turn=0)
    await comparisons.finished(made.id)
    with pytest.raises(InvalidRequest):
        await comparisons.retry(made.id, 1)
    await comparisons.vote(made.id, 0, {1})
    with pytest.raises(StaleConversation, match="judged already"):
        await comparisons.retry(made.id, 0)


async def test_a_question_too_long_for_one_is_answered_by_the_others(comparisons: Comparisons) -> None:
    made = await comparisons.create(["tiny", "other"])
    await comparisons.ask(made.id, "long " * 100, turn=0)
    assert statuses(await comparisons.finished(made.id)) == ["failed", "complete"]


async def test_a_model_that_is_gone_fails_alone_and_the_next_question_is_in_step(tmp_path: Path) -> None:
    async with open_house(tmp_path, specs()) as house:
        made = await house.comparisons.create(["quick", "third"])
        await house.comparisons.ask(made.id, "one", turn=0)
        await house.comparisons.finished(made.id)
    async with open_house(tmp_path, {name: spec for name, spec in specs().items() if name != "third"}) as house:
        await house.comparisons.ask(made.id, "two", turn=1)
        state = await house.comparisons.finished(made.id)
        assert statuses(state) == ["complete", "failed"]
        with pytest.raises(ModelNotFound):
            await house.comparisons.retry(made.id, 1)
    async with open_house(tmp_path, specs()) as house:
        await house.comparisons.retry(made.id, 1)
        state = await house.comparisons.finished(made.id)
        assert [answer.text.strip() for answer in state.rounds[1].answers] == [QUICK.strip(), "third words"]


async def test_that_a_model_is_gone_does_not_tell_its_name(tmp_path: Path) -> None:
    async with open_house(tmp_path, specs()) as house:
        made = await house.comparisons.create(["other", "third"], blind=True)
    left = {name: spec for name, spec in specs().items() if name not in ("other", "third")}
    async with open_house(tmp_path, left) as house:
        with pytest.raises(NotFound) as refused:
            await house.comparisons.ask(made.id, "hello", turn=0)
        assert refused.value.code == "hidden_failure"
    place = made.models.index("third")
    async with open_house(tmp_path, {name: spec for name, spec in specs().items() if name != "third"}) as house:
        await house.comparisons.ask(made.id, "hello", turn=0)
        await house.comparisons.finished(made.id)
        with pytest.raises(NotFound) as refused:
            await house.comparisons.retry(made.id, place)
        assert (refused.value.code, dict(refused.value.details)) == ("hidden_failure", {})


async def test_a_question_that_did_not_reach_a_model_can_be_tried_again(house: House) -> None:
    """As after kill -9 between two columns."""
    made = await house.comparisons.create(["quick", "other"])
    await house.chat.ask(made.columns[0], "hello", parent_id=None, model="quick")
    state = await house.comparisons.finished(made.id)
    assert statuses(state) == ["complete", "none"]
    assert turns(state)[0]["answers"][1]["error"]["code"] == "not_asked"
    await house.comparisons.retry(made.id, 1)
    state = await house.comparisons.finished(made.id)
    assert statuses(state) == ["complete", "complete"]
    assert [answer.text.strip() for answer in state.rounds[0].answers] == [QUICK.strip(), "other words"]
    assert [entry.comparison.id for entry in await house.comparisons.newest()] == [made.id]


async def test_files_beside_a_question_reach_all_models(house: House) -> None:
    file = await house.files.add("falcons.txt", "text/plain", 20, "Falcons are fast.")
    made = await house.comparisons.create(["quick", "other", "third"])
    await house.comparisons.ask(made.id, "", turn=0, attachments=[file.id])
    state = await house.comparisons.finished(made.id)
    assert [beside.name for beside in state.rounds[0].question.attachments] == ["falcons.txt"]
    assert state.comparison.title == "falcons.txt"
    assert await house.files.unsent() == []
    for answer in state.rounds[0].answers:
        assert "Falcons are fast." in (await house.chat.prompt(answer.id or "")).messages[-1].content
    copied = await house.comparisons.continue_as_chat(made.id, 2)
    await house.comparisons.delete(made.id)
    reply = (await house.chat.messages(copied))[1]
    assert "Falcons are fast." in (await house.chat.prompt(reply.id)).messages[-1].content


async def test_a_file_that_is_gone_is_told_before_anybody_is_asked(house: House) -> None:
    made = await house.comparisons.create(["quick", "other"])
    with pytest.raises(NotFound):
        await house.comparisons.ask(made.id, "hello", turn=0, attachments=["0" * 32])
    assert (await house.comparisons.state(made.id)).rounds == ()


async def test_a_column_that_is_about_to_be_asked_has_not_failed(house: House) -> None:
    made = await house.comparisons.create(["quick", "other"])
    asking = asyncio.create_task(house.comparisons.ask(made.id, "hello", turn=0))
    seen = []
    while not asking.done():
        state = await house.comparisons.state(made.id)
        seen += [answer["status"] for asked in turns(state) for answer in asked["answers"]]
    await asking
    assert set(seen) <= {"running", "complete"}


async def test_what_is_running_is_written_by_somebody(house: House) -> None:
    """Read at any moment: an answer that ends meanwhile is not left behind as one that goes on."""
    made = await house.comparisons.create(["quick", "breaks"])
    await house.comparisons.ask(made.id, "hello", turn=0)
    ended = False
    while not ended:
        state = await house.comparisons.state(made.id)
        told = turns(state)[0]["answers"]
        ended = not state.running
        going = [answer.place for answer in state.rounds[0].answers if answer.reply is not None]
        assert {answer["place"] for answer in told if answer["status"] == "running"} <= set(going)
    assert statuses(state) == ["complete", "interrupted"]


async def test_nothing_is_asked_twice_from_two_tabs(comparisons: Comparisons) -> None:
    made = await comparisons.create(["quick", "other"])
    asked = await asyncio.gather(
        *(comparisons.ask(made.id, f"question {tab}", turn=0) for tab in range(3)), return_exceptions=True
    )
    assert [error for error in asked if error is None] == [None]
    assert all(isinstance(error, StaleConversation) for error in asked if error is not None)
    assert len((await comparisons.finished(made.id)).rounds) == 1


async def test_an_empty_question_is_refused_and_nothing_is_stored(comparisons: Comparisons) -> None:
    made = await comparisons.create(["quick", "other"])
    with pytest.raises(InvalidRequest, match="empty"):
        await comparisons.ask(made.id, "  ", turn=0)
    assert (await comparisons.state(made.id)).rounds == ()
    assert await comparisons.newest() == []


async def test_stop_stops_all(house: House) -> None:
    made = await house.comparisons.create(["slow", "quick"])
    await house.comparisons.ask(made.id, "hello", turn=0)
    await until_text(house, made.columns[0], 20)
    await house.comparisons.stop(made.id)
    state = await house.comparisons.state(made.id)
    assert statuses(state) == ["stopped", "complete"]
    assert state.rounds[0].answers[0].text.startswith("slow words")


async def test_votes_wait_for_the_answers_and_can_be_changed(comparisons: Comparisons) -> None:
    made = await comparisons.create(["slow", "quick"])
    await comparisons.ask(made.id, "hello", turn=0)
    with pytest.raises(StaleConversation, match="still being written"):
        await comparisons.vote(made.id, 0, {0})
    await comparisons.stop(made.id)
    with pytest.raises(InvalidRequest):
        await comparisons.vote(made.id, 1, {0})
    with pytest.raises(InvalidRequest):
        await comparisons.vote(made.id, 0, {2})
    await comparisons.vote(made.id, 0, {0})
    await comparisons.vote(made.id, 0, {0, 1})
    state = await comparisons.state(made.id)
    vote = state.rounds[0].vote
    assert vote is not None
    assert (vote.best, vote.others, vote.blind) == (("slow", "quick"), (), False)
    (pair,) = (await comparisons.results()).pairs
    assert (pair.won, pair.lost, pair.tied) == (0, 0, 1)


async def test_a_blind_one_has_a_random_order(comparisons: Comparisons) -> None:
    orders = {(await comparisons.create(["quick", "other", "third"], blind=True)).models for _ in range(60)}
    assert len(orders) == 6  # one of them is missing once in 10,000 runs


async def test_nothing_of_a_blind_one_tells_a_model_before_the_vote(house: House) -> None:
    made = await house.comparisons.create(["quick", "breaks", "tiny"], blind=True)
    await house.comparisons.ask(made.id, "hello " * 20, turn=0)
    state = await house.comparisons.finished(made.id)
    told = json.dumps(state_json(state))
    ids = [answer.id or "" for answer in state.rounds[0].answers]
    for secret in (*made.models, *made.columns, *ids, "tokens", "context"):
        assert f'"{secret}"' not in told.replace('"tokens": null', "")
    answers = turns(state)[0]["answers"]
    assert {answer["error"]["code"] for answer in answers if answer["error"]} == {"hidden_failure"}
    assert {answer["seconds"] for answer in answers} == {None}
    with pytest.raises(StaleConversation, match="Vote first"):
        await house.comparisons.reveal(made.id)
    with pytest.raises(StaleConversation, match="hidden"):
        await house.comparisons.continue_as_chat(made.id, 0)


async def test_a_blind_one_grows_in_step_and_no_end_tells_who_was_quick(house: House) -> None:
    made = await house.comparisons.create(["slow", "quick"], blind=True)
    await house.comparisons.ask(made.id, "hello", turn=0)
    slow = made.models.index("slow")
    quick = made.columns[1 - slow]
    with house.chat.watch(quick) as watcher:
        while house.chat.running(quick) is not None:
            await watcher.wait(10)
    await until_text(house, made.columns[slow], 30)
    answers = turns(await house.comparisons.state(made.id))[0]["answers"]
    assert [answer["status"] for answer in answers] == ["running", "running"]
    assert len(answers[0]["text"]) == len(answers[1]["text"]) > 0
    await until_text(house, made.columns[slow], len(QUICK) + 10)
    answers = turns(await house.comparisons.state(made.id))[0]["answers"]
    assert [answers[slow]["status"], answers[1 - slow]["status"]] == ["running", "complete"]
    await house.comparisons.stop(made.id)


async def test_names_are_told_after_a_vote_and_then_it_is_final(comparisons: Comparisons) -> None:
    made = await comparisons.create(["quick", "other"], blind=True)
    await comparisons.ask(made.id, "one", turn=0)
    await comparisons.finished(made.id)
    await comparisons.vote(made.id, 0, {0})
    await comparisons.vote(made.id, 0, {1})  # nobody knows yet
    assert (await comparisons.results()).votes == 0  # the figures would tell
    assert await comparisons.hidden_votes() == 1
    await comparisons.reveal(made.id)
    assert state_json(await comparisons.state(made.id))["models"] == list(made.models)
    assert (await comparisons.results(blind_only=True)).votes == 1
    with pytest.raises(StaleConversation, match="cannot be changed"):
        await comparisons.vote(made.id, 0, {0})
    await comparisons.ask(made.id, "two", turn=1)
    await comparisons.finished(made.id)
    assert not (await comparisons.vote(made.id, 1, {0})).blind
    assert (await comparisons.results()).votes == 2
    assert (await comparisons.results(blind_only=True)).votes == 1
    (pair,) = (await comparisons.results(blind_only=True, models=["quick", "other"])).pairs
    winner = pair.first if pair.won else pair.second
    assert winner == made.models[1]


async def test_all_that_were_judged_are_revealed_at_once(comparisons: Comparisons) -> None:
    made = [await comparisons.create(["quick", "other"], blind=True) for _ in range(3)]
    for comparison in made:
        await comparisons.ask(comparison.id, "hello", turn=0)
        await comparisons.finished(comparison.id)
    for comparison in made[:2]:
        await comparisons.vote(comparison.id, 0, {0})
    assert await comparisons.reveal_all() == 2
    assert [(await comparisons.get(comparison.id)).hidden for comparison in made] == [False, False, True]


async def test_one_side_goes_on_as_an_ordinary_conversation(house: House) -> None:
    made = await house.comparisons.create(["quick", "other"])
    await house.comparisons.ask(made.id, "hello", turn=0)
    await house.comparisons.finished(made.id)
    assert await house.chat.conversations() == []
    copied = await house.comparisons.continue_as_chat(made.id, 1)
    assert [conversation.id for conversation in await house.chat.conversations()] == [copied]
    messages = await house.chat.messages(copied)
    assert [message.content for message in messages] == ["hello", "other words"]
    assert (await house.chat.prompt(messages[1].id)).messages[-1].content == "hello"
    _, reply = await house.chat.ask(copied, "and now?", parent_id=messages[-1].id, model="other")
    running = house.chat.find(reply.id)
    if running is not None and running.task is not None:
        await running.task
    assert len(await house.chat.messages(copied)) == 4
    assert len((await house.comparisons.state(made.id)).rounds) == 1


async def test_a_deleted_one_is_gone_with_its_answers_and_votes(house: House) -> None:
    made = await house.comparisons.create(["slow", "quick"])
    await house.comparisons.ask(made.id, "hello", turn=0)
    await house.comparisons.stop(made.id)
    await house.comparisons.vote(made.id, 0, {0})
    with house.comparisons.watch(made.id) as watcher:
        await house.comparisons.delete(made.id)
        assert await watcher.wait(5)
    with pytest.raises(NotFound):
        await house.comparisons.state(made.id)
    with pytest.raises(NotFound):
        await house.chat.conversation(made.columns[0])
    assert (await house.comparisons.results()).votes == 0


async def test_one_that_is_deleted_while_it_is_answered(house: House) -> None:
    made = await house.comparisons.create(["slow", "quick"])
    await house.comparisons.ask(made.id, "hello", turn=0)
    await house.comparisons.delete(made.id)
    assert house.chat.running(made.columns[0]) is None


async def test_the_list_shows_the_newest_first(comparisons: Comparisons) -> None:
    made = [await comparisons.create(["quick", "other"]) for _ in range(3)]
    for comparison in made:
        await comparisons.ask(comparison.id, f"about {comparison.id}", turn=0)
        await comparisons.finished(comparison.id)
    await comparisons.vote(made[0].id, 0, {0})
    listed = await comparisons.newest(2)
    assert [entry.comparison.id for entry in listed] == [made[2].id, made[1].id]
    (last,) = await comparisons.newest(2, before=made[1].id)
    assert (last.comparison.id, last.votes) == (made[0].id, 1)
    assert last.comparison.columns == made[0].columns
