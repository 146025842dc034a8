"""Tiny real Hugging Face folders: a model that recites what it was built to say, as `tiny_gguf` makes them as GGUF.

Embeddings are unit vectors, attention and feed-forward add nothing, and the output matrix leads from each piece of the
text to the next one. What takes time in a real network takes its time here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import tokenizers
import torch
from tokenizers import AddedToken, decoders, models, pre_tokenizers
from transformers import (
    FalconConfig,
    FalconForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

START, END = "<|im_start|>", "<|im_end|>"
CHATML = (
    "{%- for message in messages -%}{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' -}}"
    "{%- endfor -%}{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}"
)
Family = Literal["llama", "falcon", "qwen3"]
_HEADS = 4


def write_reciter_folder(
    folder: Path,
    pieces: Sequence[str],
    *,
    family: Family = "llama",
    endless: bool = False,
    chat_template: str | None = CHATML,
    context_length: int = 4096,
    layers: int = 1,
    feed_forward: int = 64,
) -> Path:
    """Write config, weights in safetensors, and a byte-level tokenizer; gives the folder.

    Args:
        pieces: the tokens of the reply, all different.
        family: whose code runs it.
        endless: begin again after the last piece, instead of ending the reply.
        layers, feed_forward: weights of zeros that only cost time.
    """
    tokenizer = _tokenizer(pieces)
    tokenizer.chat_template = chat_template
    width = -(-len(tokenizer) // 64) * 64
    model = _model(family, len(tokenizer), width, context_length, layers, feed_forward)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim == 2:
                weight.zero_()
            elif name.endswith("weight"):
                weight.fill_(1.0)
        model.get_input_embeddings().weight.copy_(torch.eye(len(tokenizer), width))
        model.get_output_embeddings().weight.copy_(_successors(tokenizer, pieces, width, endless))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _model(family: Family, words: int, width: int, context_length: int, layers: int, feed_forward: int) -> Any:
    shape: dict[str, Any] = {
        "vocab_size": words,
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": _HEADS,
        "max_position_embeddings": context_length,
        "tie_word_embeddings": False,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
    }
    if family == "falcon":  # as tiiuae/falcon-7b: one key and value for all heads
        config = FalconConfig(**shape, ffn_hidden_size=feed_forward, multi_query=True, alibi=False, bias=False)
        return FalconForCausalLM(config)
    shape |= {"intermediate_size": feed_forward, "num_key_value_heads": _HEADS, "head_dim": width // _HEADS}
    return Qwen3ForCausalLM(Qwen3Config(**shape)) if family == "qwen3" else LlamaForCausalLM(LlamaConfig(**shape))


def _tokenizer(pieces: Sequence[str]) -> PreTrainedTokenizerFast:
    letters = {letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    bpe = tokenizers.Tokenizer(models.BPE(vocab=letters, merges=[]))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.add_special_tokens([AddedToken(word, special=True, normalized=False) for word in (START, END)])
    bpe.add_tokens([AddedToken(piece, normalized=False) for piece in pieces])
    return PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token=END, clean_up_tokenization_spaces=False)


def _successors(tokenizer: Any, pieces: Sequence[str], width: int, endless: bool) -> torch.Tensor:
    chain = tokenizer.convert_tokens_to_ids(list(pieces))
    if len(set(chain)) != len(chain):
        raise ValueError("the pieces must be different from each other")
    following = dict.fromkeys(range(len(tokenizer)), chain[0])
    end = chain[0] if endless else tokenizer.eos_token_id
    following |= dict(zip(chain, [*chain[1:], end], strict=True))
    matrix = torch.zeros(len(tokenizer), width)
    for token, successor in following.items():
        matrix[successor, token] = 1
    return matrix
