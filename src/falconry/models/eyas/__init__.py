"""Eyas, the small model that comes with Falconry. How it is made stands in training/eyas."""

from __future__ import annotations

from pathlib import Path


def path() -> Path:
    """The model's GGUF file."""
    return Path(__file__).with_name("eyas.gguf")
