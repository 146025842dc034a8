"""Our side of models without a GGUF, over a child process that behaves as the real one and needs no torch."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from falconry.engines import transformers_launch
from falconry.engines.local_http import Address
from falconry.engines.supervisor import Launch
from falconry.engines.transformers_launch import TransformersOptions, chat_templates, estimate, explain, launch, missing
from falconry.engines.transformers_serve import TransformersEngine, transformers_engine
from falconry.errors import (
    ContextWindowExceeded,
    EngineError,
    EngineInterrupted,
    EngineUnavailable,
    InvalidRequest,
    NotSupported,
)
from falconry.messages import NO_EXTRAS, Delta, Extras, Grammar, Message, Prompt, SamplingParams, TokenPrompt, Tool
from falconry.settings import Settings
from tests.engines import transformers_stub
from tests.engines.empty_folder import SIZE, write_empty_folder

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(sys.platform == "win32", reason="the stub listens on a Unix socket"),
]

QUESTION = [Message("user", "one two three four")]
PARAMS = SamplingParams(max_tokens=48, temperature=0.0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[TransformersEngine]:
    start = Launch(
        name="stub",
        command=lambda address: [sys.executable, "-P", transformers_stub.__file__, "--host", address.host],
        environment={},
        explain=partial(explain, "stub"),
        timeout=20,
    )
    engine = TransformersEngine(Path("stub"), TransformersOptions(), start)
    yield engine
    await engine.aclose()


async def deltas_of(
    engine: TransformersEngine, prompt: Prompt, params: SamplingParams = PARAMS, extras: Extras = NO_EXTRAS
) -> list[Delta]:
    async with aclosing(engine.generate(prompt, params, extras)) as deltas:
        return [delta async for delta in deltas]


def text_of(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas)


@pytest.mark.parametrize("prompt", [QUESTION, "one two three four"], ids=["messages", "raw"])
async def test_a_stream_without_done_is_whole(engine: TransformersEngine, prompt: Prompt) -> None:
    deltas = await deltas_of(engine, prompt)
    assert text_of(deltas) == "four three two one "
    assert deltas[-1].finish_reason == "stop"
    assert deltas[-1].usage is not None
    assert (deltas[-1].usage.prompt_tokens, deltas[-1].usage.completion_tokens) == (4, 4)
    assert deltas[-1].usage.cached_tokens == 3


async def test_a_reply_that_we_stopped_is_counted(engine: TransformersEngine) -> None:
    deltas = await deltas_of(engine, QUESTION, SamplingParams(stop=("two",)))
    assert text_of(deltas) == "four three "
    assert (deltas[-1].finish_reason, deltas[-1].stop_sequence) == ("stop", "two")
    assert deltas[-1].usage is not None
    assert (deltas[-1].usage.prompt_tokens, deltas[-1].usage.completion_tokens) == (4, 3)


@pytest.mark.parametrize("raw", [False, True])
async def test_too_long_a_prompt_is_refused_with_both_numbers(engine: TransformersEngine, raw: bool) -> None:
    text = "word " * 70
    with pytest.raises(ContextWindowExceeded) as caught:
        await deltas_of(engine, text if raw else [Message("user", text)])
    assert (caught.value.prompt_tokens, caught.value.limit) == (70, transformers_stub.LIMIT)


@pytest.mark.parametrize(
    ("prompt", "kind", "code"),
    [
        ("", InvalidRequest, "empty_prompt"),
        ("template", InvalidRequest, "invalid_request"),
        ("broken one", EngineError, "transformers_failed"),
        ("memory one", EngineUnavailable, "engine_out_of_memory"),
        ("nothing one", EngineInterrupted, "engine_interrupted"),
    ],
)
async def test_what_goes_wrong_in_the_child_is_said(
    engine: TransformersEngine, prompt: str, kind: type[EngineError], code: str
) -> None:
    with pytest.raises(kind) as caught:
        await deltas_of(engine, prompt)
    assert caught.value.code == code
    assert text_of(await deltas_of(engine, QUESTION)) == "four three two one "


async def test_what_arrived_before_an_error_stands(engine: TransformersEngine) -> None:
    shown = ""

    async def read() -> None:
        nonlocal shown
        async with aclosing(engine.generate("broken two one", PARAMS)) as deltas:
            async for delta in deltas:
                shown += delta.text

    with pytest.raises(EngineError, match="shapes"):
        await read()
    assert shown == "one two "


async def test_a_child_that_dies_in_the_middle_is_replaced(engine: TransformersEngine) -> None:
    await engine.start()
    before = engine.pid
    with pytest.raises(EngineInterrupted):
        await deltas_of(engine, "crash one")
    assert text_of(await deltas_of(engine, QUESTION)) == "four three two one "
    assert engine.pid not in (None, before)


async def test_what_it_cannot_give_is_refused(engine: TransformersEngine) -> None:
    with pytest.raises(NotSupported, match="response_format"):
        await deltas_of(engine, QUESTION, SamplingParams(grammar=Grammar("json_object")))
    with pytest.raises(NotSupported, match="tools"):
        await deltas_of(engine, QUESTION, PARAMS, Extras(tools=(Tool("weather"),)))
    with pytest.raises(NotSupported, match="logprobs"):
        await deltas_of(engine, QUESTION, PARAMS, Extras(top_logprobs=1))
    with pytest.raises(InvalidRequest, match="1000 is no token"):
        await deltas_of(engine, TokenPrompt((1, 1000)))
    with pytest.raises(InvalidRequest, match="2000 is no token"):
        await deltas_of(engine, QUESTION, SamplingParams(logit_bias=((2000, 1.0),)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_empty_folder(tmp_path / "tiny")


def lacking(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(transformers_launch, "installed", lambda name: name not in names)


async def test_without_the_extra_it_says_what_to_install(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking(monkeypatch, "torch", "transformers")
    problem = missing()
    assert problem is not None
    assert problem.code == "transformers_missing"
    assert "(torch, transformers)" in problem.message
    assert 'pip install "falconry[transformers]"' in problem.message
    engine = transformers_engine(folder, Settings(data_dir=tmp_path))
    with pytest.raises(EngineUnavailable, match="falconry\\[transformers\\]"):
        await deltas_of(engine, QUESTION)  # type: ignore[arg-type]
    await engine.aclose()


async def test_an_old_transformers_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking(monkeypatch)
    monkeypatch.setattr(transformers_launch, "version", lambda name: (5, 3))
    problem = missing()
    assert problem is not None
    assert problem.details["packages"] == "transformers 5.24"
    monkeypatch.setattr(transformers_launch, "version", lambda name: (5, 24))
    assert missing() is None


async def test_memory_is_reckoned_from_the_files(folder: Path) -> None:
    found = estimate(folder, 1024)
    assert found.weights == pytest.approx(SIZE, rel=0.01)
    # Keys and values, of 3 layers with 2 heads of 16 values, in 2 bytes each.
    assert found.kv_cache == 2 * 3 * 2 * 16 * 2 * 1024
    assert estimate(folder, None).kv_cache == estimate(folder, 10_000).kv_cache == 2 * found.kv_cache
    assert found.total > found.weights + found.kv_cache + 100 * 2**20


async def test_the_child_gets_no_key_and_never_goes_to_the_hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_TOKEN", "FALCONRY_KEY", "OPENAI_API_KEY", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, "secret")
    environment = launch(folder, TransformersOptions()).environment
    assert "secret" not in environment.values()
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert environment["OMP_WAIT_POLICY"] == "PASSIVE"


async def test_a_chat_template_without_end_is_found_before_anything_is_loaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forever = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    named = {"chat_template": [{"name": "tools", "template": "{{ x }}"}]}
    (folder / "chat_template.jinja").write_text(forever)
    (folder / "tokenizer_config.json").write_text(json.dumps(named))
    assert chat_templates(folder) == [forever, "{{ x }}"]
    lacking(monkeypatch)
    monkeypatch.setattr(transformers_launch, "version", lambda name: transformers_launch.OLDEST)
    with pytest.raises(EngineUnavailable) as caught:
        launch(folder, TransformersOptions()).command(Address("x.sock"))
    assert caught.value.code == "chat_template_loops"


@pytest.mark.parametrize(
    ("code", "log", "wanted", "words"),
    [
        (-9, [], "engine_out_of_memory", "memory"),
        (1, ["falconry: out of memory"], "engine_out_of_memory", "memory"),
        (1, ["Traceback", "falconry: it has no tokenizer.json"], "model_load_failed", "it has no tokenizer.json"),
        (-11, [], "model_load_failed", "signal 11"),
        (1, ["ImportError: libfoo", ""], "model_load_failed", "libfoo"),
    ],
)
async def test_its_last_words_become_a_sentence(code: int, log: list[str], wanted: str, words: str) -> None:
    error = explain("tiny", code, log)
    assert error.code == wanted
    assert words in error.message
