"""`falconry doctor`: what works here, what does not, and what to do about it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from falconry import __version__
from falconry.cli.configure import LOCAL_MODELS, load_settings, settings_flags
from falconry.cli.terminal import Terminal, printable
from falconry.cli.verbs import Verb
from falconry.settings import Settings

if TYPE_CHECKING:
    from falconry.cli.checks import Check

MARKS = {"ok": "✓", "warning": "!", "failed": "✗"}


@click.command("doctor", cls=Verb)
@settings_flags("host", "port", "model", "data_dir", *LOCAL_MODELS)
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def command(terminal: Terminal, /, as_json: bool, debug: bool, **flags: str | None) -> int:
    settings = load_settings(terminal, debug=debug, **flags)
    checks = asyncio.run(_examine(settings, terminal, quiet=as_json))
    well = can_chat(checks)
    if as_json:
        findings = [asdict(check) for check in checks]
        print(json.dumps({"ok": well, "version": __version__, "checks": findings}, ensure_ascii=False, indent=2))
    else:
        print("\n" + _verdict(checks, terminal))
    return 0 if well else 1


def can_chat(checks: list[Check]) -> bool:
    """Whether a person can chat: nothing needed is missing, and one model at least answers."""
    return bool(_answering(checks)) and not any(check.needed and check.state == "failed" for check in checks)


def _answering(checks: list[Check]) -> list[Check]:
    return [check for check in checks if check.model and check.state == "ok"]


def _verdict(checks: list[Check], terminal: Terminal) -> str:
    if not can_chat(checks):
        return terminal.text("doctor_ill")
    answering = _answering(checks)
    if any(check.default and check.state == "failed" for check in checks):
        return terminal.text("doctor_other", model=answering[0].model)
    return terminal.text("doctor_well")


async def _examine(settings: Settings, terminal: Terminal, *, quiet: bool) -> list[Check]:
    from falconry.cli.checks import Doctor  # not needed for --help

    checks: list[Check] = []
    async for check in Doctor(settings, terminal).checks():
        checks.append(check)
        if not quiet:
            print(printable(f"{MARKS[check.state]} {check.name}: {check.text}"), flush=True)
            if check.advice:
                print(printable(f"    {check.advice}"), flush=True)
    return checks
