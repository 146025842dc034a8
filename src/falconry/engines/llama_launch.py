"""How llama-server is started for a model: flags, threads, memory, environment; and what its last words mean."""

from __future__ import annotations

import mmap
import os
import re
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from falconry.engines import llama_cpp_worker
from falconry.engines.local_http import Address
from falconry.engines.supervisor import Launch
from falconry.errors import EngineError, EngineUnavailable

_DEFAULT_CONTEXT = 8192
"""Tokens a slot gets of a model that could take more: its KV cache lies in memory from the start."""
_ONE_THREAD = 100 * 2**20
"""Bytes of a model below which a second thread costs more than it brings."""
_MOST_THREADS = 8
SPARE_THREADS = 8
"""Threads for HTTP beside one for each slot: for health and counting."""
_LARGE = 2**30
_BATCH, _GPU_BATCH = 64, 512
_HEAD_BYTES = 64 * 2**20
EMBEDDING_TOKENS = 2048
"""Tokens of one text that become a vector. Such a text is read in one batch, whose buffers lie in memory from the
start."""


@dataclass(frozen=True, slots=True)
class LlamaCppOptions:
    """How to run a model.

    Attributes:
        context_length: tokens that prompt and reply of one slot may have together; None for the model's own, at
            most 8192. No model gets more than it was trained with.
        threads: None for what the measurements in docs/design.md recommend.
        slots: replies that are written at the same time; further ones wait.
        prompt_cache_mib: memory for the prompts of other conversations, in MiB.
        cache_reuse: the shortest run of tokens that is kept, by shifting, when something before it was dropped; 0 keeps
            the common beginning only, as most servers do.
        llama_server: a llama-server binary in place of the built-in one.
        start_timeout: seconds until the model must be loaded.
    """

    context_length: int | None = None
    threads: int | None = None
    slots: int = 2
    prompt_cache_mib: int = 256
    cache_reuse: int = 32
    llama_server: Path | None = None
    start_timeout: float = 300.0


@dataclass(frozen=True, slots=True)
class Head:
    """What must be known of a model file before it is loaded: its bytes, and what its metadata says."""

    size: int
    context_length: int | None
    chat_template: bool


def launch(model: Path, options: LlamaCppOptions, *, embeddings: bool = False) -> Launch:
    """What the supervisor needs to know. `embeddings`: of a server that makes vectors, and no text."""
    return Launch(
        name=model.stem,
        command=partial(_embedding_command if embeddings else _command, model, options),
        environment=_environment(),
        explain=partial(_explain, model),
        timeout=options.start_timeout,
    )


def read_head(model: Path) -> Head:
    """Find two values at the beginning of a GGUF file. Raises EngineUnavailable where it cannot be read.

    A key is its length and its name, then comes the type: found like this, without walking over a vocabulary of a
    hundred thousand words. Whether the file is sound is not judged here.
    """
    try:
        status = model.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size == 0:
            raise _cannot_load(model, "it is no file, or empty")
        with model.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            context = _CONTEXT_LENGTH.search(data, 0, _HEAD_BYTES)
            return Head(
                size=status.st_size,
                context_length=int.from_bytes(context[1], "little") if context else None,
                chat_template=data.find(_CHAT_TEMPLATE, 0, _HEAD_BYTES) >= 0,
            )
    except OSError as error:
        raise _cannot_load(model, error.strerror or str(error)) from error


def read_vocabulary(model: Path) -> tuple[int, frozenset[int]]:
    """How many tokens a model knows, and which of them are control tokens; 0 and none where its file does not say.

    Raises EngineUnavailable as `read_head`.
    """
    try:
        with model.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            found = _TOKEN_TYPES.search(data, 0, _HEAD_BYTES)
            if found is None:
                return 0, frozenset()
            size = int.from_bytes(found[1], "little")
            types = memoryview(data[found.end() : found.end() + 4 * size]).cast("i")
            return size, frozenset(number for number, kind in enumerate(types) if kind in _CONTROL)
    except (OSError, TypeError) as error:  # no such file, or the end of it
        raise _cannot_load(model, str(error)) from error


_CONTROL = (2, 3)
"""Types of tokens that are no text: unknown, control."""
_TOKEN_TYPES = re.compile(rb"tokenizer\.ggml\.token_type\x09\x00\x00\x00\x05\x00\x00\x00(.{8})", re.DOTALL)
_CHAT_TEMPLATE = len("tokenizer.chat_template").to_bytes(8, "little") + b"tokenizer.chat_template"
_CONTEXT_LENGTH = re.compile(rb"[a-z0-9]\.context_length\x04\x00\x00\x00(.{4})", re.DOTALL)


