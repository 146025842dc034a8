"""Write GGUF files of real shapes with random weights: they say nothing, but take the memory and the time of real ones.

The weights lie in the real quantised layouts. Every bit of a block is legal; only its scales are set, to small
numbers, so that no activation overflows. Some thousand random blocks are repeated, which the engine does not notice.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt

_RANDOM = np.random.default_rng(1)
_PERIOD = 4096
"""Blocks of random bits that are repeated."""
_SCALE = np.frombuffer(np.float16(0.0005).tobytes(), np.uint8)


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a model, in the words of the GGUF format.

    Attributes:
        weights, output: quantisations of the matrices, and of the one that leads to the vocabulary.
        tied: whether the embeddings are that matrix, too.
        head: length of one head's keys and values; None for width / heads.
    """

    architecture: str
    layers: int
    width: int
    feed_forward: int
    heads: int
    kv_heads: int
    vocabulary: int
    weights: str = "Q4_K"
    output: str = "Q6_K"
    tied: bool = False
    head: int | None = None
    context_length: int = 32_768

    @property
    def head_length(self) -> int:
        return self.head or self.width // self.heads


def write_shaped_model(path: Path, shape: Shape) -> Path:
    """Write a model of the architectures llama, qwen2, qwen3 or falcon."""
    writer = gguf.GGUFWriter(path, shape.architecture)
    _write_metadata(writer, shape)
    _write_vocabulary(writer, shape)
    _write_outside(writer, shape)
    block = _falcon_block if shape.architecture == "falcon" else _llama_block
    for layer in range(shape.layers):
        block(writer, shape, f"blk.{layer}")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _write_metadata(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_context_length(shape.context_length)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    if shape.architecture == "falcon":
        writer.add_layer_norm_eps(1e-5)
    else:
        writer.add_layer_norm_rms_eps(1e-5)
    if shape.head is not None:
        writer.add_key_length(shape.head)
        writer.add_value_length(shape.head)
    if shape.architecture == "llama":
        writer.add_rope_dimension_count(shape.head_length)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_K_M)


def _write_vocabulary(writer: gguf.GGUFWriter, shape: Shape) -> None:
    """Characters of planes that hold no text, so that a prompt of so many characters has so many tokens."""
    last = shape.vocabulary - 1
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([chr(0x10000 + number) for number in range(last)] + ["<end>"])
    normal, special = gguf.TokenType.NORMAL, gguf.TokenType.CONTROL
    # The first thousand can be typed; user-defined tokens are searched for one by one.
    writer.add_token_types([gguf.TokenType.USER_DEFINED] * 1000 + [normal] * (last - 1000) + [special])
    # As many as real vocabularies have; they take memory of their own.
    writer.add_token_merges([f"{chr(0x10000 + number)} {chr(0x10001 + number)}" for number in range(last - 1)])
    writer.add_eos_token_id(last)
    writer.add_add_bos_token(False)


def _write_outside(writer: gguf.GGUFWriter, shape: Shape) -> None:
    _matrix(writer, "token_embd", shape.vocabulary, shape.width, shape.output if shape.tied else shape.weights)
    if not shape.tied:
        _matrix(writer, "output", shape.vocabulary, shape.width, shape.output)
    _vector(writer, "output_norm.weight", shape.width)
    if shape.architecture == "falcon":
        _vector(writer, "output_norm.bias", shape.width)


def _llama_block(writer: gguf.GGUFWriter, shape: Shape, block: str) -> None:
    queries, values = shape.heads * shape.head_length, shape.kv_heads * shape.head_length
    _vector(writer, f"{block}.attn_norm.weight", shape.width)
    _vector(writer, f"{block}.ffn_norm.weight", shape.width)
    for name, rows in (("attn_q", queries), ("attn_k", values), ("attn_v", values)):
        _matrix(writer, f"{block}.{name}", rows, shape.width, shape.weights)
        if shape.architecture == "qwen2":
            _vector(writer, f"{block}.{name}.bias", rows)
    if shape.architecture == "qwen3":
        _vector(writer, f"{block}.attn_q_norm.weight", shape.head_length)
        _vector(writer, f"{block}.attn_k_norm.weight", shape.head_length)
    _matrix(writer, f"{block}.attn_output", shape.width, queries, shape.weights)
    _matrix(writer, f"{block}.ffn_gate", shape.feed_forward, shape.width, shape.weights)
    _matrix(writer, f"{block}.ffn_up", shape.feed_forward, shape.width, shape.weights)
    _matrix(writer, f"{block}.ffn_down", shape.width, shape.feed_forward, shape.weights)


def _falcon_block(writer: gguf.GGUFWriter, shape: Shape, block: str) -> None:
    rows = (shape.heads + 2 * shape.kv_heads) * shape.head_length
    _vector(writer, f"{block}.attn_norm.weight", shape.width)
    _vector(writer, f"{block}.attn_norm.bias", shape.width)
    _matrix(writer, f"{block}.attn_qkv", rows, shape.width, shape.weights)
    _matrix(writer, f"{block}.attn_output", shape.width, shape.heads * shape.head_length, shape.weights)
    _matrix(writer, f"{block}.ffn_up", shape.feed_forward, shape.width, shape.weights)
    _matrix(writer, f"{block}.ffn_down", shape.width, shape.feed_forward, shape.weights)


def _vector(writer: gguf.GGUFWriter, name: str, length: int) -> None:
    values = np.zeros if name.endswith("bias") else np.ones
    writer.add_tensor(name, values(length, np.float32))


def _matrix(writer: gguf.GGUFWriter, name: str, rows: int, columns: int, quantization: str) -> None:
    kind = gguf.GGMLQuantizationType[quantization]
    data = np.resize(_blocks(kind), (rows, columns // gguf.GGML_QUANT_SIZES[kind][0] * gguf.GGML_QUANT_SIZES[kind][1]))
    writer.add_tensor(f"{name}.weight", data, raw_dtype=kind)


def _blocks(kind: gguf.GGMLQuantizationType) -> npt.NDArray[np.uint8]:
    """Random blocks of one quantisation, with small scales in half precision where this layout has them."""
    size = gguf.GGML_QUANT_SIZES[kind][1]
    if kind in _FLOATS:
        return (_RANDOM.standard_normal(_PERIOD, np.float32) * 0.02).astype(_FLOATS[kind]).view(np.uint8)
    data = _RANDOM.integers(0, 256, (_PERIOD, size), np.uint8)
    for offset in _SCALES[kind]:
        data[:, offset : offset + 2] = _SCALE
    return data


_FLOATS = {gguf.GGMLQuantizationType.F16: np.float16, gguf.GGMLQuantizationType.F32: np.float32}
_SCALES = {
    gguf.GGMLQuantizationType.Q4_0: (0,),
    gguf.GGMLQuantizationType.Q8_0: (0,),
    gguf.GGMLQuantizationType.Q2_K: (80, 82),
    gguf.GGMLQuantizationType.Q3_K: (108,),
    gguf.GGMLQuantizationType.Q4_K: (0, 2),
    gguf.GGMLQuantizationType.Q5_K: (0, 2),
    gguf.GGMLQuantizationType.Q6_K: (208,),
}
"""Where in a block its scales stand, in bytes (ggml's block_q4_0, block_q4_K, …)."""
