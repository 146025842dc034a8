"""`falconry models downloads`: what is being fetched, and what was cut off."""

from __future__ import annotations

import json

import click

from falconry.cli.configure import load_settings, settings_flags
from falconry.cli.tables import aligned, short_size
from falconry.cli.terminal import Terminal, printable
from falconry.cli.verbs import Verb


@click.command("downloads", cls=Verb)
@click.option("--json", "as_json", is_flag=True)
@settings_flags("data_dir")
@click.pass_obj
def command(terminal: Terminal, /, as_json: bool, debug: bool, data_dir: str | None) -> None:
    from falconry.models.download_plan import ACTIVE, DownloadFolder  # not needed for --help
    from falconry.models.transfer import is_held

    folder = DownloadFolder(load_settings(terminal, debug=debug, data_dir=data_dir).models_folder)
    found = []
    for download_id, stored in folder.load().items():
        held = is_held(folder, download_id)
        state = "running" if held else "paused" if stored.state in ACTIVE else stored.state
        found.append((stored, state, folder.done(stored.plan)))
    if as_json:
        values = [
            {
                "title": stored.plan.title,
                "wanted": stored.plan.wanted,
                "state": state,
                "done": done,
                "total": stored.plan.total,
                "error": stored.error,
            }
            for stored, state, done in found
        ]
        print(json.dumps(values, ensure_ascii=False, indent=2))
        return
    if not found:
        terminal.note("no_downloads")
        return
    head = tuple(terminal.text(f"column_{name}") for name in ("name", "fetched", "size", "state"))
    rows = [
        (
            stored.plan.title,
            short_size(done) or "0 B",
            short_size(stored.plan.total),
            terminal.text(f"download_{state}"),
        )
        for stored, state, done in found
    ]
    print(aligned([head, *rows]))
    for stored, _, _ in found:
        if stored.error is not None:
            print(printable(f"{stored.plan.title}: {terminal.error(stored.error)}"))
    if any(state != "running" for _, state, _ in found):
        terminal.note("downloads_hint")
