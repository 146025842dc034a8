"""What the verbs about people share: the open service, passwords that nobody sees, and a question before a loss."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from getpass import getpass
from typing import TYPE_CHECKING, TypeVar

from falconry.cli.configure import problem
from falconry.cli.terminal import Terminal, printable
from falconry.settings import Settings

if TYPE_CHECKING:
    from falconry.access.people import People

T = TypeVar("T")

LONGEST_LINE = 8192  # of a password from standard input


def with_people(settings: Settings, work: Callable[[People], Awaitable[T]]) -> T:
    """Do something with the people of the settings' database, beside a server that may be using it."""
    from falconry.access.people import People  # not needed for --help, nor is the database
    from falconry.storage.database import Database

    async def run() -> T:
        async with await Database.open(settings.url, settings.data_dir / "running") as database:
            people = People(database, session_days=settings.session_days)
            try:
                return await work(people)
            finally:
                await people.aclose()

    return asyncio.run(run())


def read_password(terminal: Terminal, *, from_stdin: bool) -> str:
    """Ask for a new password twice, without showing it; or take the first line of standard input.

    Raises InvalidRequest: there is no terminal to ask at, or the two are not the same.
    """
    if from_stdin:
        return sys.stdin.readline(LONGEST_LINE).rstrip("\r\n")
    if not sys.stdin.isatty():
        raise problem(terminal, "password_no_terminal")
    try:
        password = getpass(terminal.text("password_prompt"))
        again = getpass(terminal.text("password_again"))
    except EOFError:
        raise KeyboardInterrupt from None  # Ctrl-D: the person does not want to
    if password != again:
        raise problem(terminal, "passwords_differ")
    return password


def confirm(terminal: Terminal, question: str, *, yes: bool) -> None:
    """Ask before something is lost. Raises InvalidRequest for a no, and where nobody can be asked."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise problem(terminal, "confirm_no_terminal")
    print(printable(question), end=" ", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes", "是"):
        raise problem(terminal, "not_confirmed")
