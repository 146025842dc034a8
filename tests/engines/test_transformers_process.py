"""Models without a GGUF for real: the child process with torch, what it refuses, how it stops, what it leaves."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import stat
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic

import psutil
import pytest
import pytest_asyncio

from falconry.engines.llama_cpp import LlamaCppEngine, LlamaCppOptions
from falconry.engines.local_http import Address, request
from falconry.engines.transformers_launch import TransformersOptions, launch
from falconry.engines.transformers_serve import TransformersEngine
from falconry.errors import EngineError, EngineInterrupted, EngineUnavailable, InvalidRequest
from falconry.messages import NO_EXTRAS, Delta, Extras, Message, Prompt, SamplingParams, Tool

pytestmark = [pytest.mark.torch, pytest.mark.asyncio(loop_scope="module")]

PIECES = ["One", " two", "，三", " four", " five", " six"]
WHOLE = "".join(PIECES)
QUESTION = [Message("user", "Count!")]
GREEDY = SamplingParams(max_tokens=32, temperature=0.0)
THINKER = ["<think>", "Oslo", " it is.", "</think>", "Let me ask. ", "<tool_call>"]
CALL = ['{"name": "weather", ', '"arguments": {"city": "Ōsaka"}}', "</tool_call>"]
WITH_TOOLS = (
    "{%- for tool in tools or [] -%}{{- tool | tojson -}}{%- endfor -%}"
    "{%- for message in messages -%}{%- if message.role == 'system' -%}"
    "{{- raise_exception('No system messages, please') -}}{%- endif -%}"
    "{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' -}}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}"
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders: Falcon's own kind without a template, one that thinks and calls, a slow one, and Eyas."""
    from tests.engines.eyas_folder import write_eyas
    from tests.engines.tiny_folder import write_reciter_folder

    folder = tmp_path_factory.mktemp("models")
    write_reciter_folder(folder / "falcon", PIECES, family="falcon", chat_template=None)
    write_reciter_folder(folder / "thinker", [*THINKER, *CALL], family="qwen3", chat_template=WITH_TOOLS)
    write_reciter_folder(folder / "slow", PIECES, endless=True, context_length=8192, layers=8, feed_forward=6000)
    return write_eyas(folder / "eyas").parent


