"""A file that is not complete yet, and a disk that is full."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from falconry.errors import DownloadFailed, NotEnoughSpace
from falconry.models.checksum import Checksum
from falconry.models.download_plan import PlannedFile
from falconry.models.part import Part

CONTENT = bytes(range(256)) * 40


def planned(content: bytes = CONTENT, algorithm: str = "sha256") -> PlannedFile:
    if algorithm == "git":
        digest = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
        return PlannedFile("https://hub/x", "x.gguf", len(content), Checksum("git", digest))
    return PlannedFile("https://hub/x", "x.gguf", len(content), Checksum("sha256", hashlib.sha256(content).hexdigest()))


@pytest.mark.parametrize("algorithm", ["sha256", "git"])
@pytest.mark.parametrize("there", [0, 1, 5000, len(CONTENT)])
async def test_what_is_there_counts_for_the_checksum(tmp_path: Path, algorithm: str, there: int) -> None:
    path = tmp_path / "a" / "x.gguf"
    path.parent.mkdir()
    path.write_bytes(CONTENT[:there])
    part = Part(path, planned(algorithm=algorithm))
    await part.open()
    assert part.size == there
    await part.append(CONTENT[there:])
    assert part.size == len(CONTENT)
    assert await part.finish()
    part.close()
    assert path.read_bytes() == CONTENT


async def test_another_content_is_noticed(tmp_path: Path) -> None:
    part = Part(tmp_path / "x.gguf", planned())
    await part.open()
    await part.append(b"!" * len(CONTENT))
    assert not await part.finish()
    await part.restart()
    assert part.size == 0
    await part.append(CONTENT)
    assert await part.finish()
    part.close()


async def test_a_part_that_is_too_long_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(CONTENT + b"!")
    part = Part(tmp_path / "x.gguf", planned())
    await part.open()
    assert part.size == 0
    part.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
async def test_a_full_disk_is_told_with_the_numbers() -> None:
    part = Part(Path("/dev/full"), planned())
    await part.open()
    with pytest.raises(NotEnoughSpace, match="There is not enough room") as raised:
        await part.append(CONTENT)
    assert raised.value.details["needed"] == len(CONTENT)
    part.close()


async def test_room_is_left_for_conversations(tmp_path: Path) -> None:
    block = bytes(63 * 2**20)
    part = Part(tmp_path / "x.gguf", PlannedFile("https://hub/x", "x.gguf", 2**40), reserve=2**60)
    await part.open()
    await part.append(block)
    with pytest.raises(NotEnoughSpace):
        await part.append(block)
    assert part.size == len(block)  # what is there is kept
    part.close()


async def test_what_the_system_says_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    part = Part(tmp_path / "file" / "x.gguf", planned())
    with pytest.raises(DownloadFailed, match="cannot be written: ") as raised:
        await part.open()
    assert raised.value.code == "cannot_write"


async def test_after_the_end_nothing_is_written(tmp_path: Path) -> None:
    part = Part(tmp_path / "x.gguf", planned())
    await part.open()
    part.close()
    part.close()
    await part.append(CONTENT)
    assert (tmp_path / "x.gguf").read_bytes() == b""
