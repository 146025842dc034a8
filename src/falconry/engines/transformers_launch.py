"""How the server of a model without a GGUF is started: its extra, threads, memory, environment, and its last words."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from falconry.engines.local_http import Address
from falconry.engines.supervisor import Launch
from falconry.errors import EngineError, EngineUnavailable
from falconry.models.chat_template import check_chat_template
from falconry.models.fit import MemoryEstimate, slot_context
from falconry.models.folder import ModelFolder, read_folder
from falconry.models.json_file import read_json, read_json_where_there_is

EXTRA = "falconry[transformers]"
OLDEST = (5, 24)
"""The serving code of transformers that `transformers_worker` was written against and is tested with."""
_PACKAGES = ("torch", "transformers", "openai", "safetensors", "tokenizers")
_PROGRAM = 392 * 2**20
"""Bytes of the process without a model: torch and transformers (measured, docs/transformers.md)."""
_CHUNK = 256
_SMALL = 100 * 2**20
"""Bytes of weights below which a second thread costs more than it brings."""


@dataclass(frozen=True, slots=True)
class TransformersOptions:
    """How to run a model.

    Attributes:
        context_length: tokens that prompt and reply may have together; None for 8192. No model gets more than it was
            trained with.
        threads: of the processor; None for one of a tiny model, all cores of others.
        device: "cpu", "cuda" or "mps"; "auto" for a GPU where torch finds one.
        start_timeout: seconds until the model must be loaded.
    """

    context_length: int | None = None
    threads: int | None = None
    device: str = "auto"
    start_timeout: float = 600.0


def missing() -> EngineUnavailable | None:
    """Why no such model can run here: what of the extra is not installed. Imports nothing."""
    lacking = [name for name in _PACKAGES if not installed(name)]
    if not lacking and version("transformers") < OLDEST:
        lacking = [f"transformers {'.'.join(map(str, OLDEST))}"]
    if not lacking:
        return None
    packages = ", ".join(lacking)
    return EngineUnavailable(
        f"Models without a GGUF file need packages that are not installed here ({packages}). "
        f'Install them: pip install "{EXTRA}"',
        code="transformers_missing",
        packages=packages,
        extra=EXTRA,
    )


def launch(folder: Path, options: TransformersOptions) -> Launch:
    """What the supervisor needs to know."""
    return Launch(
        name=folder.name,
        command=partial(_command, folder, options),
        environment=_environment(),
        explain=partial(explain, folder.name),
        timeout=options.start_timeout,
    )


def folder_of(path: Path) -> ModelFolder:
    """What a model's folder says, checked; read again only when its config has changed. Raises BadModelFile."""
    try:
        status = (path / "config.json").stat()
    except OSError:
        return read_folder(path)  # which says what is wrong
    return _folder_of(path, status.st_ino, status.st_mtime_ns)


@lru_cache(maxsize=16)
def _folder_of(path: Path, *_version: int) -> ModelFolder:
    return read_folder(path)


def chat_templates(folder: Path) -> list[str]:
    """All that a folder has, in any of the three places where they are kept; most have one, some more by name."""
    single = folder / "chat_template.jinja"
    found: list[object] = [single.read_text("utf-8", "replace")] if single.is_file() else []
    for name in ("tokenizer_config.json", "chat_template.json", "processor_config.json"):
        value = read_json_where_there_is(folder, name).get("chat_template")
        if isinstance(value, list):
            found += [entry.get("template") for entry in value if isinstance(entry, dict)]
        elif isinstance(value, dict):
            found += value.values()
        else:
            found.append(value)
    return [template for template in found if isinstance(template, str)]


def estimate(path: Path, context_length: int | None = None) -> MemoryEstimate:
    """Bytes that a model will take when its whole context is used. Raises BadModelFile."""
    folder = folder_of(path)
    config = read_json(path / "config.json")
    inner = config.get("text_config")
    text = inner if isinstance(inner, dict) else config

    def number(*names: str, default: int = 0) -> int:
        return next((value for name in names if type(value := text.get(name)) is int), default)

    tokens = slot_context(context_length, folder.context_length)
    layers = number("num_hidden_layers", "n_layer", "num_layers")
    heads = max(1, number("num_attention_heads", "n_head"))
    hidden = number("hidden_size", "n_embd", "d_model")
    pairs = number("num_key_value_heads", "num_kv_heads", "n_head_kv", default=heads)
    width = number("head_dim", default=hidden // heads)
    each = 4 if folder.dtype == "F32" else 2
    return MemoryEstimate(
        weights=folder.size,
        kv_cache=2 * layers * pairs * width * tokens * each,
        # Of one chunk: the widest layer some times over, its attention, and the last token's logits; as measured.
        compute=6 * _CHUNK * (8 * hidden + heads * tokens) + 16 * number("vocab_size"),
        base=_PROGRAM,
    )


def _command(folder: Path, options: TransformersOptions, address: Address) -> list[str]:
    if (problem := missing()) is not None:
        raise problem
    known = folder_of(folder)
    for template in chat_templates(folder):
        check_chat_template(template, folder)
    threads = options.threads or (1 if known.size < _SMALL else os.cpu_count() or 1)
    flags: dict[str, object] = {
        "--model": folder,
        "--context-length": slot_context(options.context_length, known.context_length),
        "--threads": threads,
        "--device": options.device,
        "--host": address.host,
        "--port": address.port,
    }
    words = [str(word) for pair in flags.items() for word in pair]
    return [sys.executable, "-P", "-m", "falconry.engines.transformers_worker", *words]


def _environment() -> dict[str, str]:
    """Ours, without our keys and without what would make it go to the hub or run other code."""
    hidden = ("LLAMA_", "AIP_", "FALCONRY_", "HF_", "DATABASE_", "TRANSFORMERS_", "HUGGING", "OPENAI_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    return {
        # Threads that wait spin, by default: up to ten times slower when other processes want the cores.
        "OMP_WAIT_POLICY": "PASSIVE",
        "TOKENIZERS_PARALLELISM": "false",
        **kept,
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTHONUNBUFFERED": "1",
    }


_LAST_WORDS = "falconry: "
_SIGKILL = -9


def explain(name: str, code: int, log: Sequence[str]) -> EngineError:
    """Why it ended while it was starting, from its exit code (negative: signal) and its log."""
    words = next((line for line in reversed(log) if line.startswith(_LAST_WORDS)), "").removeprefix(_LAST_WORDS)
    if code == _SIGKILL or words == "out of memory":
        return out_of_memory(name)
    if not words:
        last = next((line for line in reversed(log) if line.strip()), "")
        words = last or (f"torch crashed on it (signal {-code})" if code < 0 else f"exit code {code}")
    return EngineUnavailable(
        f"{name} cannot be loaded: {words[:300]}. Check the file, or choose another model.",
        code="model_load_failed",
        model=name,
        reason=words[:300],
    )


def out_of_memory(name: str) -> EngineUnavailable:
    return EngineUnavailable(
        f"There is not enough memory for {name}. Choose a smaller model, or set a smaller context_length.",
        code="engine_out_of_memory",
        model=name,
    )


def installed(package: str) -> bool:
    """Whether it could be imported, without doing so."""
    return importlib.util.find_spec(package) is not None


def version(package: str) -> tuple[int, ...]:
    """The first two numbers of a package's version, () where it is not installed."""
    try:
        text = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ()
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])
