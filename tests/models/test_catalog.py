"""The catalogue: its shape, its sources, and that computed sizes are those of files that others published."""

from __future__ import annotations

import json
import re
from datetime import date
from importlib.resources import files
from pathlib import Path

import pytest

from falconry.models.catalog import CatalogModel, Terms, alternatives_for, catalog, find
from falconry.models.quantization_mix import QUANTIZATIONS
from falconry.models.shape import Shape

FACTS = {"shape", "license", "gguf", "languages", "context_length"}
REPOSITORY = re.compile(r"[\w-]+/[\w.-]+")

# Bytes that hubs show beside files, rounded as they show them (docs/catalog.md names the pages).
PUBLISHED = [
    ("qwen3-4b-2507", "Q8_0", 4.28e9),
    ("qwen3-4b-2507", "Q6_K", 3.31e9),
    ("qwen3-4b-2507", "Q5_K_M", 2.89e9),
    ("qwen3-4b-2507", "Q4_K_M", 2.50e9),
    ("llama-3.2-3b", "Q4_K_M", 2.02e9),
    ("llama-3.2-3b", "Q5_K_M", 2.32e9),
    ("llama-3.2-3b", "Q8_0", 3.42e9),
    ("falcon-40b-instruct", "Q4_K_M", 25.5e9),
    ("falcon-40b-instruct", "Q5_K_M", 30.6e9),
    ("falcon-40b-instruct", "Q6_K", 34.5e9),
    ("falcon-40b-instruct", "Q8_0", 44.5e9),
    ("falcon-7b-instruct", "Q4_K_M", 4_975_385_792),
    ("falcon-7b-instruct", "Q8_0", 7.67e9),
    ("qwen3-8b", "Q6_K", 6.73e9),
    ("qwen3-8b", "Q8_0", 8.71e9),
    ("falcon3-1b", "Q8_0", 1.78e9),
    ("qwen3.5-9b", "Q4_K_M", 5.23 * 2**30),
    ("qwen3.5-9b", "Q8_0", 9.53e9),
    ("qwen3.5-4b", "Q8_0", 4_482_403_424),
]
# Parameters of the text model, as the hub counts them; Qwen3.5's come with a vision part that is not counted here.
COUNTED = {"qwen3-0.6b": 596_049_920, "falcon3-1b": 1_669_408_768, "falcon-7b-instruct": 7_217_189_760}


def test_there_are_some_thirty_from_small_to_70b_and_the_falcons() -> None:
    models = catalog()
    assert len(models) == len({model.id for model in models}) >= 30
    sizes = [model.parameters for model in models]
    assert min(sizes) < 0.5e9
    assert max(sizes) > 70e9
    assert {"falcon-7b-instruct", "falcon-40b-instruct", "falcon3-10b"} <= {model.id for model in models}
    assert sum("zh" in model.languages for model in models) >= 10


@pytest.mark.parametrize("model", catalog(), ids=lambda model: model.id)
def test_every_fact_has_its_source_and_its_day(model: CatalogModel) -> None:
    assert set(model.facts) == FACTS | ({"released"} if model.released else set())
    for sources in model.facts.values():
        assert sources
        for source in sources:
            assert source.url.startswith("https://")
            assert date(2023, 1, 1) <= date.fromisoformat(source.date) <= date(2026, 11, 30)
    assert model.license.url.startswith("https://")


@pytest.mark.parametrize("model", catalog(), ids=lambda model: model.id)
def test_every_model_is_described_and_can_be_fetched(model: CatalogModel) -> None:
    english, chinese = model.description["en"], model.description["zh"]
    assert english.endswith(".")
    assert re.search("[\u4e00-\u9fff]", chinese)
    assert REPOSITORY.fullmatch(model.weights)
    assert REPOSITORY.fullmatch(model.gguf)
    assert model.languages
    assert 2048 <= model.context_length <= 2**20
    assert model.released is None or re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", model.released)


