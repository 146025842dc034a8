"""The child process of a local model: the native llama-server of the `xllamacpp` wheel, and nothing else.

    python -P llama_cpp_worker.py --model FILE --host PATH.sock …     serve with the wheel
    python -P llama_cpp_worker.py --exec COMMAND …                    set the limits, then become that command

It is run as a file and imports only the standard library and the wheel, so it starts in a third of a second. It
takes the flags of llama-server, reads no configuration from anywhere, logs to standard error, and dies with the
process that started it.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

_PR_SET_PDEATHSIG = 1
_STACK = 256 * 2**20
"""Bytes of address space for the stack of each thread, for tokenizers whose regular expressions recurse."""


def main(argv: list[str]) -> None:
    """Serve until SIGTERM, or until standard input ends."""
    if argv[:1] == ["--exec"]:
        _launch(argv[1:])
    options = _parse(argv)
    server = _serve(options)
    # From here on no native code holds the interpreter, so the socket can be cleaned up before leaving.
    leave = _leave(options.host)
    signal.signal(signal.SIGTERM, lambda *_: leave())
    _die_with_parent(signal.SIGTERM)
    _watch_stdin(leave)
    del server


def _launch(command: list[str]) -> NoReturn:
    """Replace this process. What is set here outlives exec: threads get their stack size from it."""
    import resource

    _die_with_parent(signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash must not write gigabytes of model to the disk
    _, most = resource.getrlimit(resource.RLIMIT_STACK)
    stack = _STACK if most == resource.RLIM_INFINITY else min(_STACK, most)
    with suppress(ValueError, OSError):  # macOS has its own opinion
        resource.setrlimit(resource.RLIMIT_STACK, (stack, most))
    os.execv(command[0], command)  # noqa: S606 - no shell on purpose


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--model", required=True)
    parser.add_argument("--alias", required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ctx-size", type=int, required=True)
    parser.add_argument("--parallel", type=int, required=True)
    parser.add_argument("--cache-ram", type=int, required=True)
    parser.add_argument("--cache-reuse", type=int, required=True)
    parser.add_argument("--ctx-checkpoints", type=int, required=True)
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--ubatch-size", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--threads-batch", type=int, required=True)
    parser.add_argument("--threads-http", type=int, required=True)
    parser.add_argument("--log-verbosity", type=int, required=True)
    parser.add_argument("--lora", action="append", default=[])
    parser.add_argument("--cache-type-k", choices=["f16", "q8_0", "q4_0"], default="f16")
    parser.add_argument("--cache-type-v", choices=["f16", "q8_0", "q4_0"], default="f16")
    parser.add_argument("--flash-attn", choices=["auto", "on", "off"], default="auto")
    parser.add_argument("--spec-type", choices=["ngram-simple"])
    parser.add_argument("--spec-ngram-simple-size-n", type=int, default=0)
    parser.add_argument("--spec-ngram-simple-size-m", type=int, default=0)
    parser.add_argument("--model-draft")
    parser.add_argument("--mmproj")
    parser.add_argument("--spec-draft-n-max", type=int, default=0)
    parser.add_argument("--no-ui", action="store_true")
    parser.add_argument("--offline", action="store_true")
    parser.add_argument("--embeddings", action="store_true")
    parser.add_argument("--pooling", choices=["mean"])
    return parser.parse_args(argv)


def _serve(options: argparse.Namespace) -> Any:
    """Load the model and listen; the object lives as long as the server."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = options.model
    params.model_alias = {options.alias}
    params.hostnames = [options.host]
    params.port = options.port
    if key := os.environ.get("LLAMA_API_KEY"):
        params.api_keys = [key]
    params.n_ctx = options.ctx_size
    params.n_parallel = options.parallel
    params.cache_ram_mib = options.cache_ram
    params.n_cache_reuse = options.cache_reuse
    params.n_ctx_checkpoints = options.ctx_checkpoints
    params.n_batch = options.batch_size
    params.n_ubatch = options.ubatch_size
    params.n_threads_http = options.threads_http
    params.verbosity = options.log_verbosity
    params.cpuparams.n_threads = options.threads
    params.cpuparams_batch.n_threads = options.threads_batch
    params.offline = options.offline
    params.ui = not options.no_ui
    params.embedding = options.embeddings
    if options.pooling:
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.cache_type_k = _cache_type(options.cache_type_k)
    params.cache_type_v = _cache_type(options.cache_type_v)
    params.flash_attn_type = _flash_attention(options.flash_attn)
    _speculate(params.speculative, options)
    if options.mmproj:
        params.mmproj.path = options.mmproj
    params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(path, 1.0) for path in options.lora]
    # Its defaults reflect every origin, with credentials.
    params.cors_origins = "localhost"
    params.cors_credentials = False
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        sys.exit(str(error))


def _cache_type(name: str) -> Any:
    import xllamacpp

    return getattr(xllamacpp.ggml_type, f"GGML_TYPE_{name.upper()}")


def _flash_attention(name: str) -> Any:
    import xllamacpp

    words = {"auto": "AUTO", "on": "ENABLED", "off": "DISABLED"}
    return getattr(xllamacpp.llama_flash_attn_type, f"LLAMA_FLASH_ATTN_TYPE_{words[name]}")


def _speculate(params: Any, options: argparse.Namespace) -> None:
    """Have the next tokens guessed, by a draft model or by what stood there before."""
    import xllamacpp

    kinds = xllamacpp.common_speculative_type
    if options.model_draft:
        params.types = [kinds.COMMON_SPECULATIVE_TYPE_DRAFT_SIMPLE]
        params.draft.mparams.path = options.model_draft
        params.draft.n_max = options.spec_draft_n_max
        params.draft.cpuparams.n_threads = options.threads
        params.draft.cpuparams_batch.n_threads = options.threads_batch
    elif options.spec_type:
        params.types = [kinds.COMMON_SPECULATIVE_TYPE_NGRAM_SIMPLE]
        params.ngram_simple.size_n = options.spec_ngram_simple_size_n
        params.ngram_simple.size_m = options.spec_ngram_simple_size_m


def _leave(host: str) -> Callable[[], NoReturn]:
    def leave() -> NoReturn:
        if host.endswith(".sock"):
            Path(host).unlink(missing_ok=True)
            with suppress(OSError):  # not empty, or not ours
                Path(host).parent.rmdir()
        os._exit(0)  # the native threads would keep a normal exit waiting

    return leave


def _watch_stdin(leave: Callable[[], NoReturn]) -> NoReturn:
    """Wait for the end of standard input, a pipe whose other end only the parent holds."""
    # Not sys.stdin.buffer: the read must let signal handlers run in between.
    while os.read(0, 4096):
        pass
    leave()


def _die_with_parent(number: signal.Signals) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
