"""Write a llama-architecture GGUF of any size with random Q4_0 weights: it says nothing, but takes the usual time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt

_BLOCK, _BLOCK_BYTES = 32, 18  # Q4_0: 32 weights of 4 bits and a scale in half precision


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a model, in the words of the GGUF format."""

    layers: int
    width: int
    feed_forward: int
    heads: int
    kv_heads: int
    vocabulary: int = 32_000


TINY = Shape(layers=6, width=256, feed_forward=704, heads=4, kv_heads=4, vocabulary=1024)
"""About 5 million parameters."""
SMALL = Shape(layers=12, width=768, feed_forward=2048, heads=12, kv_heads=12, vocabulary=8192)
"""About 100 million parameters."""
ONE_B = Shape(layers=16, width=2048, feed_forward=8192, heads=32, kv_heads=8)
"""About 1.1 thousand million parameters."""


def write_random_llama(path: Path, shape: Shape) -> int:
    """Write the file and give its number of parameters."""
    random = np.random.default_rng(1)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(8192)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([chr(0x4E00 + number) for number in range(shape.vocabulary - 1)] + ["<end>"])
    writer.add_token_types([gguf.TokenType.USER_DEFINED] * (shape.vocabulary - 1) + [gguf.TokenType.CONTROL])
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(shape.vocabulary - 1)
    writer.add_add_bos_token(False)
    count = 0

    def matrix(name: str, rows: int, columns: int) -> None:
        nonlocal count
        count += rows * columns
        writer.add_tensor(name, _q4_0(random, rows, columns), raw_dtype=gguf.GGMLQuantizationType.Q4_0)

    kv_width = shape.width // shape.heads * shape.kv_heads
    matrix("token_embd.weight", shape.vocabulary, shape.width)
    matrix("output.weight", shape.vocabulary, shape.width)
    writer.add_tensor("output_norm.weight", np.ones(shape.width, np.float32))
    for layer in range(shape.layers):
        block = f"blk.{layer}"
        writer.add_tensor(f"{block}.attn_norm.weight", np.ones(shape.width, np.float32))
        writer.add_tensor(f"{block}.ffn_norm.weight", np.ones(shape.width, np.float32))
        matrix(f"{block}.attn_q.weight", shape.width, shape.width)
        matrix(f"{block}.attn_k.weight", kv_width, shape.width)
        matrix(f"{block}.attn_v.weight", kv_width, shape.width)
        matrix(f"{block}.attn_output.weight", shape.width, shape.width)
        matrix(f"{block}.ffn_gate.weight", shape.feed_forward, shape.width)
        matrix(f"{block}.ffn_up.weight", shape.feed_forward, shape.width)
        matrix(f"{block}.ffn_down.weight", shape.width, shape.feed_forward)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return count


def _q4_0(random: np.random.Generator, rows: int, columns: int) -> npt.NDArray[np.uint8]:
    blocks = rows * columns // _BLOCK
    data = random.integers(0, 256, (blocks, _BLOCK_BYTES), np.uint8)
    data[:, :2] = np.frombuffer(np.float16(0.005).tobytes(), np.uint8)
    return data.reshape(rows, columns // _BLOCK * _BLOCK_BYTES)
