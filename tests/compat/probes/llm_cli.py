"""`llm`, Simon Willison's command line: `llm openai endpoint URL` needs no configuration."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.compat.probes.report import Probe, Target

probe = Probe("llm", "llm")


def llm(target: Target, *words: str) -> str:
    """Run it with a folder of its own for its settings and logs; gives what it printed."""
    program = Path(sys.executable).parent / "llm"
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [str(program), "openai", "endpoint", target.v1, *words, "--key", target.key],
            env={**os.environ, "LLM_USER_PATH": folder},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-300:] or done.stdout[-300:]
    return done.stdout


@probe.check("models")
def lists_the_models(target: Target) -> None:
    assert target.model in llm(target, "--models")


@probe.check("streaming")
def streams_a_reply(target: Target) -> None:
    assert llm(target, "Hello, who are you?", "-m", target.model).strip()


@probe.check("chat")
def a_reply_in_one_piece(target: Target) -> None:
    assert llm(target, "Hello, who are you?", "-m", target.model, "--no-stream").strip()


@probe.check("chat")
def with_options_and_a_system_prompt(target: Target) -> None:
    words = ("-o", "max_tokens", "20", "-o", "temperature", "0", "-o", "seed", "3", "-s", "Be short.")
    assert llm(target, "Hello, who are you?", "-m", target.model, *words).strip()


@probe.check("structured output")
def by_schema(target: Target) -> None:
    text = llm(target, "A bird, please.", "-m", target.model, "--schema", "wild bool")
    assert isinstance(json.loads(text)["wild"], bool), text


if __name__ == "__main__":
    probe.main()