def _command(model: Path, options: LlamaCppOptions, address: Address) -> list[str]:
    head = read_head(model)
    slot = options.context_length or min(head.context_length or _DEFAULT_CONTEXT, _DEFAULT_CONTEXT)
    # A server of the user's own has a GPU, probably.
    batch = _batch(head.size) if options.llama_server is None else _GPU_BATCH
    return [*_server(options), *_flags(model, options, address, slot, batch), "--no-ui", "--offline"]


def _embedding_command(model: Path, options: LlamaCppOptions, address: Address) -> list[str]:
    """One slot, and no cache: every text is read once."""
    slot = min(options.context_length or EMBEDDING_TOKENS, EMBEDDING_TOKENS)
    slot = min(read_head(model).context_length or slot, slot)
    single = replace(options, slots=1, prompt_cache_mib=0, cache_reuse=0)
    flags = _flags(model, single, address, slot, slot)
    return [*_server(options), *flags, "--no-ui", "--offline", "--embeddings", "--pooling", "mean"]


def _server(options: LlamaCppOptions) -> list[str]:
    worker = [sys.executable, "-P", llama_cpp_worker.__file__]
    launcher = [*worker, "--exec"] if sys.platform != "win32" else []
    return [*launcher, *(worker if options.llama_server is None else [_executable(options.llama_server)])]


def _flags(model: Path, options: LlamaCppOptions, address: Address, slot: int, batch: int) -> list[str]:
    """`slot` and `batch` are in tokens."""
    threads = options.threads or _threads(read_head(model).size)
    flags: dict[str, object] = {
        "--model": model,
        "--alias": "m",
        "--host": address.host,
        "--port": address.port,
        "--ctx-size": slot * options.slots,
        "--parallel": options.slots,
        "--cache-ram": options.prompt_cache_mib,
        "--cache-reuse": options.cache_reuse,
        "--ctx-checkpoints": 8,
        "--batch-size": batch,
        "--ubatch-size": batch,
        "--threads": threads,
        "--threads-batch": threads,
        "--threads-http": options.slots + SPARE_THREADS,
        "--log-verbosity": 2,
    }
    return [str(part) for flag in flags.items() for part in flag]


def _executable(path: Path) -> str:
    path = path.expanduser().absolute()
    if not (path.is_file() and os.access(path, os.X_OK)):
        raise EngineUnavailable(
            f"{path} is no program that can be run. Check the setting llama_server.",
            code="llama_server_missing",
            path=str(path),
        )
    return str(path)


def _threads(size: int) -> int:
    """Threads for a model of so many bytes; more only take cores from each other (docs/design.md has the numbers)."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return 1 if size < _ONE_THREAD else min(cores, _MOST_THREADS)


def _batch(size: int) -> int:
    """Tokens of a prompt that are read in one go, for a model of so many bytes.

    Nothing else happens meanwhile: a prompt that nobody wants any more is dropped after it, and the other slots get
    their next token after it. So it is about a second on two cores; smaller ones are not slower.
    """
    return _BATCH if size < _LARGE else _BATCH // 2


def _environment() -> dict[str, str]:
    """Ours, without what would change the server behind our back, and without our keys."""
    hidden = ("LLAMA_", "AIP_", "FALCONRY_", "HF_", "DATABASE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    # Threads that wait for each other spin for some microseconds and then sleep. Spinning on, as OpenMP does by
    # default, is a fifth faster on a quiet machine and up to ten times slower when other processes want the cores.
    return {"GOMP_SPINCOUNT": "1000"} | kept


# The first line that says why; what follows only says what else failed for it.
_REASON = re.compile(r"(?:gguf_init\w*|error loading model): (.+)$")
_NO_MEMORY = re.compile(r"bad_alloc|unable to allocate|failed to allocate|out of memory|Cannot allocate memory")
_SIGKILL = -9


def _explain(model: Path, code: int, log: Sequence[str]) -> EngineError:
    """Why it ended while it was starting, from its exit code (negative: signal) and its log."""
    if code == _SIGKILL or any(_NO_MEMORY.search(line) for line in log):
        return EngineUnavailable(
            f"There is not enough memory for {model.stem}. Choose a smaller model, or set a smaller context_length.",
            code="engine_out_of_memory",
            model=model.stem,
        )
    if code < 0:
        return _cannot_load(model, f"llama.cpp crashed on it (signal {-code})")
    reason = next((match[1] for line in log if (match := _REASON.search(line))), None)
    last = next((line for line in reversed(log) if line.strip()), f"exit code {code}")
    return _cannot_load(model, (reason or last).replace(str(model), model.name))


def _cannot_load(model: Path, reason: str) -> EngineUnavailable:
    return EngineUnavailable(
        f"{model.name} cannot be loaded: {reason[:300]}. Check the file, or choose another model.",
        code="model_load_failed",
        model=model.name,
        reason=reason[:300],
    )
