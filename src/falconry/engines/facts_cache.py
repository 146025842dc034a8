"""What was learnt of endpoints, kept over a restart, so that the picker is whole before anybody was asked.

It holds nothing secret and nothing that cannot be learnt again: a file that cannot be read or written is as good as
none.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path

from falconry.engines.endpoint_store import replace_file
from falconry.engines.server_facts import ServerFacts

logger = logging.getLogger(__name__)

FILE = "endpoints-learnt.json"


class FactsCache:
    """Facts by an endpoint's name and URL. Blocks for a moment."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / FILE

    def load(self) -> dict[str, ServerFacts]:
        try:
            entries = json.loads(self._path.read_text(encoding="utf-8"))
            return {key: ServerFacts.from_json(value) for key, value in entries.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {}

    def save(self, facts: Mapping[str, ServerFacts]) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            replace_file(self._path, json.dumps({key: found.as_json() for key, found in facts.items()}))
        except OSError as error:
            logger.warning("What endpoints told cannot be kept in %s: %s", self._path, error)
