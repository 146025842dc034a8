"""What servers of OpenAI's protocol differ in: what they refuse, and shapes, scores, tokens and vectors.

Their makers added these each in their own way, so this module is a list of who does what, and how it is asked for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from falconry.engines.llama_server import grammar_fields
from falconry.engines.remote import continues
from falconry.errors import NotSupported
from falconry.messages import Grammar, Message, Prompt, Token, TokenPrompt
from falconry.protocols import openai
from falconry.protocols.failures import Failure
from falconry.protocols.logprobs import to_bytes

Flavour: TypeAlias = Literal["llama_cpp", "vllm", "sglang", "ollama", "lm_studio", "other"]

CONTINUE: frozenset[Flavour] = frozenset({"llama_cpp", "vllm", "sglang"})
"""Servers that go on with the text of an assistant's message."""

# What a server may refuse, and the param of ours that is lost by that. Stop sequences are not lost: what the server
# does not stop at, we do.
OPTIONAL: Mapping[str, str | None] = {
    "stream_options": None,
    "stop": None,
    "seed": "seed",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "typical_p": "typical_p",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "logit_bias": "logit_bias",
    "repetition_penalty": "repetition_penalty",
    "repeat_penalty": "repetition_penalty",
    "max_tokens": None,
    "max_completion_tokens": "max_tokens",
}
# What a server takes and does not heed.
IGNORED: Mapping[Flavour, frozenset[str]] = {
    "vllm": frozenset({"typical_p"}),
    "sglang": frozenset({"typical_p"}),
    "ollama": frozenset({"top_k", "min_p", "typical_p", "repetition_penalty", "logit_bias"}),
    "lm_studio": frozenset({"min_p", "typical_p"}),
}
# Fields that a reply cannot do without, and what a server that refuses one does not support.
NEEDED: Mapping[str, str] = {
    "response_format": "response_format",
    "json_schema": "response_format",
    "grammar": "response_format",
    "structured_outputs": "response_format",
    "guided_regex": "response_format",
    "tools": "tools",
    "tool_choice": "tool_choice",
    "logprobs": "logprobs",
    "top_logprobs": "logprobs",
    "echo": "logprobs of the prompt",
}


def shape_fields(grammar: Grammar, flavour: Flavour, *, raw: bool) -> dict[str, object]:
    """The fields that give a reply its shape. Raises NotSupported, InvalidRequest."""
    if flavour == "llama_cpp":
        return grammar_fields(grammar)
    if grammar.kind == "regex" and flavour == "sglang":
        return {"regex": grammar.text}
    if grammar.kind == "regex":
        if flavour != "vllm":
            raise NotSupported("regular expressions as a grammar")
        # The first since 0.11, the second before; each is ignored by the other.
        return {"structured_outputs": {"regex": grammar.text}, "guided_regex": grammar.text}
    if raw and flavour != "vllm":
        raise NotSupported("response_format for a raw prompt")
    return {"response_format": openai.response_format(grammar)}


def logprob_fields(top: int | None, flavour: Flavour, *, raw: bool) -> dict[str, object]:
    """The fields that ask for tokens with `top` alternatives each; llama.cpp wants at least one."""
    if top is None:
        return {}
    asked = max(1, top) if flavour == "llama_cpp" else top
    return {"logprobs": asked} if raw else {"logprobs": True, "top_logprobs": asked}


def echo_fields(prompt: Prompt, top: int | None, flavour: Flavour) -> dict[str, object]:
    """A request for nothing but the logprobs of the prompt. Raises NotSupported."""
    if flavour != "vllm" or not isinstance(prompt, str | TokenPrompt):
        raise NotSupported("logprobs of the prompt")
    return {"prompt": prompt_field(prompt), "echo": True, "max_tokens": 0, "logprobs": max(1, top or 0)}


def prompt_field(prompt: str | TokenPrompt) -> object:
    """A raw prompt as /completions takes it."""
    return prompt if isinstance(prompt, str) else list(prompt.ids)


def tokenize_body(text: str, model: str, flavour: Flavour, *, special: bool) -> dict[str, object]:
    if flavour == "vllm":
        return {"model": model, "prompt": text, "add_special_tokens": special, "return_token_strs": True}
    return {"content": text, "add_special": special, "parse_special": special, "with_pieces": True}


def read_tokens(answer: Mapping[str, object]) -> list[Token] | None:
    """The tokens in the answer of /tokenize, of llama.cpp or vLLM; None for anything else."""
    entries, texts = answer.get("tokens"), answer.get("token_strs")
    if not isinstance(entries, list):
        return None
    names = texts if isinstance(texts, list) and len(texts) == len(entries) else [""] * len(entries)
    tokens = [_token(entry, name) for entry, name in zip(entries, names, strict=True)]
    return [token for token in tokens if token is not None] if None not in tokens else None


def _token(entry: object, name: object) -> Token | None:
    if isinstance(entry, int):
        return Token(entry, str(name or ""), str(name or "").encode("utf-8", "replace"))
    if not isinstance(entry, Mapping) or not isinstance(number := entry.get("id"), int):
        return None
    piece = entry.get("piece")
    raw = to_bytes(piece) if isinstance(piece, list) else str(piece).encode("utf-8", "replace")
    return Token(number, raw.decode("utf-8", "replace"), raw)


def detokenize_body(ids: Sequence[int], model: str, flavour: Flavour) -> dict[str, object]:
    return {"model": model, "tokens": list(ids)} if flavour == "vllm" else {"tokens": list(ids)}


def read_text(answer: Mapping[str, object]) -> str | None:
    """The text in the answer of /detokenize: llama.cpp's, or vLLM's."""
    text = answer.get("content", answer.get("prompt"))
    return text if isinstance(text, str) else None


def too_many_asked(failure: Failure) -> int | None:
    """The context length in vLLM's refusal of a reply that is longer than all of it; None for anything else."""
    found = re.search(r"max_(?:completion_)?tokens\S* cannot be greater than max_model_len\S*?(\d+)", failure.message)
    return int(found[1]) if found and int(found[1]) > 1 else None


def unit(vector: Sequence[float]) -> list[float]:
    """The vector with a length of 1; a zero stays one."""
    length = math.sqrt(sum(value * value for value in vector))
    return [value / length for value in vector] if length > 0 else list(vector)


def prompt_fields(prompt: str | Sequence[Message], flavour: Flavour) -> dict[str, object]:
    """A prompt in the fields of vLLM and SGLang, the same for generating and for counting."""
    if isinstance(prompt, str):
        return {"prompt": prompt}
    fields: dict[str, object] = {"messages": openai.message_list(prompt)}
    if continues(prompt):
        fields["continue_final_message"] = True
        if flavour == "vllm":  # SGLang's would render the messages in another way
            fields["add_generation_prompt"] = False
    return fields
