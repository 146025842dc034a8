"""Tiny real GGUF files: a model that recites what it was built to say, on the real llama.cpp.

No training and no randomness. The embedding of a token is a unit vector of its own, attention and feed-forward add
nothing, and the output matrix leads from each piece of the text to the next one; from anything else it leads to the
first. So the reply is known to the byte, and a reply that broke off can be continued.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt

END = "<|im_end|>"
CHATML = (
    "{%- for message in messages -%}{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' -}}"
    "{%- endfor -%}{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", END)
_HEADS = 4
_MERGES = ("t h", "Ġ t", "i n", "e r")


def write_reciter(
    path: Path,
    pieces: Sequence[bytes],
    *,
    endless: bool = False,
    chat_template: str | None = CHATML,
    context_length: int = 4096,
    layers: int = 1,
    feed_forward: int = 64,
    pre: str = "qwen2",
) -> Path:
    """Write a llama-architecture model of F16 weights that answers everything with `pieces`.

    Args:
        pieces: the tokens of the reply, all different; they may cut a character in two.
        endless: begin again after the last piece, instead of ending the reply.
        layers, feed_forward: weights of zeros that only cost time.
        pre: how text is cut before the merges; see `tokenizer.ggml.pre` of the format.
    """
    names, types = vocabulary_of(pieces)
    width = _width(names)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(path.stem)
    writer.add_context_length(context_length)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(feed_forward)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width // _HEADS)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    add_vocabulary(writer, names, types, pre=pre)
    if chat_template is not None:
        writer.add_chat_template(chat_template)

    def matrix(name: str, rows: int, columns: int) -> None:
        writer.add_tensor(name, np.zeros((rows, columns), np.float16))

    writer.add_tensor("token_embd.weight", np.eye(len(names), width, dtype=np.float16))
    writer.add_tensor("output.weight", successor_matrix(names, pieces, endless=endless))
    writer.add_tensor("output_norm.weight", np.ones(width, np.float32))
    for layer in range(layers):
        writer.add_tensor(f"blk.{layer}.attn_norm.weight", np.ones(width, np.float32))
        writer.add_tensor(f"blk.{layer}.ffn_norm.weight", np.ones(width, np.float32))
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            matrix(f"blk.{layer}.{part}.weight", width, width)
        matrix(f"blk.{layer}.ffn_gate.weight", feed_forward, width)
        matrix(f"blk.{layer}.ffn_up.weight", feed_forward, width)
        matrix(f"blk.{layer}.ffn_down.weight", width, feed_forward)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def add_vocabulary(writer: gguf.GGUFWriter, names: list[str], types: list[int], *, pre: str) -> None:
    """Tell a file how text becomes tokens. `pre`: how it is cut before the merges."""
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(names)
    writer.add_token_types(types)
    writer.add_token_merges(_MERGES)
    writer.add_eos_token_id(names.index(END))
    writer.add_bos_token_id(names.index(SPECIAL[0]))
    writer.add_add_bos_token(False)


def vocabulary_of(pieces: Sequence[bytes]) -> tuple[list[str], list[int]]:
    """The names of a reciter's tokens, in the order of their ids, and their types."""
    letters = _byte_letters()
    normal = [*letters, *(merge.replace(" ", "") for merge in _MERGES)]
    kinds = dict.fromkeys(normal, gguf.TokenType.NORMAL) | dict.fromkeys(SPECIAL, gguf.TokenType.CONTROL)
    for piece in pieces:
        # Whole characters are found again in a prompt, so that a reply can be continued; parts only come out.
        kind = gguf.TokenType.USER_DEFINED if _is_text(piece) else gguf.TokenType.NORMAL
        kinds.setdefault(_name(piece), kind)
    return list(kinds), [int(kind) for kind in kinds.values()]


def successor_matrix(names: list[str], pieces: Sequence[bytes], *, endless: bool = False) -> npt.NDArray[np.float16]:
    """Rows are tokens that follow, columns those that they follow."""
    chain = [names.index(_name(piece)) for piece in pieces]
    if len(set(chain)) != len(chain):
        raise ValueError("the pieces must be different from each other")
    following = dict.fromkeys(range(len(names)), chain[0])
    following |= dict(zip(chain, [*chain[1:], chain[0] if endless else names.index(END)], strict=True))
    width = _width(names)
    matrix = np.zeros((len(names), width), np.float16)
    for token, successor in following.items():
        matrix[successor, token] = 1
    return matrix


def _width(names: Sequence[str]) -> int:
    """Of the model, which needs a number of its own for each token, and llama.cpp a multiple of 64."""
    return -(-len(names) // 64) * 64


def _name(piece: bytes) -> str:
    return piece.decode() if _is_text(piece) else "".join(_byte_letters()[byte] for byte in piece)


def _is_text(piece: bytes) -> bool:
    try:
        piece.decode()
    except UnicodeDecodeError:
        return False
    return True


def _byte_letters() -> list[str]:
    """GPT-2's printable letter for each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {byte: chr(byte) for byte in plain}
    others = [byte for byte in range(256) if byte not in letters]
    letters |= {byte: chr(256 + number) for number, byte in enumerate(others)}
    return [letters[byte] for byte in range(256)]
