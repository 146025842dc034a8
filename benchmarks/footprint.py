"""Packages and MB of an installation of Falconry, made in a fresh environment from the lock file.

The engine's wheel is told apart: it is llama.cpp itself, and every comparison needs one. pip and setuptools, which an
environment brings along, do not count. Limits: what a person should not have to think about before trying it.

    python benchmarks/footprint.py [--environment FOLDER]   # an existing one, in place of a fresh one
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import monotonic

ROOT = Path(__file__).parent.parent
ENGINE = "xllamacpp"
BROUGHT_ALONG = {"pip", "setuptools"}
MOST_PACKAGES = 67
MOST_MB = 442

# Runs inside the measured environment: name and bytes of every package, compiled modules included.
MEASURE = """
import importlib.metadata, json, pathlib
sizes = {}
for package in importlib.metadata.distributions():
    paths = {pathlib.Path(package.locate_file(file)).resolve() for file in package.files or ()}
    compiled = {c for p in paths if p.suffix == ".py" for c in (p.parent / "__pycache__").glob(p.stem + ".*.pyc")}
    sizes[package.metadata["Name"]] = sum(path.stat().st_size for path in paths | compiled if path.is_file())
print(json.dumps(sizes))
"""


def install(folder: Path) -> float:
    """Install Falconry into a new environment; gives the seconds it took."""
    begun = monotonic()
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "-qq"]
    subprocess.run([*pip, "--require-hashes", "-r", str(ROOT / "requirements" / "run.txt")], check=True)
    subprocess.run([str(ROOT / "scripts" / "install_editable.sh"), str(python)], cwd=ROOT, check=True)
    return monotonic() - begun


def measure(folder: Path) -> dict[str, int]:
    """Bytes by package. `-I`: nothing of the caller's environment counts."""
    done = subprocess.run(
        [str(folder / "bin" / "python"), "-I", "-c", MEASURE], check=True, capture_output=True, text=True
    )
    sizes: dict[str, int] = json.loads(done.stdout)
    return {name: size for name, size in sizes.items() if name.lower() not in BROUGHT_ALONG}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environment", type=Path, help="measure this one")
    chosen: Path | None = parser.parse_args().environment
    with tempfile.TemporaryDirectory() as scratch:
        folder = chosen or Path(scratch) / "environment"
        if chosen is None:
            print(f"installed in {install(folder):.0f} s")
        sizes = measure(folder)
    engine = sizes.get(ENGINE, 0)
    total = sum(sizes.values()) - engine
    for name, size in sorted(sizes.items(), key=lambda item: -item[1])[:10]:
        print(f"{size / 1e6:8.1f} MB  {name}")
    print(f"packages: {len(sizes)} (at most {MOST_PACKAGES})")
    print(f"MB without the engine: {total / 1e6:.0f} (at most {MOST_MB}); the engine: {engine / 1e6:.0f}")
    return 0 if len(sizes) <= MOST_PACKAGES and total <= MOST_MB * 1e6 else 1


if __name__ == "__main__":
    sys.exit(main())
