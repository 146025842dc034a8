"""`falconry models pull`: fetches a model, and tells how it goes."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from falconry.cli.configure import load_settings, problem, settings_flags
from falconry.cli.tables import short_size
from falconry.cli.terminal import Terminal, printable
from falconry.cli.verbs import Verb
from falconry.errors import FalconryError

if TYPE_CHECKING:
    from falconry.models.download import Download
    from falconry.models.downloads import Downloads
    from falconry.settings import Settings

_EVERY = 0.25
"""Seconds between two progress lines of a terminal."""
_CLEAR = "\r\x1b[K"


@click.command("pull", cls=Verb)
@click.argument("wanted", metavar="MODEL")
@settings_flags("data_dir")
@click.pass_obj
def command(terminal: Terminal, /, wanted: str, debug: bool, data_dir: str | None) -> None:
    from falconry.cli.log import configure_logging  # not needed for --help

    settings = load_settings(terminal, debug=debug, data_dir=data_dir)
    configure_logging("debug" if debug else settings.log_level, settings.log_format)
    asyncio.run(_pull(settings, terminal, wanted))


async def _pull(settings: Settings, terminal: Terminal, wanted: str) -> None:
    """The name of the model alone goes to stdout. Ctrl-C keeps what has been fetched."""
    from falconry.models.getting import open_downloads

    downloads = open_downloads(settings)
    try:
        download = await downloads.start(wanted)
        begins = "pull_goes_on" if download.done else "pull_begins"
        terminal.note(begins, title=download.title, size=short_size(download.total), done=short_size(download.done))
        download = await _followed(downloads, download, terminal)
    finally:
        await downloads.aclose()
    if download.error is not None:
        raise download.error
    if download.state != "done":
        raise problem(terminal, "pull_stopped", title=download.title)
    terminal.note("pull_done", path=download.path, model=download.model)
    print(printable(download.model))


async def _followed(downloads: Downloads, download: Download, terminal: Terminal) -> Download:
    """The download at its end; a terminal sees it move, a file or a pipe does not."""
    progress = asyncio.create_task(_show(downloads, download.id, terminal)) if sys.stderr.isatty() else None
    try:
        return await downloads.wait(download.id)
    except asyncio.CancelledError:
        with suppress(FalconryError):  # another process fetches it, and goes on
            await asyncio.shield(downloads.pause(download.id))
            terminal.note("pull_paused", wanted=download.wanted)
        raise
    finally:
        if progress is not None:
            progress.cancel()
            print(_CLEAR, end="", file=sys.stderr, flush=True)


async def _show(downloads: Downloads, download_id: str, terminal: Terminal) -> None:
    while True:
        line = printable(progress_line(downloads.get(download_id), terminal))
        print(f"{_CLEAR}{line}", end="", file=sys.stderr, flush=True)
        await asyncio.sleep(_EVERY)


def progress_line(download: Download, terminal: Terminal) -> str:
    """How a download stands, in one short line."""
    if download.state == "verifying":
        return terminal.text("pull_verifying", title=download.title)
    return terminal.text(
        "pull_progress",
        percent=f"{download.done / max(1, download.total):4.0%}",
        done=short_size(download.done) or "0 B",
        total=short_size(download.total),
        speed=f"{short_size(int(download.speed))}/s" if download.speed else "…",
        left=_clock(download.remaining) if download.remaining is not None else "…",
    )


def _clock(seconds: float) -> str:
    """1:02:03, or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
