"""The terminal we speak to: its language, what goes to it, and what is kept from it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from falconry.i18n import Language, error_text, terminal_language, translate

# A model's text can hold escape sequences that move the cursor, set the title or write to the clipboard.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def _first_language() -> Language:
    """The language until the settings are read. Help is shown without them, so one variable is looked up here."""
    return terminal_language(os.environ.get("FALCONRY_LANGUAGE", "auto"))


@dataclass
class Terminal:
    """What all verbs know of the terminal. `debug` shows tracebacks in place of sentences."""

    language: Language = field(default_factory=_first_language)
    debug: bool = False

    def __post_init__(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            # A terminal that cannot show a character shows a question mark; it must not end a reply.
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")

    def text(self, name: str, /, **values: object) -> str:
        """A text of the table `cli` in this terminal's language."""
        return translate(f"cli.{name}", self.language, **values)

    def error(self, error: Mapping[str, object]) -> str:
        """The sentence for an error, as FalconryError.as_dict gives it."""
        code = str(error.get("code"))
        details = error.get("details")
        if code.startswith("cli.") and isinstance(details, Mapping):
            return translate(code, self.language, **details)
        return error_text(error, self.language)

    def note(self, name: str, /, **values: object) -> None:
        """Say something beside the output proper: on stderr."""
        print(printable(self.text(name, **values)), file=sys.stderr, flush=True)

    def complain(self, sentence: str) -> None:
        """Say what went wrong."""
        sys.stdout.flush()
        print(f"falconry: {printable(sentence)}", file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """Text without control characters, but for tabs and line ends."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))
