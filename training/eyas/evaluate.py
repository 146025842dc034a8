"""Measures a finished file of Eyas with questions written apart from its corpus, in the engine that serves it.

    python -m training.eyas.evaluate                          # the shipped file: greedy, and three seeds at 0.7
    python -m training.eyas.evaluate --model some.gguf --field guide --json report.json --markdown table.md

The items are in ``evaluation/*.jsonl``, the rules in ``evaluation/rules.py``. The exit status says whether every goal
is met when answers are greedy.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import pathlib
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from training.eyas.evaluation import rules
from training.eyas.evaluation.items import OUTSIDE, Item, load

MAX_TOKENS = 300
GREEDY = (0.0, (1,))
SAMPLED = (0.7, (1, 2, 3))


class Served(Protocol):
    """The part of check.Served that is needed."""

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST JSON, get JSON."""
        ...


@dataclasses.dataclass(frozen=True)
class Result:
    """What came of one item in one run."""

    item: Item
    temperature: float
    seed: int
    answers: tuple[str, ...]
    wrong: tuple[str, ...]
    """The rules that were broken: those of the last answer, and ``ended``, ``repeats`` and ``broken`` of any."""

    @property
    def right(self) -> bool:
        """Whether no rule was broken."""
        return not self.wrong


def ask(served: Served, item: Item, *, temperature: float = 0.0, seed: int = 1) -> Result:
    """Hold the conversation and score it."""
    messages = [{"role": "system", "content": item.system}] if item.system else []
    answers: list[str] = []
    wrong: list[str] = []
    for text in item.turns:
        messages.append({"role": "user", "content": text})
        body = {"messages": messages, "max_tokens": MAX_TOKENS, "temperature": temperature, "seed": seed}
        choice = served.post("/v1/chat/completions", body)["choices"][0]
        answer = str(choice["message"]["content"] or "")
        wrong += [] if choice.get("finish_reason") == "stop" else ["ended"]
        wrong += ["repeats"] if rules.repeats(answer) else []
        wrong += ["broken"] if "\ufffd" in answer else []
        answers.append(answer)
        messages.append({"role": "assistant", "content": answer})
    wrong += rules.failures(item.expect, answers[-1], lang=item.lang, question=item.turns[-1])
    return Result(item, temperature, seed, tuple(answers), tuple(dict.fromkeys(wrong)))


def run(
    served: Served, items: Sequence[Item], ways: Iterable[tuple[float, Sequence[int]]] = (GREEDY, SAMPLED)
) -> list[Result]:
    """Every item in every way of answering: a temperature with its seeds."""
    return [
        ask(served, item, temperature=temperature, seed=seed)
        for temperature, seeds in ways
        for seed in seeds
        for item in items
    ]


