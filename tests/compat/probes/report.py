"""What the probes share: checks in order, each with its own time limit, and one line of JSON for each.

Only the standard library, any Python from 3.10 on: it runs inside the clients' environments.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from types import FrameType
from typing import Any, TypeVar

SECONDS = 60
"""One check may take so long; a client that waits for ever is a failure, not a run that never ends."""


@dataclass(frozen=True)
class Target:
    """The server under test."""

    url: str
    model: str
    key: str

    @property
    def v1(self) -> str:
        return f"{self.url}/v1"


class Outside(Exception):
    """The check fails for a reason that lies outside the server: raised with that reason."""


Check = Callable[[Target], object]


class Probe:
    """The checks of one client, in the order in which they are written."""

    def __init__(self, client: str, package: str) -> None:
        self.client = client
        self.package = package
        self.checks: list[tuple[str, str, Check]] = []

    def check(self, capability: str) -> Callable[[Check], Check]:
        """Mark a function as a check; its name, read as a sentence, is the check's name."""

        def mark(function: Check) -> Check:
            self.add(capability, function.__name__.replace("_", " "), function)
            return function

        return mark

    def add(self, capability: str, name: str, function: Check) -> None:
        self.checks.append((capability, name, function))

    def main(self) -> None:
        """Run against the URL of the command line; exit status 0 whatever failed, the lines tell."""
        target, options = self.parse()
        self.run(target, options)

    def parse(self) -> tuple[Target, argparse.Namespace]:
        parser = argparse.ArgumentParser(description=f"Checks of {self.client} against a server.")
        parser.add_argument("url", help="without /v1")
        parser.add_argument("--model", default="eyas")
        parser.add_argument("--key", default="x")
        parser.add_argument("--only", default="", help="checks whose name contains this")
        parser.add_argument("--traceback", action="store_true", help="show where a check failed")
        options = parser.parse_args()
        return Target(options.url.rstrip("/"), options.model, options.key), options

    def run(self, target: Target, options: argparse.Namespace) -> None:
        """One line for the client, then one for each check."""
        say({"client": self.client, "version": self._version()})
        signal.signal(signal.SIGALRM, _too_late)
        for capability, name, function in self.checks:
            if options.only in name:
                begun = monotonic()
                outcome, reason = _outcome(function, target, options.traceback)
                seconds = round(monotonic() - begun, 2)
                line = {"capability": capability, "check": name, "outcome": outcome, "reason": reason}
                say({"client": self.client, **line, "seconds": seconds})

    def _version(self) -> str:
        try:
            return importlib.metadata.version(self.package)
        except importlib.metadata.PackageNotFoundError:
            return "missing"


def say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _outcome(function: Check, target: Target, show: bool) -> tuple[str, str]:
    signal.alarm(SECONDS)
    try:
        function(target)
    except Outside as error:
        return "outside", str(error)
    except BaseException as error:  # whatever a foreign client raises, SystemExit included, is this check's result
        if isinstance(error, KeyboardInterrupt):
            raise
        if show:
            traceback.print_exc()
        return "fail", f"{type(error).__name__}: {' '.join(str(error).split())}"[:400] + _place(error)
    finally:
        signal.alarm(0)
    return "pass", ""


def _place(error: BaseException) -> str:
    """Which line of the probe it was: an assert alone says little."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/probes/" in frame.filename]
    here = [frame for frame in frames if not frame.filename.endswith("report.py")]
    return f" [{here[-1].line}]" if here else ""


def _too_late(_: int, __: FrameType | None) -> None:
    raise TimeoutError(f"no result after {SECONDS} s")


Raised = TypeVar("Raised", bound=BaseException)


def raises(kind: type[Raised] | tuple[type[Raised], ...], call: Callable[..., object], **options: Any) -> Raised:
    """The error that the call raises; AssertionError where it raises none, or another."""
    name = " or ".join(each.__name__ for each in (kind if isinstance(kind, tuple) else (kind,)))
    try:
        call(**options)
    except kind as error:
        return error
    except Exception as error:
        raise AssertionError(f"{name} expected, got {type(error).__name__}: {error}") from error
    raise AssertionError(f"{name} expected, nothing was raised")
