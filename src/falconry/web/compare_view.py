"""The live view of a comparison: what the page shows of it, and one stream of events for all of its columns.

As with one conversation (`falconry.web.follow`) nothing is queued for a tab: it is woken, and looks.

    state      at first and whenever questions, votes, names or running answers changed: see `_state`
    snapshot   an answer that goes on, as a whole; with its place and the number of its question
    patch      what is new in it since the last event
    status     how it ended
    deleted    the comparison is gone
    list       the person's list of conversations changed, for the page's sidebar

While names are hidden, answers grow in step (`falconry.compare.rounds`), and no event says which model it is about.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Annotated, cast

from fastapi import APIRouter, Path
from fastapi.responses import Response

from falconry.chat.chat import Chat
from falconry.chat.replies import Watcher
from falconry.compare.comparisons import Comparisons
from falconry.compare.rounds import Answer, Round, Shown, State, shown
from falconry.compare.told import answer_json, comparison_json, question_json, vote_json
from falconry.errors import NotFound
from falconry.event_stream import SILENCE, EventStream
from falconry.gate.identity import Asker
from falconry.gate.marks import user
from falconry.i18n import Language, error_text, match_language
from falconry.protocols.sse import comment, encode_json
from falconry.services import Services
from falconry.web.follow import GAP, Seen
from falconry.web.jsontext import PageJSON
from falconry.web.live import LiveMarkdown
from falconry.web.markdown import render_blocks
from falconry.web.view import Lang

Id = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
BLANK: dict[str, object] = {"from": 0, "blocks": [], "append": ""}


def compare_view_router(services: Services) -> APIRouter:
    """`/view/comparisons/{id}` and its events."""
    router = APIRouter(prefix="/view/comparisons", include_in_schema=False)

    @router.get("/{comparison_id}")
    @user("conversations")
    async def comparison_view(asker: Asker, comparison_id: Id, lang: Lang = "en") -> Response:
        """A comparison with its questions, answers and votes."""
        state = (await services.comparisons.of(asker.id).state(comparison_id)).as_now()
        # A thread, because many long answers take a while to render.
        return PageJSON(await asyncio.to_thread(_page_json, state, match_language(lang)))

    @router.get("/{comparison_id}/events")
    @user("conversations")
    async def comparison_events(asker: Asker, comparison_id: Id, lang: Lang = "en") -> Response:
        """Server-sent events: see the module."""
        comparisons = services.comparisons.of(asker.id)
        await comparisons.get(comparison_id)
        chat = services.chat.of(asker.id)
        return EventStream(_follow(comparisons, chat, services.stopping, comparison_id, match_language(lang)))

    return router


def _page_json(state: State, language: Language) -> dict[str, object]:
    turns = []
    for asked in state.rounds:
        seen = shown(asked.answers, hidden=state.comparison.hidden)
        answers = [_shown_json(state, answer, may, language) for answer, may in zip(asked.answers, seen, strict=True)]
        vote = vote_json(state.comparison, asked.vote)
        turns.append({"turn": asked.turn, **question_json(asked), "answers": answers, "vote": vote})
    return comparison_json(state.comparison) | {"turns": turns, "state": _state(state)}


def _shown_json(state: State, answer: Answer, may: Shown, language: Language) -> dict[str, object]:
    """One answer for the page. The text of one that goes on comes with the events."""
    told = answer_json(state.comparison, answer, may)
    error = cast("Mapping[str, object] | None", told.pop("error"))
    thinking = str(told.pop("thinking"))
    if may.running:
        return told | {"text": "", "html": [], "thinking_html": [], "error_text": None}
    return told | {
        "html": render_blocks(str(told["text"])),
        "thinking_html": render_blocks(thinking),
        "error_text": error_text(error, language) if error else None,
    }


def _state(state: State) -> dict[str, object]:
    """By what a page knows whether it shows the present state: the same for whoever is told the same."""
    newest = state.rounds[-1].answers if state.rounds else ()
    seen = shown(newest, hidden=state.comparison.hidden)
    votes = [(asked.turn, vote) for asked in state.rounds if (vote := vote_json(state.comparison, asked.vote))]
    return {
        "hidden": state.comparison.hidden,
        "turns": len(state.rounds),
        # An answer that was asked for again is another one; its id is not told, for it leads to the model's name.
        "answers": [hashlib.sha256((answer.id or "").encode()).hexdigest()[:8] for answer in newest],
        "running": [answer.place for answer, may in zip(newest, seen, strict=True) if may.running],
        "votes": [[turn, vote["best"]] for turn, vote in votes],
    }


@dataclass(slots=True)
class _Watched:
    """One answer as one tab knows it. Rendered for each tab by itself, since few watch a comparison twice."""

    answer: Answer
    text: LiveMarkdown = field(default_factory=LiveMarkdown)
    thinking: LiveMarkdown = field(default_factory=LiveMarkdown)
    seen_text: Seen = field(default_factory=Seen)
    seen_thinking: Seen = field(default_factory=Seen)
    begun: bool = False
    done: bool = False

    def news(self, may: Shown, *, hidden: bool) -> dict[str, object]:
        """What is new in it, at first as a whole."""
        text = self.answer.text[: may.characters]
        thinking = "" if hidden else self.answer.thinking
        self.text.update(text, force=not self.begun)
        self.thinking.update(thinking, force=not self.begun)
        news: dict[str, object] = {} if self.begun else {"text": BLANK, "thinking": BLANK}
        if found := self.seen_text.news(self.text, text):
            news["text"] = found
        if found := self.seen_thinking.news(self.thinking, thinking):
            news["thinking"] = found
        return news


class _View:
    """What one tab has been told."""

    def __init__(self, language: Language) -> None:
        self._language = language
        self._watched: dict[tuple[int, int], _Watched] = {}
        self._told: dict[str, object] | None = None

    def events(self, state: State) -> list[bytes]:
        """What is to be told now: what ended, then how things stand, then what is new."""
        if not state.rounds:
            return self._tell(state)
        newest = self._remember(state.rounds[-1])
        state = replace(state, rounds=(*state.rounds[:-1], newest))
        seen = shown(newest.answers, hidden=state.comparison.hidden)
        endings: list[bytes] = []
        news: list[bytes] = []
        for answer, may in zip(newest.answers, seen, strict=True):
            watched = self._watched[newest.turn, answer.place]
            where: dict[str, object] = {"turn": newest.turn, "place": answer.place}
            if may.running and not watched.done:
                found = watched.news(may, hidden=state.comparison.hidden)
                if found:
                    news.append(encode_json(where | found, event="patch" if watched.begun else "snapshot"))
                watched.begun = True
            elif not watched.done:
                watched.done = True
                if watched.begun:
                    ended = where | _shown_json(state, answer, may, self._language)
                    endings.append(encode_json(ended, event="status"))
        return [*endings, *self._tell(state), *news]

    def _remember(self, newest: Round) -> Round:
        """The newest question with the replies that were seen running: they know their end before the database does."""
        answers = []
        for answer in newest.answers:
            place = (newest.turn, answer.place)
            known = self._watched.get(place)
            if known is None or known.answer.id != answer.id:
                self._watched[place] = _Watched(answer)
            else:
                answer = replace(answer, reply=answer.reply or known.answer.reply)
                known.answer = answer
            answers.append(answer)
        return replace(newest, answers=tuple(answers))

    def _tell(self, state: State) -> list[bytes]:
        told = _state(state)
        if told == self._told:
            return []
        self._told = told
        return [encode_json(told, event="state")]


async def _follow(
    comparisons: Comparisons, chat: Chat, stopping: asyncio.Event, comparison_id: str, language: Language
) -> AsyncGenerator[bytes, None]:
    """The events of one comparison, until Falconry ends or the comparison is deleted."""
    yield comment("falconry")
    view = _View(language)
    with ExitStack() as stack:
        itself = stack.enter_context(comparisons.watch(comparison_id))
        columns = (await comparisons.get(comparison_id)).columns
        watched = [chat.watch(None), *(chat.watch(column) for column in columns)]
        watchers = [itself, *(stack.enter_context(each) for each in watched)]
        listed = chat.list_version()
        state: State | None = None
        running: list[str | None] = []
        sent = 0.0
        while not stopping.is_set():
            now = [reply.id if (reply := chat.running(column)) else None for column in columns]
            if state is None or now != running:  # not only text came
                running = now
                try:
                    state = await comparisons.state(comparison_id)
                except NotFound:
                    yield encode_json({"id": comparison_id}, event="deleted")
                    return
            events = view.events(state)
            if listed != (listed := chat.list_version()):
                events.append(encode_json({}, event="list"))
            if events:
                yield b"".join(events)
                sent = monotonic()
            woken = await _first(watchers, stopping)
            if not woken:
                yield comment()
            elif (rest := sent + GAP - monotonic()) > 0:
                await asyncio.sleep(rest)
            if itself in woken:
                state = None


async def _first(watchers: Sequence[Watcher], stopping: asyncio.Event) -> list[Watcher]:
    """Wait until one of them wakes up, or Falconry ends; gives those that did, none after a long silence."""
    waiting = {asyncio.create_task(watcher.wait(SILENCE)): watcher for watcher in watchers}
    ending = asyncio.create_task(stopping.wait())
    try:
        done, _ = await asyncio.wait([*waiting, ending], return_when=asyncio.FIRST_COMPLETED)
        return [watcher for task, watcher in waiting.items() if task in done and task.result()]
    finally:
        for task in (*waiting, ending):
            task.cancel()
        await asyncio.gather(*waiting, ending, return_exceptions=True)
