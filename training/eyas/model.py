"""The model: a small Falcon of transformers, so that its code is nobody's but the field's."""

from __future__ import annotations

import torch
from transformers import FalconConfig, FalconForCausalLM, PreTrainedTokenizerFast

from training.eyas.recipe import Recipe


def build_model(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> FalconForCausalLM:
    """A freshly initialised model of ``recipe``'s shape. Seeds torch, so that it is the same every time."""
    torch.manual_seed(recipe.seed)
    config = FalconConfig(
        vocab_size=recipe.vocab_size,
        hidden_size=recipe.hidden_size,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_kv_heads=recipe.kv_heads,
        ffn_hidden_size=recipe.ffn_size,
        max_position_embeddings=recipe.context_length,
        rope_parameters={"rope_type": "default", "rope_theta": recipe.rope_theta},
        new_decoder_architecture=True,
        alibi=False,
        bias=False,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return FalconForCausalLM(config)
