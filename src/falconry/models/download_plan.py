"""What a download consists of: which files, from where, to where. Kept on disk beside them until they are complete.

models/                              `Settings.models_folder`
  org/name/file.gguf                 complete and checked: may be offered
  .downloads/<id>.json               the plan, and how far it is known to be
  .downloads/<id>.lock               held by the process that fetches
  .downloads/<id>/file.gguf          not complete yet, or not checked
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from falconry.models.checksum import Checksum
from falconry.models.safe_names import is_safe

State: TypeAlias = Literal["waiting", "running", "verifying", "done", "failed", "cancelled", "paused"]
ACTIVE: frozenset[State] = frozenset({"waiting", "running", "verifying"})
FOLDER = ".downloads"


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One file. `path` is relative to the plan's folder, `size` in bytes."""

    url: str
    path: str
    size: int
    checksum: Checksum | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is fetched for one model.

    Attributes:
        wanted: what somebody asked for, in their words.
        folder: where its files go, relative to the models' folder.
        repository: at the hub, for what it says when it refuses; None for a URL elsewhere.
        model: under which name it can be chosen when it is there.
        id: the same for the same files, whatever words they were asked for with.
    """

    wanted: str
    title: str
    folder: str
    files: tuple[PlannedFile, ...]
    format: Literal["gguf", "safetensors"]
    model: str
    repository: str | None = None
    id: str = field(init=False)

    def __post_init__(self) -> None:
        names = sorted(f"{self.folder}/{file.path}" for file in self.files)
        if not names or not all(map(is_safe, names)):
            raise ValueError("a download has files, and they have safe names")
        # Reckoned once: of thousands of files each asks for it.
        object.__setattr__(self, "id", hashlib.sha256("\n".join(names).encode()).hexdigest()[:16])

    @property
    def total(self) -> int:
        """Bytes."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True)
class Stored:
    """What is on disk of a download: its plan, its state, why it failed, and the ETags that its parts came with."""

    plan: Plan
    state: State
    error: Mapping[str, Any] | None = None
    etags: Mapping[str, str] = field(default_factory=dict)


class DownloadFolder:
    """The folder of what is not complete yet. Everything here blocks, for a millisecond or so."""

    def __init__(self, models: Path) -> None:
        self.models = models
        self.path = models / FOLDER

    def staging(self, download_id: str) -> Path:
        """Where the files of a download lie until they are complete."""
        return self.path / download_id

    def lock_path(self, download_id: str) -> Path:
        return self.path / f"{download_id}.lock"

    def part(self, plan: Plan, file: PlannedFile) -> Path:
        return self.staging(plan.id) / file.path

    def target(self, plan: Plan, file: PlannedFile) -> Path:
        return self.models / plan.folder / file.path

    def save(self, stored: Stored) -> None:
        """Write it down, whole or not at all. Raises OSError."""
        self.path.mkdir(parents=True, exist_ok=True)
        path = self.path / f"{stored.plan.id}.json"
        fresh = path.with_suffix(f".{os.getpid()}.new")
        fresh.write_text(json.dumps(asdict(stored), ensure_ascii=False, indent=1), encoding="utf-8")
        fresh.replace(path)

    def is_kept(self, download_id: str) -> bool:
        """Whether a download is written down."""
        return (self.path / f"{download_id}.json").exists()

    def load(self) -> dict[str, Stored]:
        """All downloads that are written down, by their id. A file that cannot be understood is left alone."""
        found = {}
        for path in self._kept():
            try:
                stored = _stored(json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
                continue
            if stored.plan.id == path.stem:
                found[path.stem] = stored
        return found

    def _kept(self) -> list[Path]:
        try:
            return sorted(path for path in self.path.iterdir() if path.suffix == ".json")
        except OSError:  # not there yet, or not ours to read
            return []

    def done(self, plan: Plan) -> int:
        """Bytes that are there, complete or not."""
        return sum(self.present(plan, file) for file in plan.files)

    def present(self, plan: Plan, file: PlannedFile) -> int:
        """Bytes of a file that are there."""
        for path in (self.part(plan, file), self.target(plan, file)):
            try:
                return min(path.stat().st_size, file.size)
            except OSError:
                continue
        return 0

    def forget(self, download_id: str) -> None:
        """Remove what is written down, and what has been fetched and is not complete."""
        (self.path / f"{download_id}.json").unlink(missing_ok=True)
        self.lock_path(download_id).unlink(missing_ok=True)
        shutil.rmtree(self.staging(download_id), ignore_errors=True)


def _stored(data: Any) -> Stored:
    """Raises KeyError, TypeError, ValueError for what we have not written."""
    plan = {name: value for name, value in data["plan"].items() if name != "id"}
    files = tuple(map(_file, plan.pop("files")))
    texts = [*plan.values(), *data["etags"].keys(), *data["etags"].values()]
    if not all(isinstance(text, str) or (text is None and plan.get("repository") is None) for text in texts):
        raise TypeError("not what we write")
    if data["state"] not in get_args(State) or plan["format"] not in ("gguf", "safetensors"):
        raise ValueError("no state, or no format")
    if not isinstance(data["error"], dict | None):
        raise TypeError("no error")
    return Stored(Plan(files=files, **plan), data["state"], data["error"], dict(data["etags"]))


def _file(data: Any) -> PlannedFile:
    file = PlannedFile(**{**data, "checksum": Checksum(**data["checksum"]) if data["checksum"] else None})
    checksum = file.checksum
    if type(file.size) is not int or not 0 <= file.size < 2**63 or not isinstance(file.url, str):
        raise ValueError("no file")
    if checksum is not None and (checksum.algorithm not in ("sha256", "git") or not isinstance(checksum.value, str)):
        raise ValueError("no checksum")
    return file
