"""What passes the checks holds the real engine and does it no harm: honest schemas, and such as attackers send.

llama.cpp says nothing when it drops a schema; the reply is then free text. So what it wrote is looked at.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

import psutil
import pytest
import pytest_asyncio

import falconry.models
from falconry.engines.llama_launch import launch
from falconry.engines.llama_options import LlamaCppOptions
from falconry.engines.local_http import request
from falconry.engines.supervisor import Supervisor
from falconry.errors import InvalidRequest
from falconry.protocols.grammar import regex_to_gbnf
from tests.protocols.schemas import HONEST, allows, portable, random_pattern, random_schema

EYAS = Path(falconry.models.__file__).parent / "eyas" / "eyas.gguf"
_START = re.compile(r'\s*([\[{"0-9-]|t(r|$)|f(a|$)|n(u|$)|$)')
_SECONDS, _HEALTH, _MEGABYTES = 2.0, 1.0, 200


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(launch(EYAS, LlamaCppOptions(slots=2, prompt_cache_mib=0, context_length=1024)))
    await supervisor.start()
    yield supervisor
    await supervisor.aclose()


async def ask(engine: Supervisor, method: str, path: str, body: object = None) -> Any:
    async with engine.use() as address, request(address, method, path, body) as response:
        answer = await response.json()
        assert response.status == 200, answer
        return answer


async def watch(engine: Supervisor) -> None:
    """Ask for /health again and again; it has to answer soon."""
    while True:
        start = monotonic()
        await ask(engine, "GET", "/health")
        assert monotonic() - start < _HEALTH
        await asyncio.sleep(0.05)


async def write(engine: Supervisor, door: str, seed: int, **shape: object) -> tuple[str, bool]:
    """What the model writes, and whether it came to the end. Fails where it took long, or much memory."""
    pid = engine.pid
    assert pid is not None
    before, start = psutil.Process(pid).memory_info().rss, monotonic()
    settings = {"max_tokens": 60, "n_predict": 60, "seed": seed, "temperature": 1.0, "cache_prompt": False}
    watcher = asyncio.create_task(watch(engine))
    try:
        if door == "completion":
            reply = await ask(engine, "POST", "/completion", settings | shape | {"prompt": "Hello"})
            text, finish = reply["content"], reply["stop_type"] != "limit"
        else:
            messages = [{"role": "user", "content": "Hello"}]
            reply = await ask(engine, "POST", "/v1/chat/completions", settings | shape | {"messages": messages})
            choice = reply["choices"][0]
            text, finish = choice["message"]["content"], choice["finish_reason"] != "length"
    finally:
        watcher.cancel()
        with suppress(asyncio.CancelledError):
            await watcher
    assert engine.pid == pid
    assert monotonic() - start < _SECONDS
    assert psutil.Process(pid).memory_info().rss - before < _MEGABYTES * 2**20
    return text, finish


async def hold(engine: Supervisor, door: str, schema: dict[str, Any], seed: int) -> bool:
    """Check that the model is held to a portable schema; whether the reply came to its end."""
    text, ended = await write(engine, door, seed, json_schema=schema)
    assert _START.match(text), (schema, text)
    if ended:
        assert allows(schema, json.loads(text), schema), (schema, text)
    return ended


@pytest.mark.parametrize("door", ["completion", "chat"])
@pytest.mark.parametrize("name", HONEST)
async def test_an_honest_schema_is_held(engine: Supervisor, door: str, name: str) -> None:
    schema = portable(HONEST[name])
    for seed in range(3):
        await hold(engine, door, schema, seed)


async def attack_with_schemas(engine: Supervisor, seeds: range) -> None:
    held = 0
    for seed in seeds:
        try:
            schema = portable(random_schema(seed))
        except InvalidRequest:
            continue
        for door in ("completion", "chat"):
            held += await hold(engine, door, schema, seed)
    assert held > len(seeds) // 4


async def attack_with_patterns(engine: Supervisor, seeds: range) -> None:
    held = 0
    for seed in seeds:
        large = seed % 2 == 0
        pattern = random_pattern(seed, large=large)
        try:
            grammar = regex_to_gbnf(pattern)
        except InvalidRequest:
            continue
        text, ended = await write(engine, "completion", seed, grammar=grammar)
        if ended and not large:
            held += 1
            # A token may end in the middle of a character.
            assert re.fullmatch(pattern, text) or "\ufffd" in text, (pattern, text)
    assert held > len(seeds) // 4


async def test_odd_schemas_do_no_harm(engine: Supervisor) -> None:
    await attack_with_schemas(engine, range(60))


async def test_odd_patterns_do_no_harm(engine: Supervisor) -> None:
    await attack_with_patterns(engine, range(60))


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_thousands_of_odd_schemas_and_patterns_do_no_harm(engine: Supervisor) -> None:
    await attack_with_schemas(engine, range(1000, 4000))
    await attack_with_patterns(engine, range(1000, 4000))


def largest() -> dict[str, dict[str, Any]]:
    """Each limit reached."""
    words = [f"{number * 7919 % 1000:03}word" for number in range(1000)]
    integer = {"type": "integer"}
    chance = random.Random(1)
    return {
        "values": {"enum": words},
        "short values": {"enum": list(range(290))},
        "alternatives": {"anyOf": [{"properties": {"k": {"const": word}, word: integer}} for word in words[:100]]},
        "objects": {"anyOf": [{"properties": {f"{one}{other}": integer for other in words[:8]}} for one in words[:30]]},
        "patterns": {
            "type": "array",
            "items": {"anyOf": [{"pattern": f"^[a-z]{{1,30}}{word}$"} for word in words[:50]]},
        },
        "more patterns": {"properties": {word: {"pattern": f"^[a-z]{{1,100}}{word}$"} for word in words[:50]}},
        "optional": {"properties": dict.fromkeys(words[:200], integer)},
        "required": {"properties": dict.fromkeys(words, integer), "required": words},
        "length": {"type": "string", "minLength": 500, "maxLength": 1_000_000},
        "items": {"type": "array", "items": {"type": "array", "items": integer, "minItems": 500}, "maxItems": 2000},
        "depth": _nested(23),
        "states": {"type": "string", "pattern": "^([a-z]{1,40} ){1,50}$"},
        "nullable": {"type": "string", "pattern": "^(a?b?c?){10}$"},
        "names": {"properties": {"隼" * 500 + str(number): integer for number in range(20)}},
        "integers": {"type": "array", "items": {"anyOf": [_between(chance) for _ in range(100)]}},
        "multiples": {"type": "array", "items": {"type": "integer", "multipleOf": 97}},
    }


def _nested(depth: int) -> dict[str, Any]:
    return {"properties": {"a": _nested(depth - 1), "b": {"type": "null"}}} if depth else {"type": "string"}


def _between(chance: random.Random) -> dict[str, Any]:
    low = chance.randint(-(10**15), 10**15)
    return {"type": "integer", "minimum": low, "maximum": low + chance.randint(1, 10**14)}


@pytest.mark.parametrize("door", ["completion", "chat"])
@pytest.mark.parametrize("name", largest())
async def test_the_largest_that_is_allowed_does_no_harm(engine: Supervisor, door: str, name: str) -> None:
    await hold(engine, door, portable(largest()[name]), 1)
