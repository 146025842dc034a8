"""`falconry serve` as a process: one line when it is ready, and a clean end."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path
from time import monotonic

import httpx
import pytest

from tests.cli.conftest import Run, clean_environment
from tests.process import Falconry


def start(home: Path, *arguments: str, **settings: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "falconry", "serve", "--port", "0", *arguments],
        env=clean_environment(home, **{"pages": False, "model": "canned", **settings}),
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("language", "words"), [("C.UTF-8", "Falconry is ready: http://127.0.0.1:"), ("zh_CN.UTF-8", "已就绪：http://")]
)
def test_one_line_when_it_is_ready(language: str, words: str, tmp_path: Path) -> None:
    with start(tmp_path, lang=language) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = next(word for word in line.replace("：", " ").split() if word.startswith("http://"))
        assert words in line
        assert httpx.get(f"{address}/health", trust_env=False).status_code == 200
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=20)
    assert (rest, process.returncode) == ("", 0)
    assert errors.count("\n") == 1  # "Starting Falconry …"


def test_a_sign_of_life_before_the_slow_part(tmp_path: Path) -> None:
    begun = monotonic()
    with start(tmp_path, pages=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "Starting Falconry …\n"
        seconds = monotonic() - begun
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert seconds < 5  # 0.4 s on a quiet machine; Gradio alone takes 3 s, and comes after


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_clean_end_with_an_open_stream(sig: signal.Signals, tmp_path: Path) -> None:
    with Falconry(tmp_path / "data", canned_rate=2) as server, server.client() as client:
        conversation = client.post("/api/conversations").json()["id"]
        reply = client.post(f"/api/conversations/{conversation}/replies", json={"content": "hi"}).json()["reply"]["id"]
        with client.stream("GET", f"/api/replies/{reply}/events") as stream:
            next(stream.iter_bytes())
            begun = monotonic()
            assert server.stop(sig) == 0
            assert monotonic() - begun < 8


def test_a_chosen_port_that_is_taken(falconry: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = falconry("serve", "--port", str(port), "--no-browser")
    assert done.returncode == 1
    assert done.stderr.startswith(f"falconry: Port {port} is taken by another program.")


def test_no_verb_means_serve(falconry: Run) -> None:
    done = falconry("--host", "0.0.0.0")
    assert done.returncode == 1
    assert "--host" in done.stderr


def test_a_model_that_is_not_there_is_told_and_does_not_stop_the_start(tmp_path: Path) -> None:
    """It may be on its way, or on a disk that is not mounted yet; the built-in one answers until then."""
    with start(tmp_path, "--model", "nix", find_models=False) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "Falconry is ready" in process.stdout.readline()
        assert process.stderr.readline() == "Starting Falconry …\n"
        assert "There is no model named “nix”." in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_a_damaged_database_is_one_sentence(falconry: Run, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "falconry.db").write_bytes(b"no database" * 1000)
    done = falconry("serve", "--no-browser", "--port", "0", pages=False)
    assert done.returncode == 1
    assert "database" in done.stderr
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback(falconry: Run, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "falconry.db").write_bytes(b"no database" * 1000)
    assert "Traceback" in falconry("serve", "--no-browser", "--port", "0", "--debug", pages=False).stderr
