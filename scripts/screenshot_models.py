"""What the pictures of the models page show: a laptop of 16 GiB that never changes, with models in every state.

The catalogue and the advice are the real ones, for that laptop; what is on its disk and on its way is written by us.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from playwright.async_api import Page, Route

from falconry.api.catalog import catalog_json
from falconry.i18n import Language
from falconry.models.advice import Advice
from falconry.models.catalog import Terms, catalog
from falconry.models.machine import Machine
from falconry.models.recommend import recommend, usable, variants

_GIB = 2**30
LAPTOP = Machine(total_memory=16 * _GIB, free_memory=11 * _GIB, cores=8)
BANDWIDTH = 50e9  # bytes per second


def advice(language: Language) -> dict[str, Any]:
    """The answer of /api/catalog on that laptop."""
    terms, room = Terms(), usable(16 * _GIB)
    chosen = recommend(catalog(), terms, room, BANDWIDTH, language=language)
    entries = tuple((model, variants(model, terms, room, BANDWIDTH)) for model in catalog())
    whole = Advice(LAPTOP, 16 * _GIB, room, BANDWIDTH, terms, language, "quality", entries, chosen)
    return catalog_json(whole, language)


def _model(name: str, **known: object) -> dict[str, object]:
    blank = {"name": name, "title": name, "engine": "llama_cpp", "default": False, "supports": [], "state": "unloaded"}
    return blank | {"progress": None, "memory": None, "problem": None, "base": None, "vision": False} | known


MODELS = [
    _model("eyas", title="Eyas", source="built_in", size=2_500_000, default=True),
    _model(
        "Falcon3-7B-Instruct-Q4_K_M",
        source="falconry",
        size=4_571_000_000,
        parameters=7_455_550_464,
        quantization="Q4_K_M",
        context_length=32_768,
        state="ready",
        memory=5_900_000_000,
    ),
    _model(
        "qwen3:8b",
        source="ollama",
        size=5_225_000_000,
        parameters=8_190_735_360,
        quantization="Q4_K_M",
        context_length=40_960,
        state="loading",
        progress=0.62,
    ),
    _model(
        "gemma-3-4b-it-Q4_K_M",
        source="lm_studio",
        size=2_490_000_000,
        parameters=3_880_263_168,
        quantization="Q4_K_M",
        context_length=131_072,
        vision=True,
    ),
]
FILES = [{"name": model["name"], "removable": model["source"] == "falconry", "problem": None} for model in MODELS]
DOWNLOAD = {
    "id": "1",
    "wanted": "",
    "title": "Qwen3-1.7B-Q8_0",
    "state": "running",
    "total": 1_834_000_000,
    "done": 1_120_000_000,
    "speed": 11_200_000,
    "remaining": 64,
    "error": None,
    "model": None,
}


async def answer_for_the_laptop(page: Page, language: Language) -> None:
    """Let the page be told of that laptop in place of this machine."""
    answers: Mapping[str, object] = {
        "**/api/models": {"models": MODELS},
        "**/api/models/files": {"files": FILES},
        "**/api/downloads": {"downloads": [DOWNLOAD]},
        "**/api/catalog*": advice(language),
    }
    for path, answer in answers.items():
        await page.route(path, partial(_fulfil, answer))


async def _fulfil(answer: object, route: Route) -> None:
    await route.fulfill(json=answer)
