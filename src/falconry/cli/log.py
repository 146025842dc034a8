"""What the log tells, on stderr: one line an entry, as text for people or as JSON for machines.

Control characters are escaped, so nothing from outside can forge an entry or move the cursor. What libraries would tell
at the level debug, such as statements with their values or requests with their headers, stays out at any level: there
are prompts, passwords and keys in it.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Literal

from falconry import request_id
from falconry.cli.terminal import printable

OURS = "falconry"


class _TextLines(logging.Formatter):
    """A line for people. Only tracebacks have several."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # the name is logging's
        record.message = printable(record.message).replace("\n", "\\n")
        line = super().formatMessage(record)
        return f"{line} [{asker}]" if (asker := request_id.current()) else line

    def formatException(self, ei: object) -> str:  # noqa: N802
        return printable(super().formatException(ei))  # type: ignore[arg-type]  # as logging declares it


class _JsonLines(logging.Formatter):
    """A JSON object a line: time, level, logger, message, request_id, and what the entry has in `fields`."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if asker := request_id.current():
            entry["request_id"] = asker
        fields = getattr(record, "fields", None)
        if isinstance(fields, dict):
            entry |= {str(name): value for name, value in fields.items() if str(name) not in entry}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str).replace("\x7f", "\\u007f")  # ASCII, and nothing of it controls


def configure_logging(level: str, form: Literal["text", "json"] = "text") -> None:
    """Send the log to stderr: our own entries from `level` on, those of libraries from warning on."""
    handler = logging.StreamHandler()
    handler.setFormatter(
        _JsonLines() if form == "json" else _TextLines("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    wanted = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(level=max(logging.WARNING, wanted), handlers=[handler], force=True)
    logging.getLogger(OURS).setLevel(wanted)
