"""Writes Eyas as one GGUF file: Falcon weights, tokenizer, chat template and where it all came from.

Three things differ between transformers and llama.cpp; a test with perturbed weights guards them. The fused
query-key-value matrix is grouped per key-value head there and by kind here. Of the two norms of a block ``ln_attn`` is
``attn_norm_2`` and ``ln_mlp`` is ``attn_norm``. The output matrix is left out, because it is the token embedding.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

import gguf
import numpy as np
import torch
from transformers import FalconForCausalLM, PreTrainedTokenizerFast

from training.eyas.corpus.render import SPECIAL_TOKENS
from training.eyas.recipe import Recipe
from training.eyas.tokenizer import PRE_TOKENIZER, engine_template

Array = np.ndarray[Any, Any]


@dataclasses.dataclass(frozen=True)
class Card:
    """What the file says about itself."""

    name: str = "Eyas"
    description: str = (
        "The small English and Chinese model built into Falconry, trained from scratch on the project's own words"
    )
    license: str = "apache-2.0"
    languages: tuple[str, ...] = ("en", "zh")
    facts: dict[str, int | float | str] = dataclasses.field(default_factory=dict)
    """Numbers of the run, written as ``eyas.<key>``."""


def export(
    model: FalconForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    recipe: Recipe,
    path: pathlib.Path,
    *,
    kind: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.Q8_0,
    card: Card | None = None,
) -> int:
    """Write the file and give its size in bytes. ``kind`` is the type of all matrices; norms stay float32."""
    config = model.config
    if config.alibi or config.bias or not config.new_decoder_architecture:
        raise ValueError(
            "only Falcon models of the new decoder architecture, with RoPE and without biases, are written"
        )
    writer = gguf.GGUFWriter(path, gguf.MODEL_ARCH_NAMES[gguf.MODEL_ARCH.FALCON])
    _general(writer, recipe, card or Card(), kind)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.ffn_hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_kv_heads)
    writer.add_layer_norm_eps(config.layer_norm_epsilon)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_tensor_data_layout("jploski")
    _vocabulary(writer, tokenizer, config.vocab_size)
    for name, array in tensors(model):
        if array.ndim == 1:
            writer.add_tensor(name, array)
        else:
            writer.add_tensor(name, gguf.quants.quantize(array, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.stat().st_size


def tensors(model: FalconForCausalLM) -> list[tuple[str, Array]]:
    """All tensors under the engine's names, in float32."""
    state = {name: weight.detach().float().cpu().numpy() for name, weight in model.state_dict().items()}
    found = [
        ("token_embd.weight", state["transformer.word_embeddings.weight"]),
        ("output_norm.weight", state["transformer.ln_f.weight"]),
        ("output_norm.bias", state["transformer.ln_f.bias"]),
    ]
    names = {
        "attn_norm.weight": "ln_mlp.weight",
        "attn_norm.bias": "ln_mlp.bias",
        "attn_norm_2.weight": "ln_attn.weight",
        "attn_norm_2.bias": "ln_attn.bias",
        "attn_output.weight": "self_attention.dense.weight",
        "ffn_up.weight": "mlp.dense_h_to_4h.weight",
        "ffn_down.weight": "mlp.dense_4h_to_h.weight",
    }
    for layer in range(model.config.num_hidden_layers):
        prefix = f"transformer.h.{layer}."
        fused = state[prefix + "self_attention.query_key_value.weight"]
        found.append(
            (
                f"blk.{layer}.attn_qkv.weight",
                regroup(fused, model.config.num_attention_heads, model.config.num_kv_heads),
            )
        )
        found += [(f"blk.{layer}.{ours}", state[prefix + theirs]) for ours, theirs in names.items()]
    return [(name, np.ascontiguousarray(array)) for name, array in found]


def regroup(fused: Array, heads: int, kv_heads: int) -> Array:
    """(query heads of a group, its key, its value) per group → all queries, all keys, all values."""
    group = heads // kv_heads
    parts = fused.reshape(kv_heads, group + 2, -1, fused.shape[1])
    queries, keys, values = parts[:, :group], parts[:, group], parts[:, group + 1]
    return np.concatenate([part.reshape(-1, fused.shape[1]) for part in (queries, keys, values)])


def _general(writer: gguf.GGUFWriter, recipe: Recipe, card: Card, kind: gguf.GGMLQuantizationType) -> None:
    writer.add_name(card.name)
    writer.add_description(card.description)
    writer.add_license(card.license)
    writer.add_languages(list(card.languages))
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_file_type(gguf.LlamaFileType[{"F32": "ALL_F32"}.get(kind.name, f"MOSTLY_{kind.name}")])
    writer.add_string("eyas.recipe", recipe.digest())
    writer.add_uint32("eyas.seed", recipe.seed)
    for key, value in card.facts.items():
        add = {int: writer.add_uint64, float: writer.add_float32, str: writer.add_string}[type(value)]
        add(f"eyas.{key}", value)


def _vocabulary(writer: gguf.GGUFWriter, tokenizer: PreTrainedTokenizerFast, size: int) -> None:
    """Tokens, their types and merges. Filler up to ``size`` can never be produced by the tokenizer."""
    by_id = {number: token for token, number in tokenizer.get_vocab().items()}
    tokens = [by_id.get(number, f"[unused{number}]") for number in range(size)]
    types = [
        gguf.TokenType.UNUSED
        if number not in by_id
        else gguf.TokenType.CONTROL
        if by_id[number] in SPECIAL_TOKENS
        else gguf.TokenType.NORMAL
        for number in range(size)
    ]
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PRE_TOKENIZER)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_bos_token_id(tokenizer.pad_token_id)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_eot_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_add_bos_token(False)
    writer.add_chat_template(engine_template())


def parameters(model: torch.nn.Module) -> int:
    """Weights of the model; the tied output matrix is counted once."""
    return sum(weight.numel() for weight in model.parameters())
