"""What the check lets through and is broken all the same takes nothing down but the engine's own process."""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing
from pathlib import Path
from time import monotonic

import pytest

from falconry.engines.llama_cpp import LlamaCppEngine, LlamaCppOptions
from falconry.errors import BadModelFile, EngineError, FalconryError
from falconry.messages import SamplingParams
from falconry.models.gguf import read_header
from tests.engines.tiny_gguf import write_reciter

SECONDS = 10.0


async def outcome(path: Path) -> FalconryError | None:
    """What it is that a person sees who asks this model; None where it answers."""
    engine = LlamaCppEngine(path, LlamaCppOptions(context_length=256, slots=1, start_timeout=SECONDS))
    begun = monotonic()
    try:
        async with asyncio.timeout(2 * SECONDS):
            async with aclosing(engine.generate("The", SamplingParams(max_tokens=4))) as deltas:
                async for _ in deltas:
                    pass
    except FalconryError as error:
        return error
    finally:
        assert monotonic() - begun < 2 * SECONDS
        await engine.aclose()
    return None


async def test_a_malformed_file_never_reaches_it(tmp_path: Path) -> None:
    path = write_reciter(tmp_path / "tiny.gguf", [b" the", b" river"])
    path.write_bytes(path.read_bytes()[:-100])
    begun = monotonic()
    assert isinstance(await outcome(path), BadModelFile)
    assert monotonic() - begun < 2


async def test_flipped_bits_that_the_check_lets_through(tmp_path: Path) -> None:
    await flip(tmp_path, times=6)


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_many_flipped_bits_that_the_check_lets_through(tmp_path: Path) -> None:
    await flip(tmp_path, times=60)


async def flip(folder: Path, *, times: int) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    original = write_reciter(folder / "tiny.gguf", [b" the", b" river"]).read_bytes()
    head = read_header(folder / "tiny.gguf").data_offset
    path = folder / "flipped.gguf"
    tried = 0
    while tried < times:
        content = bytearray(original)
        content[chance.randrange(24, head)] ^= 1 << chance.randrange(8)
        path.write_bytes(content)
        try:
            read_header(path)
        except BadModelFile:
            continue
        tried += 1
        error = await outcome(path)
        assert error is None or isinstance(error, EngineError)
        assert error is None or error.message.isprintable()
    # The same process runs a sound model as if nothing had been.
    assert await outcome(folder / "tiny.gguf") is None
