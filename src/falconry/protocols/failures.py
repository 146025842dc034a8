"""What backends say when something is wrong: one reader for all the shapes in which they say it.

The shapes and wordings were collected from the sources and answers of OpenAI, vLLM, SGLang, llama.cpp, TGI, LM
Studio, Ollama, FastAPI, Go and serde servers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """An error body or error frame.

    Attributes:
        message: the server's words, "" where it has none.
        type: `type` of OpenAI's object, or TGI's `error_type`.
        code: OpenAI's `code`, as text.
        param: the field that the server complains about, "" where it does not say.
    """

    message: str
    type: str = ""
    code: str = ""
    param: str = ""


def read_failure(body: object) -> Failure | None:
    """The error in a JSON body or frame; None where there is none."""
    if isinstance(body, list) and len(body) == 1:  # Google wraps its errors into a list
        body = body[0]
    if not isinstance(body, Mapping):
        return None
    error = body.get("error")
    if isinstance(error, Mapping):
        return _from_object(error)
    if isinstance(error, str) and error:
        return Failure(error, type=_text(body.get("error_type")), code=_text(body.get("code")))
    if body.get("object") == "error":  # vLLM before 0.10
        return _from_object(body)
    if "detail" in body:  # FastAPI
        return _from_detail(body["detail"])
    if isinstance(message := body.get("message"), str) and "choices" not in body:
        return Failure(message, type=_text(body.get("type")), code=_text(body.get("code")))
    return None


def _from_object(error: Mapping[str, object]) -> Failure:
    message = _text(error.get("message"))
    # llama.cpp gives the two numbers of an overflow as fields of their own.
    if (given := error.get("n_prompt_tokens")) and (limit := error.get("n_ctx")):
        message = f"{message} (request has {given} tokens, context length is {limit} tokens)"
    return Failure(
        message or _text(error.get("type")),
        type=_text(error.get("type")),
        code=_text(error.get("code")),
        param=_text(error.get("param")),
    )


def _from_detail(detail: object) -> Failure:
    """FastAPI's validation errors: a text, or a list of {"loc": ["body", "top_k"], "msg": …}."""
    if not isinstance(detail, list):
        return Failure(_text(detail))
    entries = [entry for entry in detail if isinstance(entry, Mapping)]
    places = [loc for entry in entries if isinstance(loc := entry.get("loc"), list)]
    return Failure(
        "; ".join(f"{'.'.join(map(str, entry.get('loc') or ()))}: {entry.get('msg')}" for entry in entries),
        param=str(places[0][-1]) if places and places[0] else "",
    )


def _text(value: object) -> str:
    return "" if value is None or isinstance(value, (Mapping, list)) else str(value)


@dataclass(frozen=True, slots=True)
class Overflow:
    """A prompt that does not fit, in tokens; None where the server does not tell."""

    prompt_tokens: int | None
    limit: int | None


_OVERFLOW_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error"})
_OVERFLOW_WORDS = re.compile(
    r"maximum context length|model's context length|available context size|context window|context length of"
    r"|`inputs` (?:tokens \+|must have less than)|prompt is too long|too large for model with"
    r"|exceeds the (?:maximum number of tokens|model's maximum)|longer than the maximum model length"
    r"|maximum allowed (?:input )?length|context size has been exceeded",
    re.IGNORECASE,
)
# Where both numbers stand in one wording, its own pattern comes before the general ones.
_LIMIT = (
    r"must have less than (\d+) tokens",
    r"`max_new_tokens` must be <= (\d+)",
    r"maximum context length (?:is|of) (\d+)",
    r"maximum model length of (\d+)",
    r"context (?:length|size|window)[^\d]{0,20}?\(?(?:is |of (?:only )?)?\(?(\d+)",
    r"tokens > (\d+) maximum",
    r"model with (\d+) maximum",
    r"number of tokens allowed \((\d+)\)",
    r"maximum allowed (?:input )?length \(?(\d+)",
)
_PROMPT = (
    r"Given: (\d+) `inputs` tokens",
    r"Given: (\d+)",
    r"\((\d+) in the messages",
    r"(\d+) tokens from the input messages",
    r"(\d+) (?:tokens )?(?:in the|in your) (?:prompt|messages)",
    r"request has (\d+) (?:input )?tokens",
    r"messages resulted in (\d+) tokens",
    r"(?:prompt|input|request) \(?(?:length |contains |has )*(\d+) ?(?:input )?(?:tokens|\))",
    r"\(length (\d+)\)",
    r"first (\d+) tokens",
    r"too long: (\d+) tokens",
    r"token count \((\d+)\)",
    r"Prompt contains (\d+)",
)


def read_overflow(failure: Failure) -> Overflow | None:
    """The numbers of "your prompt is longer than the context window"; None where the error is another."""
    words = failure.message
    if not ({failure.code, failure.type} & _OVERFLOW_CODES or _OVERFLOW_WORDS.search(words)):
        return None
    return Overflow(_number(_PROMPT, words), _number(_LIMIT, words))


def _number(patterns: Iterable[str], words: str) -> int | None:
    for pattern in patterns:
        if match := re.search(pattern, words, re.IGNORECASE):
            return int(match[1])
    return None


_REFUSED = re.compile(
    r"unknown|unrecogni[sz]ed|unexpected|unsupported|(?:not|n't|no longer) (?:supported?|permitted|allowed)"
    r"|extra (?:inputs|fields)|additional propert|not used by",
    re.IGNORECASE,
)


def refused_fields(failure: Failure, sent: Iterable[str]) -> set[str]:
    """Which of the fields that were sent the server does not know or want; not those whose value it dislikes."""
    if not _REFUSED.search(failure.message) and failure.code not in ("unsupported_parameter", "unknown_parameter"):
        return set()
    named = failure.param.split(".")[0]
    words = failure.message.partition(", expected")[0]  # serde goes on with all the fields that it does know
    return {name for name in sent if name == named} or {
        name for name in sent if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", words)
    }
