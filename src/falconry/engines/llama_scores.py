"""How likely a model finds a given text: its logprob token by token, from a server that only tells of its own words.

llama-server reports the logprob of what it generates, as it was before any bias. So each token of the text is forced
by a bias, one request for each: what was read is in the cache, and every request evaluates one token. A grammar that
lists the tokens does it in one request and was no faster (2000 tokens of Eyas: 2.8 s against 3.0 s), but a token that
is half a character cannot follow it, and then the server aborts (October 2026).
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from falconry.engines.llama_adapters import Adapter
from falconry.engines.llama_child import LlamaChild
from falconry.engines.llama_vocabulary import Vocabulary
from falconry.messages import Token
from falconry.protocols.logprobs import LEAST, finite, read_tokens, to_bytes

_FORCE = 1000.0
_LOOK_AROUND = 64
"""Alternatives that are looked through for a token that is no whole character."""
_LIFT, _MARGIN = 200.0, 6.0
"""Added to two logits to leave all other tokens behind, and the lead of one over the other."""
_TRIES = 4


async def score(
    child: LlamaChild,
    vocabulary: Vocabulary,
    ids: Sequence[int],
    slot: int,
    top: int,
    adapter: Adapter | None = None,
) -> AsyncGenerator[Token, None]:
    """The tokens with their logprobs, and `top` alternatives; the first has none.

    Args:
        ids: what the model reads, special tokens included.
        slot: a slot that nobody else uses meanwhile.
    """
    scorer = _Scorer(child, vocabulary, slot, top, adapter)
    for place, number in enumerate(ids):
        if place == 0:
            first = await scorer.token([number], number)
            yield replace(first, logprob=None, top=())
        else:
            yield await scorer.token(ids[:place], number)


class _Scorer:
    """Asks for one token after a beginning."""

    def __init__(self, child: LlamaChild, vocabulary: Vocabulary, slot: int, top: int, adapter: Adapter | None) -> None:
        self._child = child
        self._vocabulary = vocabulary
        self._slot = slot
        self._top = top
        self._adapter = adapter

    async def token(self, before: Sequence[int], number: int) -> Token:
        """How likely the token is after a beginning, which is not empty."""
        found = await self._forced(before, [[number, _FORCE]], max(1, self._top))
        token = _reported(found) or await self._part(before, number)
        (named,) = await self._vocabulary.named([replace(token, top=token.top[: self._top])])
        return named

    async def _part(self, before: Sequence[int], number: int) -> Token:
        """The same for a part of a character: the server keeps it to itself until the character is whole.

        Forced to say a whole one instead, it lists the likeliest tokens in its place. One that is not among them is
        put beside it, far above all others, so that their two probabilities give the difference of their logits.
        """
        plain = await self._vocabulary.plain()
        other = _reported(await self._forced(before, [[plain, _FORCE]], max(_LOOK_AROUND, self._top)))
        if other is None or other.logprob is None or not other.top:
            return Token(number, "\ufffd", logprob=LEAST)
        for listed in other.top:
            if listed.id == number:
                return replace(listed, top=other.top)
        lead = max(0.0, finite(other.top[-1].logprob) + _MARGIN - other.logprob)
        for seed in range(_TRIES):
            biases = [[plain, _LIFT + lead], [number, _LIFT]]
            pair = await self._forced(before, biases, 2, temperature=1.0, seed=seed, post_sampling_probs=True)
            odds = {entry["id"]: entry for entry in pair.get("top_probs", ())} if pair else {}
            if number in odds and plain in odds:
                raw = to_bytes(odds[number].get("bytes", ()))
                ratio = odds[number]["prob"] / odds[plain]["prob"]
                logprob = other.logprob + lead + math.log(ratio) if ratio > 0 else LEAST
                return Token(number, raw.decode("utf-8", "replace"), raw, logprob, top=other.top)
        return Token(number, "\ufffd", logprob=LEAST, top=other.top)

    async def _forced(
        self, before: Sequence[int], biases: list[list[float]], probabilities: int, **more: object
    ) -> Mapping[str, Any] | None:
        """What the server reports of the one token that it then says; None where it keeps it to itself."""
        body: dict[str, object] = {
            "prompt": list(before),
            "n_predict": 1,
            "logit_bias": biases,
            "n_probs": probabilities,
            "temperature": 0.0,
            "samplers": ["temperature"],
            "id_slot": self._slot,
            "response_fields": ["completion_probabilities"],
        }
        answer = await self._child.ask_model("/completion", body | more, self._adapter)
        found = answer.get("completion_probabilities") or ()
        return found[0] if found else None


def _reported(entry: Mapping[str, Any] | None) -> Token | None:
    return None if entry is None else read_tokens({"content": [entry]})[0]
