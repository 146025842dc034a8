"""How a person hands over the key of an endpoint: asked for, by standard input, in a file, or on the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from falconry.cli.accounts import LONGEST_LINE
from falconry.cli.configure import problem
from falconry.cli.terminal import Terminal
from falconry.cli.verbs import Word

if TYPE_CHECKING:
    from pydantic import SecretStr

F = TypeVar("F", bound=Callable[..., Any])


def login_flags(function: F) -> F:
    """How a key is handed over, and how it is sent."""
    function = click.option("--auth", type=Word("bearer", "basic"), default="bearer", metavar="HOW")(function)
    function = click.option("--key", "key_text", metavar="KEY")(function)
    function = click.option("--key-file", metavar="FILE")(function)
    function = click.option("--key-stdin", is_flag=True)(function)
    return click.option("--ask-key", is_flag=True)(function)


def read_key(terminal: Terminal, *, ask: bool, stdin: bool, file: str | None, text: str | None) -> SecretStr | None:
    """The key from where the person has it; None where there is none. Raises InvalidRequest."""
    if ask:
        if not sys.stdin.isatty():
            raise problem(terminal, "key_no_terminal")
        return ask_for_key(terminal)
    if stdin:
        text = sys.stdin.readline(LONGEST_LINE)
    elif file is not None:
        try:
            with Path(file).expanduser().open(encoding="utf-8") as opened:
                text = opened.readline(LONGEST_LINE)
        except (OSError, UnicodeDecodeError) as error:
            raise problem(terminal, "key_file_unreadable", file=file, reason=type(error).__name__) from error
    elif text is not None:
        terminal.note("key_on_command_line")
    return _key(terminal, text) if text is not None else None


def ask_for_key(terminal: Terminal) -> SecretStr:
    """Ask for it without showing it. Raises InvalidRequest."""
    try:
        return _key(terminal, getpass(terminal.text("endpoint_key_prompt")))
    except EOFError:
        raise KeyboardInterrupt from None  # Ctrl-D: the person does not want to


def _key(terminal: Terminal, text: str) -> SecretStr:
    from pydantic import SecretStr

    key = text.strip()
    if not key or not key.isascii() or not key.isprintable():
        raise problem(terminal, "key_unusable")
    return SecretStr(key)
