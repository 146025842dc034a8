"""`falconry keys`: API keys for programs. Works beside a running server, which notices within a second."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from falconry.cli.accounts import with_people
from falconry.cli.configure import load_settings, problem, settings_flags
from falconry.cli.tables import aligned
from falconry.cli.terminal import Terminal
from falconry.cli.verbs import Number, Verb, VerbGroup, Word

if TYPE_CHECKING:
    from falconry.access.people import NewKey, People
    from falconry.access.person import Scope
    from falconry.storage.credentials import ApiKey
    from falconry.storage.users import User


@click.group("keys", cls=VerbGroup)
def command() -> None: ...


@command.command("add", cls=Verb)
@click.argument("name")
@click.option("--user", "user_name", metavar="NAME")
@click.option("--scope", "scopes", multiple=True, metavar="SCOPE", type=Word("inference", "conversations", "admin"))
@click.option("--days", metavar="NUMBER", type=Number(1, 36500, whole=True))
@settings_flags("data_dir")
@click.pass_obj
def add(
    terminal: Terminal,
    /,
    name: str,
    user_name: str | None,
    scopes: tuple[Scope, ...],
    days: int | None,
    debug: bool,
    data_dir: str | None,
) -> None:
    expires_at = datetime.now(UTC) + timedelta(days=days) if days is not None else None

    async def work(people: People) -> NewKey:
        user = await _owner(people, terminal, user_name)
        return await people.create_key(user.id, name, scopes or ("inference",), expires_at=expires_at)

    made = with_people(load_settings(terminal, debug=debug, data_dir=data_dir), work)
    print(made.key)
    terminal.note("key_added")


@command.command("list", cls=Verb)
@click.option("--user", "user_name", metavar="NAME")
@settings_flags("data_dir")
@click.pass_obj
def list_keys(terminal: Terminal, /, user_name: str | None, debug: bool, data_dir: str | None) -> None:
    async def work(people: People) -> list[tuple[str, ...]]:
        users = await people.users() if user_name is None else [await people.user_named(user_name)]
        return [_row(user, key, terminal) for user in users for key in await people.keys(user.id)]

    rows = with_people(load_settings(terminal, debug=debug, data_dir=data_dir), work)
    if not rows:
        terminal.note("no_keys")
        return
    names = ("key", "name", "user", "scopes", "since", "until", "used")
    print(aligned([tuple(terminal.text(f"column_{name}") for name in names), *rows]))


@command.command("revoke", cls=Verb)
@click.argument("key")
@click.option("--user", "user_name", metavar="NAME")
@settings_flags("data_dir")
@click.pass_obj
def revoke(terminal: Terminal, /, key: str, user_name: str | None, debug: bool, data_dir: str | None) -> None:
    async def work(people: People) -> ApiKey:
        users = await people.users() if user_name is None else [await people.user_named(user_name)]
        keys = [each for user in users for each in await people.keys(user.id)]
        # A whole key works as well: somebody who wants to be rid of it has it at hand.
        found = [each for each in keys if key in (each.name, each.prefix, each.id) or key[:11] == each.prefix]
        if len(found) != 1:
            raise problem(terminal, "no_such_key" if not found else "several_keys", key=key[:11])
        await people.revoke_key(found[0].user_id, found[0].id)
        return found[0]

    revoked = with_people(load_settings(terminal, debug=debug, data_dir=data_dir), work)
    terminal.note("key_revoked", name=revoked.name, key=revoked.prefix)


async def _owner(people: People, terminal: Terminal, name: str | None) -> User:
    """The user with a name; without one, the only user there is."""
    if name is not None:
        return await people.user_named(name)
    users = await people.users()
    if len(users) != 1:
        raise problem(terminal, "whose_key" if users else "no_users_no_keys")
    return users[0]


def _row(user: User, key: ApiKey, terminal: Terminal) -> tuple[str, ...]:
    return (
        key.prefix + "…",
        key.name,
        user.name,
        " ".join(sorted(key.scopes)),
        _date(key.created_at),
        _date(key.expires_at) if key.expires_at else terminal.text("for_ever"),
        _date(key.last_used_at) if key.last_used_at else terminal.text("never"),
    )


def _date(moment: datetime) -> str:
    return moment.astimezone().date().isoformat()
