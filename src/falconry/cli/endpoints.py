"""`falconry endpoints`: servers elsewhere that run models. Works beside a running server, which notices by itself."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

import click

from falconry.cli.configure import load_settings, settings_flags
from falconry.cli.endpoint_key import ask_for_key, login_flags, read_key
from falconry.cli.tables import aligned
from falconry.cli.terminal import Terminal, printable
from falconry.cli.verbs import Number, Verb, VerbGroup, Word
from falconry.settings import EndpointKind, Settings

if TYPE_CHECKING:
    from pydantic import SecretStr

    from falconry.engines.endpoint_check import Report
    from falconry.engines.endpoints import Endpoints, KnownEndpoint

T = TypeVar("T")

_LIST_SECONDS = 30.0
"""How old what `list` shows may be; older facts are asked for again."""
_MOST_MODELS = 4


@click.group("endpoints", cls=VerbGroup)
def command() -> None: ...


@command.command("add", cls=Verb)
@click.argument("name")
@click.argument("url")
@login_flags
@click.option("--model", "models", multiple=True, metavar="MODEL")
@click.option("--kind", type=Word(*get_args(EndpointKind)), default="auto", metavar="KIND")
@click.option("--plain", is_flag=True)
@click.option("--context", "context", metavar="TOKENS", type=Number(128, 100_000_000, whole=True))
@click.option("--replace", is_flag=True)
@click.option("--force", is_flag=True)
@settings_flags("data_dir")
@click.pass_obj
def add(
    terminal: Terminal,
    /,
    name: str,
    url: str,
    ask_key: bool,
    key_stdin: bool,
    key_file: str | None,
    key_text: str | None,
    auth: Literal["bearer", "basic"],
    models: tuple[str, ...],
    kind: EndpointKind,
    plain: bool,
    context: int | None,
    replace: bool,
    force: bool,
    debug: bool,
    data_dir: str | None,
) -> None:
    settings = load_settings(terminal, debug=debug, data_dir=data_dir)
    key = read_key(terminal, ask=ask_key, stdin=key_stdin, file=key_file, text=key_text)

    async def work(endpoints: Endpoints, key: SecretStr | None) -> KnownEndpoint:
        from falconry.engines.endpoint_store import StoredEndpoint

        draft = StoredEndpoint(
            name=name.strip(),
            url=url,
            kind=kind,
            api_key=key,
            auth=auth,
            models=models,
            prompt_format="plain" if plain else "auto",
            context_length=context,
        )
        return await endpoints.add(draft, force=force, replacing=replace)

    known = _with_key(terminal, settings, work, key)
    terminal.note("endpoint_added", name=known.endpoint.name, models=_models(known), kind=_kind(known))
    if known.problem is not None:
        terminal.complain(terminal.error(known.problem.as_dict()))


@command.command("list", cls=Verb)
@click.option("--json", "as_json", is_flag=True)
@settings_flags("data_dir")
@click.pass_obj
def list_endpoints(terminal: Terminal, /, as_json: bool, debug: bool, data_dir: str | None) -> None:
    settings = load_settings(terminal, debug=debug, data_dir=data_dir)

    async def work(endpoints: Endpoints) -> list[KnownEndpoint]:
        await endpoints.refresh(older_than=_LIST_SECONDS)
        if endpoints.problem is not None:
            terminal.complain(terminal.error(endpoints.problem.as_dict()))
        return endpoints.all()

    found = _run(settings, work)
    if as_json:
        import json

        print(json.dumps([_values(known) for known in found], ensure_ascii=False, indent=2))
        return
    if not found:
        terminal.note("no_endpoints")
        return
    names = ("name", "kind", "url", "models", "context", "key", "source", "state")
    print(
        aligned([tuple(terminal.text(f"column_{name}") for name in names), *(_row(terminal, each) for each in found)])
    )
    for known in found:
        if known.problem is not None:
            terminal.complain(f"{known.endpoint.name}: {terminal.error(known.problem.as_dict())}")


@command.command("test", cls=Verb)
@click.argument("name")
@login_flags
@click.option("--model", "models", multiple=True, metavar="MODEL")
@settings_flags("data_dir")
@click.pass_obj
def test(
    terminal: Terminal,
    /,
    name: str,
    ask_key: bool,
    key_stdin: bool,
    key_file: str | None,
    key_text: str | None,
    auth: Literal["bearer", "basic"],
    models: tuple[str, ...],
    debug: bool,
    data_dir: str | None,
) -> int:
    settings = load_settings(terminal, debug=debug, data_dir=data_dir)
    key = read_key(terminal, ask=ask_key, stdin=key_stdin, file=key_file, text=key_text)

    async def work(endpoints: Endpoints) -> Report:
        from falconry.engines.endpoint_check import check
        from falconry.engines.probe import Login

        if any(known.endpoint.name == name for known in endpoints.all()):
            return await endpoints.test(name)
        return await check(name, Login(key, auth), models=models)

    report = _run(settings, work)
    if report.facts is not None:
        _tell(terminal, report)
    if report.problem is None:
        terminal.note("endpoint_works", model=report.model or "-", seconds=f"{report.seconds:.1f}")
        return 0
    terminal.complain(terminal.error(report.problem.as_dict()))
    return 1


@command.command("remove", cls=Verb)
@click.argument("name")
@settings_flags("data_dir")
@click.pass_obj
def remove(terminal: Terminal, /, name: str, debug: bool, data_dir: str | None) -> None:
    settings = load_settings(terminal, debug=debug, data_dir=data_dir)
    _run(settings, lambda endpoints: endpoints.remove(name))
    terminal.note("endpoint_removed", name=name)


def _run(settings: Settings, work: Callable[[Endpoints], Awaitable[T]]) -> T:
    from falconry.engines.endpoints import Endpoints  # not needed for --help

    async def run() -> T:
        return await work(Endpoints(settings))

    return asyncio.run(run())


def _with_key(
    terminal: Terminal,
    settings: Settings,
    work: Callable[[Endpoints, SecretStr | None], Awaitable[T]],
    key: SecretStr | None,
) -> T:
    """Do something with a key; where one turns out to be missing, ask the person for it."""
    from falconry.errors import InvalidRequest

    try:
        return _run(settings, lambda endpoints: work(endpoints, key))
    except InvalidRequest as error:
        if error.code != "endpoint_key_missing" or not sys.stdin.isatty():
            raise
        terminal.complain(terminal.error(error.as_dict()))
        key = ask_for_key(terminal)
    return _run(settings, lambda endpoints: work(endpoints, key))


def _tell(terminal: Terminal, report: Report) -> None:
    """What a test found out, on standard output."""
    from falconry.engines.server_facts import KIND_NAMES

    facts = report.facts
    assert facts is not None  # noqa: S101 - the caller looked
    rows: list[tuple[str, ...]] = [
        (terminal.text("column_kind"), " ".join(filter(None, (KIND_NAMES[facts.kind], facts.version)))),
        (terminal.text("column_url"), facts.url),
        *((terminal.text("column_models"), _model(model)) for model in facts.chat_models()[:20]),
        (terminal.text("column_features"), ", ".join(sorted(facts.features))),
    ]
    print(aligned(rows))


def _model(model: Any) -> str:
    return model.id if model.context_length is None else f"{model.id} ({model.context_length})"


def _models(known: KnownEndpoint) -> str:
    """The models that can be chosen, the first of many."""
    chosen = list(known.models) or ([known.endpoint.model] if known.endpoint.model else [])
    names = chosen or [model.id for model in (known.facts.chat_models() if known.facts else ())]
    return ", ".join(names[:_MOST_MODELS]) + (f", … ({len(names)})" if len(names) > _MOST_MODELS else "") or "-"


def _kind(known: KnownEndpoint) -> str:
    from falconry.engines.server_facts import KIND_NAMES

    return KIND_NAMES[known.facts.kind if known.facts else known.endpoint.kind]


def _context(known: KnownEndpoint) -> int | None:
    lengths = {model.context_length for model in (known.facts.chat_models() if known.facts else ())} - {None}
    return known.endpoint.context_length or (max(lengths, key=lambda each: each or 0) if lengths else None)


def _row(terminal: Terminal, known: KnownEndpoint) -> tuple[str, ...]:
    return (
        known.endpoint.name,
        _kind(known),
        printable(known.endpoint.url),
        _models(known),
        str(_context(known) or "-"),
        terminal.text("yes") if known.endpoint.api_key is not None else "-",
        terminal.text(f"source_{known.source}"),
        terminal.text(f"state_{known.state}"),
    )


def _values(known: KnownEndpoint) -> dict[str, object]:
    """An endpoint for programs, without its key."""
    return {
        "name": known.endpoint.name,
        "url": known.endpoint.url,
        "kind": known.facts.kind if known.facts else known.endpoint.kind,
        "source": known.source,
        "has_key": known.endpoint.api_key is not None,
        "state": known.state,
        "problem": known.problem.as_dict() if known.problem else None,
        "facts": known.facts.as_json() if known.facts else None,
    }
