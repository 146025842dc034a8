"""The shape of a model whose file is not here, and the header that its file would have.

With it everything that is reckoned from a header, its size, memory and speed, can be told before anything is fetched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from falconry.models.ggml_types import TENSOR_TYPES
from falconry.models.header import Array, Header, Tensor, Value
from falconry.models.quantization_mix import Place, tensor_type

_TYPES = {kind.name: kind for kind in TENSOR_TYPES.values()}
_VOCABULARY = 40
"""Bytes of the file for each token of the vocabulary: its text, its score, its merge. Measured on published files."""
_HYBRID = frozenset({"qwen35", "qwen35moe"})


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a network, in the words of the GGUF format.

    Attributes:
        head: length of one head's keys and values.
        tied: whether the embeddings are the output matrix, too.
        sliding_window: tokens that most layers see; None where all see everything.
        experts, experts_used, expert_feed_forward, shared_feed_forward: of a mixture of experts.
        linear_heads: value heads of the layers with linear attention, of which there are three for each full one.
    """

    architecture: str
    layers: int
    width: int
    feed_forward: int
    heads: int
    kv_heads: int
    head: int
    vocabulary: int
    tied: bool = False
    sliding_window: int | None = None
    experts: int = 0
    experts_used: int = 0
    expert_feed_forward: int = 0
    shared_feed_forward: int = 0
    linear_heads: int = 0

    def header(self, quantization: str, context_length: int) -> Header:
        """The header of its file in a quantisation. Raises KeyError where that is none of QUANTIZATIONS."""
        tensors = tuple(self._tensors(quantization))
        size = sum(tensor.size for tensor in tensors) + _VOCABULARY * self.vocabulary
        return Header(3, self._metadata(context_length), tensors, 0, size)

    def _metadata(self, context_length: int) -> dict[str, Value]:
        numbers: dict[str, int] = {
            "block_count": self.layers,
            "context_length": context_length,
            "embedding_length": self.width,
            "feed_forward_length": self.feed_forward,
            "attention.head_count": self.heads,
            "attention.head_count_kv": self.kv_heads,
            "attention.key_length": self.head,
            "attention.value_length": self.head,
            "attention.sliding_window": self.sliding_window or 0,
            "expert_count": self.experts,
            "expert_used_count": self.experts_used,
            "expert_feed_forward_length": self.expert_feed_forward,
            "expert_shared_feed_forward_length": self.shared_feed_forward,
        }
        if self.architecture in _HYBRID:
            numbers |= {
                "full_attention_interval": _INTERVAL,
                "ssm.conv_kernel": _CONVOLUTION,
                "ssm.state_size": _LINEAR_HEAD,
                "ssm.group_count": _LINEAR_KEYS,
                "ssm.inner_size": self._linear_values,
            }
        named: dict[str, Value] = {f"{self.architecture}.{key}": number for key, number in numbers.items() if number}
        return named | {
            "general.architecture": self.architecture,
            "tokenizer.ggml.tokens": Array("string", self.vocabulary, 0),
            "tokenizer.ggml.merges": Array("string", self.vocabulary, 0),
        }

    @property
    def _linear_values(self) -> int:
        return self.linear_heads * _LINEAR_HEAD

    def _tensors(self, quantization: str) -> Iterator[Tensor]:
        for part, layer, shape in self._matrices():
            place = Place(part, max(layer, 0), self.layers, shape[0])
            kind = tensor_type(quantization, place, architecture=self.architecture, tied=self.tied)
            name = f"{part}.weight" if layer < 0 else f"blk.{layer}.{part}.weight"
            size = prod(shape) // _TYPES[kind].elements * _TYPES[kind].size
            yield Tensor(name, shape, kind, size, 0)

    def _matrices(self) -> Iterator[tuple[str, int, tuple[int, ...]]]:
        """Part, layer (-1: outside of them) and shape, columns first, of every matrix. Norms and biases weigh nothing
        beside them."""
        yield "token_embd", -1, (self.width, self.vocabulary)
        if not self.tied:
            yield "output", -1, (self.width, self.vocabulary)
        for layer in range(self.layers):
            for part, shape in (*self._attention(layer), *self._feed_forward_matrices()):
                yield part, layer, shape

    def _attention(self, layer: int) -> list[tuple[str, tuple[int, ...]]]:
        queries, values = self.heads * self.head, self.kv_heads * self.head
        if self.architecture in _HYBRID and (layer + 1) % _INTERVAL:
            inner, keys = self._linear_values, _LINEAR_KEYS * _LINEAR_HEAD
            return [
                ("attn_qkv", (self.width, inner + 2 * keys)),
                ("attn_gate", (self.width, inner)),
                ("ssm_out", (inner, self.width)),
            ]
        output = ("attn_output", (queries, self.width))
        if self.architecture in ("falcon", "phi3"):
            return [("attn_qkv", (self.width, queries + 2 * values)), output]
        gated = 2 if self.architecture in _HYBRID else 1
        keys_and_values = [("attn_k", (self.width, values)), ("attn_v", (self.width, values))]
        return [("attn_q", (self.width, gated * queries)), *keys_and_values, output]

    def _feed_forward_matrices(self) -> list[tuple[str, tuple[int, ...]]]:
        if self.experts:
            up = (self.width, self.expert_feed_forward, self.experts)
            down = (self.expert_feed_forward, self.width, self.experts)
            shared = self.shared_feed_forward
            matrices: list[tuple[str, tuple[int, ...]]] = [
                ("ffn_gate_exps", up),
                ("ffn_up_exps", up),
                ("ffn_down", down),
                ("ffn_gate_inp", (self.width, self.experts)),
            ]
            if shared:
                matrices += [("ffn_gate_shexp", (self.width, shared)), ("ffn_up_shexp", (self.width, shared))]
                matrices += [("ffn_down_shexp", (shared, self.width))]
            return matrices
        up_and_down: list[tuple[str, tuple[int, ...]]] = [
            ("ffn_up", (self.width, self.feed_forward)),
            ("ffn_down", (self.feed_forward, self.width)),
        ]
        gate: list[tuple[str, tuple[int, ...]]] = [("ffn_gate", (self.width, self.feed_forward))]
        return up_and_down if self.architecture == "falcon" else gate + up_and_down


_INTERVAL, _CONVOLUTION, _LINEAR_HEAD, _LINEAR_KEYS = 4, 4, 128, 16
"""Of Qwen3.5: every fourth layer sees everything; the others' convolution, head length and key heads."""
