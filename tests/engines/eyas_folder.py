"""The built-in model as a Hugging Face folder: its GGUF file led back to what `training.eyas.export` began with.

So both engines can be asked the same of the same model, a Falcon that was really trained.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import tokenizers
import torch
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers
from transformers import FalconConfig, FalconForCausalLM, PreTrainedTokenizerFast

import falconry
from training.eyas.tokenizer import PATTERN

EYAS = Path(falconry.__file__).parent / "models" / "eyas" / "eyas.gguf"
_THEIRS = {
    "attn_norm": "ln_mlp",
    "attn_norm_2": "ln_attn",
    "attn_qkv": "self_attention.query_key_value",
    "attn_output": "self_attention.dense",
    "ffn_up": "mlp.dense_h_to_4h",
    "ffn_down": "mlp.dense_4h_to_h",
}
_OTHERS = {"token_embd": "transformer.word_embeddings", "output_norm": "transformer.ln_f"}


def write_eyas(folder: Path) -> Path:
    """Write config, weights (float32), tokenizer and chat template; gives the folder."""
    reader = gguf.GGUFReader(EYAS)
    values: dict[str, Any] = {name: field.contents() for name, field in reader.fields.items()}
    heads = int(values["falcon.attention.head_count"])
    model = FalconForCausalLM(
        FalconConfig(
            vocab_size=len(values["tokenizer.ggml.tokens"]),
            hidden_size=values["falcon.embedding_length"],
            num_hidden_layers=values["falcon.block_count"],
            num_attention_heads=heads,
            num_kv_heads=values["falcon.attention.head_count_kv"],
            ffn_hidden_size=values["falcon.feed_forward_length"],
            max_position_embeddings=values["falcon.context_length"],
            rope_parameters={"rope_type": "default", "rope_theta": values["falcon.rope.freq_base"]},
            new_decoder_architecture=True,
            alibi=False,
            bias=False,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=values["tokenizer.ggml.eos_token_id"],
            pad_token_id=values["tokenizer.ggml.padding_token_id"],
        )
    )
    state = {_name(tensor.name): _weight(tensor, heads) for tensor in reader.tensors}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected
    assert missing in ([], ["lm_head.weight"])  # tied to the embedding
    model.save_pretrained(folder)
    _tokenizer(values).save_pretrained(folder)
    return folder


def _name(name: str) -> str:
    if block := re.fullmatch(r"blk\.(\d+)\.(\w+)\.(weight|bias)", name):
        return f"transformer.h.{block[1]}.{_THEIRS[block[2]]}.{block[3]}"
    stem, _, kind = name.rpartition(".")
    return f"{_OTHERS[stem]}.{kind}"


def _weight(tensor: gguf.ReaderTensor, heads: int) -> torch.Tensor:
    array = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
    if "attn_qkv" in tensor.name:
        # All queries, all keys, all values → (query, key, value) of each head.
        width = array.shape[1]
        array = np.stack(array.reshape(3, heads, -1, width), axis=1).reshape(-1, width)
    return torch.from_numpy(np.array(array, np.float32))


def _tokenizer(values: dict[str, Any]) -> PreTrainedTokenizerFast:
    tokens, types = values["tokenizer.ggml.tokens"], values["tokenizer.ggml.token_type"]
    merges = [tuple(merge.split(" ")) for merge in values["tokenizer.ggml.merges"]]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    bpe = tokenizers.Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    bpe.normalizer = normalizers.NFC()
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    control = [token for token, kind in zip(tokens, types, strict=True) if kind == gguf.TokenType.CONTROL]
    bpe.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=None,
        eos_token=tokens[values["tokenizer.ggml.eos_token_id"]],
        pad_token=tokens[values["tokenizer.ggml.padding_token_id"]],
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = values["tokenizer.chat_template"]
    return tokenizer
