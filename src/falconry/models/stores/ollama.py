"""Ollama's store: manifests that name the parts of a model by their digests, and blobs that have these as names.

Source: `types/model/name.go` and `manifest` of ollama/ollama for the layout, its `docs/modelfile.mdx` for the parts.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from falconry.errors import FalconryError
from falconry.models.json_file import read_json
from falconry.models.regular_file import is_folder
from falconry.models.stores.found import Found
from falconry.settings import Settings

_KIND = re.compile(r"application/vnd\.ollama\.image\.(model|adapter|projector)")
_DIGEST = re.compile(r"sha256[:-]([0-9a-f]{64})")
_MANIFEST_LIMIT = 2**20
_MOST = 5000
_LEVELS = 4  # registry, namespace, name, tag


def ollama_stores(settings: Settings) -> list[Path]:
    """The folders where Ollama keeps models: the user's, and that of the service which its installer sets up."""
    if settings.ollama_models is not None:
        return [settings.ollama_models]
    stores = [Path.home() / ".ollama" / "models"]
    if sys.platform == "linux":
        stores.append(Path("/usr/share/ollama/.ollama/models"))
    return stores


def find_in_ollama(store: Path) -> Iterator[Found]:
    """Models of a store, as `ollama list` names them. Where two names mean the same files, `latest` comes second."""
    manifests = [*_manifests(store / "manifests", _LEVELS)]
    for manifest in sorted(manifests, key=lambda path: (path.name == "latest", path)):
        parts = manifest.relative_to(store / "manifests").parts
        yield from _in_manifest(store, manifest, _name(parts), "/".join(parts[:-1]) + f":{parts[-1]}")


def _manifests(folder: Path, levels: int) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())[:_MOST]
    except OSError:
        return
    for entry in entries:
        if levels > 1 and is_folder(entry):
            yield from _manifests(entry, levels - 1)
        elif levels == 1:
            yield entry


def _name(parts: tuple[str, ...]) -> str:
    registry, namespace, name, tag = parts
    place = "" if registry == "registry.ollama.ai" else f"{registry}/"
    return f"{place}{'' if namespace == 'library' and not place else f'{namespace}/'}{name}:{tag}"


def _in_manifest(store: Path, manifest: Path, name: str, longer: str) -> Iterator[Found]:
    blobs: dict[str, list[Path]] = {"model": [], "adapter": [], "projector": []}
    try:
        layers = read_json(manifest, limit=_MANIFEST_LIMIT).get("layers")
    except FalconryError:  # being written, or nothing of Ollama's
        return
    for layer in layers if isinstance(layers, list) else []:
        if isinstance(layer, dict):
            kind = _KIND.fullmatch(str(layer.get("mediaType")))
            digest = _DIGEST.fullmatch(str(layer.get("digest")))
            if kind and digest:  # nothing else becomes part of a path
                blobs[kind[1]].append(store / "blobs" / f"sha256-{digest[1]}")
    projector = blobs["projector"][0] if blobs["projector"] else None
    for path in blobs["model"][:1]:
        yield Found(path, "ollama", name, longer, _hex(path), projector)
    for path in blobs["adapter"]:
        yield Found(path, "ollama", f"{name} (adapter)", f"{longer} (adapter)", _hex(path))


def _hex(blob: Path) -> str:
    return blob.name.removeprefix("sha256-")
