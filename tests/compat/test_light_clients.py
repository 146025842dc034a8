"""The clients that are light enough for every run: unchanged, from their own packages, against a real server."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from tests.compat.clients import LIGHT, run_probe
from tests.process import Falconry

TEXT_GENERATION = str(LIGHT / "bin" / "python")
PROBES = {
    "openai_sdk": sys.executable,
    "openai_rest": sys.executable,
    "anthropic_sdk": sys.executable,
    "hub": sys.executable,
    "text_generation_client": TEXT_GENERATION,
}


@pytest.fixture(scope="module")
def falconry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Falconry]:
    with Falconry(tmp_path_factory.mktemp("clients") / "data", canned=False, model="eyas") as running:
        yield running


@pytest.mark.parametrize("probe", PROBES)
def test_a_client_works_unchanged(falconry: Falconry, probe: str) -> None:
    python = PROBES[probe]
    if python == TEXT_GENERATION and not LIGHT.joinpath(".made").exists():
        assert not os.environ.get("CI"), "make test makes .cache/clients first"
        pytest.skip(f"{LIGHT} is missing: make test makes it")
    results = run_probe([python, "-m", f"tests.compat.probes.{probe}"], falconry.url, timeout=100)
    assert len(results) > 10
    failed = [f"{result.capability}: {result.check}: {result.reason}" for result in results if result.outcome != "pass"]
    assert not failed, "\n".join(failed)
