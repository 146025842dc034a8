"""What a machine has: within the limits of the control groups it runs in, and of what graphics cards tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from falconry.models import machine
from falconry.models.machine import Gpu, parse_nvidia

GIB = 2**30


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the control groups, to be filled. /proc/self/cgroup is the real one: its paths are not there."""
    monkeypatch.setattr(machine, "_CGROUPS", tmp_path)
    own = tmp_path / "self"
    own.write_text("0::/\n5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n")
    read = machine._text
    monkeypatch.setattr(machine, "_text", lambda path: read(own if path == Path("/proc/self/cgroup") else path))
    return tmp_path


def test_this_machine_has_memory_and_cores() -> None:
    here = machine.machine()
    assert here.total_memory is not None
    assert here.free_memory is not None
    assert 0 < here.free_memory <= here.total_memory
    assert here.cores >= 1


def test_the_limit_of_a_container_is_the_machine(groups: Path) -> None:
    (groups / "memory.max").write_text(f"{GIB}\n")
    (groups / "memory.current").write_text(f"{GIB // 2}\n")
    (groups / "memory.stat").write_text(f"anon 1\ninactive_file {GIB // 4}\n")
    assert machine.total_memory() == GIB
    assert machine.free_memory() == GIB * 3 // 4  # what is cached of files can be given up


def test_the_first_version_of_the_groups_is_read_too(groups: Path) -> None:
    folder = groups / "memory"
    folder.mkdir()
    (folder / "memory.limit_in_bytes").write_text(f"{GIB}\n")
    (folder / "memory.usage_in_bytes").write_text(f"{GIB + 5}\n")
    assert machine.total_memory() == GIB
    assert machine.free_memory() == 0


@pytest.mark.parametrize("limit", ["max", "9223372036854771712", "", "nonsense"])
def test_no_limit_is_none(groups: Path, limit: str) -> None:
    before = machine.total_memory()
    (groups / "memory.max").write_text(limit)
    (groups / "memory.current").write_text("5")
    assert machine.total_memory() == before


def test_a_share_of_the_cores_is_rounded_up(groups: Path) -> None:
    (groups / "cpu.max").write_text("50000 100000\n")
    assert machine.cores() == 1
    (groups / "cpu.max").write_text("max 100000\n")
    assert machine.cores() >= 1


def test_the_first_versions_share_of_the_cores(groups: Path) -> None:
    folder = groups / "cpu"
    folder.mkdir()
    (folder / "cpu.cfs_quota_us").write_text("100000")
    (folder / "cpu.cfs_period_us").write_text("100000")
    assert machine.cores() == 1


def test_graphics_cards() -> None:
    table = "NVIDIA H200, 143771, 143000\nCard, with a comma, 8192, 100\n[Not Supported]\n, , \n"
    assert parse_nvidia(table) == (
        Gpu("NVIDIA H200", 143_771 * 2**20, 143_000 * 2**20),
        Gpu("Card, with a comma", 8192 * 2**20, 100 * 2**20),
    )


def test_a_program_for_cards_that_fails_is_no_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "nvidia-smi"
    broken.write_text("#!/bin/sh\nexit 9\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.gpus() == ()