def test_the_file_names_no_source_that_nothing_is_from() -> None:
    read = json.loads(files("falconry.models").joinpath("catalog.json").read_text(encoding="utf-8"))
    used = {key for model in read["models"] for keys in model["facts"].values() for key in keys}
    assert used == set(read["sources"])


@pytest.mark.parametrize(("name", "quantization", "published"), PUBLISHED)
def test_sizes_are_those_of_published_files(name: str, quantization: str, published: float) -> None:
    model = find(name)
    assert model is not None
    assert model.header(quantization).file_size == pytest.approx(published, rel=0.01)


@pytest.mark.parametrize(("name", "parameters"), COUNTED.items())
def test_parameters_are_those_that_the_hub_counts(name: str, parameters: int) -> None:
    model = find(name)
    assert model is not None
    assert model.parameters == pytest.approx(parameters, rel=0.001)  # norms and biases are left out


def test_a_mixture_of_experts_works_with_some_of_its_parameters() -> None:
    model = find("qwen3-30b-a3b-2507")
    assert model is not None
    assert model.active_parameters == pytest.approx(3_339_427_840, rel=0.01)
    assert model.parameters > 9 * model.active_parameters


def test_better_quantisations_are_larger() -> None:
    for model in catalog():
        sizes = [model.header(name).file_size for name in QUANTIZATIONS]
        assert sizes == sorted(sizes), model.id


@pytest.mark.parametrize("name", ["qwen3.5-4b", "QWEN3.5 4B", "Qwen/Qwen3.5-4B", "unsloth/Qwen3.5-4B-GGUF"])
def test_a_model_is_found_by_whatever_it_is_called(name: str) -> None:
    model = find(name)
    assert model is not None
    assert model.id == "qwen3.5-4b"


def test_what_is_not_there_is_not_found() -> None:
    assert find("gpt-17") is None
    assert alternatives_for(["gpt-17", ""]) == []


def test_the_usual_quantisation_is_fetched_and_a_smaller_one_where_memory_is_short() -> None:
    small, large = find("smollm2-360m"), find("qwen3-8b")
    assert small is not None
    assert large is not None
    assert small.wanted() == "bartowski/SmolLM2-360M-Instruct-GGUF:Q8_0"
    assert small.wanted(memory=2**29) == "bartowski/SmolLM2-360M-Instruct-GGUF:Q4_K_M"
    assert large.wanted() == large.wanted(memory=2**30) == "unsloth/Qwen3-8B-GGUF:Q4_K_M"
    assert large.wanted("Q6_K") == "unsloth/Qwen3-8B-GGUF:Q6_K"


def test_a_files_other_quantisations_are_known_by_its_name() -> None:
    found = alternatives_for(["Qwen3-8B-Q8_0", "Qwen3 8B"])
    assert [alternative.wanted for alternative in found] == [f"unsloth/Qwen3-8B-GGUF:{name}" for name in QUANTIZATIONS]


def test_more_context_and_more_slots_take_more_memory() -> None:
    model = find("qwen3-8b")
    assert model is not None
    one = model.memory("Q4_K_M", Terms(2048, slots=1)).kv_cache
    assert model.memory("Q4_K_M", Terms(4096, slots=1)).kv_cache == 2 * one
    assert model.memory("Q4_K_M", Terms(2048, slots=3)).kv_cache == 3 * one
    assert one == 36 * 8 * 128 * 2 * 2 * 2048  # layers, heads, numbers, keys and values, bytes, tokens


def test_an_unknown_quantisation_is_an_error() -> None:
    with pytest.raises(KeyError):
        Shape("llama", 1, 256, 512, 4, 4, 64, 1000).header("Q1_X", 512)


@pytest.mark.parametrize("page", ["README.md", "README.zh.md", "docs/models.md", "docs/models.zh.md"])
def test_the_short_names_that_the_docs_give_are_in_the_catalogue(page: str) -> None:
    text = (Path(__file__).parents[2] / page).read_text(encoding="utf-8")
    names = re.findall(r"(?:models pull |\| `)([a-z][a-z0-9.-]*-[0-9.]+b)\b", text)
    assert names
    assert [name for name in names if find(name) is None] == []
