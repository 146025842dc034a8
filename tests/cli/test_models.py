"""`falconry models`: a table that lines up, Chinese names included."""

from __future__ import annotations

from falconry.cli.models import aligned
from tests.cli.conftest import Run


def test_the_table(falconry: Run) -> None:
    done = falconry("models", "--model", "canned")
    assert done.stdout == "NAME    ENGINE     DEFAULT\neyas    llama_cpp\ncanned  canned     yes\n"


def test_in_chinese(falconry: Run) -> None:
    assert falconry("models", lang="zh_CN.UTF-8").stdout.splitlines()[0].split() == ["名称", "引擎", "默认"]


def test_wide_characters_take_two_columns() -> None:
    assert aligned([("名称", "x"), ("a", "y")]) == "名称  x\na     y"


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in aligned([("a\x1b[2J", "x")])
