"""How llama-server is started for a model: flags, threads, memory, environment; and what its last words mean."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

from falconry.engines import llama_cpp_worker
from falconry.engines.draft import may_draft
from falconry.engines.llama_options import LlamaCppOptions, as_flags
from falconry.engines.local_http import Address
from falconry.engines.supervisor import Launch
from falconry.errors import EngineError, EngineUnavailable
from falconry.models import eyas
from falconry.models.chat_template import check_chat_template
from falconry.models.fit import default_batch, slot_context
from falconry.models.gguf import Array, Header, read_header

_ONE_THREAD = 100 * 2**20
"""Bytes of a model below which a second thread costs more than it brings."""
_MOST_THREADS = 8
SPARE_THREADS = 8
"""Threads for HTTP beside one for each slot: for health and counting."""
_GPU_BATCH = 512
EMBEDDING_TOKENS = 2048
"""Tokens of one text that become a vector. Such a text is read in one batch, whose buffers lie in memory from the
start."""


def launch(
    model: Path,
    options: LlamaCppOptions,
    *,
    adapters: Callable[[], Sequence[Path]] = tuple,
    embeddings: bool = False,
) -> Launch:
    """What the supervisor needs to know.

    Args:
        adapters: tells at each start which LoRA adapters the process shall load.
        embeddings: of a server that makes vectors, and no text.
    """
    command = _embedding_command if embeddings else partial(_command, adapters)
    return Launch(
        name=model.stem,
        command=partial(command, model, options),
        environment=_environment(),
        explain=partial(_explain, model),
        timeout=options.start_timeout,
    )


def header_of(model: Path) -> Header:
    """The checked header of a model's file; read again only when the file has changed. Raises BadModelFile."""
    try:
        status = model.stat()
    except OSError:
        return read_header(model)  # which says what is wrong
    return _header_of(model, status.st_ino, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=16)
def _header_of(model: Path, *_version: int) -> Header:
    return read_header(model)


def read_vocabulary(model: Path) -> tuple[int, frozenset[int]]:
    """How many tokens a model knows, and which of them are control tokens; 0 and none where its file does not say.

    Raises BadModelFile.
    """
    header = header_of(model)
    types = header.metadata.get("tokenizer.ggml.token_type")
    if isinstance(types, Array) and types.type == "int32":
        with model.open("rb") as file:
            file.seek(types.offset)
            types = tuple(memoryview(file.read(4 * types.length)).cast("i"))
    if not isinstance(types, tuple):
        return 0, frozenset()
    return len(types), frozenset(number for number, kind in enumerate(types) if kind in _CONTROL)


_CONTROL = (2, 3)
"""Types of tokens that are no text: unknown, control."""


def _command(
    adapters: Callable[[], Sequence[Path]], model: Path, options: LlamaCppOptions, address: Address
) -> list[str]:
    header = header_of(model)
    options = _with_draft(options, model, header)
    slot = slot_context(options.context_length, header.context_length)
    loras = adapters()
    if loras:  # the cache of prompts would mix what they made of them; engines/llama_adapters.py
        options = replace(options, prompt_cache_mib=0)
    flags = _flags(model, options, address, slot, batch_size(header.file_size, own_server=options.llama_server))
    named = [part for path in loras for part in ("--lora", str(path))]
    return [*_server(options), *flags, *named, "--no-ui", "--offline"]


def _with_draft(options: LlamaCppOptions, model: Path, header: Header) -> LlamaCppOptions:
    """The same without a draft model that is none for this model. Raises BadModelFile for one that cannot be read."""
    draft = options.draft
    if draft is None or may_draft(draft, header_of(draft), model, header):
        return options
    return replace(options, draft=None)


def _embedding_command(model: Path, options: LlamaCppOptions, address: Address) -> list[str]:
    """One slot, and no cache: every text is read once."""
    slot = min(options.context_length or EMBEDDING_TOKENS, EMBEDDING_TOKENS)
    slot = min(header_of(model).context_length or slot, slot)
    single = replace(options, slots=1, prompt_cache_mib=0, cache_reuse=0, speculation="off", draft=None, projector=None)
    flags = _flags(model, single, address, slot, slot)
    return [*_server(options), *flags, "--no-ui", "--offline", "--embeddings", "--pooling", "mean"]


def _server(options: LlamaCppOptions) -> list[str]:
    worker = [sys.executable, "-P", llama_cpp_worker.__file__]
    launcher = [*worker, "--exec"] if sys.platform != "win32" else []
    return [*launcher, *(worker if options.llama_server is None else [_executable(options.llama_server)])]


def _flags(model: Path, options: LlamaCppOptions, address: Address, slot: int, batch: int) -> list[str]:
    """`slot` and `batch` are in tokens. Raises BadModelFile for a chat template that would keep the server busy."""
    header = header_of(model)
    if header.chat_template and model != eyas.path():  # ours ends, and must be loaded in a third of a second
        check_chat_template(header.chat_template, model)
    threads = options.threads or _threads(header.file_size)
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
        **as_flags(options),
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


def batch_size(size: int, *, own_server: Path | None = None) -> int:
    """Tokens of a prompt that are read in one go, for a model of so many bytes.

    Nothing else happens meanwhile: a prompt that nobody wants any more is dropped after it, and the other slots get
    their next token after it. So it is about a second on two cores; smaller ones are not slower. A server of the user's
    own has a GPU, probably.
    """
    return default_batch(size) if own_server is None else _GPU_BATCH


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
