"""The slow models are made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.steady.models import write_endless, write_slow


@pytest.fixture(scope="session")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_endless(tmp_path_factory.mktemp("models") / "endless.gguf")


@pytest.fixture(scope="session")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_slow(tmp_path_factory.mktemp("models") / "slow.gguf")
