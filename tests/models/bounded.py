"""Runs the check of model files within bounds of time and memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, process_time

import pytest

from falconry.errors import BadModelFile
from falconry.models.gguf import read_header
from falconry.models.header import Header

SECONDS, CPU_SECONDS = 10.0, 2.0  # for one file; most take a thousandth, and tracemalloc makes it three times slower
MEMORY = 200 * 2**20


@contextmanager
def within_bounds() -> Iterator[None]:
    """Neither slow nor large."""
    tracemalloc.start()
    begun, cpu = perf_counter(), process_time()
    try:
        yield
        assert perf_counter() - begun < SECONDS
        assert process_time() - cpu < CPU_SECONDS
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()


def refused(path: Path) -> BadModelFile:
    with within_bounds(), pytest.raises(BadModelFile) as caught:
        read_header(path)
    return caught.value


def accepted_or_refused(path: Path) -> Header | None:
    with within_bounds():
        try:
            return read_header(path)
        except BadModelFile:
            return None
