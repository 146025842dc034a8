"""How much memory is reckoned with: the machine's, and that of graphics cards where something can use them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from falconry.models import advice
from falconry.models.advice import free_for_models, memory_of
from falconry.models.machine import Gpu, Machine
from falconry.settings import Settings

GIB = 2**30
CARD = 24 * GIB
HERE = Machine(16 * GIB, 10 * GIB, 8, (Gpu("Card", CARD, CARD - GIB),))
MakeSettings = Callable[..., Settings]


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The program of a card of 24 GiB."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'Card, 24576, 23552'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    advice._card_memory.cache_clear()
    yield
    advice._card_memory.cache_clear()


def test_a_card_counts_only_for_a_server_that_can_use_it(make_settings: MakeSettings, tmp_path: Path) -> None:
    assert memory_of(HERE, make_settings()) == 16 * GIB
    assert memory_of(HERE, make_settings(llama_server=tmp_path / "llama-server")) == 16 * GIB + CARD
    assert memory_of(HERE, make_settings(memory_limit_mib=4096)) == 4 * GIB


@pytest.mark.usefixtures("card")
def test_what_is_recommended_for_a_card_is_not_refused_for_the_machines_own_memory(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    alone = free_for_models(make_settings())
    with_card = free_for_models(make_settings(llama_server=tmp_path / "llama-server"))
    assert alone is not None
    assert with_card is not None
    assert abs(with_card - alone - CARD) < 4 * GIB  # what else runs here takes and gives meanwhile
