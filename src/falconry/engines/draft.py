"""Whether a small model may guess the next tokens of a larger one: only with the very same vocabulary."""

from __future__ import annotations

from pathlib import Path

from falconry.models.header import Array, Header

_TIMES_SMALLER = 4
"""A draft must cost little: at a quarter of the model's size, four guessed tokens cost as much as one of the model."""
_COMPARED = 2048
"""Tokens whose names are compared; models of different families differ long before."""
_SAME = ("tokenizer.ggml.model", "tokenizer.ggml.pre", "tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id")


def may_draft(draft: Path, draft_header: Header, model: Path, header: Header) -> bool:
    """Whether llama.cpp would take the guesses of `draft` for `model`, and they could pay.

    Raises OSError where one of the files is gone.
    """
    small_enough = draft_header.file_size * _TIMES_SMALLER <= header.file_size
    same = all(draft_header.metadata.get(key) == header.metadata.get(key) for key in _SAME)
    return small_enough and same and _vocabulary(draft, draft_header) == _vocabulary(model, header)


def _vocabulary(path: Path, header: Header) -> object:
    """Something that two models have in common only where they have the same tokens."""
    tokens = header.metadata.get("tokenizer.ggml.tokens")
    if not isinstance(tokens, Array):
        return tokens
    with path.open("rb") as file:
        file.seek(tokens.offset)
        # Each is its length in 8 bytes, and its name; the header was checked.
        return tokens.length, [
            file.read(int.from_bytes(file.read(8), "little")) for _ in range(min(tokens.length, _COMPARED))
        ]
