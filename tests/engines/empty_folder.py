"""A Hugging Face folder without a model in it: config.json and weights of zeros, enough to be found and reckoned."""

from __future__ import annotations

import json
from pathlib import Path

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "hidden_size": 64,
    "vocab_size": 100,
    "max_position_embeddings": 2048,
}
SIZE = 2**20
"""Bytes of its weights."""


def write_empty_folder(folder: Path) -> Path:
    """Write it, and the folders above it."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    header = json.dumps({"w": {"dtype": "F16", "shape": [SIZE // 2], "data_offsets": [0, SIZE]}}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(SIZE))
    return folder
