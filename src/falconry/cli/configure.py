"""From flags to Settings, and from pydantic's complaints to a sentence: which setting, and where it came from."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
from dotenv import dotenv_values
from pydantic import ValidationError
from pydantic_settings.exceptions import SettingsError

from falconry.cli.terminal import Terminal
from falconry.errors import FalconryError, InvalidRequest
from falconry.i18n import terminal_language
from falconry.models.stores.files import folder_model
from falconry.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])

# Flags that set a setting of the same name. Their values stay text: Settings alone judges them.
_FLAGS: Mapping[str, tuple[str, str]] = {
    "host": ("--host", "ADDRESS"),
    "port": ("--port", "PORT"),
    "data_dir": ("--data-dir", "FOLDER"),
    "model": ("--model", "MODEL"),
    "llama_server": ("--llama-server", "PATH"),
    "context_length": ("--context-length", "TOKENS"),
    "threads": ("--threads", "NUMBER"),
}
_SHORT = {"model": "-m"}
LOCAL_MODELS = ("llama_server", "context_length", "threads")
TOML = "falconry.toml"
DOTENV = ".env"


def settings_flags(*names: str) -> Callable[[F], F]:
    """Give a verb flags for these settings; they come before every other source. And `--debug`."""

    def decorate(function: F) -> F:
        function = click.option("--debug", is_flag=True)(function)
        for name in reversed(names):
            flag, metavar = _FLAGS[name]
            short = [_SHORT[name]] if name in _SHORT else []
            function = click.option(*short, flag, name, metavar=metavar)(function)
        return function

    return decorate


def load_settings(terminal: Terminal, *, debug: bool = False, **flags: str | bool | None) -> Settings:
    """Read the settings, flags first, and set the terminal's language.

    A `model` that is a GGUF file or a folder of them is added to the models and chosen.

    Raises InvalidRequest with one sentence: which setting, what is wrong, where it came from.
    """
    terminal.debug = debug
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        settings = Settings(**given)  # type: ignore[arg-type]  # texts, which pydantic turns into what they mean
        settings.all_endpoints()
    except ValidationError as error:
        raise _explained(error, given, terminal) from error
    except SettingsError as error:
        raise _unreadable_value(error, terminal) from error
    except tomllib.TOMLDecodeError as error:
        raise problem(terminal, "bad_file", file=str(Path(TOML).resolve()), reason=str(error)) from error
    except (OSError, UnicodeDecodeError) as error:
        file = str(getattr(error, "filename", None) or f"{DOTENV} / {TOML}")
        raise problem(terminal, "bad_file", file=file, reason=type(error).__name__) from error
    terminal.language = terminal_language(settings.language)
    for name, source in _unknown(terminal):
        terminal.note("unknown_setting", name=name, source=source)
    return _with_model_file(settings, terminal)


def problem(terminal: Terminal, name: str, /, **details: str | int | float) -> FalconryError:
    """An error of the command line: `cli.<name>` is its code and its text."""
    return InvalidRequest(terminal.text(name, **details), code=f"cli.{name}", **details)


def origin(name: str, terminal: Terminal, given: Mapping[str, object] | None = None) -> str:
    """Where a setting's value came from, as a person would look for it: strongest source first."""
    if given and name in given:
        return terminal.text("origin_flag", name=_FLAGS[name][0] if name in _FLAGS else f"--{name}")
    for variable in variables(name):
        if _matching(os.environ, variable):
            return terminal.text("origin_environment", name=_matching(os.environ, variable)[0])
    for variable in variables(name):
        if found := _matching(_dotenv(), variable):
            return terminal.text("origin_file", name=found[0], file=DOTENV)
    if name in _toml():
        return terminal.text("origin_file", name=name, file=TOML)
    return terminal.text("origin_default")


def variables(name: str) -> list[str]:
    """The environment variables of a setting."""
    alias = Settings.model_fields[name].validation_alias
    choices = [str(choice) for choice in alias.choices] if alias and hasattr(alias, "choices") else []
    return [choice for choice in choices if choice != name] or [f"FALCONRY_{name.upper()}"]


