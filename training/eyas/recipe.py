"""Every number that decides what Eyas becomes. Change one, and the digest in the file changes too."""

from __future__ import annotations

import dataclasses
import hashlib
import json


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Settings of one training run. Lengths are in tokens, times in steps, unless a name says otherwise."""

    seed: int = 20261122

    # Corpus
    conversations: int = 28_000
    """Training samples (conversations and plain documents) to generate."""
    validation: int = 400
    """Samples held out for the loss that is printed; generated from other random numbers."""

    # Tokenizer
    vocab_size: int = 4096
    """Multiple of 64, so that every row can be quantised and no tensor is padded."""
    max_token_length: int = 8
    """In bytes. Without a limit, BPE swallows whole templated clauses as one token, and nothing generalises."""
    tokenizer_samples: int = 12_000

    # Model: Falcon with the new decoder (parallel attention and MLP, two norms, grouped keys and values, RoPE)
    hidden_size: int = 160
    layers: int = 5
    heads: int = 5
    kv_heads: int = 5
    ffn_size: int = 640
    context_length: int = 2048
    rope_theta: float = 10_000.0

    # Training
    batch_tokens: int = 1536
    """Padded tokens of a batch. Many small steps beat few large ones: after 0.35 M tokens the held-out loss of a
    1.2 M parameter model was 2.24 with 3072 and 1.41 with 1536; with AdamW for all weights 2.37 and 1.70."""
    epochs: int = 1
    muon_lr: float = 0.02
    """For the matrices inside the layers (Muon: orthogonalised momentum)."""
    adam_lr: float = 3e-3
    """For embeddings and norms (AdamW)."""
    weight_decay: float = 0.01
    warmup: int = 60
    cooldown: float = 0.45
    """Share of the run, at its end, in which the learning rates fall to zero in a straight line."""

    def __post_init__(self) -> None:
        """Refuse shapes that the exporter or the engine cannot take."""
        if self.vocab_size % 64:
            raise ValueError("vocab_size must be a multiple of 64")
        if self.hidden_size % self.heads or self.heads % self.kv_heads:
            raise ValueError("hidden_size must be a multiple of heads, and heads of kv_heads")
        if self.hidden_size % 32 or self.ffn_size % 32:
            raise ValueError("Q8_0 packs rows in blocks of 32: hidden_size and ffn_size must be multiples of 32")

    def digest(self) -> str:
        """A short fingerprint of all settings, written into the model file."""
        return hashlib.sha256(json.dumps(dataclasses.asdict(self), sort_keys=True).encode()).hexdigest()[:12]


EYAS = Recipe()

SMOKE = Recipe(
    conversations=5_000,
    validation=100,
    tokenizer_samples=5_000,
    hidden_size=128,
    layers=4,
    heads=4,
    kv_heads=4,
    ffn_size=512,
)
"""The whole way in a few minutes; the model it makes is not good."""
