"""A prompt is read in pieces, and what was read is not read again: with any kind of attention the reply is the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]

SHAPE: dict[str, Any] = {
    "vocab_size": 4096,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "bos_token_id": None,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
WINDOW = {"sliding_window": 100}
STATES = {"vocab_size": 4096, "hidden_size": 64, "num_hidden_layers": 3, "eos_token_id": 2, "pad_token_id": 0}
HYBRID = {"mamba_d_ssm": 64, "mamba_n_heads": 4, "mamba_d_head": 16, "mamba_n_groups": 1, "mamba_d_state": 16}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", SHAPE),
    "falcon with ALiBi": ("Falcon", SHAPE | {"alibi": True}),
    "gpt2": ("GPT2", {"vocab_size": 4096, "n_embd": 64, "n_layer": 3, "n_head": 4, "n_positions": 2048}),
    "a window on all layers": ("Mistral", SHAPE | WINDOW),
    "a window on some layers": ("Gemma2", SHAPE | WINDOW | {"head_dim": 16}),
    "falcon-mamba": ("FalconMamba", STATES | {"state_size": 8}),
    "falcon-h1": ("FalconH1", SHAPE | HYBRID),
    "lfm2": ("Lfm2", SHAPE | {"layer_types": ["conv", "full_attention"] * 2}),
}
WITHOUT_CACHE = ("falcon-mamba", "falcon-h1", "lfm2")


class Streamer:
    """Takes what is generated. `patience`: modules of the network until whoever listens is gone."""

    def __init__(self, patience: float = float("inf")) -> None:
        self.ids: list[int] = []
        self._left = patience
        self._begun = False
        self._cancelled = self

    def is_set(self) -> bool:
        self._left -= 1
        return self._left < 0

    def put(self, value: Any) -> None:
        if self._begun:
            self.ids += value.tolist()
        self._begun = True

    def end(self) -> None:
        pass


class Pair:
    """The same model twice: as the child runs it, and as transformers does by itself."""

    def __init__(self, folder: Path) -> None:
        import transformers

        from falconry.engines.transformers_model import Model

        self.plain = transformers.AutoModelForCausalLM.from_pretrained(folder)
        self.model = Model(folder, 2048, "cpu")

    def expected(self, ids: list[int]) -> list[int]:
        import torch

        read = torch.tensor([ids])
        mask = torch.ones_like(read)
        out = self.plain.generate(
            input_ids=read, attention_mask=mask, max_new_tokens=8, do_sample=False, eos_token_id=[-1], pad_token_id=0
        )
        return list(out[0, len(ids) :].tolist())

    def reply(self, ids: list[int], streamer: Streamer | None = None) -> list[int]:
        streamer = streamer or Streamer()
        config = self.model.config({"max_tokens": 8, "sampling": {"do_sample": False, "pad_token_id": 0}}, 1000)
        config.eos_token_id = [-1]
        self.model.model.generate(**self.model.inputs(ids), streamer=streamer, generation_config=config)
        return streamer.ids


@pytest.fixture(scope="module")
def eyas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For its tokenizer."""
    from tests.engines.eyas_folder import write_eyas

    return write_eyas(tmp_path_factory.mktemp("eyas"))


@pytest.fixture
def make(eyas: Path, tmp_path: Path) -> Iterator[Callable[[str], Pair]]:
    import torch

    def make(family: str) -> Pair:
        import transformers

        shutil.copytree(eyas, tmp_path, dirs_exist_ok=True)
        name, shape = FAMILIES[family]
        head = "LMHeadModel" if name == "GPT2" else "ForCausalLM"
        torch.manual_seed(0)
        model = getattr(transformers, name + head)(getattr(transformers, f"{name}Config")(**shape))
        with torch.no_grad():
            for weight in model.parameters():
                if weight.ndim >= 2:
                    weight.mul_(4)  # so that replies depend on what was read
        model.save_pretrained(tmp_path)
        return Pair(tmp_path)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # several spin, and wait for each other where other processes want the cores
    yield make
    torch.set_num_threads(threads)


def some(count: int, seed: int) -> list[int]:
    return [10 + (number * 7919 + seed * 104729) % 4000 for number in range(count)]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_reply_is_that_of_the_whole_read_at_once(make: Callable[[str], Pair], family: str) -> None:
    pair = make(family)
    prefix, first = pair.model.prefix, some(600, 1)
    reply = pair.reply(first)
    assert reply == pair.expected(first)
    longer = [*first, *reply, *some(300, 2)]
    assert pair.reply(longer) == pair.expected(longer)
    assert prefix.kept == (0 if family in WITHOUT_CACHE else len(first) + len(reply) - 1)
    other = [*first[:300], *some(20, 3)]
    assert pair.reply(other) == pair.expected(other)
    assert prefix.kept == (300 if family in ("llama", "falcon with ALiBi", "gpt2") else 0)


@pytest.mark.parametrize("family", ["llama", "a window on some layers", "falcon-h1"])
@pytest.mark.parametrize("patience", [40, 130])
def test_what_was_given_up_in_the_middle_leaves_nothing_wrong(
    make: Callable[[str], Pair], family: str, patience: int
) -> None:
    from transformers.cli.serving.utils import _GenerationCancelled

    pair = make(family)
    first = some(600, 1)
    pair.reply(first[:200])
    gone = Streamer(patience)
    with pytest.raises(_GenerationCancelled):
        pair.reply(first, gone)
    assert not pair.model.watch.busy
    assert pair.reply(first) == pair.expected(first)
