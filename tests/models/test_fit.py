"""What a model will take of the memory: beside what the real engine takes, and what is offered where it is too much."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from falconry.engines.llama_launch import batch_size
from falconry.i18n import error_text
from falconry.models import eyas
from falconry.models.catalog import find
from falconry.models.fit import Alternative, estimate_memory, fits, slot_context, too_large
from falconry.models.gguf import read_header
from falconry.models.header import Header, Value
from falconry.models.kv_cache import kv_cache_size
from falconry.models.shape import Shape

MIB, GIB = 2**20, 2**30
LLAMA = Shape("llama", 2, 2048, 8192, 32, 8, 64, 32_000)


def header(metadata: dict[str, Value] | None = None, shape: Shape = LLAMA) -> Header:
    made = shape.header("Q8_0", 8192)
    return replace(made, metadata={**made.metadata, **(metadata or {})})


@pytest.mark.parametrize(
    ("shape", "batch", "context", "flash_attention", "mib"),
    [  # llama.cpp's own log of these shapes: “CPU compute buffer size”
        (LLAMA, 64, 1024, True, 8.63),
        (LLAMA, 64, 32_768, True, 12.5),
        (LLAMA, 32, 8192, True, 4.75),
        (LLAMA, 512, 8192, True, 76.02),
        (LLAMA, 64, 8192, False, 69.25),
        (Shape("llama", 2, 4096, 14_336, 32, 8, 128, 32_000), 64, 8192, True, 16.5),
        (Shape("qwen2", 2, 896, 4864, 14, 2, 64, 32_000), 64, 8192, True, 5.66),
        (Shape("qwen3", 2, 1024, 3072, 16, 8, 128, 32_000), 64, 8192, False, 36.75),
        (Shape("qwen3", 2, 1024, 1024, 32, 8, 256, 32_000), 64, 8192, True, 6.25),
        (Shape("falcon", 2, 4544, 18_176, 71, 1, 64, 65_024), 64, 8192, True, 12.1),
        (Shape("falcon", 2, 2048, 6144, 32, 8, 64, 32_000), 64, 1024, True, 4.63),
    ],
)
def test_compute_buffers_are_those_of_the_engine(
    shape: Shape, batch: int, context: int, flash_attention: bool, mib: float
) -> None:
    estimate = estimate_memory(
        header(shape=shape), context_length=context, slots=1, batch=batch, flash_attention=flash_attention
    )
    logits = 4 * shape.vocabulary
    assert (estimate.compute - logits) / MIB == pytest.approx(mib, rel=0.02)


@pytest.mark.parametrize(("context", "slots", "mib"), [(8192, 1, 32), (8192, 2, 64), (32_768, 1, 128), (600, 4, 12)])
def test_caches_are_those_of_the_engine(context: int, slots: int, mib: int) -> None:
    assert kv_cache_size(header(), context_length=context, slots=slots) == mib * MIB


def test_keys_and_values_in_eight_bits_take_half() -> None:
    full = kv_cache_size(header(), context_length=8192, slots=2)
    assert kv_cache_size(header(), context_length=8192, slots=2, kv_type="q8_0") == full * 34 // 64


def test_layers_with_a_window_keep_the_window_only() -> None:
    gemma = Shape("gemma3", 6, 1152, 6912, 4, 1, 256, 1000, sliding_window=512)
    row = 2 * 256 * 2
    one_state = 5 * row * 768  # 512 and a batch of 64, rounded up
    assert kv_cache_size(header(shape=gemma), context_length=32_768, slots=1) == row * 32_768 + 9 * one_state


def test_a_pattern_of_windows_that_the_file_tells_counts() -> None:
    told: dict[str, Value] = {
        "llama.attention.sliding_window": 512,
        "llama.attention.sliding_window_pattern": (True, False),
    }
    row = 2 * 8 * 64 * 2
    assert kv_cache_size(header(told), context_length=8192, slots=1) == row * 8192 + 9 * row * 768


def test_recurrent_layers_have_a_state_that_no_context_makes_larger() -> None:
    shape = Shape("qwen35", 4, 2560, 9216, 16, 4, 256, 1000, linear_heads=32)
    state = 4 * (3 * (4096 + 2 * 16 * 128) + 128 * 4096)
    for context in (1024, 8192):
        cache = kv_cache_size(header(shape=shape), context_length=context, slots=1)
        assert cache == 4 * 256 * 2 * 2 * context + 9 * 3 * state


def test_layers_without_a_cache_take_nothing() -> None:
    whole = kv_cache_size(header(), context_length=8192, slots=1)
    assert kv_cache_size(header({"llama.attention.head_count_kv": (8, 0)}), context_length=8192, slots=1) == whole // 2


@pytest.mark.parametrize(("size", "batch"), [(MIB, 64), (GIB - 1, 64), (GIB, 32), (9 * GIB, 32)])
def test_a_prompt_is_read_in_smaller_pieces_by_a_large_model(size: int, batch: int) -> None:
    assert batch_size(size) == batch


@pytest.mark.parametrize(
    ("wished", "trained", "tokens"),
    [(None, None, 8192), (None, 4096, 4096), (None, 131072, 8192), (32768, 131072, 32768), (32768, 4096, 4096)],
)
def test_no_slot_gets_more_than_the_model_was_trained_with(
    wished: int | None, trained: int | None, tokens: int
) -> None:
    assert slot_context(wished, trained) == tokens


def test_a_projector_takes_memory_beside_its_model() -> None:
    alone = estimate_memory(header(), context_length=512, slots=1).total
    assert estimate_memory(header(), context_length=512, slots=1, beside=5 * MIB).total == alone + 5 * MIB
    assert not fits(header(), context_length=512, slots=1, free=alone, beside=1).ok


def test_what_fits_is_told_to_fit() -> None:
    fit = fits(header(), context_length=8192, slots=2, free=8 * GIB)
    assert fit.ok
    assert fit.estimate == estimate_memory(header(), context_length=8192, slots=2)


def test_the_longest_context_that_fits_is_offered() -> None:
    whole = estimate_memory(header(), context_length=8192, slots=2).total
    fit = fits(header(), context_length=8192, slots=2, free=whole - 10 * MIB)
    assert not fit.ok
    assert fit.shorter is not None
    assert fit.shorter.total <= whole - 10 * MIB
    longer = estimate_memory(header(), context_length=fit.shorter.context_length + 256, slots=2)
    assert longer.total > whole - 10 * MIB


def test_no_context_is_offered_that_is_no_use() -> None:
    fit = fits(
        header(), context_length=8192, slots=2, free=estimate_memory(header(), context_length=256, slots=2).total
    )
    assert fit.shorter is None


def test_the_best_quantisation_that_fits_is_offered() -> None:
    model = find("qwen3-8b")
    assert model is not None
    fit = fits(model.header("Q8_0"), context_length=512, slots=1, free=7 * GIB, alternatives=model.alternatives())
    assert fit.smaller is not None
    assert (fit.smaller.quantization, fit.smaller.wanted) == ("Q6_K", "unsloth/Qwen3-8B-GGUF:Q6_K")
    assert fit.smaller.total <= 7 * GIB


@pytest.mark.parametrize(
    ("free", "alternatives", "code"),
    [
        (10 * MIB, [], "model_too_large"),
        (250 * MIB, [], "model_too_large_context"),
        (120 * MIB, [Alternative("Q4_K_M", 40 * MIB, "o/n:Q4_K_M")], "model_too_large_quantization"),
        (250 * MIB, [Alternative("Q4_K_M", 40 * MIB, "o/n:Q4_K_M")], "model_too_large_both"),
    ],
)
def test_what_does_not_fit_is_told_with_the_numbers(free: int, alternatives: list[Alternative], code: str) -> None:
    context = 2048 if code == "model_too_large_quantization" else 8192
    fit = fits(header(), context_length=context, slots=1, free=free, alternatives=alternatives)
    error = too_large("Big", fit)
    assert error.code == code, (fit.estimate.total / MIB, fit)
    assert error.status == 507
    assert error.details["needed"] == fit.estimate.total
    for sentence in (error.message, error_text(error.as_dict(), "zh")):
        assert "Big" in sentence
        assert str(error.details["free_gib"]) in sentence
        if fit.smaller is not None:
            assert "o/n:Q4_K_M" in sentence
    assert error_text(error.as_dict(), "zh") != error.message


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells")
def test_the_built_in_model_takes_what_is_foretold(tmp_path: Path) -> None:
    told = tmp_path / "fit.json"
    subprocess.run(
        [sys.executable, "-m", "benchmarks.fit", "--only", "Eyas", "--json", str(told)],
        check=True,
        cwd=Path(__file__).parents[2],
        capture_output=True,
    )
    [[_, _, _, _, foretold, peak, resident]] = json.loads(told.read_text())
    assert foretold == pytest.approx(peak, rel=0.1)
    assert resident >= peak * 0.9


def test_the_estimate_of_the_built_in_model_is_made_of_its_parts() -> None:
    estimate = estimate_memory(read_header(eyas.path()), context_length=2048, slots=2)
    assert estimate.weights < eyas.path().stat().st_size
    assert estimate.total == estimate.weights + estimate.kv_cache + estimate.compute + estimate.base
