"""What the log tells, on stderr: one line an entry, control characters escaped."""

from __future__ import annotations

import logging

from falconry.cli.terminal import printable


class _OneLine(logging.Formatter):
    """Names and texts from outside cannot forge an entry or move the cursor; tracebacks keep their lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # the name is logging's
        record.message = printable(record.message).replace("\n", "\\n")
        return super().formatMessage(record)


def configure_logging(level: str) -> None:
    """Send the log to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for chatty in ("httpx", "httpcore", "asyncio", "markdown_it"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))
