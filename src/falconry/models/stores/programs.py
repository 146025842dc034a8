"""Programs that keep GGUF files under their own names: LM Studio, and llama.cpp in its older cache."""

from __future__ import annotations

import sys
from pathlib import Path

from falconry.errors import FalconryError
from falconry.models.json_file import read_json
from falconry.settings import Settings, default_cache_dir


def lm_studio_folders() -> list[Path]:
    """Where LM Studio keeps models, `<publisher>/<repository>/<file>`: its own choice, today's default, and the one
    before version 0.3.6."""
    home = Path.home()
    folders = [home / ".lmstudio" / "models", home / ".cache" / "lm-studio" / "models"]
    for settings in (home / ".lmstudio" / "settings.json", home / ".cache" / "lm-studio" / "settings.json"):
        try:
            chosen = read_json(settings).get("downloadsFolder")
        except FalconryError:
            continue
        if isinstance(chosen, str) and chosen:
            folders.insert(0, Path(chosen))
    return [*dict.fromkeys(folders)]


def llama_cpp_cache(settings: Settings) -> Path:
    """Where `llama-server -hf` kept files before it used the cache of Hugging Face."""
    if settings.llama_cache is not None:
        return settings.llama_cache
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "llama.cpp"
    return default_cache_dir() / "llama.cpp"
