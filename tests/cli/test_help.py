"""Version, help and misuse: quick, complete, and in both languages."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from falconry import __version__, cli
from falconry.cli.terminal import Terminal
from falconry.cli.verbs import HELP_NAMES, Falconry, help_text, option_sentence, verb_key, verb_sentence
from falconry.i18n import LANGUAGES, Language, table
from tests.cli.conftest import Run, clean_environment

HEAVY = {"pydantic", "pydantic_settings", "gradio", "sqlalchemy", "httpx", "fastapi", "uvicorn", "asyncio", "xllamacpp"}


def cpu_seconds(*arguments: str, environment: dict[str, str]) -> float:
    """CPU seconds of a command; unlike the clock they do not grow on a busy machine."""
    process = subprocess.Popen(arguments, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


def commands() -> list[tuple[str, click.Context]]:
    """Every verb by its name in the tables, `users_add` for instance, those below others included."""
    context = click.Context(Falconry(), info_name="falconry", help_option_names=HELP_NAMES, obj=Terminal())
    return [("falconry", context), *below(context)]


def below(context: click.Context) -> list[tuple[str, click.Context]]:
    group = context.command
    if not isinstance(group, click.Group):
        return []
    found = []
    for verb in group.list_commands(context):
        command = group.get_command(context, verb)
        assert command is not None
        own = click.Context(command, info_name=verb, parent=context)
        found += [(verb_key(own), own), *below(own)]
    return found


def test_the_version_takes_a_fraction_of_a_second(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "falconry", "--version")
    # 0.1 s on the machine where this was written; the best of three, since other tests run beside it.
    assert min(cpu_seconds(*command, environment=clean_environment(tmp_path)) for _ in range(3)) < 0.3


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["serve", "--bad-option"]])
def test_nothing_heavy_is_imported_for_a_quick_answer(arguments: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "from falconry.cli import main; main()", *arguments[:1]]
        if arguments == ["--version"]
        else [sys.executable, "-X", "importtime", "-m", "falconry", *arguments],
        env=clean_environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    allowed = set() if arguments == ["--version"] else {"pydantic", "pydantic_settings", "asyncio"}
    assert not imported & (HEAVY - allowed)


def test_version(falconry: Run) -> None:
    done = falconry("--version")
    assert (done.stdout, done.stderr, done.returncode) == (f"falconry {__version__}\n", "", 0)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_help_has_a_sentence_for_everything(language: Language, name: str) -> None:
    context = dict(commands())[name]
    text = help_text(context, language)
    assert verb_sentence(name, language) in text
    for param in context.command.get_params(context):
        key = "help" if "--help" in param.opts else param.name or ""
        assert option_sentence(name, key, language) in text


def test_a_verb_with_verbs_of_its_own_shows_them(falconry: Run) -> None:
    done = falconry("keys")
    assert done.returncode == 0
    assert [verb for verb in ("add", "list", "revoke") if f"\n  {verb} " in done.stdout] == ["add", "list", "revoke"]


def test_help_is_in_the_terminals_language(falconry: Run) -> None:
    assert "在终端里对话" in falconry("chat", "--help", lang="zh_CN.UTF-8").stdout
    assert "Chat here in the terminal" in falconry("chat", "--help", lang="de_DE.UTF-8").stdout
    assert "在终端里对话" in falconry("chat", "-h", language="zh").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["compleet"], "Did you mean complete?"),
        (["users", "ad"], "Did you mean add?"),
        (["users", "add"], "NAME is missing"),
        (["users", "role", "x", "boss"], "ROLE takes one of admin, user"),
        (["serve", "--prot", "1"], "--port"),
        (["complete"], "PROMPT is missing"),
        (["complete", "x", "--seed"], "--seed needs a value"),
        (["complete", "x", "--temperature", "9"], "from 0 to 2, not “9”"),
        (["complete", "x", "--max-tokens", "1.5"], "whole number"),
        (["complete", "x", "y"], "cannot be understood"),
        (["complete", "x", *["--stop=a"] * 2, *[f"--stop={n}" for n in range(16)]], "at most 16"),
    ],
)
def test_misuse_is_one_sentence_and_status_2(arguments: list[str], words: str, falconry: Run) -> None:
    done = falconry(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_misuse_in_chinese(falconry: Run) -> None:
    done = falconry("chat", "--temperature", "hot", lang="zh_CN.UTF-8")
    assert done.stderr == "falconry: --temperature 需要 0 到 2 之间的数，而不是“hot”。 参见：falconry chat --help\n"


# Texts whose names are made from parts: what models are, where they come from, and how they are.
BUILT = ("kind_", "source_", "state_", "about_", "catalog_reason", "bench_", "download_")


def test_no_text_is_left_over() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in Path(cli.__file__).parent.glob("*.py"))
    built = ("verb_", "option_", "help_", "reason_", "database_", "advice_database_", "column_", "role_", *BUILT)
    for name in (name.removesuffix("_one") for name in table("en", "cli")):  # chosen by the count
        assert name.startswith(built) or re.search(rf"""['".]{name}['"]""", source), name