def _matching(values: Mapping[str, object], variable: str) -> list[str]:
    """Names that mean a variable, `FALCONRY_ENDPOINTS__0__url` among them; case does not matter."""
    wanted = variable.lower()
    return [name for name in values if name.lower() == wanted or name.lower().startswith(wanted + "__")]


def _dotenv() -> Mapping[str, str | None]:
    return dotenv_values(DOTENV) if Path(DOTENV).is_file() else {}


def _toml() -> Mapping[str, object]:
    try:
        return tomllib.loads(Path(TOML).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _unknown(terminal: Terminal) -> list[tuple[str, str]]:
    """Settings that nobody reads, most likely misspelt: (name, where)."""
    known = {variable for name in Settings.model_fields for variable in variables(name)}
    found = [(name, TOML) for name in _toml() if name not in Settings.model_fields]
    for values, where in ((os.environ, terminal.text("the_environment")), (_dotenv(), DOTENV)):
        for name in values:
            upper = name.upper().partition("__")[0]
            if upper.startswith("FALCONRY_") and upper not in known:
                found.append((name, where))
    return found


def _explained(error: ValidationError, given: Mapping[str, object], terminal: Terminal) -> FalconryError:
    """The first complaint as a sentence. Values of keys and of endpoints, whose URL may hold one, are not repeated."""
    first = error.errors(include_url=False)[0]
    if error.title == "Endpoint":  # built by all_endpoints from the lesson's variables
        return problem(
            terminal,
            "bad_secret_setting",
            name="hf_api_base",
            reason=_reason(first, terminal),
            origin=origin("hf_api_base", terminal, given),
        )
    name = _field(str(first["loc"][0]))
    where = origin(name, terminal, given)
    path = ".".join([name, *(str(part) for part in first["loc"][1:])])
    if "SecretStr" in str(Settings.model_fields[name].annotation) or name in ("endpoints", "hf_api_base"):
        return problem(terminal, "bad_secret_setting", name=path, reason=_reason(first, terminal), origin=where)
    value = str(first["input"])[:200]
    return problem(terminal, "bad_setting", name=path, value=value, reason=_reason(first, terminal), origin=where)


def _field(location: str) -> str:
    """pydantic names a field by the alias under which it was found."""
    for name in Settings.model_fields:
        if location == name or location.upper() in variables(name):
            return name
    return location


def _reason(first: Mapping[str, Any], terminal: Terminal) -> str:
    """pydantic's reason in the terminal's language; its own words where there is no text for it."""
    context = {key: str(value) for key, value in (first.get("ctx") or {}).items()}
    try:
        return terminal.text(f"reason_{first['type']}", **context)
    except KeyError:
        return str(first["msg"]).removeprefix("Value error, ")


def _unreadable_value(error: SettingsError, terminal: Terminal) -> FalconryError:
    """A list or table in an environment variable is JSON; pydantic says so only by its field's name."""
    name = next((name for name in Settings.model_fields if f'"{name}"' in str(error)), "endpoints")
    reason = terminal.text("reason_json")
    return problem(terminal, "bad_secret_setting", name=name, reason=reason, origin=origin(name, terminal))


_HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*){1,2}")


def _with_model_file(settings: Settings, terminal: Terminal) -> Settings:
    """Where the model is a path, add the file or the model's folder to the models, first of all, and choose it."""
    model = settings.model
    if not model or not (model.lower().endswith(".gguf") or os.sep in model or Path(model).is_file()):
        return settings
    path = Path(model).expanduser()
    if model in {endpoint.name for endpoint in settings.all_endpoints()}:
        return settings  # "org/name" is a model's name elsewhere, and only looks like a path
    if not path.exists():
        if _HUB_NAME.fullmatch(model) and not model.lower().endswith(".gguf"):
            return settings  # of a model that was found in some program's folder, perhaps
        raise problem(terminal, "no_such_file", path=model)
    name = folder_model(path.absolute())
    files = sorted(path.glob("*.gguf")) if path.is_dir() else [path]
    if not files and name is None:
        raise problem(terminal, "no_model_in_folder", path=model)
    others = [other for other in settings.models if other.expanduser().resolve() != path.resolve()]
    if name is not None:
        path = path.absolute()
    return settings.model_copy(update={"models": [path, *others], "model": name or files[0].stem})
