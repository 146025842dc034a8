"""Regular languages as deterministic grammars for llama.cpp (GBNF).

llama.cpp follows all ways to read a grammar at once, one stack for each, and compares every token of the vocabulary
with each of them: (a{1,50}){1,50} is 2500 stacks after a few letters. So a language becomes a deterministic automaton
first, and each of its states one rule, `s3 ::= [0-9] s4 | [a-z] s7`: there are never more stacks than a state has ways
out, no rule begins with another one (no left recursion), and no way leads nowhere.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

Range: TypeAlias = tuple[int, int]
"""First and last code point."""

MAX_POSITIONS = 4096
"""Characters of a pattern when all counted repeats are written out."""
MAX_STATES = 4096
MAX_RANGES = 500
"""Of characters, that lead on from one state: 2000 of them took 0.2 s for each token."""
MAX_WORK = 200_000
"""Steps of making it deterministic; some 0.15 s."""
_LAST = 0x10FFFF


class TooComplex(ValueError):
    """The automaton would be too large. The text says what there is too much of."""


@dataclass(frozen=True, slots=True)
class Chars:
    """One character out of sorted ranges that do not touch; none is a language without any text."""

    ranges: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class Seq:
    """One after the other; none is the empty text."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Alt:
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """`least` to `most` times; None for without end."""

    node: Node
    least: int
    most: int | None


Node: TypeAlias = Chars | Seq | Alt | Repeat


def grammar_of(node: Node, *, widest: int = MAX_STATES) -> str | None:
    """A grammar for exactly this language; None where the language has no text.

    Raises:
        TooComplex: also where after some text more than `widest` ways to read on are open in the expression itself.
    """
    if _positions(node) > MAX_POSITIONS:
        raise TooComplex(f"it has more than {MAX_POSITIONS} characters when all its counts are written out")
    ranges = list(dict.fromkeys(_sets(node)))
    classes = _classes(ranges)
    nfa = _Nfa(dict(zip(ranges, _masks(ranges, classes), strict=True)))
    start, final = nfa.state(), nfa.state()
    nfa.add(node, start, final)
    moves, accepting = _determinize(nfa, start, final, widest)
    alive = _alive(moves, accepting)
    if 0 not in alive:
        return None
    return _write(moves, accepting, alive, classes)


def _positions(node: Node) -> int:
    """Characters when all counts are written out."""
    match node:
        case Chars():
            return 1
        case Seq(nodes) | Alt(nodes):
            return 1 + sum(map(_positions, nodes))
        case Repeat(inner, least, most):
            return max(least + 1 if most is None else most, 1) * _positions(inner)


def _sets(node: Node) -> Iterator[tuple[Range, ...]]:
    match node:
        case Chars(ranges):
            yield ranges
        case Seq(nodes) | Alt(nodes):
            for inner in nodes:
                yield from _sets(inner)
        case Repeat(inner):
            yield from _sets(inner)


# -- classes of characters that nothing in the pattern tells apart


def _classes(sets: list[tuple[Range, ...]]) -> list[list[Range]]:
    """The characters of all sets, in as few classes as possible, so that each set is a union of classes."""
    # Where a set begins (+) or ends (-), in order: between two such places nothing changes.
    edges: dict[int, int] = {}
    for number, ranges in enumerate(sets):
        for low, high in ranges:
            edges[low] = edges.get(low, 0) ^ (1 << number)
            edges[high + 1] = edges.get(high + 1, 0) ^ (1 << number)
    classes: dict[int, list[Range]] = {}
    inside = 0
    for place, following in pairwise([*sorted(edges), _LAST + 1]):
        inside ^= edges[place]
        if inside:
            classes.setdefault(inside, []).append((place, following - 1))
    return list(classes.values())


def _masks(sets: list[tuple[Range, ...]], classes: list[list[Range]]) -> Iterator[int]:
    """Of each set, the numbers of its classes as bits."""
    for ranges in sets:
        lows = [low for low, _ in ranges]
        yield sum(1 << number for number, parts in enumerate(classes) if ranges and _within(parts[0], ranges, lows))


def _within(part: Range, ranges: tuple[Range, ...], lows: list[int]) -> bool:
    index = bisect_right(lows, part[0]) - 1
    return index >= 0 and part[1] <= ranges[index][1]


# -- the automata


@dataclass(slots=True)
class _Nfa:
    """States are numbers. `steps` go with a class of characters out of a mask, `jumps` with nothing."""

    masks: Mapping[tuple[Range, ...], int]
    steps: list[tuple[int, int] | None] = field(default_factory=list)
    jumps: list[list[int]] = field(default_factory=list)

    def state(self) -> int:
        self.steps.append(None)
        self.jumps.append([])
        return len(self.steps) - 1

    def add(self, node: Node, start: int, end: int) -> None:
        """Ways from start to end that read the node; nothing else may leave `start` with a character."""
        match node:
            case Chars(ranges):
                before = self._jump(start)
                self.steps[before] = (self.masks[ranges], end)
            case Seq(nodes):
                for inner in nodes:
                    after = self.state()
                    self.add(inner, start, after)
                    start = after
                self.jumps[start].append(end)
            case Alt(nodes):
                for inner in nodes:
                    self.add(inner, self._jump(start), end)
            case Repeat(inner, least, most):
                self._repeat(inner, least, most, start, end)

    def _repeat(self, node: Node, least: int, most: int | None, start: int, end: int) -> None:
        for _ in range(least):
            after = self.state()
            self.add(node, start, after)
            start = after
        if most is None:
            loop = self._jump(start)
            back = self.state()
            self.add(node, loop, back)
            self.jumps[back].append(loop)
            self.jumps[loop].append(end)
            return
        for _ in range(most - least):
            self.jumps[start].append(end)
            after = self.state()
            self.add(node, self._jump(start), after)
            start = after
        self.jumps[start].append(end)

    def _jump(self, start: int) -> int:
        state = self.state()
        self.jumps[start].append(state)
        return state


