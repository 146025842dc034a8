"""How fast a model will be, and how fast memory is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from falconry.models.catalog import find
from falconry.models.machine import cores, measure_bandwidth, read_memory
from falconry.models.shape import Shape
from falconry.models.speed import LAYER, SHARE, bytes_per_token, tokens_per_second

GB = 1e9

# `make bench-speed`, docs/catalog.md: shape, quantisation, bytes per second of the memory, tokens per second.
MEASURED = [
    (Shape("llama", 30, 576, 1536, 9, 3, 64, 49_152, tied=True), "Q8_0", 18.7 * GB, 56.1),
    (Shape("qwen2", 24, 896, 4864, 14, 2, 64, 151_936, tied=True), "Q8_0", 18.8 * GB, 19.4),
    (Shape("falcon", 12, 1536, 6144, 24, 1, 64, 65_024), "Q8_0", 16.2 * GB, 25.4),
    (Shape("llama", 16, 2048, 8192, 32, 8, 64, 128_256, tied=True), "Q6_K", 16.2 * GB, 9.5),
    (Shape("qwen3", 28, 2048, 6144, 16, 8, 128, 151_936, tied=True), "Q8_0", 16.2 * GB, 5.6),
]


@pytest.mark.parametrize(("shape", "quantization", "bandwidth", "measured"), MEASURED)
def test_foretold_within_a_quarter_of_what_was_measured(
    shape: Shape, quantization: str, bandwidth: float, measured: float
) -> None:
    assert tokens_per_second(shape.header(quantization, 8192), bandwidth) == pytest.approx(measured, rel=0.25)


def test_of_embeddings_beside_the_output_matrix_one_row_is_read() -> None:
    shape = Shape("llama", 2, 1024, 2048, 8, 8, 128, 100_000)
    untied, tied = (bytes_per_token(each.header("Q8_0", 8192)) for each in (shape, replace(shape, tied=True)))
    assert untied == tied


def test_of_a_mixture_of_experts_those_are_read_that_are_chosen() -> None:
    model = find("qwen3-30b-a3b-2507")
    assert model is not None
    header = model.header("Q8_0")
    assert bytes_per_token(header) < header.file_size / 8


def test_the_layers_cost_what_no_bandwidth_can_save() -> None:
    header = Shape("llama", 100, 256, 512, 4, 4, 64, 1000).header("Q8_0", 512)
    assert tokens_per_second(header, 1e18) == pytest.approx(1 / (100 * LAYER))
    assert 0 < SHARE < 1


def test_memory_is_read_at_a_sensible_speed() -> None:
    assert cores() >= 1
    assert 0.1 * GB < read_memory() < 5000 * GB


def test_the_best_measurement_is_kept() -> None:
    first = measure_bandwidth()
    assert measure_bandwidth() == first
