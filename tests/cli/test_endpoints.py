"""`falconry endpoints`, as a person runs it: keys are never printed, and what is wrong is said in one sentence."""

from __future__ import annotations

import asyncio
import json
import stat
import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.engines.probe_stubs import OLLAMA, VLLM, stub
from tests.engines.servers import Handler, serve

KEY = "sk-do-not-show-me"


@contextmanager
def running(handler: Handler) -> Generator[str, None, None]:
    """A server in a thread of its own, since the command line is waited for; gives host and port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    context = serve(handler)
    try:
        served = asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result(10)
        yield served.url.removeprefix("http://")
        asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def servers() -> Generator[ExitStack, None, None]:
    with ExitStack() as stack:
        yield stack


def test_an_endpoint_comes_and_goes(falconry: Run, servers: ExitStack, tmp_path: Path) -> None:
    there = servers.enter_context(running(stub(VLLM, key=KEY)))
    assert "There are no endpoints" in falconry("endpoints", "list").stderr
    added = falconry("endpoints", "add", "box", f"{there}/v1/models", "--key-stdin", stdin=f"{KEY}\n")
    assert (added.returncode, added.stdout) == (0, "")
    assert "“box” is added: vLLM, Qwen/Qwen3-4B." in added.stderr
    file = tmp_path / "data" / "endpoints.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    listed = falconry("endpoints", "list")
    head, row = (line.split() for line in listed.stdout.splitlines())
    assert head == ["NAME", "KIND", "URL", "MODELS", "CONTEXT", "KEY", "SOURCE", "STATE"]
    assert row == ["box", "vLLM", f"http://{there}/v1", "Qwen/Qwen3-4B", "40960", "yes", "added", "answers"]
    tested = falconry("endpoints", "test", "box")
    assert (tested.returncode, "It works: Qwen/Qwen3-4B wrote a token" in tested.stderr) == (0, True)
    models = falconry("models").stdout
    assert "box" in models
    for told in (added, listed, tested):
        assert KEY not in told.stdout + told.stderr
    assert falconry("endpoints", "remove", "box").returncode == 0
    assert KEY not in file.read_text()
    assert "box" not in falconry("models").stdout


def test_the_models_of_one_endpoint_can_be_chosen_each(falconry: Run, servers: ExitStack) -> None:
    there = servers.enter_context(running(stub(OLLAMA)))
    assert falconry("endpoints", "add", "box", there).returncode == 0
    found = json.loads(falconry("endpoints", "list", "--json").stdout)[0]
    assert [model["id"] for model in found["facts"]["models"] if model["chat"]] == ["gemma3:4b", "llama3.2:1b"]
    names = [line.split()[0] for line in falconry("models").stdout.splitlines()]
    assert {"box", "box/llama3.2:1b"} <= set(names)


def test_a_key_is_not_asked_for_without_a_terminal(falconry: Run, servers: ExitStack) -> None:
    there = servers.enter_context(running(stub(VLLM, key=KEY)))
    refused = falconry("endpoints", "add", "box", there)
    assert (refused.returncode, "wants a key" in refused.stderr) == (1, True)
    assert "--key-stdin" in falconry("endpoints", "add", "box", there, "--ask-key").stderr


def test_a_key_on_the_command_line_is_taken_with_a_warning(falconry: Run, servers: ExitStack) -> None:
    there = servers.enter_context(running(stub(VLLM, key=KEY)))
    added = falconry("endpoints", "add", "box", there, "--key", KEY, lang="zh_CN.UTF-8")
    assert added.returncode == 0
    assert "进程列表" in added.stderr
    assert KEY not in added.stdout + added.stderr


def test_a_key_from_a_file(falconry: Run, servers: ExitStack, tmp_path: Path) -> None:
    there = servers.enter_context(running(stub(VLLM, key=KEY)))
    (tmp_path / "key").write_text(f"{KEY}\n")
    assert falconry("endpoints", "test", there, "--key-file", "key").returncode == 0
    assert "missing cannot be read" in falconry("endpoints", "test", there, "--key-file", "missing").stderr


def test_what_is_wrong_is_one_sentence_in_both_languages(falconry: Run) -> None:
    english = falconry("endpoints", "test", "localhost:1")
    assert (english.returncode, english.stderr) == (
        1,
        "falconry: Nothing listens at localhost:1. Start the server there, or correct the port.\n",
    )
    chinese = falconry("endpoints", "test", "localhost:1", lang="zh_CN.UTF-8")
    assert chinese.stderr == "falconry: localhost:1 上没有程序在监听。请在那里启动服务器，或更正端口。\n"
    assert "is no URL of a server" in falconry("endpoints", "test", "ftp://x").stderr
    assert "1 to 200 letters" in falconry("endpoints", "add", " ", "localhost:1").stderr


def test_one_that_does_not_answer_is_added_where_it_is_wanted(falconry: Run) -> None:
    refused = falconry("endpoints", "add", "gone", "localhost:1")
    assert (refused.returncode, "no_endpoints" in refused.stderr) == (1, False)
    assert falconry("endpoints", "add", "gone", "localhost:1", "--force").returncode == 0
    listed = falconry("endpoints", "list")
    assert "does not answer" in listed.stdout
    assert "gone: Nothing listens at localhost:1" in listed.stderr


def test_a_file_that_cannot_be_understood_is_set_aside(falconry: Run, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "endpoints.json").write_text("{ half")
    listed = falconry("endpoints", "list")
    assert listed.returncode == 0
    assert "could not be understood and was set aside as endpoints.json.broken-" in listed.stderr
    (aside,) = data.glob("endpoints.json.broken-*")
    assert aside.read_text() == "{ half"
    assert falconry("models").returncode == 0
