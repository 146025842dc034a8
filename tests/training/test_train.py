"""The training loop: it learns, it can be killed and resumed, and it counts the loss where it should."""

from __future__ import annotations

import dataclasses
import pathlib

import pytest
import torch
from transformers import FalconForCausalLM, PreTrainedTokenizerFast

from training.eyas.corpus import samples
from training.eyas.model import build_model
from training.eyas.muon import orthogonalise
from training.eyas.recipe import SMOKE, Recipe
from training.eyas.tokenizer import train_tokenizer
from training.eyas.train import Tokens, batches, collate, encode, rate, train

pytestmark = pytest.mark.torch

RECIPE = dataclasses.replace(
    SMOKE, vocab_size=512, hidden_size=32, layers=2, heads=2, kv_heads=1, ffn_size=64, batch_tokens=1024, warmup=4
)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer((sample.text for sample in samples(1, 400)), RECIPE)


@pytest.fixture(scope="module")
def tokens(tokenizer: PreTrainedTokenizerFast) -> Tokens:
    return encode(list(samples(1, 120)), tokenizer, RECIPE)


def run(
    tokenizer: PreTrainedTokenizerFast, tokens: Tokens, folder: pathlib.Path, stop_after: int | None = None
) -> FalconForCausalLM:
    model = build_model(RECIPE, tokenizer)
    train(model, tokens, tokens, RECIPE, folder, stop_after=stop_after)
    return model


def test_a_killed_run_resumes_to_the_same_weights(
    tokenizer: PreTrainedTokenizerFast, tokens: Tokens, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    whole = run(tokenizer, tokens, tmp_path / "whole", stop_after=6)
    run(tokenizer, tokens, tmp_path / "cut", stop_after=3)
    resumed = run(tokenizer, tokens, tmp_path / "cut", stop_after=6)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_a_checkpoint_of_another_recipe_is_refused(
    tokenizer: PreTrainedTokenizerFast, tokens: Tokens, tmp_path: pathlib.Path
) -> None:
    run(tokenizer, tokens, tmp_path, stop_after=1)
    model = build_model(RECIPE, tokenizer)
    with pytest.raises(SystemExit, match="another recipe"):
        train(model, tokens, tokens, dataclasses.replace(RECIPE, adam_lr=1e-4), tmp_path)


def test_every_sample_is_seen_once_and_batches_keep_their_size(tokens: Tokens) -> None:
    plan = batches(tokens, RECIPE)
    assert sorted(int(number) for chosen in plan for number in chosen) == list(range(len(tokens)))
    for chosen in plan:
        assert len(chosen) == 1 or len(chosen) * tokens.lengths()[chosen].max() <= RECIPE.batch_tokens


def test_labels_are_the_next_tokens_of_what_the_assistant_says(tokenizer: PreTrainedTokenizerFast) -> None:
    sample = next(sample for sample in samples(1, 100) if sample.kind == "chat" and len(sample.text) < 400)
    ids, labels = collate(encode([sample], tokenizer, RECIPE), torch.tensor([0]).numpy(), 0)
    wanted = "".join(sample.text[start:end] for start, end in sample.learn)
    assert tokenizer.decode(labels[0][labels[0] != -100]) == wanted
    assert ids.shape == labels.shape


def test_rates_rise_stay_and_fall_to_nearly_nothing() -> None:
    rates = [rate(step, 100, RECIPE) for step in range(100)]
    assert rates[0] == 1 / RECIPE.warmup
    assert rates[50] == 1.0
    assert 0 < rates[99] < 0.05


@pytest.mark.parametrize("shape", [(2, 16, 48), (2, 48, 16)])
def test_muon_makes_matrices_nearly_orthogonal(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(1)
    singular = torch.linalg.svdvals(orthogonalise(torch.randn(shape), rounds=5))
    assert float(singular.min()) > 0.5
    assert float(singular.max()) < 1.5


@pytest.mark.parametrize(
    "wrong", [{"vocab_size": 1000}, {"heads": 3}, {"kv_heads": 3}, {"hidden_size": 48, "heads": 4}]
)
def test_a_shape_that_cannot_be_exported_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="multiple"):
        dataclasses.replace(Recipe(hidden_size=128, heads=4, kv_heads=2), **wrong)
