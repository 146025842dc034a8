"""The protocol of Hugging Face's text-generation-inference (TGI), as its clients speak it: generate, frames, info.

What answers is in `tgi_answers`. Read from the router's source (3.3) and from what the clients
`text-generation` 0.7 and `huggingface_hub` 2.4 insist on.
https://github.com/huggingface/text-generation-inference/tree/main/router/src
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from falconry.messages import Grammar, SamplingParams, Token
from falconry.protocols.logprobs import finite
from falconry.protocols.openai import read_length

# Its default for --max-stop-sequences; a request with more is refused.
MAX_STOP = 4


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a stream: a token, and in the last one the whole text and the details.

    Attributes:
        text: of the token; "" for special tokens, which are not for people.
        generated_text: the whole reply, None but in the last frame.
        finish_reason: "length", "eos_token" or "stop_sequence"; only in the last frame, and only with details.
        generated_tokens, input_length: 0 where the server does not tell.
    """

    text: str = ""
    generated_text: str | None = None
    finish_reason: str | None = None
    generated_tokens: int = 0
    input_length: int = 0


@dataclass(frozen=True, slots=True)
class Info:
    """What /info tells, in tokens. A prompt may have `max_input`, prompt and reply together `max_total`."""

    model: str | None = None
    max_input: int | None = None
    max_total: int | None = None


def generate_body(
    prompt: str, params: SamplingParams, max_new_tokens: int | None, top_n_tokens: int = 0
) -> dict[str, object]:
    """A request for /generate_stream.

    The server wants temperature > 0, and top_p and typical_p between 0 and 1: always the likeliest token is
    `do_sample: false` here, and a top_p or typical_p of 1 is left out.
    """
    sample = params.temperature > 0 and params.top_p != 0
    fields: dict[str, object | None] = {
        "do_sample": sample,
        "temperature": params.temperature if sample else None,
        "top_p": params.top_p if sample and params.top_p and params.top_p < 1 else None,
        "top_k": (params.top_k or None) if sample else None,
        "typical_p": params.typical_p if sample and params.typical_p and params.typical_p < 1 else None,
        "repetition_penalty": params.repetition_penalty,
        "frequency_penalty": params.frequency_penalty,
        "grammar": grammar_body(params.grammar) if params.grammar else None,
        "top_n_tokens": top_n_tokens or None,
        "max_new_tokens": max_new_tokens,
        "stop": list(params.stop[:MAX_STOP]) or None,
        "seed": params.seed,
        "return_full_text": False,
        "details": True,
    }
    return {"inputs": prompt, "parameters": {key: value for key, value in fields.items() if value is not None}}


def score_body(prompt: str) -> dict[str, object]:
    """A request for /generate that tells of the prompt's tokens: a stream cannot, and a token must be generated."""
    parameters = {"max_new_tokens": 1, "details": True, "decoder_input_details": True, "return_full_text": False}
    return {"inputs": prompt, "parameters": parameters}


def grammar_body(grammar: Grammar) -> dict[str, object]:
    """The shape of a reply, the same on both routes. A schema has to name its properties."""
    if grammar.kind == "regex":
        return {"type": "regex", "value": grammar.text}
    schema = json.loads(grammar.text) if grammar.text else {"type": "object"}
    return {"type": "json", "value": schema if "properties" in schema else schema | {"properties": {}}}


def read_tokens(body: Mapping[str, object]) -> tuple[Token, ...]:
    """The tokens of a frame, or of a whole reply: its own, each with its alternatives."""
    if isinstance(token := body.get("token"), Mapping):
        return (_token(token, body.get("top_tokens")),)
    details = body.get("details")
    tokens = details.get("tokens") if isinstance(details, Mapping) else None
    if not isinstance(details, Mapping) or not isinstance(tokens, list):
        return ()
    given = details.get("top_tokens")
    tops = given if isinstance(given, list) and len(given) == len(tokens) else [None] * len(tokens)
    return tuple(_token(token, top) for token, top in zip(tokens, tops, strict=True) if isinstance(token, Mapping))


def read_prefill(body: object) -> tuple[Token, ...]:
    """The tokens of the prompt in a whole reply; the first has no logprob."""
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    details = body.get("details") if isinstance(body, Mapping) else None
    prefill = details.get("prefill") if isinstance(details, Mapping) else None
    if not isinstance(prefill, list):
        return ()
    tokens = [_token(token, None) for token in prefill if isinstance(token, Mapping)]
    return (*(replace(token, logprob=None) for token in tokens[:1]), *tokens[1:])


def read_tokenized(body: object) -> list[Token] | None:
    """The tokens in the answer of /tokenize, without logprobs; None for anything else."""
    if not isinstance(body, list) or not all(isinstance(entry, Mapping) for entry in body):
        return None
    return [replace(_token(entry, None), logprob=None) for entry in body]


def _token(entry: Mapping[str, object], top: object) -> Token:
    number, text = entry.get("id"), entry.get("text")
    text = text if isinstance(text, str) else ""
    special = entry.get("special") is True
    return Token(
        id=number if isinstance(number, int) else -1,
        text=text,
        raw=b"" if special else text.encode("utf-8", "replace"),
        logprob=finite(entry.get("logprob")),
        special=special,
        top=tuple(_token(other, None) for other in top if isinstance(other, Mapping)) if isinstance(top, list) else (),
    )


def read_frame(body: Mapping[str, object]) -> Frame:
    """Read a frame of a stream, or a whole reply (an object with `generated_text` and `details`)."""
    token, details = body.get("token"), body.get("details")
    text = token.get("text") if isinstance(token, Mapping) and not token.get("special") else None
    generated = body.get("generated_text")
    if not isinstance(details, Mapping):
        details = {}
    reason = details.get("finish_reason")
    return Frame(
        text=text if isinstance(text, str) else "",
        generated_text=generated if isinstance(generated, str) else None,
        finish_reason=reason if isinstance(reason, str) else None,
        generated_tokens=_count(details.get("generated_tokens")),
        input_length=_count(details.get("input_length")) or _length(details.get("prefill")),
    )


def read_info(body: object) -> Info:
    """Read /info, old (`max_input_length`) or new (`max_input_tokens`)."""
    if not isinstance(body, Mapping):
        return Info()
    model = body.get("model_id")
    return Info(
        model if isinstance(model, str) else None,
        read_length(body.get("max_input_tokens") or body.get("max_input_length")),
        read_length(body.get("max_total_tokens")),
    )


def read_token_count(body: object) -> int | None:
    """The number of tokens in the answer of /tokenize (a list) or /chat_tokenize; None for anything else."""
    if isinstance(body, Mapping):
        body = body.get("tokenize_response")
    return len(body) if isinstance(body, list) else None


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0


def _length(value: object) -> int:
    return len(value) if isinstance(value, list) else 0
