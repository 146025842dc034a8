"""What may be told of an answer, by the programs' API and by the page alike.

While the names of a comparison are hidden, an answer is its text and whether it goes on. Everything else could tell a
model from another: its name, its speed, its tokens, its context window, its thinking, and the words of its errors.
"""

from __future__ import annotations

from dataclasses import asdict

from falconry.compare.rounds import Answer, Round, Shown, State, shown
from falconry.compare.statistics import PairResult, Results
from falconry.errors import FalconryError
from falconry.messages import StoredMessage
from falconry.storage.votes import Comparison, Vote

NOT_ASKED = FalconryError("Falconry ended before this model was asked.", code="not_asked").as_dict()
HIDDEN_FAILURE = FalconryError(
    "This model could not answer. What went wrong is told with its name.", code="hidden_failure"
).as_dict()


def comparison_json(comparison: Comparison) -> dict[str, object]:
    """A comparison without its questions."""
    hidden = comparison.hidden
    return {
        "id": comparison.id,
        "title": comparison.title,
        "blind": comparison.blind,
        "hidden": hidden,
        "models": None if hidden else list(comparison.models),
        "places": len(comparison.models),
        "conversations": None if hidden else list(comparison.columns),
        "created_at": comparison.created_at.isoformat(),
        "updated_at": comparison.updated_at.isoformat(),
    }


def state_json(state: State) -> dict[str, object]:
    """A comparison with its questions, answers and votes."""
    return comparison_json(state.comparison) | {
        "turns": [
            {
                "turn": asked.turn,
                **question_json(asked),
                "answers": answers_json(state.comparison, asked),
                "vote": vote_json(state.comparison, asked.vote),
            }
            for asked in state.rounds
        ]
    }


def question_json(asked: Round) -> dict[str, object]:
    """What was asked, and the files beside it."""
    question = asked.question
    files = [file.about() for file in question.attachments]
    return {"content": question.content, "created_at": question.created_at.isoformat(), "attachments": files}


def answers_json(comparison: Comparison, asked: Round) -> list[dict[str, object]]:
    """The answers to one question, by place."""
    seen = shown(asked.answers, hidden=comparison.hidden)
    return [answer_json(comparison, answer, may) for answer, may in zip(asked.answers, seen, strict=True)]


def answer_json(comparison: Comparison, answer: Answer, may: Shown) -> dict[str, object]:
    """One answer. Where names are hidden, what follows the text is the same for all models."""
    message = answer.latest
    status = "running" if may.running else message.status if message else "interrupted"
    text = answer.text[: may.characters]
    told: dict[str, object] = {"place": answer.place, "status": status, "text": text}
    error = None if may.running else message.error if message else NOT_ASKED
    if comparison.hidden:
        return told | {"error": HIDDEN_FAILURE if error else None, **_UNTOLD}
    return told | {"error": error} | (_facts(message) if message else _UNTOLD) | {"thinking": answer.thinking}


_UNTOLD: dict[str, object] = {
    "thinking": "",
    "id": None,
    "model": None,
    "finish_reason": None,
    "tokens": None,
    "seconds": None,
    "tokens_per_second": None,
    "left_out": 0,
}


def _facts(message: StoredMessage) -> dict[str, object]:
    return {
        "id": message.id,
        "model": message.model,
        "finish_reason": message.finish_reason,
        "tokens": message.usage.completion_tokens if message.usage else None,
        "seconds": message.seconds,
        "tokens_per_second": message.tokens_per_second,
        "left_out": message.context.left_out if message.context else 0,
    }


def vote_json(comparison: Comparison, vote: Vote | None) -> dict[str, object] | None:
    """A vote by places: its names are told with the others."""
    if vote is None:
        return None
    best = [place for place, model in enumerate(comparison.models) if model in vote.best]
    return {"turn": vote.turn, "best": best, "blind": vote.blind, "final": vote.blind and not comparison.hidden}


def results_json(results: Results) -> dict[str, object]:
    """Figures as in `falconry.compare.statistics`."""
    return {
        "votes": results.votes,
        "connected": results.connected,
        "models": [asdict(model) for model in results.models],
        "pairs": [_pair_json(pair) for pair in results.pairs],
    }


def _pair_json(pair: PairResult) -> dict[str, object]:
    return asdict(pair) | {"votes": pair.votes}
