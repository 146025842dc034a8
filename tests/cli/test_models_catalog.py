"""`falconry models catalog`: the table, the answer, and JSON for programs."""

from __future__ import annotations

import json

from tests.cli.conftest import Run


def test_the_answer_for_8_gb_and_chinese(falconry: Run) -> None:
    done = falconry("models", "catalog", "--memory", "8", "--language", "zh")
    lines = done.stdout.splitlines()
    assert lines[0].split() == [
        "NAME",
        "PARAMETERS",
        "LANGUAGES",
        "LICENCE",
        "QUANT",
        "SIZE",
        "NEEDS",
        "FITS",
        "TOKENS/S",
    ]
    assert lines[-2].startswith("Qwen3.5 4B in Q6_K: of the models that speak Chinese and fit into 6.0 GiB")
    assert lines[-1].strip() == "falconry models pull unsloth/Qwen3.5-4B-GGUF:Q6_K"
    fits = {line.split()[0]: " yes " in line for line in lines[1:-3]}
    assert fits["qwen3.5-4b"] is True
    assert fits["qwen3-32b"] is False
    assert "falcon-7b-instruct" not in fits  # speaks no Chinese


def test_in_chinese(falconry: Run) -> None:
    done = falconry("models", "catalog", "--memory", "8", "--language", "zh", language="zh")
    assert "会说中文" in done.stdout


def test_where_nothing_fits(falconry: Run) -> None:
    assert "falconry chat" in falconry("models", "catalog", "--memory", "0.25").stdout


def test_json(falconry: Run) -> None:
    told = json.loads(falconry("models", "catalog", "--memory", "16", "--json").stdout)
    assert told["memory"] == 14 * 2**30
    assert told["recommended"]["fits"] is True
    assert len(told["models"]) >= 30
