"""`falconry models pull`, `downloads` and `remove`, as a person runs them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from falconry.cli.models_pull import progress_line
from falconry.cli.terminal import Terminal
from falconry.models.download import Download
from tests.cli.conftest import Run
from tests.models.hub_server import HubServer, hub_server, model_bytes

FILE = "m-Q4_K_M.gguf"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubServer]:
    with hub_server() as server:
        server.add("org/name", {FILE: model_bytes(tmp_path)})
        yield server


def test_a_model_comes_is_listed_and_goes(falconry: Run, hub: HubServer, tmp_path: Path) -> None:
    pulled = falconry("models", "pull", "org/name", HF_ENDPOINT=hub.url)
    assert (pulled.returncode, pulled.stdout) == (0, "m-Q4_K_M\n"), pulled.stderr
    assert pulled.stderr.splitlines()[0] == "Fetching org/name:Q4_K_M, 293.4 KiB."
    assert len(pulled.stderr.splitlines()) == 2  # no line that moves, where it goes to no terminal
    assert "m-Q4_K_M" in falconry("models").stdout
    unsure = falconry("models", "remove", "m-Q4_K_M")
    assert unsure.returncode == 1
    removed = falconry("models", "remove", "m-Q4_K_M", "--yes")
    assert removed.returncode == 0
    assert "293.4 KiB are free again" in removed.stderr
    assert not (tmp_path / "data" / "models" / "org").exists()


def test_what_was_cut_off_is_listed_and_thrown_away(falconry: Run, hub: HubServer, tmp_path: Path) -> None:
    hub.faults, hub.always = ["cut:100000"], "status:404"
    failed = falconry("models", "pull", "org/name", HF_ENDPOINT=hub.url)
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert "refuses the download (HTTP 404)" in failed.stderr
    listed = falconry("models", "downloads")
    assert listed.stdout.splitlines()[1].split() == ["org/name:Q4_K_M", "97.7", "KiB", "293.4", "KiB", "failed"]
    assert "HTTP 404" in listed.stdout
    (found,) = json.loads(falconry("models", "downloads", "--json").stdout)
    assert found["state"] == "failed"
    assert found["done"] == 100_000
    assert falconry("models", "remove", "org/name", "--yes").returncode == 0
    assert falconry("models", "downloads").stdout == ""
    assert "Nothing is being fetched" in falconry("models", "downloads").stderr
    assert list((tmp_path / "data" / "models" / ".downloads").iterdir()) == []


@pytest.mark.parametrize("lang", ["C.UTF-8", "zh_CN.UTF-8"])
def test_what_cannot_be_had_is_one_sentence(falconry: Run, hub: HubServer, lang: str) -> None:
    done = falconry("models", "pull", "org/nothing", HF_ENDPOINT=hub.url, lang=lang)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert ("上没有 org/nothing" if lang.startswith("zh") else "has no org/nothing") in done.stderr


def test_offline_nothing_is_asked(falconry: Run, hub: HubServer) -> None:
    done = falconry("models", "pull", "org/name", HF_ENDPOINT=hub.url, HF_HUB_OFFLINE="1")
    assert done.returncode == 1
    assert "HF_HUB_OFFLINE is set" in done.stderr
    assert hub.seen == []


def test_what_is_nowhere_cannot_be_removed(falconry: Run) -> None:
    done = falconry("models", "remove", "nothing", "--yes")
    assert done.returncode == 1
    assert "no model named “nothing”" in done.stderr


def test_the_line_that_moves() -> None:
    download = Download(
        id="0" * 16,
        wanted="org/name",
        title="org/name",
        files=(FILE,),
        total=4 * 2**30,
        done=2**30,
        speed=10.0 * 2**20,
        remaining=3723.0,
        state="running",
        error=None,
        path=Path(FILE),
        model="m",
    )
    assert progress_line(download, Terminal("en")) == " 25%  1.0 GiB of 4.0 GiB  10.0 MiB/s  1:02:03 left"
    assert progress_line(download, Terminal("zh")) == " 25%  1.0 GiB / 4.0 GiB  10.0 MiB/s  还需 1:02:03"
