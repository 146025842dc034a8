"""A model in its child process: loaded from a folder, counted with, and stopped as soon as nobody listens.

Runs only in that child (see `transformers_worker`), where torch and transformers are.
"""

from __future__ import annotations

import copy
import json
import re
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import torch
import transformers
from transformers.cli.serving import utils as serving
from transformers.models.auto import modeling_auto

from falconry.engines.transformers_prefix import Prefix

_CHUNK = 256
"""Tokens of a prompt that are read at once: the longest operation that a stop has to wait for."""
_STUCK = 120.0
"""Seconds that one operation may take, before the process counts as hanging. The first on a GPU compiles kernels."""
_LONGEST_REASON = 300
_BYTE_TOKEN = re.compile(r"<0x([0-9A-F]{2})>")
_NO_MEMORY = re.compile(r"out of memory|not enough memory|can't allocate memory", re.IGNORECASE)


class Unusable(Exception):
    """Why a folder's model cannot run here."""


class Model:
    """One model, its tokenizer, and the thread's work under watch.

    Args:
        folder: config.json, *.safetensors and tokenizer.json.
        context_length: tokens that prompt and reply may have together; the model's own where it was trained with less.
        device: "cpu", "cuda", "mps", or "auto" for the best there is.

    Raises Unusable.
    """

    def __init__(self, folder: Path, context_length: int, device: str = "auto") -> None:
        self.watch = Watch()
        self.tokenizer = _load_tokenizer(folder)
        # For texts in which names of special tokens are no such tokens. Changing one tokenizer from call to call would
        # change it for the other threads too.
        self._literal = copy.deepcopy(self.tokenizer)
        for literal, tokenizer in ((False, self.tokenizer), (True, self._literal)):
            tokenizer("", split_special_tokens=literal)  # from now on both stay as they are
        self.model = _load_model(folder, _device(device))
        trained = getattr(self.model.config.get_text_config(decoder=True), "max_position_embeddings", None)
        self.context_length = min(context_length, trained) if isinstance(trained, int) else context_length
        self.prefix = Prefix(self.model)
        self._byte_level = "ByteLevel" in repr(self.tokenizer._tokenizer.decoder)
        self._added: Mapping[int, Any] = self.tokenizer.added_tokens_decoder
        special = (number for number, token in self._added.items() if token.special)
        self._special = frozenset(self.tokenizer.all_special_ids).union(special)
        self._generate = self.model.generate
        self.model.generate = self.generate
        torch.nn.modules.module.register_module_forward_pre_hook(self.watch.look)

    def about(self) -> dict[str, object]:
        """What the engine must know of it."""
        template = self.tokenizer.chat_template
        return {
            "context_length": self.context_length,
            "vocabulary": max(len(self.tokenizer), self.model.get_input_embeddings().num_embeddings),
            "bos": self.tokenizer.bos_token,
            "eos": self.tokenizer.eos_token,
            "chat_template": template if isinstance(template, str) else None,
            "continues": self._continues(),
            "tools": "falconry_probe" in self._try_render([{"role": "user", "content": "Hi"}], [_PROBE]),
            "device": str(self.model.device),
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "parameters": self.model.num_parameters(),
        }

    def ids(self, body: Mapping[str, Any]) -> list[int]:
        """The tokens that a request makes the model read. Raises what chat templates raise."""
        if "messages" in body:
            text = self.render(body["messages"], body.get("tools"))
            return self.encode(text, special=False)
        prompt = body["prompt"]
        if isinstance(prompt, list):
            return [int(number) for number in prompt]
        return self.encode(prompt, special=body.get("add_special", True))

    def encode(self, text: str, *, special: bool, parse_special: bool = True) -> list[int]:
        """`special`: with the tokens that the model puts around a prompt. `parse_special`: names of special tokens in
        the text are such tokens."""
        tokenizer = self.tokenizer if parse_special else self._literal
        found = tokenizer(text, add_special_tokens=special, split_special_tokens=not parse_special)
        return list(found["input_ids"])

    def render(self, messages: Sequence[Mapping[str, Any]], tools: object = None) -> str:
        """The prompt that the chat template makes; a last message of the assistant is left open, to be continued."""
        open_end = bool(messages) and messages[-1]["role"] == "assistant"
        text = self.tokenizer.apply_chat_template(
            [_readable(message) for message in messages],
            tools=tools or None,
            tokenize=False,
            add_generation_prompt=not open_end,
            continue_final_message=open_end,
        )
        return str(text)

    def pieces(self, ids: Sequence[int]) -> list[dict[str, object]]:
        """For each token its id, its bytes and whether it is a special one."""
        return [
            {"id": number, "bytes": list(self._bytes(number, token)), "special": number in self._special}
            for number, token in zip(ids, self.tokenizer.convert_ids_to_tokens(list(ids)), strict=True)
        ]

    def decode(self, ids: Sequence[int]) -> str:
        return str(self.tokenizer.decode(list(ids), clean_up_tokenization_spaces=False))

    def inputs(self, ids: Sequence[int]) -> dict[str, Any]:
        """Tensors of shape (1, tokens)."""
        tokens = torch.tensor([list(ids)], device=self.model.device)
        return {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}

    def config(self, body: Mapping[str, Any], room: int) -> Any:
        """The generation's config: the request's entries over the model's own. `room`: new tokens that fit."""
        asked = body.get("max_tokens") or room
        entries = dict(body.get("sampling") or {})
        # Custom entries travel with it to `generate`, in the other thread.
        return transformers.GenerationConfig(
            **entries,
            falconry=dict(body.get("more") or {}),
            max_new_tokens=min(asked, room),
            prefill_chunk_size=_CHUNK if self.prefix.usable else None,
        )

    def generate(self, **given: Any) -> object:
        """Stands in for the model's own method, in the thread that generates."""
        streamer, config = given["streamer"], given["generation_config"]
        more = vars(config).pop("falconry", {})
        ids = given["input_ids"][0].tolist()
        try:
            with self.watch.over(streamer), self.prefix.reuse(ids, streamer) as cache:
                if more.get("seed") is not None:
                    torch.manual_seed(more["seed"])
                if cache is not None:
                    given["cache"] = cache
                if shaped := _Shaping(more, len(ids)).wanted():
                    given["logits_processor"] = transformers.LogitsProcessorList([shaped])
                return self._generate(**given)
        except serving._GenerationCancelled:
            raise
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            self.prefix.forget()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            # The server puts the text between two quotation marks as it is.
            raise RuntimeError(json.dumps(reason(error))[1:-1]) from None

    def _continues(self) -> bool:
        half = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Once upon"}]
        return self._try_render(half).endswith("Once upon")

    def _try_render(self, messages: list[dict[str, str]], tools: object = None) -> str:
        try:
            return self.render(messages, tools) if self.tokenizer.chat_template else ""
        except Exception:  # the template's own code
            return ""

    def _bytes(self, number: int, token: str) -> bytes:
        if number in self._added:
            return token.encode()
        if self._byte_level:
            values = [_LETTERS.get(letter) for letter in token]
            return bytes(value for value in values if value is not None) if None not in values else token.encode()
        if byte := _BYTE_TOKEN.fullmatch(token):
            return bytes([int(byte[1], 16)])
        return token.replace("▁", " ").encode()


