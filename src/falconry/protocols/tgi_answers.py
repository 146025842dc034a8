"""What a text-generation-inference server answers: token frames, details, errors.

Its clients print the text of every token, and take the last frame's `generated_text` for the whole: so the texts of
the tokens, special ones apart, joined are the reply, to the character. Read from the router's source (3.3) and from
what `text-generation` 0.7 and `huggingface_hub` 2.4 insist on.
https://github.com/huggingface/text-generation-inference/tree/main/router/src
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from falconry.errors import ContextWindowExceeded, EngineInterrupted, FalconryError
from falconry.messages import Delta, FinishReason, Token, Usage

_LONGEST_TOKEN = 64
"""Characters. When so much text came without a token, none will come: some servers ignore that they are asked for."""
END = Token(-1, "", special=True)
"""Stands for the end of the text where a backend does not report its token, since the last frame needs one."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a reply ended.

    Attributes:
        finish_reason: "length", "eos_token" or "stop_sequence"; clients refuse any other.
        seed: the one that was used, None where nothing was drawn.
    """

    text: str
    finish_reason: str
    generated_tokens: int
    input_length: int
    seed: int | None = None


class Reply:
    """One generation, delta by delta, as tokens with the text that each adds.

    A token that ends inside a character adds nothing, and the one that completes the character adds all of it. A stop
    sequence is part of the text, as TGI has it, but nothing behind it.

    Args:
        by_token: the backend reports tokens. Where not, or where it turns out that it does not, each of its deltas
            passes for one, without id and logprob.
        limit: new tokens at most. The last frame carries more than the others, so the token that may be the last one
            waits for the finish reason.

    Attributes:
        tokens: all so far.
        prefill: the prompt's, where they were asked for.
    """

    def __init__(self, *, by_token: bool, limit: int | None = None) -> None:
        self._by_token = by_token
        self._limit = limit
        self._speller = _Speller()
        self._shown: list[str] = []
        self._sent = 0
        self._last: Delta | None = None
        self.tokens: list[Token] = []
        self.prefill: list[Token] = []

    def take(self, delta: Delta) -> list[Token]:
        """Take the next delta, give the tokens that can be sent by now: all but the last one."""
        self._shown.append(delta.text)
        if delta.prompt_tokens:
            self.prefill += _Speller().spell(delta.prompt_tokens)
        if self._by_token:
            self.tokens += self._speller.spell(delta.tokens)
            if not self.tokens and len(text := "".join(self._shown)) > _LONGEST_TOKEN:
                self._by_token = False
                self.tokens.append(Token(-1, text))
        elif delta.text:
            self.tokens.append(Token(-1, delta.text))
        if delta.finish_reason is not None:
            self._last = delta
            self._fit()
        waits = self._last is not None or (self._limit is not None and len(self.tokens) >= self._limit)
        first, self._sent = self._sent, max(self._sent, len(self.tokens) - waits)
        return self.tokens[first : self._sent]

    @property
    def last_token(self) -> Token:
        """The token for the last frame."""
        return self.tokens[-1] if self._sent < len(self.tokens) else END

    @property
    def text(self) -> str:
        stop = self._last.stop_sequence if self._last is not None else None
        return "".join(self._shown) + (stop or "")

    @property
    def mean_logprob(self) -> float:
        """By which the best of several replies is found."""
        known = [token.logprob for token in self.tokens if token.logprob is not None]
        return sum(known) / len(known) if known else float("-inf")

    def outcome(self, seed: int | None) -> Outcome:
        """How it ended; only after a finish reason has come."""
        assert self._last is not None  # noqa: S101 - see above
        assert self._last.finish_reason is not None  # noqa: S101
        usage = self._last.usage or Usage()
        return Outcome(
            self.text,
            finish_word(self._last.finish_reason, stop_sequence=self._last.stop_sequence is not None),
            len(self.tokens) if self._by_token else usage.completion_tokens or len(self.tokens),
            usage.prompt_tokens,
            seed,
        )

    def _fit(self) -> None:
        """Make the tokens spell the text that was shown: no less, and nothing behind a stop sequence."""
        spelled = "".join(token.text for token in self.tokens if not token.special)
        text = self.text
        if text.startswith(spelled):
            if rest := text[len(spelled) :]:
                self.tokens.append(Token(-1, rest))
        elif spelled.startswith(text):
            self._cut(len(spelled) - len(text))

    def _cut(self, characters: int) -> None:
        for place in range(len(self.tokens) - 1, self._sent - 1, -1):
            token = self.tokens[place]
            if characters and not token.special:
                kept = token.text[: max(0, len(token.text) - characters)]
                characters -= len(token.text) - len(kept)
                self.tokens[place] = replace(token, text=kept)


@dataclass(slots=True)
class _Speller:
    """Gives tokens the text that each adds to the ones before it."""

    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace")
    )

    def spell(self, tokens: Iterable[Token]) -> list[Token]:
        return [token if token.special else replace(token, text=self._decoder.decode(token.raw)) for token in tokens]


def token_json(token: Token) -> dict[str, object]:
    return {"id": token.id, "text": token.text, "logprob": token.logprob, "special": token.special}


def prefill_json(tokens: Iterable[Token]) -> list[dict[str, object]]:
    """The tokens of a prompt; the first has no logprob."""
    return [{"id": token.id, "text": token.text, "logprob": token.logprob} for token in tokens]


def token_frame(index: int, token: Token, *, top: bool = False) -> dict[str, object]:
    """A frame of a stream but for the last. `index` counts from 1. `top`: with the likeliest tokens in its place."""
    body: dict[str, object] = {"index": index, "token": token_json(token)}
    if top:
        body["top_tokens"] = list(map(token_json, token.top))
    return body | {"generated_text": None, "details": None}


def last_frame(
    index: int, token: Token, outcome: Outcome, *, prompt: str = "", details: bool = True, top: bool = False
) -> dict[str, object]:
    """The last frame: a token like any other, the whole text behind `prompt`, and how it ended."""
    body = token_frame(index, token, top=top) | {"generated_text": prompt + outcome.text}
    if details:
        body["details"] = {
            "finish_reason": outcome.finish_reason,
            "generated_tokens": outcome.generated_tokens,
            "seed": outcome.seed,
            "input_length": outcome.input_length,
        }
    return body


def sequence_json(reply: Reply, outcome: Outcome, *, top: bool) -> dict[str, object]:
    """The details of one whole reply."""
    body: dict[str, object] = {
        "finish_reason": outcome.finish_reason,
        "generated_tokens": outcome.generated_tokens,
        "seed": outcome.seed,
        "prefill": prefill_json(reply.prefill),
        "tokens": list(map(token_json, reply.tokens)),
    }
    if top:
        body["top_tokens"] = [list(map(token_json, token.top)) for token in reply.tokens]
    return body


def finish_word(reason: FinishReason, *, stop_sequence: bool) -> str:
    """TGI's word for a finish reason."""
    if reason == "length":
        return "length"
    return "stop_sequence" if stop_sequence else "eos_token"


