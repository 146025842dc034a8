"""The command line as a person runs it: in a process of its own, with nothing of this machine's settings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest


def clean_environment(home: Path, **settings: object) -> dict[str, str]:
    """The environment without settings and locale; `lang` sets the locale, all else is FALCONRY_<NAME>."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FALCONRY_", "LC_", "LANG", "HF_")) and name not in ("PORT", "DISPLAY", "BROWSER")
    }
    environment |= {"HOME": str(home), "LANG": str(settings.pop("lang", "C.UTF-8")), "PYTHONUTF8": "1"}
    defaults = {"data_dir": home / "data", "canned": True, "canned_seed": 1, "canned_rate": 2000}
    for name, value in {**defaults, **settings}.items():
        environment[name if name.isupper() else f"FALCONRY_{name.upper()}"] = str(value)
    return environment


class Run(Protocol):
    def __call__(self, *arguments: str, stdin: str = "", **settings: object) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def falconry(tmp_path: Path) -> Run:
    """Run `falconry` with arguments in an empty folder, to its end."""

    def run(*arguments: str, stdin: str = "", **settings: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "falconry", *arguments],
            input=stdin,
            env=clean_environment(tmp_path, **settings),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
