"""Try clients that others wrote against Falconry and against llama.cpp's own server; `make compat` runs it.

    python -m scripts.compat                         all of them, and writes docs/compat.md
    python -m scripts.compat --client llm,litellm    these, only printed
    python -m scripts.compat --skip open-webui       all but these
    python -m scripts.compat --url http://…          against a server that runs already, only printed

Every client has an environment of its own in .cache/compat, made from requirements/compat.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from scripts.compat_table import DOCUMENT, document
from tests.compat.bare import BareServer
from tests.compat.clients import CLIENTS, Client, Result, install, run
from tests.process import Falconry

SHOWN = 160  # characters of a reason


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--client", default="", help="names, separated by commas")
    parser.add_argument("--skip", default="", help="names, separated by commas")
    parser.add_argument("--url", default="", help="a server that runs already")
    parser.add_argument("--model", default="eyas")
    options = parser.parse_args(argv)
    chosen = _chosen(options.client, options.skip)
    for client in chosen:
        install(client)
    if options.url:
        return _failed(_try(chosen, options.url, options.model))
    with tempfile.TemporaryDirectory() as folder:
        # One person's many clients at once must not meet the limit of one person's replies.
        with Falconry(Path(folder) / "data", canned=False, model="eyas") as falconry:
            print("== Falconry")
            ours = _try(chosen, falconry.url, options.model)
        with BareServer() as bare:
            print("== llama.cpp's own server")
            theirs = _try(chosen, bare.url, options.model)
    if not options.client:
        DOCUMENT.write_text(document(ours, theirs, [name for name in options.skip.split(",") if name]))
        print(f"wrote {DOCUMENT}")
    return _failed(ours)


def _chosen(wanted: str, skipped: str) -> list[Client]:
    names = [client.name for client in CLIENTS]
    for name in filter(None, [*wanted.split(","), *skipped.split(",")]):
        if name not in names:
            sys.exit(f"There is no client {name}. There are: {', '.join(names)}.")
    return [
        client
        for client in CLIENTS
        if (not wanted or client.name in wanted.split(",")) and client.name not in skipped.split(",")
    ]


def _try(clients: Sequence[Client], url: str, model: str) -> list[Result]:
    found: list[Result] = []
    for client in clients:
        results = run(client, url, model)
        for result in results:
            reason = f": {result.reason[:SHOWN]}" if result.reason else ""
            print(f"{result.outcome:8}{result.client}, {result.capability}: {result.check}{reason}", flush=True)
        found += results
    return found


def _failed(results: Sequence[Result]) -> int:
    failed = sum(result.outcome == "fail" for result in results)
    print(f"{len(results)} checks, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