Moves: TypeAlias = list[dict[int, int]]
"""For each state: where it goes, and the classes with which it goes there, as bits."""


def _determinize(nfa: _Nfa, start: int, final: int, widest: int) -> tuple[Moves, set[int]]:
    work = 0
    closures: dict[int, frozenset[int]] = {}

    def closure(state: int) -> frozenset[int]:
        """The states with steps that are reached without reading, and `final`."""
        nonlocal work
        if state not in closures:
            seen, todo = {state}, [state]
            while todo:
                for following in nfa.jumps[todo.pop()]:
                    if following not in seen:
                        seen.add(following)
                        todo.append(following)
            work += len(seen)
            if work > MAX_WORK:
                raise TooComplex("it can be read in too many ways")
            closures[state] = frozenset(s for s in seen if nfa.steps[s] is not None or s == final)
        return closures[state]

    first = closure(start)
    numbers: dict[frozenset[int], int] = {first: 0}
    order = [first]
    moves: Moves = []
    for states in order:  # it grows meanwhile
        work += len(states)
        if work > MAX_WORK or len(order) > MAX_STATES or len(states) > widest:
            raise TooComplex("it can be read in too many ways")
        ways: dict[int, int] = {}
        for mask, targets in _split(step for s in states if (step := nfa.steps[s]) is not None):
            reached = frozenset().union(*map(closure, targets))
            work += len(reached)
            if reached not in numbers:
                numbers[reached] = len(order)
                order.append(reached)
            number = numbers[reached]
            ways[number] = ways.get(number, 0) | mask
        moves.append(ways)
    return moves, {number for states, number in numbers.items() if final in states}


def _split(steps: Iterable[tuple[int, int]]) -> list[tuple[int, set[int]]]:
    """Steps whose classes overlap, as disjoint masks with all the targets of each."""
    parts: list[tuple[int, set[int]]] = []
    by_mask: dict[int, set[int]] = {}
    for mask, target in steps:
        by_mask.setdefault(mask, set()).add(target)
    for mask, targets in by_mask.items():
        following: list[tuple[int, set[int]]] = []
        for part, reached in parts:
            if both := part & mask:
                following.append((both, reached | targets))
            if rest := part & ~mask:
                following.append((rest, reached))
            mask &= ~part
        if mask:
            following.append((mask, targets))
        parts = following
    return parts


def _alive(moves: Moves, accepting: set[int]) -> set[int]:
    """The states from which an end can be reached."""
    sources: list[list[int]] = [[] for _ in moves]
    for state, ways in enumerate(moves):
        for target in ways:
            sources[target].append(state)
    alive, todo = set(accepting), list(accepting)
    while todo:
        for state in sources[todo.pop()]:
            if state not in alive:
                alive.add(state)
                todo.append(state)
    return alive


# -- writing


def _write(moves: Moves, accepting: set[int], alive: set[int], classes: list[list[Range]]) -> str:
    lines = []
    texts: dict[int, str] = {}
    for state in sorted(alive):
        ways = [] if state not in accepting else ['""']
        _check_ranges(moves[state].values(), classes)
        for target, mask in moves[state].items():
            if target in alive:
                if mask not in texts:
                    texts[mask] = _write_set(mask, classes)
                # A state that only ends needs no rule.
                ends = target in accepting and not moves[target].keys() & alive
                ways.append(texts[mask] if ends else f"{texts[mask]} {_rule(target)}")
        if state == 0 or ways != ['""']:
            lines.append(f"{_rule(state)} ::= {' | '.join(ways)}")
    return "\n".join(lines) + "\n"


def _check_ranges(masks: Iterable[int], classes: list[list[Range]]) -> None:
    found = sum(len(parts) for mask in masks for number, parts in enumerate(classes) if mask >> number & 1)
    if found > MAX_RANGES:
        raise TooComplex(f"more than {MAX_RANGES} ranges of characters can follow at one place")


def _rule(state: int) -> str:
    return f"s{state}" if state else "root"


def _write_set(mask: int, classes: list[list[Range]]) -> str:
    ranges: list[Range] = []
    for low, high in sorted(part for number, parts in enumerate(classes) if mask >> number & 1 for part in parts):
        if ranges and ranges[-1][1] == low - 1:
            ranges[-1] = (ranges[-1][0], high)
        else:
            ranges.append((low, high))
    if ranges[-1][1] != _LAST:
        return f"[{_write_ranges(ranges)}]"
    # Up to the end of Unicode: shorter as what it has not. Half of a surrogate pair is no character anyway.
    gaps = [(before[1] + 1, after[0] - 1) for before, after in zip([(0, 0), *ranges], ranges, strict=False)]
    gaps = [gap for gap in gaps if gap[0] <= gap[1] and gap != (0xD800, 0xDFFF)]
    return f"[^{_write_ranges(gaps)}]" if gaps else "[^\\x00]"


def _write_ranges(ranges: Iterable[Range]) -> str:
    return "".join(_char(low) if low == high else f"{_char(low)}-{_char(high)}" for low, high in ranges)


def _char(code: int) -> str:
    char = chr(code)
    if char.isascii() and char.isalnum():
        return char
    if code <= 0xFF:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"
