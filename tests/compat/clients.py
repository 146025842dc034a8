"""Which clients are tried, where each one lives, and how its probe is run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).parent.parent.parent
CACHE = ROOT / ".cache" / "compat"
LIGHT = ROOT / ".cache" / "clients"
"""The environment of text-generation, which `make test` needs as well; the Makefile makes it."""
REQUIREMENTS = ROOT / "requirements" / "compat"
PROBES = ROOT / "tests" / "compat" / "probes"

Outcome = Literal["pass", "fail", "outside"]


@dataclass(frozen=True)
class Result:
    """What one check found. `outside` is a failure whose reason lies outside the server, `reason` says which."""

    client: str
    version: str
    capability: str
    check: str
    outcome: Outcome
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Client:
    """An environment of its own and the probes that run in it.

    Attributes:
        name: its folder in the cache, and its lock file.
        probes: modules, or files of JavaScript, in tests/compat/probes.
        first: what pip installs before the lock file, where the order matters.
    """

    name: str
    probes: tuple[str, ...]
    first: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        return LIGHT if self.name == "text-generation" else CACHE / self.name

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def is_node(self) -> bool:
        return self.name == "npm"


CLIENTS = (
    Client("openai-python", ("openai_sdk", "openai_rest")),
    Client("npm", ("openai_node.mjs", "hub_node.mjs")),
    Client("anthropic", ("anthropic_sdk",)),
    Client("text-generation", ("text_generation_client",)),
    Client("huggingface-hub", ("hub",)),
    Client("llm", ("llm_cli",)),
    Client("litellm", ("litellm_sdk",)),
    Client("langchain-openai", ("langchain",)),
    Client("lm-eval", ("lm_eval_harness",)),
    Client("checkers", ("checkers",)),
    Client("open-webui", ("open_webui",), first=("torch==2.13.0",)),
)


def install(client: Client) -> None:
    """Make the client's environment from its lock file, unless it is there already."""
    folder = client.folder
    if folder == LIGHT:
        return
    lock = REQUIREMENTS / ("npm/package-lock.json" if client.is_node else f"{client.name}.txt")
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    stamp = folder / ".made"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"installing {client.name} …", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    if client.is_node:
        shutil.copytree(REQUIREMENTS / "npm", folder)
        subprocess.run(["npm", "ci", "--silent"], cwd=folder, check=True)
    else:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [str(client.python), "-m", "pip", "install", "--disable-pip-version-check", "-qq"]
        if client.first:
            subprocess.run([*pip, *client.first], check=True)
        hashes = ["--require-hashes"] if "--hash=" in lock.read_text() else []
        subprocess.run([*pip, *hashes, "-r", lock], check=True)
    stamp.write_text(wanted)


def run(client: Client, url: str, model: str = "eyas", timeout: float = 900) -> list[Result]:
    """Run a client's probes against a server."""
    found: list[Result] = []
    for probe in client.probes:
        found += run_probe(_command(client, probe), url, model, timeout)
    return found


def _command(client: Client, probe: str) -> list[str]:
    if not client.is_node:
        return [str(client.python), "-m", f"tests.compat.probes.{probe}"]
    for script in PROBES.glob("*.mjs"):  # node looks for modules beside the script
        shutil.copy(script, client.folder)
    return ["node", str(client.folder / probe)]


def run_probe(command: Sequence[str], url: str, model: str = "eyas", timeout: float = 900) -> list[Result]:
    """Run one probe. A probe that does not come to its end is a failed check of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    try:
        done = subprocess.run(
            [*command, url, "--model", model],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return [_broken(command[-1], f"no end after {error.timeout} s")]
    found = list(_results(done.stdout))
    if done.returncode != 0 or not found:
        found.append(_broken(command[-1], f"exit status {done.returncode}: {done.stderr[-400:]}"))
    return found


def _results(output: str) -> Sequence[Result]:
    versions: dict[str, str] = {}
    found: list[Result] = []
    for line in output.splitlines():
        if not line.startswith('{"client"'):
            continue  # clients print as well
        value: dict[str, Any] = json.loads(line)
        if "version" in value:
            versions[value["client"]] = value["version"]
        else:
            found.append(Result(version=versions[value["client"]], **value))
    return found


def _broken(probe: str, reason: str) -> Result:
    return Result(probe.rpartition(".")[2], "", "start", "the probe comes to its end", "fail", reason)