class Watch:
    """Looks at the thread that generates before each module of the network: stops it, and sees that it lives."""

    def __init__(self) -> None:
        self._streamer: Any = None
        self._seen = 0.0

    @property
    def busy(self) -> bool:
        return self._streamer is not None

    @property
    def stuck(self) -> bool:
        """Whether one operation takes so long that it will hardly end."""
        return self.busy and monotonic() - self._seen > _STUCK

    def look(self, *_: object) -> None:
        """Raise where whoever asked has hung up."""
        self._seen = monotonic()
        if self._streamer is not None and self._streamer._cancelled.is_set():
            raise serving._GenerationCancelled

    @contextmanager
    def over(self, streamer: Any) -> Iterator[None]:
        """While a generation for that streamer runs."""
        self._streamer = streamer
        try:
            self.look()  # it may have waited for its turn for long
            yield
        finally:
            self._streamer = None


class _Shaping:
    """Penalties and biases in OpenAI's sense, which transformers has in another or not at all."""

    def __init__(self, more: Mapping[str, Any], prompt_tokens: int) -> None:
        self._presence = float(more.get("presence_penalty") or 0)
        self._frequency = float(more.get("frequency_penalty") or 0)
        self._bias = [(int(token), float(bias)) for token, bias in more.get("logit_bias") or ()]
        self._prompt_tokens = prompt_tokens

    def wanted(self) -> _Shaping | None:
        return self if self._presence or self._frequency or self._bias else None

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """New logits (1, vocabulary) from those given."""
        counts = torch.bincount(input_ids[0, self._prompt_tokens :], minlength=scores.shape[-1])
        scores = scores - self._frequency * counts - self._presence * (counts > 0)
        for token, bias in self._bias:
            scores[..., token] += bias
        return scores


def reason(error: BaseException) -> str:
    """An error in one line that can be shown."""
    if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
        return "out of memory"
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _LONGEST_REASON else text[:_LONGEST_REASON] + "…"


def _device(wanted: str) -> str:
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _load_tokenizer(folder: Path) -> Any:
    tokenizer = transformers.AutoTokenizer.from_pretrained(
        folder, trust_remote_code=False, local_files_only=True, use_fast=True
    )
    if not hasattr(tokenizer, "_tokenizer"):
        raise Unusable("it has no tokenizer.json")
    return tokenizer


def _load_model(folder: Path, device: str) -> Any:
    """No code of the model's maker runs, and no pickled weights are read: both could do anything here."""
    config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    if config.model_type in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        kind = transformers.AutoModelForCausalLM
    elif config.model_type in modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
        kind = transformers.AutoModelForImageTextToText
    else:
        raise Unusable(f"models of the type {config.model_type} do not write text")
    # As `transformers serve` does: over several GPUs where one is too small.
    more = {} if device == "cpu" else {"device_map": "auto" if device == "cuda" else device}
    return kind.from_pretrained(
        folder,
        config=config,
        dtype="auto",
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
        **more,
    )


def _readable(message: Mapping[str, Any]) -> dict[str, Any]:
    """Templates want the arguments of calls as values, not as JSON text."""
    calls = [
        {**call, "function": {**call["function"], "arguments": _value(call["function"]["arguments"])}}
        for call in message.get("tool_calls") or ()
    ]
    return {**message, **({"tool_calls": calls} if calls else {})}


def _value(arguments: str) -> object:
    try:
        return json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        return arguments


def _byte_letters() -> dict[str, int]:
    """GPT-2's printable letter for each byte, the other way round."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + number): byte for number, byte in enumerate(others)}


_LETTERS = _byte_letters()
_PROBE = {
    "type": "function",
    "function": {"name": "falconry_probe", "description": "", "parameters": {"type": "object", "properties": {}}},
}
