"""The cache of Hugging Face's hub: `models--<organisation>--<name>/snapshots/<revision>/…`, links to `blobs/<digest>`.

Source: “Understand caching” of the documentation of huggingface_hub. llama.cpp fetches into it as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from falconry.models.regular_file import is_folder
from falconry.models.stores.files import find_in_folder
from falconry.models.stores.found import Found
from falconry.settings import Settings, default_cache_dir

_DEPTH = 3  # folders within a repository, one for each quantisation
_SHA256 = re.compile(r"[0-9a-f]{64}")


def hub_cache(settings: Settings) -> Path:
    """Where the cache is, by the variables that huggingface_hub knows."""
    home = settings.hf_home or default_cache_dir() / "huggingface"
    return settings.hf_hub_cache or home / "hub"


def find_in_hub_cache(cache: Path) -> Iterator[Found]:
    """Models in the cache, of each repository what `main` points to first. What is still being fetched has no name
    there yet, and so does not show."""
    for repository in _folders(cache):
        if repository.name.startswith("models--"):
            yield from _in_repository(repository)


def _in_repository(repository: Path) -> Iterator[Found]:
    title = repository.name.removeprefix("models--").replace("--", "/")
    seen: set[Path] = set()
    for snapshot in _snapshots(repository):
        for found in find_in_folder(snapshot, "huggingface", depth=_DEPTH):
            inside = found.path.relative_to(snapshot)
            if inside not in seen:  # an older revision of the same file
                seen.add(inside)
                yield _named(found, snapshot, title)


def _named(found: Found, snapshot: Path, title: str) -> Found:
    if found.path == snapshot:
        return replace(found, name=title, longer=f"{title} ({snapshot.name[:8]})")
    inside = found.path.relative_to(snapshot)
    if is_folder(found.path):
        return replace(found, name=f"{title}/{inside}", longer=f"{title}/{inside} ({snapshot.name[:8]})")
    return replace(found, longer=f"{title}/{found.name}", digest=_digest(found.path))


def _digest(path: Path) -> str | None:
    """Large files lie in the cache under their sha256."""
    with suppress(OSError):
        target = path.readlink().name
        return target if _SHA256.fullmatch(target) else None
    return None


def _snapshots(repository: Path) -> list[Path]:
    """The one that `main` is, then the others, the newest first."""
    main = ""
    with suppress(OSError, UnicodeDecodeError):
        main = (repository / "refs" / "main").read_text(encoding="utf-8").strip()
    return sorted(_folders(repository / "snapshots"), key=lambda path: (path.name != main, -_time(path)))


def _time(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if is_folder(path))
    except OSError:
        return []