def wilson(right: float, total: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    if not total:
        return 0.0, 1.0
    share = right / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclasses.dataclass(frozen=True)
class Share:
    """How many items hold, with an interval. Over several seeds an item counts once, by its mean."""

    items: int
    right: float

    @property
    def share(self) -> float:
        """Between 0 and 1; nothing at all is 0."""
        return self.right / self.items if self.items else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's, over the items."""
        return wilson(self.right, self.items)

    def __str__(self) -> str:
        """As the tables show it."""
        if not self.items:
            return "–"
        low, high = self.interval
        return f"{100 * self.share:.1f} % ({100 * low:.0f}–{100 * high:.0f})"

    def as_json(self) -> dict[str, Any]:
        """As the report holds it."""
        return {"items": self.items, "right": round(self.right, 3), "interval": [round(x, 4) for x in self.interval]}


def share(results: Iterable[Result], holds: Callable[[Result], bool] = lambda result: result.right) -> Share:
    """The share of items for which ``holds``."""
    by_item: dict[str, list[bool]] = {}
    for result in results:
        by_item.setdefault(result.item.id, []).append(holds(result))
    return Share(len(by_item), sum(sum(held) / len(held) for held in by_item.values()))


CLOSED = (
    "animals",
    "countries",
    "planets",
    "elements",
    "units",
    "calendar",
    "science",
    "mathematics",
    "works",
    "terms",
)


@dataclasses.dataclass(frozen=True)
class Goal:
    """A share that has to be reached (or, with ``most``, not to be passed)."""

    name: str
    among: Callable[[Result], bool]
    holds: Callable[[Result], bool]
    goal: float
    most: bool = False

    def measured(self, results: Iterable[Result]) -> Share:
        """The share among those whom the goal is about."""
        return share((result for result in results if self.among(result)), self.holds)

    def met(self, measured: Share) -> bool:
        """Whether the measured share meets it; nothing measured meets nothing."""
        if not measured.items:
            return False
        return measured.share <= self.goal if self.most else measured.share >= self.goal


GOALS = (
    Goal("closed fields, right", lambda r: r.item.field in CLOSED, lambda r: r.right, 0.90),
    Goal("follow-ups, right", lambda r: r.item.follow_up, lambda r: r.right, 0.90),
    Goal("Falconry's guide, right", lambda r: r.item.field == "guide", lambda r: r.right, 0.95),
    Goal("outside, honest answer", lambda r: r.item.outside, lambda r: r.right, 0.90),
    Goal("inside, honest answer", lambda r: rules.inside(r.item.expect), lambda r: "refused" in r.wrong, 0.05, True),
    Goal("right language", lambda r: r.item.expect.get("lang") != "any", lambda r: "lang" not in r.wrong, 0.99),
    Goal("system message obeyed", lambda r: r.item.field == "system", lambda r: r.right, 0.90),
    Goal("without loops", lambda r: True, lambda r: "repeats" not in r.wrong, 1.0),
    Goal("ended by itself", lambda r: True, lambda r: "ended" not in r.wrong, 1.0),
    Goal("without broken characters", lambda r: True, lambda r: "broken" not in r.wrong, 1.0),
)


def ways(results: Sequence[Result]) -> list[float]:
    """The temperatures in the order of the runs."""
    return list(dict.fromkeys(result.temperature for result in results))


def fields(results: Sequence[Result]) -> list[str]:
    """The fields in the order of the items, the outside ones last."""
    found = dict.fromkeys(result.item.field for result in results)
    return [field for field in found if field not in OUTSIDE] + [field for field in OUTSIDE if field in found]


def markdown(results: Sequence[Result]) -> str:
    """The tables of docs/eyas.md: the goals, and right answers by field and language."""
    temperatures = ways(results)
    heads = ["greedy" if not temperature else f"at {temperature}" for temperature in temperatures]
    lines = [f"| | goal | {' | '.join(heads)} |", "| --- | --- |" + " --- |" * len(heads)]
    for goal in GOALS:
        cells = []
        for temperature in temperatures:
            measured = goal.measured(result for result in results if result.temperature == temperature)
            cells.append(f"{measured}{'' if goal.met(measured) or not measured.items else ' ✗'}")
        sign = "≤" if goal.most else "≥"
        lines.append(f"| {goal.name} | {sign} {100 * goal.goal:.0f} % | {' | '.join(cells)} |")
    columns = [f"{name}, {lang}" for name in heads for lang in ("en", "zh")]
    lines += ["", f"| field | items | {' | '.join(columns)} |", "| --- | --- |" + " --- |" * len(columns)]
    for field in [*fields(results), "all"]:
        chosen = [result for result in results if field in {result.item.field, "all"}]
        cells = [
            str(share(r for r in chosen if r.temperature == temperature and r.item.lang == lang))
            for temperature in temperatures
            for lang in ("en", "zh")
        ]
        lines.append(f"| {field} | {len({result.item.id for result in chosen})} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def report(results: Sequence[Result]) -> dict[str, Any]:
    """Everything that was measured, and every answer that was wrong."""
    told: dict[str, Any] = {"goals": {}, "fields": {}, "wrong": []}
    for temperature in ways(results):
        chosen = [result for result in results if result.temperature == temperature]
        measured = {goal.name: (goal, goal.measured(chosen)) for goal in GOALS}
        told["goals"][str(temperature)] = {
            name: {**found.as_json(), "goal": goal.goal, "met": goal.met(found)}
            for name, (goal, found) in measured.items()
        }
        told["fields"][str(temperature)] = {
            field: {
                lang: share(r for r in chosen if r.item.field == field and r.item.lang == lang).as_json()
                for lang in ("en", "zh")
            }
            for field in fields(results)
        }
    told["wrong"] = [
        {
            "id": result.item.id,
            "temperature": result.temperature,
            "seed": result.seed,
            **({"system": result.item.system} if result.item.system else {}),
            "turns": result.item.turns,
            "answers": result.answers,
            "wrong": result.wrong,
        }
        for result in results
        if not result.right
    ]
    return told


def every(items: Sequence[Item], step: int) -> list[Item]:
    """Each ``step``-th item: a quick look that still goes through all fields."""
    return list(items[::step])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the tables, and say by the exit status whether the goals are met."""
    parser = argparse.ArgumentParser(prog="python -m training.eyas.evaluate", description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=pathlib.Path, help="a GGUF file; the shipped Eyas where none is named")
    parser.add_argument("--field", action="append", default=[], help="only this field (several times for several)")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each N-th item")
    parser.add_argument("--greedy", action="store_true", help="only greedy, without the seeds at 0.7")
    parser.add_argument("--json", type=pathlib.Path, help="write the report, wrong answers included")
    parser.add_argument("--markdown", type=pathlib.Path, help="write the tables")
    parser.add_argument("--wrong", action="store_true", help="print every wrong answer")
    chosen = parser.parse_args(arguments)

    from falconry.models import eyas
    from training.eyas import check

    items = every(load(chosen.field), max(1, chosen.every))
    if not items:
        parser.error("no such items")
    begun = time.monotonic()
    with check.serve(chosen.model or eyas.path()) as served:
        results = run(served, items, (GREEDY,) if chosen.greedy else (GREEDY, SAMPLED))
    tables, told = markdown(results), report(results)
    told |= {"items": len(items), "seconds": round(time.monotonic() - begun, 1)}
    if chosen.wrong:
        for result in results:
            if not result.right:
                about = f"{result.item.id} at {result.temperature}, {' '.join(result.wrong)}"
                print(f"{about}: {' >> '.join(result.item.turns)} → {result.answers[-1]!r}")
    print(tables)
    if chosen.json:
        chosen.json.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", "utf-8")
    if chosen.markdown:
        chosen.markdown.write_text(tables, "utf-8")
    return 0 if all(found["met"] for found in told["goals"]["0.0"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
