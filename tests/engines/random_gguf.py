"""Tiny random GGUF files whose attention matters, and LoRA adapters for them.

What a reciter (tiny_gguf.py) says does not depend on what is in its KV cache. Here every reply does: one wrong key or
value, left behind by another adapter, and a greedy reply of some tokens is another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt

from falconry.models.gguf import read_header
from tests.engines.tiny_gguf import CHATML, add_vocabulary, successor_matrix, vocabulary_of

_WIDTH, _HEADS, _FEED_FORWARD = 64, 4, 128
_RANK = 4
_PARTS = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")


def write_random(
    path: Path,
    *,
    seed: int = 0,
    layers: int = 2,
    width: int = _WIDTH,
    context_length: int = 1024,
    architecture: str = "llama",
    like: Path | None = None,
    noise: float = 0.0,
) -> Path:
    """Write a model of random F32 weights with the vocabulary of a reciter that has no pieces.

    Args:
        like: the weights of this file instead of new ones, each moved by `noise` of its spread: a model of the same
            family that often, but not always, goes on as the other one does.
    """
    random = np.random.default_rng(seed)
    known = {} if like is None else _tensors(like)
    names, types = vocabulary_of(())
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name(path.stem)
    writer.add_context_length(context_length)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(_FEED_FORWARD)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width // _HEADS)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    add_vocabulary(writer, names, types, pre="qwen2")
    writer.add_chat_template(CHATML)

    def matrix(name: str, rows: int, columns: int) -> None:
        weights = known.get(name, random.normal(0, 1.5 / columns**0.5, (rows, columns)))
        moved = weights + random.normal(0, 1, weights.shape) * weights.std() * noise
        writer.add_tensor(name, moved.astype(np.float32))

    matrix("token_embd.weight", len(names), width)
    matrix("output.weight", len(names), width)
    writer.add_tensor("output_norm.weight", np.ones(width, np.float32))
    for layer in range(layers):
        writer.add_tensor(f"blk.{layer}.attn_norm.weight", np.ones(width, np.float32))
        writer.add_tensor(f"blk.{layer}.ffn_norm.weight", np.ones(width, np.float32))
        for part in _PARTS:
            matrix(f"blk.{layer}.{part}.weight", *_shape(part, width))
    _finish(writer)
    return path


def write_adapter_for(path: Path, base: Path, *, seed: int = 0, strength: float = 1.0) -> Path:
    """Write a LoRA adapter of random weights and rank 4 for all matrices of a model's layers."""
    random = np.random.default_rng(seed)
    header = read_header(base)
    tensors: dict[str, npt.NDArray[np.float32]] = {}
    for tensor in header.tensors:
        if tensor.name.startswith("blk.") and len(tensor.shape) == 2:
            columns, rows = tensor.shape
            tensors[f"{tensor.name}.lora_a"] = random.normal(0, columns**-0.5, (_RANK, columns)).astype(np.float32)
            tensors[f"{tensor.name}.lora_b"] = random.normal(0, strength, (rows, _RANK)).astype(np.float32)
    return _write_adapter(path, tensors, alpha=_RANK, architecture=header.architecture)


def write_reciting_adapter(path: Path, pieces: Sequence[bytes], reply: Sequence[bytes]) -> Path:
    """Write an adapter that makes the reciter of `pieces` say `reply`, tokens of its vocabulary, all different."""
    names, _ = vocabulary_of(pieces)
    change = successor_matrix(names, reply) - successor_matrix(names, pieces)
    (tokens,) = np.nonzero(change.any(axis=0))
    before = np.zeros((len(tokens), change.shape[1]), np.float32)
    before[np.arange(len(tokens)), tokens] = 1
    tensors = {
        "output.weight.lora_a": before,
        "output.weight.lora_b": np.ascontiguousarray(change[:, tokens], np.float32),
    }
    return _write_adapter(path, tensors, alpha=len(tokens), architecture="llama")


def write_projector(path: Path, *, width: int = _WIDTH, seed: int = 0) -> Path:
    """Write a file of random weights by which a random model sees pictures of 56 by 56 pixels as 16 tokens.

    It is a vision transformer of two layers with the projector of LLaVA 1.5.
    """
    random = np.random.default_rng(seed)
    inner, feed_forward, side, patch = 32, 64, 56, 14
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_type("mmproj")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_bool("clip.use_gelu", True)
    writer.add_string("clip.projector_type", "mlp")
    sizes = {
        "image_size": side,
        "patch_size": patch,
        "embedding_length": inner,
        "feed_forward_length": feed_forward,
        "block_count": 2,
        "attention.head_count": 2,
        "projection_dim": width,
    }
    for name, size in sizes.items():
        writer.add_uint32(f"clip.vision.{name}", size)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    for name in ("image_mean", "image_std"):
        writer.add_array(f"clip.vision.{name}", [0.5, 0.5, 0.5])

    def weights(name: str, *shape: int) -> None:
        writer.add_tensor(name, random.normal(0, 0.5, shape).astype(np.float32))

    def norm(name: str) -> None:
        writer.add_tensor(f"{name}.weight", np.ones(inner, np.float32))
        writer.add_tensor(f"{name}.bias", np.zeros(inner, np.float32))

    def linear(name: str, rows: int, columns: int) -> None:
        weights(f"{name}.weight", rows, columns)
        writer.add_tensor(f"{name}.bias", np.zeros(rows, np.float32))

    weights("v.class_embd", inner)
    weights("v.patch_embd.weight", inner, 3, patch, patch)
    weights("v.position_embd.weight", (side // patch) ** 2 + 1, inner)
    norm("v.pre_ln")
    for layer in range(2):
        block = f"v.blk.{layer}"
        for part in ("attn_q", "attn_k", "attn_v", "attn_out"):
            linear(f"{block}.{part}", inner, inner)
        norm(f"{block}.ln1")
        norm(f"{block}.ln2")
        linear(f"{block}.ffn_up", feed_forward, inner)
        linear(f"{block}.ffn_down", inner, feed_forward)
    linear("mm.0", width, inner)
    linear("mm.2", width, width)
    _finish(writer)
    return path


def _write_adapter(
    path: Path, tensors: Mapping[str, npt.NDArray[np.float32]], *, alpha: float, architecture: str
) -> Path:
    """The effect is multiplied by `alpha` and divided by the rank."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", alpha)
    for name, tensor in tensors.items():
        writer.add_tensor(name, tensor)
    _finish(writer)
    return path


def _shape(part: str, width: int) -> tuple[int, int]:
    if part == "ffn_down":
        return width, _FEED_FORWARD
    return (_FEED_FORWARD if part.startswith("ffn") else width), width


def _tensors(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    return {tensor.name: np.array(tensor.data, np.float32) for tensor in gguf.GGUFReader(path).tensors}


def _finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
