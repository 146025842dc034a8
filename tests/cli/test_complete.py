"""`falconry complete`: raw in, raw out, and honest exit statuses."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import Run, clean_environment


def test_the_completion_and_nothing_else(falconry: Run) -> None:
    done = falconry("complete", "hello", "--model", "canned", "--seed", "1")
    assert done.returncode == 0
    assert "falcon" in done.stdout.lower() or "bot" in done.stdout
    assert done.stderr == ""


def test_the_same_seed_says_the_same(falconry: Run) -> None:
    runs = [falconry("complete", "hello", "-m", "canned", "--seed", "5").stdout for _ in range(2)]
    assert runs[0] == runs[1]


def test_the_prompt_from_standard_input(falconry: Run) -> None:
    assert falconry("complete", "-", "--model", "canned", stdin="hello").stdout


def test_max_tokens_and_stop(falconry: Run) -> None:
    whole = falconry("complete", "hello", "-m", "canned", "--temperature", "0").stdout
    three = falconry("complete", "hello", "-m", "canned", "--temperature", "0", "--max-tokens", "3").stdout
    assert whole.startswith(three)
    assert len(three) < len(whole)
    paragraph = falconry("complete", "hello", "-m", "canned", "--temperature", "0", "--stop", "\\n\\n").stdout
    assert paragraph == whole.partition("\n\n")[0]


def test_an_empty_prompt(falconry: Run) -> None:
    done = falconry("complete", "-", "-m", "canned")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "falconry: The prompt is empty.\n")


def test_an_endpoint_that_is_not_there(falconry: Run) -> None:
    endpoints = '[{"name": "gone", "url": "http://127.0.0.1:9/v1", "api_key": "hunter2"}]'
    done = falconry("complete", "hello", endpoints=endpoints)
    assert done.returncode == 1
    assert done.stderr.startswith("falconry: ")
    assert done.stderr.count("\n") == 1
    assert "hunter2" not in done.stderr


def test_ctrl_c_ends_it_with_130(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "falconry", "complete", "hello", "-m", "canned"],
        env=clean_environment(tmp_path, canned_rate=5),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors.strip()) == (130, b"")


def test_a_reader_that_leaves_is_no_traceback(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "falconry", "complete", "hello", "-m", "canned"],
        env=clean_environment(tmp_path, canned_rate=50),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        errors = process.stderr.read()
        process.wait(10)
    assert (process.returncode, errors) == (1, b"")
