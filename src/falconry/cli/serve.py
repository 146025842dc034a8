"""`falconry serve`, and `falconry` alone: the server and its pages, until Ctrl-C."""

from __future__ import annotations

import asyncio
import signal

import click

from falconry.cli.browser import open_page
from falconry.cli.configure import LOCAL_MODELS, load_settings, settings_flags
from falconry.cli.listen import address_of, open_listener
from falconry.cli.log import configure_logging
from falconry.cli.terminal import Terminal
from falconry.cli.verbs import Verb


@click.command("serve", cls=Verb)
@settings_flags("host", "port", "model", "data_dir", *LOCAL_MODELS)
@click.option("--no-browser", is_flag=True)
@click.option("--share", is_flag=True)
@click.pass_obj
def command(terminal: Terminal, /, no_browser: bool, share: bool, debug: bool, **flags: str | None) -> None:
    chosen = {"open_browser": False if no_browser else None, "share": share or None}
    settings = load_settings(terminal, debug=debug, **chosen, **flags)
    configure_logging("debug" if debug else settings.log_level, settings.log_format)
    # Until uvicorn takes the signals over, SIGTERM ends us as Ctrl-C does: engines stop, and the status is 0.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    given = {name: value for name, value in {**flags, **chosen}.items() if value is not None}
    listener = open_listener(settings, terminal, flags=dict(given))
    address = address_of(listener)

    def ready(shared: str | None) -> None:
        print(terminal.text("ready", address=address), flush=True)
        if shared is not None:
            print(terminal.text("shared", address=shared), flush=True)
        if settings.open_browser:
            open_page(address)

    try:
        terminal.note("starting")
        from falconry.app import serve  # after the first sign of life: this takes a second

        asyncio.run(serve(settings, listener, ready))
    except KeyboardInterrupt:
        pass  # asked to end; that is no failure
    finally:
        listener.close()
