"""The command line's frame: finds the verb, shows its help, and says what is wrong with a command line.

Every sentence comes from the tables of `falconry.i18n`: `verb_<verb>` for a verb, and `option_<verb>_<name>` or
`option_<name>` for what it takes. The verb `users add` is `users_add` there.
"""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import Any

import click

from falconry import __version__
from falconry.cli.terminal import Terminal
from falconry.i18n import Language, table, translate

VERBS = ("serve", "chat", "complete", "models", "endpoints", "users", "keys", "bench", "doctor")
HELP_NAMES = ["-h", "--help"]
_HELP = {"help_option_names": HELP_NAMES}


class Verb(click.Command):
    """A verb whose help is in the terminal's language."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"context_settings": _HELP, **kwargs})

    def get_help(self, ctx: click.Context) -> str:
        return help_text(ctx, _language(ctx))


class VerbGroup(click.Group):
    """A verb with verbs of its own. Alone it shows its help."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"context_settings": _HELP, **kwargs})

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args or ["--help"])

    def get_help(self, ctx: click.Context) -> str:
        return help_text(ctx, _language(ctx))


class Falconry(click.Group):
    """`falconry`: imports a verb's module when it is asked for. Without a verb, `serve` is meant."""

    def __init__(self) -> None:
        version = click.Option(["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_show_version)
        super().__init__("falconry", params=[version], context_settings=_HELP, no_args_is_help=False)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"falconry.cli.{cmd_name}").command
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # `falconry` and `falconry --port 8000` mean `falconry serve …`.
        if not args or (args[0].startswith("-") and args[0] not in ("-h", "--help", "--version")):
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def get_help(self, ctx: click.Context) -> str:
        return help_text(ctx, _language(ctx))


def _language(ctx: click.Context) -> Language:
    return ctx.ensure_object(Terminal).language


def _show_version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"falconry {__version__}")
        ctx.exit()


def verb_key(ctx: click.Context) -> str:
    """What the command of a context is called in the tables."""
    names: list[str] = []
    while ctx.parent is not None:
        names.insert(0, ctx.command.name or "")
        ctx = ctx.parent
    return "_".join(names) or "falconry"


def verb_sentence(verb: str, language: Language) -> str:
    """What a verb does."""
    return translate(f"cli.verb_{verb}", language)


def option_sentence(verb: str, option: str, language: Language) -> str:
    """What an option or argument of a verb does."""
    texts = table(language, "cli")
    own = f"option_{verb}_{option}"
    return texts[own if own in texts else f"option_{option}"]


def help_text(ctx: click.Context, language: Language) -> str:
    """The help of the command that a context is for.

    Click's own formatter breaks lines at spaces and counts every character as one column, so that Chinese ends up
    ragged; here a sentence stands on a line of its own, and the terminal breaks it.
    """
    command = ctx.command
    name = verb_key(ctx)
    say = {key: translate(f"cli.help_{key}", language) for key in ("usage", "options", "arguments", "verbs", "more")}
    lines = [f"{say['usage']} {ctx.command_path} {' '.join(command.collect_usage_pieces(ctx))}", ""]
    lines += [verb_sentence(name, language)]
    arguments = [p for p in command.get_params(ctx) if isinstance(p, click.Argument)]
    options = [p for p in command.get_params(ctx) if isinstance(p, click.Option) and not p.hidden]
    if arguments:
        lines += ["", say["arguments"]]
        for argument in arguments:
            lines += [
                f"  {argument.make_metavar(ctx)}",
                f"      {option_sentence(name, argument.name or '', language)}",
            ]
    if isinstance(command, click.Group):
        verbs = command.list_commands(ctx)
        width, prefix = max(len(verb) for verb in verbs), "" if ctx.parent is None else f"{name}_"
        lines += ["", say["verbs"]]
        lines += [f"  {verb:{width}}  {verb_sentence(prefix + verb, language)}" for verb in verbs]
    lines += ["", say["options"]]
    for option in options:
        flags = ", ".join(option.opts) + (f" {option.make_metavar(ctx)}" if not option.is_flag else "")
        key = "help" if "--help" in option.opts else option.name or ""
        lines += [f"  {flags}", f"      {option_sentence(name, key, language)}"]
    if ctx.parent is None:
        lines += ["", say["more"]]
    return "\n".join(lines)


def usage_sentence(error: click.UsageError, language: Language) -> str:
    """What is wrong with a command line, and where its help is."""
    command = error.ctx.command_path if error.ctx else "falconry"
    return f"{_what(error, language)} {translate('cli.see_help', language, command=command)}"


def _what(error: click.UsageError, language: Language) -> str:
    if isinstance(error, click.NoSuchOption):
        close = list(error.possibilities or [])
        return translate("cli.no_such_option", language, name=error.option_name) + _close(close, language)
    if isinstance(error, click.exceptions.NoSuchCommand):
        close = difflib.get_close_matches(error.command_name, _known(error), n=2)
        return translate("cli.no_such_verb", language, name=error.command_name) + _close(close, language)
    if isinstance(error, click.MissingParameter) and error.param is not None:
        return translate("cli.missing", language, name=(error.param.human_readable_name or "").upper())
    if isinstance(error, click.BadOptionUsage):
        return translate("cli.needs_value", language, name=error.option_name)
    if isinstance(error, click.BadParameter):
        return error.message  # our own types speak the terminal's language already
    return translate("cli.misuse", language, message=error.message)


def _known(error: click.UsageError) -> list[str]:
    group = error.ctx.command if error.ctx else None
    return group.list_commands(error.ctx) if isinstance(group, click.Group) and error.ctx else list(VERBS)


def _close(names: list[str], language: Language) -> str:
    space = " " if language == "en" else ""
    return space + translate("cli.did_you_mean", language, names=", ".join(names)) if names else ""


class Number(click.ParamType[Any]):
    """A number within bounds, whose complaints are in the terminal's language."""

    name = "number"

    def __init__(self, low: float, high: float, *, whole: bool = False) -> None:
        self.low, self.high, self.whole = low, high, whole

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | int:
        try:
            number = int(value) if self.whole else float(value)
        except ValueError:
            number = None
        if number is None or not self.low <= number <= self.high:
            language = _language(ctx) if ctx else "en"
            option = param.opts[0] if param else ""
            key = "cli.not_whole" if self.whole else "cli.not_number"
            self.fail(translate(key, language, option=option, low=self.low, high=self.high, value=value), param, ctx)
        return number


class Word(click.ParamType[Any]):
    """One of a few words, with complaints in the terminal's language."""

    name = "word"

    def __init__(self, *words: str) -> None:
        self.words = words

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in self.words:
            language = _language(ctx) if ctx else "en"
            option = (param.opts[0] if isinstance(param, click.Option) else param.human_readable_name) if param else ""
            words = ", ".join(self.words)
            self.fail(translate("cli.not_word", language, option=option, words=words, value=value), param, ctx)
        return str(value)
