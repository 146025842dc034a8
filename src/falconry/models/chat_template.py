"""Tries a model's chat template before the engine gets it: one that loops or explodes is found here.

A template is a program, and whoever made the file wrote it. The engine runs it for every request, in a thread that
nobody can stop. So it is run once beforehand, in a child process with a second of CPU time, on conversations as long as
real ones; whether it is otherwise correct is the engine's to judge.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeAlias

from falconry.models import chat_template_child
from falconry.models.bad_file import bad_file

Verdict: TypeAlias = Literal["ends", "loops", "explodes"]

CPU_SECONDS = 1.0
LONGEST_TEMPLATE = 2**20  # characters
_PATIENCE = 30.0  # seconds of waiting for a second of CPU time, on a machine that is busy


def check_chat_template(template: str, model: Path) -> None:
    """Raise BadModelFile for a template that does not end within a second, or writes far more than it was given.

    Blocks for about 0.2 seconds the first time that it sees a template.
    """
    verdict = judge(template) if len(template) <= LONGEST_TEMPLATE else "explodes"
    if verdict != "ends":
        raise bad_file(f"chat_template_{verdict}", model, seconds=CPU_SECONDS)


@lru_cache(maxsize=256)
def judge(template: str) -> Verdict:
    """What becomes of a template."""
    wanted = json.dumps({"template": template, "seconds": CPU_SECONDS})
    try:
        child = subprocess.run(
            [sys.executable, "-P", "-I", chat_template_child.__file__],
            input=wanted.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE,
            check=False,
            env={},
        )
    except subprocess.TimeoutExpired:
        return "loops"
    if child.returncode == chat_template_child.EXPLODES:
        return "explodes"
    return "ends" if child.returncode == 0 else "loops"
