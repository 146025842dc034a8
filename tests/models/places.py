"""The folders of other programs, as they lay them out, with small models in them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.models.gguf_bytes import ARCHITECTURE, DATA, PAIRS, TENSORS, File, number, string, tensor


def gguf(name: str = "Tiny", *, fill: int = 0) -> bytes:
    """A model; with another `fill` it has the same size and other weights."""
    pairs = (ARCHITECTURE, string("general.name", name), *PAIRS[2:])
    return File(pairs=pairs, tensors=TENSORS, data=bytes([fill]) * len(DATA)).bytes()


def adapter(name: str = "Tone") -> bytes:
    pairs = (
        ARCHITECTURE,
        string("general.type", "adapter"),
        string("adapter.type", "lora"),
        string("general.name", name),
    )
    return File(pairs=pairs, tensors=(tensor("blk.0.attn_q.weight.lora_a", (32,)),), data=bytes(128)).bytes()


def projector(name: str = "Tiny", *, width: int = 32, kind: int = 1) -> bytes:
    pairs = (
        string("general.architecture", "clip"),
        string("general.type", "mmproj"),
        string("general.name", name),
        number("general.file_type", kind),
        number("clip.vision.projection_dim", width),
    )
    return File(pairs=pairs, tensors=(tensor("mm.0.weight", (32,)),), data=bytes([kind]) * 128).bytes()


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


class Hub:
    """A cache of Hugging Face's: files are links to blobs."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, repository: str, files: Mapping[str, bytes], *, revision: str = "a" * 40, main: bool = True) -> Path:
        """Returns the folder of the revision."""
        folder = self.root / f"models--{repository.replace('/', '--')}"
        for name, content in files.items():
            blob = write(folder / "blobs" / hashlib.sha256(content).hexdigest(), content)
            link = folder / "snapshots" / revision / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(Path(*[".."] * (len(link.relative_to(folder).parts) - 1)) / "blobs" / blob.name)
        if main:
            write(folder / "refs" / "main", revision.encode())
        return folder / "snapshots" / revision


class Ollama:
    """A store of Ollama's."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(
        self,
        name: str,
        layers: Sequence[tuple[str, bytes]],
        *,
        place: str = "registry.ollama.ai/library",
    ) -> list[Path]:
        """Write a manifest (`name` is like "llama3.2:1b") and the blobs, whose paths are returned."""
        blobs, listed = [], []
        for kind, content in layers:
            digest = hashlib.sha256(content).hexdigest()
            blobs.append(write(self.root / "blobs" / f"sha256-{digest}", content))
            media = f"application/vnd.ollama.image.{kind}"
            listed.append({"mediaType": media, "digest": f"sha256:{digest}", "size": len(content)})
        model, _, tag = name.partition(":")
        manifest = json.dumps({"schemaVersion": 2, "layers": listed}).encode()
        write(self.root / "manifests" / place / model / tag, manifest)
        return blobs
