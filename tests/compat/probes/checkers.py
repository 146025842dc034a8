"""llm-comply and trustedrouter-provider-check: what others hold to be OpenAI's and Anthropic's protocols.

Each of their tests becomes one check here, with their reason where it failed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.compat.probes.report import Check, Outside, Probe, Target

comply = Probe("llm-comply", "llm-comply")
router = Probe("trustedrouter-provider-check", "trustedrouter-provider-check")

PROGRAMS = Path(sys.executable).parent
FORMATS = {"openai-chat": "chat", "open-responses": "responses", "anthropic": "messages"}
GROUPS = {"catalog": "models", "callability": "models", "stream": "streaming", "structured": "structured output"}
BEYOND = {
    "image": "the model sees no pictures",
    "compaction": "made for OpenAI's service: conversations are not compacted here",
    "error handling": "a request that names no model goes to the default one, on purpose",
    "pong": "the built-in model is too small to follow the prompt",
}
"""Why a test of theirs need not pass, by a word of its name."""


def _beyond(name: str) -> str:
    return next((reason for word, reason in BEYOND.items() if word in name.lower()), "")


def _judge(passed: bool, name: str, reason: str) -> Check:
    def judge(_: Target) -> None:
        if not passed and (outside := _beyond(name)):
            raise Outside(outside)
        assert passed, reason

    return judge


def _run_comply(target: Target, form: str) -> list[Any]:
    options = ["--base-url", target.v1, "--api-key", target.key, "--model", target.model, "--format", form, "--json"]
    done = subprocess.run(
        [str(PROGRAMS / "llm-comply"), *options], capture_output=True, text=True, timeout=300, check=False
    )
    found: list[Any] = json.loads(done.stdout)["results"]
    return [result for result in found if result["status"] != "skipped"]


def _run_router(target: Target) -> list[Any]:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        options = ["--base-url", target.v1, "--model", target.model, "--tier", "5", "--json", str(report)]
        subprocess.run(
            [str(PROGRAMS / "trustedrouter-provider-check"), *options],
            env={"TR_PROVIDER_API_KEY": target.key},
            capture_output=True,
            timeout=300,
            check=False,
        )
        found: list[Any] = json.loads(report.read_text())["checks"]
        return [result for result in found if result["status"] != "skip"]


def collect(target: Target) -> None:
    """Run them all and register what they found as checks."""
    for form, capability in FORMATS.items():
        for result in _run_comply(target, form):
            name, reason = result["name"].lower(), "; ".join(result.get("errors") or [])
            passed = result["status"] in {"passed", "warning"}
            comply.add(capability, name, _judge(passed, name, reason))
    for result in _run_router(target):
        name, reason = result["id"], f"{result['assertion']}: {json.dumps(result['measured'])}"
        passed, group = result["status"] in {"pass", "warn"}, name.partition(".")[0]
        router.add(GROUPS.get(group, group), name, _judge(passed, name, reason))


if __name__ == "__main__":
    target, options = comply.parse()
    collect(target)
    for probe in (comply, router):
        probe.run(target, options)
