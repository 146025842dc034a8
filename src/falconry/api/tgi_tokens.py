"""Texts of any length as tokens of a model.

Engines refuse to read at once what could never fit a context window. But a long text may be tokenized to be cut, here
(`truncate`) or by whoever asks, so it is read in pieces.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from falconry.engines.base import Engine
from falconry.errors import InvalidRequest
from falconry.messages import Prompt, Token, TokenPrompt

_PER_TOKEN = 4
"""Characters of a piece for each token of the context; engines read that much without counting it first."""
_CONTEXT = 4096  # of engines that do not tell
_LOOK = 256  # characters in which a seam is looked for
_SEAM = re.compile(r"(?<=[^\W\d_])[^\w\r\n](?=[^\W\d_])")
"""A blank or another sign between two letters: all tokenizers cut before it, and before nothing else for sure."""
MOST_CHARACTERS = 512 * 1024


async def tokens_of(engine: Engine, text: str, *, added: bool = True, names: bool = True) -> list[Token]:
    """All tokens of a text.

    Args:
        added: with those that the model puts around a raw prompt.
        names: names of special tokens in the text count as such.

    Raises:
        InvalidRequest: longer than MOST_CHARACTERS.
        NotSupported: the backend does not tell.
    """
    _check_length(text)
    found: list[Token] = []
    pieces = _pieces(text, await _piece_length(engine))
    for number, piece in enumerate(pieces):
        if not names and not added:
            found += await engine.tokenize(piece, special=False)
            continue
        front, own, back = _apart(await engine.tokenize(piece, special=True), piece)
        if not names:
            own = await engine.tokenize(piece, special=False)
        found += [*(front if added and number == 0 else ()), *own]
        found += back if added and number == len(pieces) - 1 else ()
    return found


async def cut_prompt(engine: Engine, text: str, most: int) -> Prompt:
    """The last `most` tokens of a prompt, with the model's begin-of-text token in front if it has one.

    Raises as `tokens_of`.
    """
    _check_length(text)
    pieces = _pieces(text, await _piece_length(engine))
    front: Sequence[Token] = ()
    kept: list[Token] = []
    for number, piece in enumerate(reversed(pieces)):
        front, own, back = _apart(await engine.tokenize(piece, special=True), piece)
        kept = [*own, *(back if number == 0 else ()), *kept]
        if len(front) + len(kept) > most:
            ids = [token.id for token in front[: most - 1]]
            rest = most - len(ids)
            return TokenPrompt((*ids, *(token.id for token in kept[-rest:])))
    return text


def _check_length(text: str) -> None:
    if len(text) > MOST_CHARACTERS:
        raise InvalidRequest(
            f"The text has {len(text)} characters; at most {MOST_CHARACTERS} are tokenized. Cut it into pieces.",
            code="invalid_field",
            field="inputs",
            problem=f"more than {MOST_CHARACTERS} characters",
        )


async def _piece_length(engine: Engine) -> int:
    return (await engine.context_length() or _CONTEXT) * _PER_TOKEN


def _pieces(text: str, length: int) -> list[str]:
    """Cut a text where no token goes across, if there is such a place."""
    found: list[str] = []
    start = 0
    while len(text) - start > length:
        end = start + length
        seams = [seam.start() for seam in _SEAM.finditer(text, max(start + 1, end - _LOOK), end)]
        end = seams[-1] if seams else end
        found.append(text[start:end])
        start = end
    return [*found, text[start:]]


def _apart(tokens: Sequence[Token], text: str) -> tuple[Sequence[Token], Sequence[Token], Sequence[Token]]:
    """What the model put in front, the text's own tokens, what it put behind."""
    begin = 1 if tokens and tokens[0].special and not _written(tokens, tokens[0], text) else 0
    end = len(tokens)
    if end > begin and tokens[-1].special and not text.endswith(tokens[-1].text):
        end -= 1
    return tokens[:begin], tokens[begin:end], tokens[end:]


def _written(tokens: Sequence[Token], first: Token, text: str) -> bool:
    """Whether the text itself begins with the name of a special token, as often as the tokens do."""
    repeated = next((place for place, token in enumerate(tokens) if token.id != first.id), len(tokens))
    return bool(first.text) and text.startswith(first.text * repeated)
