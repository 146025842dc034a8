"""Tokens with their logprobs, as servers of OpenAI's protocol report them: two shapes, and what each server adds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from falconry.messages import Token

LEAST = -9999.0
"""What stands for an infinitely unlikely token, as in OpenAI's answers: JSON has no infinity."""


def finite(value: object) -> float:
    """A logprob that can be written as JSON; `LEAST` for infinities, and where a server sends null for one."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return max(float(value), LEAST)
    return LEAST


def read_tokens(logprobs: object) -> tuple[Token, ...]:
    """The tokens in the `logprobs` of a choice, of a chat or a completion."""
    if not isinstance(logprobs, Mapping):
        return ()
    content = logprobs.get("content")
    if isinstance(content, list):
        return tuple(map(_entry, filter(_is_mapping, content)))
    return _columns(logprobs)


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping)


def _entry(entry: Mapping[str, object]) -> Token:
    """One of `logprobs.content`; llama.cpp names the id, too, and gives special tokens neither text nor bytes."""
    text = entry.get("token")
    text = text if isinstance(text, str) else ""
    given, number, top = entry.get("bytes"), entry.get("id"), entry.get("top_logprobs")
    raw = to_bytes(given) if isinstance(given, list) else text.encode("utf-8", "replace")
    return Token(
        id=number if isinstance(number, int) else -1,
        text=raw.decode("utf-8", "replace") if raw else text,
        raw=raw,
        logprob=finite(entry.get("logprob")),
        special=not raw,
        top=tuple(map(_entry, filter(_is_mapping, top))) if isinstance(top, list) else (),
    )


def to_bytes(values: Sequence[object]) -> bytes:
    """Bytes that came as a list of numbers."""
    return bytes(value for value in values if isinstance(value, int) and 0 <= value < 256)


def _columns(logprobs: Mapping[str, object]) -> tuple[Token, ...]:
    """The older shape, of completions: a list for the tokens, one for their logprobs, one for the alternatives."""
    texts, values, tops = (logprobs.get(name) for name in ("tokens", "token_logprobs", "top_logprobs"))
    if not isinstance(texts, list) or not isinstance(values, list):
        return ()
    rows = tops if isinstance(tops, list) and len(tops) == len(texts) else [None] * len(texts)
    return tuple(
        Token(
            id=-1,
            text=str(text),
            raw=str(text).encode("utf-8", "replace"),
            # The first token of a prompt that is echoed has none.
            logprob=None if value is None else finite(value),
            top=_alternatives(row),
        )
        for text, value, row in zip(texts, values, rows, strict=False)
    )


def _alternatives(row: object) -> tuple[Token, ...]:
    if not isinstance(row, Mapping):
        return ()
    found = (Token(-1, str(text), str(text).encode("utf-8", "replace"), finite(value)) for text, value in row.items())
    return tuple(sorted(found, key=lambda token: token.logprob or 0.0, reverse=True))
