"""`falconry users`: who may come in. Works beside a running server, which notices within a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from falconry.cli.accounts import confirm, read_password, with_people
from falconry.cli.configure import load_settings, settings_flags
from falconry.cli.tables import aligned
from falconry.cli.terminal import Terminal
from falconry.cli.verbs import Verb, VerbGroup, Word

if TYPE_CHECKING:
    from falconry.access.people import People
    from falconry.access.person import Role
    from falconry.settings import Settings
    from falconry.storage.users import User


@click.group("users", cls=VerbGroup)
def command() -> None: ...


@command.command("add", cls=Verb)
@click.argument("name")
@click.option("--admin", is_flag=True)
@click.option("--password-stdin", is_flag=True)
@settings_flags("data_dir")
@click.pass_obj
def add(terminal: Terminal, /, name: str, admin: bool, password_stdin: bool, debug: bool, data_dir: str | None) -> None:
    settings = load_settings(terminal, debug=debug, data_dir=data_dir)
    password = read_password(terminal, from_stdin=password_stdin)

    async def work(people: People) -> tuple[User, bool]:
        first = not await people.any_users()
        return await people.add_user(name, password, "admin" if admin else "user"), first

    user, first = with_people(settings, work)
    terminal.note("user_added", name=user.name, role=terminal.text(f"role_{user.role}"))
    if first:
        terminal.note("first_user", name=user.name)


@command.command("list", cls=Verb)
@settings_flags("data_dir")
@click.pass_obj
def list_users(terminal: Terminal, /, debug: bool, data_dir: str | None) -> None:
    async def work(people: People) -> list[tuple[str, ...]]:
        return [
            (
                user.name,
                terminal.text(f"role_{user.role}"),
                user.created_at.astimezone().date().isoformat(),
                str(await people.conversations_of(user.id)),
                str(len(await people.keys(user.id))),
            )
            for user in await people.users()
        ]

    rows = with_people(load_settings(terminal, debug=debug, data_dir=data_dir), work)
    if not rows:
        terminal.note("no_users")
        return
    head = tuple(terminal.text(f"column_{name}") for name in ("name", "role", "since", "conversations", "keys"))
    print(aligned([head, *rows]))


@command.command("remove", cls=Verb)
@click.argument("name")
@click.option("--give-to", metavar="NAME")
@click.option("--yes", is_flag=True)
@settings_flags("data_dir")
@click.pass_obj
def remove(terminal: Terminal, /, name: str, give_to: str | None, yes: bool, debug: bool, data_dir: str | None) -> None:
    settings = load_settings(terminal, debug=debug, data_dir=data_dir)

    async def look(people: People) -> tuple[User, User | None, int, bool]:
        user = await people.user_named(name)
        heir = await people.user_named(give_to) if give_to is not None else None
        return user, heir, await people.conversations_of(user.id), len(await people.users()) == 1

    user, heir, count, last = with_people(settings, look)
    if heir is not None:
        what = terminal.text("remove_gives", count=count, heir=heir.name)
    elif last:
        what = terminal.text("remove_last", count=count)
    else:
        what = terminal.text("remove_deletes", count=count)
    confirm(terminal, terminal.text("remove_question", name=user.name, what=what), yes=yes)
    with_people(settings, lambda people: people.remove_user(user.id, heir_id=heir.id if heir else None))
    terminal.note("user_removed", name=user.name, what=what)


@command.command("passwd", cls=Verb)
@click.argument("name")
@click.option("--password-stdin", is_flag=True)
@settings_flags("data_dir")
@click.pass_obj
def passwd(terminal: Terminal, /, name: str, password_stdin: bool, debug: bool, data_dir: str | None) -> None:
    settings = load_settings(terminal, debug=debug, data_dir=data_dir)
    user = _user(settings, name)
    password = read_password(terminal, from_stdin=password_stdin)
    with_people(settings, lambda people: people.set_password(user.id, password))
    terminal.note("password_changed", name=user.name)


@command.command("role", cls=Verb)
@click.argument("name")
@click.argument("role", type=Word("admin", "user"))
@settings_flags("data_dir")
@click.pass_obj
def role(terminal: Terminal, /, name: str, role: Role, debug: bool, data_dir: str | None) -> None:
    settings = load_settings(terminal, debug=debug, data_dir=data_dir)
    user = _user(settings, name)
    with_people(settings, lambda people: people.set_role(user.id, role))
    terminal.note("role_changed", name=user.name, role=terminal.text(f"role_{role}"))


def _user(settings: Settings, name: str) -> User:
    return with_people(settings, lambda people: people.user_named(name))