def info_json(
    model: str, *, context_length: int | None, concurrent: int, limits: dict[str, int], version: str
) -> dict[str, object]:
    """What /info tells, under its old and its new names. Lengths are null where the backend does not tell."""
    longest = None if context_length is None else context_length - 1
    return {
        "model_id": model,
        "model_sha": None,
        "model_pipeline_tag": "text-generation",
        "max_concurrent_requests": concurrent,
        **limits,
        "max_input_tokens": longest,
        "max_input_length": longest,
        "max_total_tokens": context_length,
        "validation_workers": 1,
        "max_client_batch_size": 4,
        "router": "falconry",
        "version": version,
        "sha": None,
        "docker_label": None,
    }


_PLAIN_STATUS = (401, 403, 404, 405)


def error_status(error: FalconryError) -> int:
    """The status that TGI's router gives to an error of this kind."""
    if error.status in (*_PLAIN_STATUS, 413, 415):
        return error.status
    return {"validation": 422, "overloaded": 429, "incomplete_generation": 500, "unhealthy": 503}.get(_kind(error), 424)


def error_body(error: FalconryError) -> dict[str, object]:
    """TGI's error, for a body or a frame; its clients choose their exception by `error_type`, else by the status."""
    kind = _kind(error)
    words = error.message
    if isinstance(error, ContextWindowExceeded) and error.prompt_tokens and error.limit:
        words = f"`inputs` must have less than {error.limit} tokens. Given: {error.prompt_tokens}"
    return {"error": f"Input validation error: {words}" if kind == "validation" else words, "error_type": kind}


def _kind(error: FalconryError) -> str:
    if error.status == 429:
        return "overloaded"
    if isinstance(error, EngineInterrupted):
        return "incomplete_generation"
    if error.status in _PLAIN_STATUS:
        return error.code
    if error.status < 500:
        return "validation"
    return "unhealthy" if error.status == 503 else "generation"


def simple_tokens(text: str, tokens: Iterable[Token]) -> Iterator[dict[str, object]]:
    """The answer of /tokenize: tokens with the characters of the text that they stand for, from start to stop.

    What the model adds by itself stands for none. Several tokens may share a character.
    """
    raw = text.encode("utf-8", "replace")
    # In which character each byte lies, and one past the end.
    lies_in = [place for place, letter in enumerate(text) for _ in letter.encode("utf-8", "replace")] + [len(text)]
    at = 0
    for token in tokens:
        piece = token.text.encode("utf-8", "replace") if token.special else token.raw
        if not raw.startswith(piece, at):
            piece = piece.removeprefix(b" ")  # which some tokenizers put before the first word
        start = stop = lies_in[at]
        if piece and raw.startswith(piece, at):
            at += len(piece)
            stop = lies_in[at - 1] + 1
        yield {"id": token.id, "text": text[start:stop], "start": start, "stop": stop}
