"""The child process that runs one chat template, within limits that the kernel keeps.

    python -P -I chat_template_child.py < {"template": "…", "seconds": 1.0}

It is run as a file and imports nothing of ours. Its exit status is 0 for a template that ends, or fails at once with an
error of its own; EXPLODES for one that writes too much or asks for too much memory; the kernel ends it when the time is
over.
"""

from __future__ import annotations

import ctypes
import json
import signal
import sys
from contextlib import suppress
from typing import Any, NoReturn

EXPLODES = 3
_MEMORY = 512 * 2**20
_MOST = 64  # characters written for one that was given
_ALWAYS = 256 * 1024  # characters that may be written in any case: some templates begin with long instructions
_TURNS = (1, 3, 200)
_PR_SET_PDEATHSIG = 1


def main() -> None:
    wanted = json.load(sys.stdin)
    from jinja2.exceptions import TemplateError
    from jinja2.ext import do, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    _limit(float(wanted["seconds"]))
    # As transformers sets it up, which is what chat templates are written for:
    # https://huggingface.co/docs/transformers/chat_templating_writing
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, do])
    environment.globals.update(raise_exception=_raise, strftime_now=lambda _format: "2026-01-01")
    try:
        template = environment.from_string(wanted["template"])
    except (TemplateError, RecursionError, ValueError):
        return  # no template at all: the engine will say so
    for turns in _TURNS:
        for system in (False, True):
            try:
                _render(template, turns, system=system)
            except (OverflowError, MemoryError):  # the sandbox's own answer to a range that is too long
                sys.exit(EXPLODES)
            except Exception:  # noqa: S112 - any error ends it, and that is all that is asked here
                continue


def _render(template: Any, turns: int, *, system: bool) -> None:
    messages = [{"role": "system", "content": "Be brief."}] if system else []
    for turn in range(turns):
        role = "assistant" if turn % 2 else "user"
        messages.append({"role": role, "content": f"{turn}: Which animals live on the savanna?"})
    limit = _ALWAYS + _MOST * sum(len(message["content"]) for message in messages)
    written = 0
    given = {"messages": messages, "bos_token": "<s>", "eos_token": "</s>", "tools": None, "documents": None}
    for piece in template.generate(given, add_generation_prompt=True):
        written += len(piece)
        if written > limit:
            raise MemoryError


def _raise(message: str) -> NoReturn:
    raise ValueError(message)


def _limit(seconds: float) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if sys.platform == "win32":
        return  # its parent waits no longer than it has patience
    import resource

    for name, most in (("RLIMIT_AS", _MEMORY), ("RLIMIT_FSIZE", 0), ("RLIMIT_CORE", 0)):
        with suppress(ValueError, OSError):  # macOS does not know all of them
            resource.setrlimit(getattr(resource, name), (most, most))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, seconds)  # of CPU time, so that a busy machine makes no template a bad one


if __name__ == "__main__":
    main()
