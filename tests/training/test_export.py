"""The exporter: the engine must see the same tokens and write the same answer as transformers.

The weights are random, and the norms are perturbed too: on a fresh model all norms are alike, and swapping them goes
unseen.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator

import gguf
import pytest
import torch
from transformers import FalconForCausalLM, PreTrainedTokenizerFast

from training.eyas import check
from training.eyas.corpus import samples
from training.eyas.export import export
from training.eyas.model import build_model
from training.eyas.recipe import SMOKE
from training.eyas.tokenizer import train_tokenizer

pytestmark = pytest.mark.torch

RECIPE = dataclasses.replace(SMOKE, vocab_size=1024, hidden_size=64, layers=3, heads=4, kv_heads=2, ffn_size=128)
PROMPTS = (
    "Which animals live on the savanna?",
    "哪些动物生活在热带草原上？",
    "2 + 2 = ",
    "  double  blanks\n\nand lines\t",
    "It's 7 o'clock; they'll say \"naïve café\" – 🎉🚀",
    "User: 你好\nAssistant:",
    "龘靐齉 1234567",
)
CHATS: tuple[list[check.Message], ...] = (
    [{"role": "user", "content": "Hello!"}],
    [{"role": "system", "content": "You are a biologist."}, {"role": "user", "content": "你好 🎉"}],
    [
        {"role": "user", "content": "Which animals live on the savanna?"},
        {"role": "assistant", "content": "Lions and elephants."},
        {"role": "user", "content": "哪一种最强壮？"},
    ],
)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer((sample.text for sample in samples(1, 1000)), RECIPE)


@pytest.fixture(scope="module")
def model(tokenizer: PreTrainedTokenizerFast) -> FalconForCausalLM:
    model = build_model(RECIPE, tokenizer).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * (0.3 if weight.ndim == 1 else 0.1))
    return model


@pytest.fixture(scope="module", params=["F32", "F16"])
def served(
    request: pytest.FixtureRequest,
    model: FalconForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[check.Served]:
    path: pathlib.Path = tmp_path_factory.mktemp("export") / "perturbed.gguf"
    export(model, tokenizer, RECIPE, path, kind=gguf.GGMLQuantizationType[request.param])
    with check.serve(path) as served:
        yield served


@pytest.mark.parametrize("prompt", PROMPTS)
def test_prompt_tokens_are_equal(served: check.Served, tokenizer: PreTrainedTokenizerFast, prompt: str) -> None:
    assert served.post("/tokenize", {"content": prompt})["tokens"] == tokenizer.encode(prompt)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_greedy_tokens_are_equal(
    served: check.Served, model: FalconForCausalLM, tokenizer: PreTrainedTokenizerFast, prompt: str
) -> None:
    ids = torch.tensor([tokenizer.encode(prompt)])
    with torch.no_grad():
        theirs = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=24, do_sample=False)[0]
    body = {"prompt": prompt, "n_predict": 24, "temperature": 0.0, "return_tokens": True, "cache_prompt": False}
    ours = served.post("/completion", body)["tokens"]
    assert ours == theirs[ids.shape[1] :].tolist()[: len(ours)]
    assert len(ours) >= 23 or theirs[ids.shape[1] + len(ours)] == tokenizer.eos_token_id


@pytest.mark.parametrize("chat", CHATS)
def test_the_chat_template_renders_the_same(
    served: check.Served, tokenizer: PreTrainedTokenizerFast, chat: list[check.Message]
) -> None:
    theirs = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert served.post("/apply-template", {"messages": chat})["prompt"] == theirs


def test_the_template_marks_what_the_assistant_says(tokenizer: PreTrainedTokenizerFast) -> None:
    done = tokenizer.apply_chat_template(
        [*CHATS[2][:2]], tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    marked = [number for number, mark in zip(done["input_ids"], done["assistant_masks"], strict=True) if mark]
    assert tokenizer.decode(marked) == "Lions and elephants.<|im_end|>"


def test_an_alibi_falcon_is_refused(
    model: FalconForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(model.config, "alibi", True)
    with pytest.raises(ValueError, match="RoPE"):
        export(model, tokenizer, RECIPE, tmp_path / "x.gguf")


def test_the_file_says_what_it_is(
    model: FalconForCausalLM, tokenizer: PreTrainedTokenizerFast, tmp_path: pathlib.Path
) -> None:
    export(model, tokenizer, RECIPE, tmp_path / "x.gguf")
    fields = gguf.GGUFReader(tmp_path / "x.gguf").fields
    found = {
        key: fields[key].contents()
        for key in ("general.name", "general.license", "general.languages", "eyas.recipe", "eyas.seed")
    }
    assert found == {
        "general.name": "Eyas",
        "general.license": "apache-2.0",
        "general.languages": ["en", "zh"],
        "eyas.recipe": RECIPE.digest(),
        "eyas.seed": RECIPE.seed,
    }
