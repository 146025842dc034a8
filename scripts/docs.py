"""Writes docs/settings.md, docs/cli.md and the routes in docs/security.md from the code.

`make docs` runs it; with --check it only compares.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import click
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from falconry.app import build_routes
from falconry.cli.configure import variables
from falconry.cli.terminal import Terminal
from falconry.cli.verbs import HELP_NAMES, Falconry
from falconry.services import open_services
from falconry.settings import Endpoint, Settings

DOCS = Path(__file__).parent.parent / "docs"

SETTINGS_HEAD = """\
# Settings

Made from src/falconry/settings.py by `make docs`; edit it there.

Every option can come from, strongest first: a flag of the command line, an environment variable, a `.env` file in the
current folder, a `falconry.toml` there, and the default. In `.env` the names are those of the environment variables;
in `falconry.toml` they are the names of the first column:

```toml
# falconry.toml
port = 8000
models = ["~/models"]

[[endpoints]]
name = "qwen3-32b"
url = "http://192.168.1.20:8000/v1"
api_key = "…"
```

In an environment variable `endpoints` is JSON: `FALCONRY_ENDPOINTS='[{"name": "…", "url": "…"}]'`.

| name | environment variable | type | default | |
| --- | --- | --- | --- | --- |
"""

ENDPOINT_HEAD = """
## An endpoint

| name | type | default | |
| --- | --- | --- | --- |
"""

CLI_HEAD = """\
# Command line

Made from `falconry --help` by `make docs`. Exit status: 0 when all went well, 1 when Falconry could not do it, 2 when
the command line is wrong, 130 after Ctrl-C. `falconry serve` and `falconry chat` end with 0 after Ctrl-C: that is how
they are left.
"""


def settings_page() -> str:
    """The text of docs/settings.md."""
    rows = []
    for name, field in Settings.model_fields.items():
        names = ", ".join(f"`{variable}`" for variable in variables(name))
        rows.append(f"| `{name}` | {names} | {_type(field)} | {_default(name, field)} | {field.description} |")
    endpoint_rows = [
        f"| `{name}` | {_type(field)} | {_default(name, field)} | {field.description} |"
        for name, field in Endpoint.model_fields.items()
    ]
    return SETTINGS_HEAD + "\n".join(rows) + "\n" + ENDPOINT_HEAD + "\n".join(endpoint_rows) + "\n"


def _type(field: FieldInfo) -> str:
    return _type_name(field.annotation).replace("|", "\\|")


def _type_name(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type_name(arguments[0])
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (Union, UnionType):
        return _type_name(next(argument for argument in arguments if argument is not NoneType))
    if origin is list:
        return f"list of {_type_name(arguments[0])}s"
    names: dict[Any, str] = {
        str: "text",
        int: "whole number",
        float: "number",
        bool: "true or false",
        Path: "path",
        SecretStr: "text, never shown",
        Endpoint: "endpoint",
    }
    return names[annotation]


def _default(name: str, field: FieldInfo) -> str:
    if name == "data_dir":
        return "`~/.local/share/falconry`"  # on Linux; the machine that makes this page must not show in it
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value is PydanticUndefined or value == []:
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def cli_page() -> str:
    """The text of docs/cli.md."""
    root = Falconry()
    context = click.Context(root, info_name="falconry", obj=Terminal(language="en"), help_option_names=HELP_NAMES)
    return "\n".join([CLI_HEAD, *_blocks(root, context)])


def _blocks(command: click.Command, context: click.Context) -> list[str]:
    """The help of a command and of all verbs below it."""
    blocks = [_block(context.command_path, command.get_help(context))]
    if isinstance(command, click.Group):
        for verb in command.list_commands(context):
            below = command.get_command(context, verb)
            assert below is not None
            blocks += _blocks(below, click.Context(below, info_name=verb, parent=context, obj=context.obj))
    return blocks


def _block(title: str, text: str) -> str:
    return f"## {title}\n\n```text\n{text}\n```\n"


ROUTES = re.compile(r"(<!-- routes -->\n).*(<!-- end of routes -->)", re.DOTALL)


def security_page(text: str) -> str:
    """The text of docs/security.md, with the routes as they are now."""
    return ROUTES.sub(lambda found: found[1] + asyncio.run(routes_table()) + found[2], text)


async def routes_table() -> str:
    """All routes with who may use them, pages and files included."""
    with tempfile.TemporaryDirectory() as folder:
        # Nothing of the machine's own settings: its database is not ours to open.
        settings = Settings(data_dir=Path(folder), database_url=None, model=None, models=[], endpoints=[], pages=True)
        async with open_services(settings) as services:
            _, table = build_routes(services)
    lines = ["", "| route | methods | who | scope |", "| --- | --- | --- | --- |"]
    for entry in sorted(table.entries, key=lambda entry: (entry.path.strip("/"), sorted(entry.methods))):
        who = {"public": "anybody", "user": "any user", "admin": "admins"}[entry.access.level]
        methods = ", ".join(sorted(entry.methods))
        lines.append(f"| `{entry.path}` | {methods} | {who} | {entry.access.scope or ''} |")
    return "\n".join([*lines, "", ""])


def main() -> int:
    stale = []
    security = DOCS / "security.md"
    pages = (
        (DOCS / "settings.md", settings_page()),
        (DOCS / "cli.md", cli_page()),
        (security, security_page(security.read_text(encoding="utf-8"))),
    )
    for path, text in pages:
        if "--check" in sys.argv:
            stale += [path.name] if not path.exists() or path.read_text(encoding="utf-8") != text else []
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if stale:
        print(f"Not up to date: {', '.join(stale)}. Run: make docs")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
