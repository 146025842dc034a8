"""Real processes that are killed while they fetch, and several that want the same: the content is right in the end."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import clean_environment
from tests.models.hub_server import HubServer, model_bytes

FILE = "m-Q4_K_M.gguf"
SIZE = 4_000_000


class Pull:
    """`falconry models pull` in a process of its own."""

    def __init__(self, home: Path, hub: HubServer, wanted: str = "org/name") -> None:
        self.home = home
        self.target = home / "data" / "models" / "org" / "name" / FILE
        self.process = subprocess.Popen(
            [sys.executable, "-m", "falconry", "models", "pull", wanted],
            env=clean_environment(home, HF_ENDPOINT=hub.url),
            cwd=home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def there(self) -> int:
        """Bytes that have been written."""
        return max((part.stat().st_size for part in self.home.glob(f"data/models/.downloads/*/{FILE}")), default=0)

    def wait_for(self, size: int) -> None:
        """Until this many bytes are written: the server has sent them, but only the disk tells that they are kept."""
        end = time.monotonic() + 30
        while self.there() < size:
            assert time.monotonic() < end, self.there()
            time.sleep(0.01)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def end(self) -> tuple[int, str, str]:
        """Exit status, stdout, stderr."""
        out, error = self.process.communicate(timeout=60)
        return self.process.returncode, out, error


@pytest.fixture
def content(hub: HubServer, tmp_path: Path) -> bytes:
    made = model_bytes(tmp_path, size=SIZE)
    hub.add("org/name", {FILE: made})
    return made


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def kill_and_go_on(hub: HubServer, home: Path, content: bytes, steps: list[int], moments: list[float]) -> None:
    """Kill a process after each number of new bytes, then some at moments (in seconds) on their way to the end."""
    for step in steps:
        hub.faults = [f"hold:{step}"]
        hub.held.clear()
        pull = Pull(home, hub)
        before = pull.there()
        assert hub.held.wait(30)
        pull.wait_for(before + min(step, 1))
        pull.kill()
        assert not pull.target.exists()
    for moment in moments:
        hub.rate = SIZE  # what is left takes a fraction of a second
        pull = Pull(home, hub)
        time.sleep(moment)  # a moment is what is tried here
        pull.kill()
        if pull.target.exists():
            assert digest(pull.target.read_bytes()) == digest(content)
    hub.rate = None
    pull = Pull(home, hub)
    status, out, error = pull.end()
    assert (status, out) == (0, "m-Q4_K_M\n"), error
    assert digest(pull.target.read_bytes()) == digest(content)
    assert [path.name for path in home.glob("data/models/.downloads/*")] == []
    # It went on each time with what it had.
    starts = [int((seen.range or "bytes=0-")[6:-1]) for seen in hub.downloads()]
    assert starts == sorted(starts)
    assert starts[len(steps)] > 0


def test_killed_at_three_points(hub: HubServer, tmp_path: Path, content: bytes) -> None:
    kill_and_go_on(hub, tmp_path, content, [1, 2**20 + 1, 1_000_000], [])


@pytest.mark.soak
def test_killed_at_twenty_points(hub: HubServer, tmp_path: Path, content: bytes) -> None:
    dice = random.Random(3)
    steps = [1, 0, 3, 2**20 - 1, 2**20, 2**20 + 1, *(dice.randrange(100_000) for _ in range(7))]
    kill_and_go_on(hub, tmp_path, content, steps, [0.3 + dice.random() * 1.2 for _ in range(7)])


def test_two_processes_share_one_download(hub: HubServer, tmp_path: Path, content: bytes) -> None:
    hub.rate = 2 * SIZE
    pulls = [Pull(tmp_path, hub), Pull(tmp_path, hub, f"org/name/{FILE}")]
    ends = [pull.end() for pull in pulls]
    assert [(status, out) for status, out, _ in ends] == [(0, "m-Q4_K_M\n")] * 2, ends
    assert digest(pulls[0].target.read_bytes()) == digest(content)
    assert len(hub.downloads()) == 1


def test_the_second_goes_on_when_the_first_is_killed(hub: HubServer, tmp_path: Path, content: bytes) -> None:
    hub.faults = ["hold:3000000"]
    first = Pull(tmp_path, hub)
    assert hub.held.wait(30)
    second = Pull(tmp_path, hub)
    assert second.process.stderr is not None
    assert "Going on with" in second.process.stderr.readline()
    first.kill()
    status, out, error = second.end()
    assert (status, out) == (0, "m-Q4_K_M\n"), error
    assert digest(second.target.read_bytes()) == digest(content)
    assert [seen.range is not None for seen in hub.downloads()] == [False, True]


def test_ctrl_c_keeps_what_there_is_and_says_so(hub: HubServer, tmp_path: Path, content: bytes) -> None:
    hub.faults = ["hold:3000000"]
    pull = Pull(tmp_path, hub)
    assert hub.held.wait(30)
    pull.wait_for(1_900_000)
    os.kill(pull.process.pid, signal.SIGINT)
    status, out, error = pull.end()
    assert (status, out) == (130, "")
    assert "“falconry models pull org/name” goes on from there" in error
    assert "Traceback" not in error
    part = next(tmp_path.glob(f"data/models/.downloads/*/{FILE}"))
    assert part.stat().st_size > 2_000_000
    assert content.startswith(part.read_bytes())