@pytest.fixture(autouse=True)
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where sockets lie. A short path, as the kernel wants them."""
    with tempfile.TemporaryDirectory(prefix="t") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


@asynccontextmanager
async def running(folder: Path, context_length: int | None = None) -> AsyncIterator[TransformersEngine]:
    engine = TransformersEngine(folder, TransformersOptions(context_length=context_length))
    try:
        await engine.start()
        yield engine
    finally:
        await engine.aclose()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def eyas(models: Path) -> AsyncIterator[TransformersEngine]:
    async with running(models / "eyas") as engine:
        yield engine


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def slow(models: Path) -> AsyncIterator[TransformersEngine]:
    async with running(models / "slow") as engine:
        yield engine


async def deltas_of(
    engine: TransformersEngine | LlamaCppEngine,
    prompt: Prompt,
    params: SamplingParams = GREEDY,
    extras: Extras = NO_EXTRAS,
) -> list[Delta]:
    async with aclosing(engine.generate(prompt, params, extras)) as deltas:
        return [delta async for delta in deltas]


async def text_of(engine: TransformersEngine | LlamaCppEngine, prompt: Prompt, params: SamplingParams = GREEDY) -> str:
    return "".join(delta.text for delta in await deltas_of(engine, prompt, params))


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def child_of(engine: TransformersEngine) -> psutil.Process:
    assert engine.pid is not None
    return psutil.Process(engine.pid)


@pytest.mark.parametrize("question", ["Tell me about falcons.", "Who are you?", "请介绍一下你自己。", "你好！"])
async def test_it_answers_as_llama_cpp_does(eyas: TransformersEngine, question: str) -> None:
    from tests.engines.eyas_folder import EYAS

    engine = LlamaCppEngine(EYAS, LlamaCppOptions())
    messages = [Message("system", "You are kind."), Message("user", question)]
    try:
        assert await eyas.render(messages) == await engine.render(messages)
        assert await eyas.count_tokens(messages) == await engine.count_tokens(messages)
        for special in (True, False):
            text = f"{question}<|im_end|>\n 隼"
            assert await eyas.tokenize(text, special=special) == await engine.tokenize(text, special=special)
        assert await text_of(eyas, messages) == await text_of(engine, messages)
    finally:
        await engine.aclose()


async def test_falcons_own_kind_completes_without_a_template(models: Path) -> None:
    async with running(models / "falcon") as engine:
        assert not await engine.has_chat_template()
        assert not engine.can_continue
        assert (await engine.tokenizer_info()).chat_template is None
        deltas = await deltas_of(engine, "User: Count!\nAssistant:")
        assert "".join(delta.text for delta in deltas) == WHOLE
        assert deltas[-1].finish_reason == "stop"


async def test_thinking_and_calls_are_told_apart_from_text(models: Path) -> None:
    async with running(models / "thinker") as engine:
        assert await engine.has_native_tools()
        deltas = await deltas_of(engine, QUESTION, GREEDY, Extras(tools=(Tool("weather"),)))
        assert "".join(delta.thinking for delta in deltas) == "Oslo it is."
        assert "".join(delta.text for delta in deltas).strip() == "Let me ask."
        (call,) = [call for delta in deltas for call in delta.tool_calls]
        assert (call.name, json.loads(call.arguments)) == ("weather", {"city": "Ōsaka"})
        again = await deltas_of(engine, QUESTION, GREEDY, Extras(tools=(Tool("weather"),)))
        assert [other.id for delta in again for other in delta.tool_calls] != [call.id]
        # The template's own words reach the person.
        with pytest.raises(InvalidRequest, match="No system messages, please"):
            await deltas_of(engine, [Message("system", "Be kind."), *QUESTION])


async def test_only_what_is_new_is_read(eyas: TransformersEngine) -> None:
    first = [Message("user", "Tell me about falcons, and about eyases, and about kestrels.")]
    reply = await text_of(eyas, first)
    more = [*first, Message("assistant", reply), Message("user", "And owls?")]
    usage = (await deltas_of(eyas, more))[-1].usage
    assert usage is not None
    assert usage.cached_tokens >= (await eyas.count_tokens(first)).tokens
    assert usage.cached_tokens < usage.prompt_tokens
    # And what it makes of it is what it would have made of the whole.
    continued = await text_of(eyas, more)
    assert await text_of(eyas, "Something else.") != ""
    assert await text_of(eyas, more) == continued


async def test_params_reach_the_model(eyas: TransformersEngine) -> None:
    plain = await text_of(eyas, "The falcon")
    (first, *_) = await eyas.tokenize(plain[:12], special=False)
    banned = SamplingParams(max_tokens=32, temperature=0.0, logit_bias=((first.id, -100.0),))
    assert not (await text_of(eyas, "The falcon", banned)).startswith(first.text)
    for params in (
        SamplingParams(max_tokens=32, temperature=0.0, repetition_penalty=5.0),
        SamplingParams(max_tokens=32, temperature=0.0, presence_penalty=2.0, frequency_penalty=2.0),
    ):
        assert await text_of(eyas, "The falcon", params) != plain
    for cut in ({"top_k": 1}, {"top_p": 0.0}, {"min_p": 1.0}, {"typical_p": 0.0, "top_k": 1}):
        params = SamplingParams(max_tokens=32, temperature=2.0, seed=1, **cut)
        assert await text_of(eyas, "The falcon", params) == plain
    hot = SamplingParams(max_tokens=32, temperature=2.0, seed=1)
    assert await text_of(eyas, "The falcon", hot) != plain
    assert await text_of(eyas, "The falcon", hot) == await text_of(eyas, "The falcon", hot)


async def test_a_prompt_that_is_being_read_is_given_up_within_a_second(slow: TransformersEngine) -> None:
    reading = slow.generate("falcon " * 800, GREEDY)
    waiting = asyncio.create_task(anext(reading))
    while not (await slow._child.ask("/health"))["busy"]:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    left = monotonic()
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()  # before anything came
    await reading.aclose()
    # There is one thread, so another reply comes when it is free again.
    assert await text_of(slow, "Count!", SamplingParams(max_tokens=1, temperature=0.0)) == PIECES[0]
    assert monotonic() - left < 1


async def test_a_reply_without_end_is_stopped_within_a_second(slow: TransformersEngine) -> None:
    reply = slow.generate("Count!", SamplingParams(max_tokens=None, temperature=0.0))
    await anext(reply)
    left = monotonic()
    await reply.aclose()
    assert await text_of(slow, "Count!", SamplingParams(max_tokens=1, temperature=0.0)) == PIECES[0]
    assert monotonic() - left < 1


async def test_health_is_answered_while_it_reads_and_counts(slow: TransformersEngine) -> None:
    reading = slow.generate("falcon " * 800, GREEDY)
    waiting = asyncio.create_task(anext(reading))
    counting = asyncio.create_task(slow.count_tokens("falcon " * 200_000))
    slowest = 0.0
    for _ in range(20):
        asked = monotonic()
        await slow._child.ask("/health")
        slowest = max(slowest, monotonic() - asked)
    assert slowest < 3
    waiting.cancel()
    await asyncio.wait([waiting, counting])
    await reading.aclose()
    assert counting.result().tokens > 200_000


async def test_many_can_count_while_it_writes(eyas: TransformersEngine) -> None:
    texts = ["falcon <|im_end|> " * count for count in range(1, 40)]
    alone = [len(await eyas.tokenize(text, special=special)) for text in texts for special in (True, False)]
    writing = asyncio.create_task(text_of(eyas, "The falcon", SamplingParams(max_tokens=200, temperature=0.0)))
    together = await asyncio.gather(
        *(eyas.tokenize(text, special=special) for text in texts for special in (True, False))
    )
    assert [len(tokens) for tokens in together] == alone
    assert await writing != ""


async def test_a_child_that_is_killed_is_replaced(models: Path) -> None:
    async with running(models / "slow") as engine:
        reply = engine.generate("Count!", SamplingParams(max_tokens=None, temperature=0.0))
        await anext(reply)
        child_of(engine).kill()
        with pytest.raises(EngineInterrupted):
            async for _ in reply:
                pass
        assert await text_of(engine, "Count!", SamplingParams(max_tokens=2, temperature=0.0)) == "One two"


async def test_nothing_is_left_of_it(models: Path, temporary: Path) -> None:
    async with running(models / "falcon") as engine:
        child = child_of(engine)
        (folder,) = files_in(temporary)
        assert stat.S_IMODE(folder.lstat().st_mode) == 0o700
        environment = child.environ()
        assert environment["HF_HUB_OFFLINE"] == "1"
        assert not [name for name in environment if name.startswith("FALCONRY_")]
        assert not child.net_connections("tcp")
    assert not child.is_running()
    assert not files_in(temporary)


async def test_an_operation_without_end_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from falconry.engines import transformers_model

    class Streamer:
        _cancelled = asyncio.Event()

    watch = transformers_model.Watch()
    with watch.over(Streamer()):
        assert watch.busy
        assert not watch.stuck
        monkeypatch.setattr(transformers_model, "_STUCK", -1.0)
        assert watch.stuck
    assert not watch.stuck


async def test_on_an_address_it_wants_the_key(models: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = Address("127.0.0.1", probe.getsockname()[1], "secret")
    start = launch(models / "falcon", TransformersOptions())
    child = await asyncio.create_subprocess_exec(
        *start.command(address),
        env={**start.environment, "LLAMA_API_KEY": address.key},
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert await status_of(address) == 200
        assert await status_of(replace(address, key="")) == 401
        assert await status_of(replace(address, key="other")) == 401
    finally:
        assert child.stdin is not None
        child.stdin.close()  # which ends it too
        async with asyncio.timeout(5):
            assert await child.wait() == 0


async def status_of(address: Address) -> int:
    """Of /props, as soon as somebody listens."""
    async with asyncio.timeout(60):
        while True:
            try:
                async with request(address, "GET", "/props") as response:
                    await response.read()
                    return response.status
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="by a signal that only Linux has")
async def test_it_ends_with_who_started_it(models: Path) -> None:
    program = (
        "import asyncio, sys\nfrom pathlib import Path\n"
        "from falconry.engines.transformers_launch import TransformersOptions\n"
        "from falconry.engines.transformers_serve import TransformersEngine\n"
        "async def main():\n"
        "    engine = TransformersEngine(Path(sys.argv[1]), TransformersOptions())\n"
        "    await engine.start()\n    print(engine.pid, flush=True)\n    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, models / "falcon", stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    child = psutil.Process(int(await parent.stdout.readline()))
    os.kill(parent.pid, signal.SIGKILL)
    await parent.wait()
    await asyncio.to_thread(psutil.wait_procs, [child], 5)
    assert not child.is_running()


@pytest.fixture
def broken(models: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(models / "falcon", tmp_path / "broken"))


async def refusal(folder: Path) -> EngineError:
    engine = TransformersEngine(folder, TransformersOptions())
    try:
        with pytest.raises(EngineUnavailable) as caught:
            await engine.start()
        return caught.value
    finally:
        await engine.aclose()


async def test_pickled_weights_are_not_read(broken: Path) -> None:
    import torch

    (broken / "model.safetensors").unlink()
    torch.save({"weight": torch.zeros(2)}, broken / "pytorch_model.bin")
    assert (await refusal(broken)).code == "model_file_pickle"


async def test_code_of_the_models_own_does_not_run(broken: Path) -> None:
    config = json.loads((broken / "config.json").read_text())
    mark = broken.parent / "ran"
    (broken / "own.py").write_text(f"open({str(mark)!r}, 'w')\n")
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}}
    (broken / "config.json").write_text(json.dumps(config))
    assert (await refusal(broken)).code == "model_file_custom_code"
    assert not mark.exists()


async def test_a_folder_without_a_tokenizer_is_told_as_such(broken: Path) -> None:
    for path in files_in(broken):
        if path.name.startswith("tokenizer"):
            path.unlink()
    error = await refusal(broken)
    assert error.code == "model_load_failed"
    assert "broken cannot be loaded" in error.message


async def test_weights_that_do_not_fit_the_config_are_told_as_such(broken: Path) -> None:
    config = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps(config | {"hidden_size": 64}))
    error = await refusal(broken)
    assert error.code == "model_load_failed"
