"""What is wrong with a file, or was left out of it, told with the place."""

from __future__ import annotations

from collections import Counter

from falconry.errors import FalconryError, InvalidRequest


class ImportRefused(InvalidRequest):
    """The file cannot be taken. Nothing of it was."""

    default_code = "import_unknown"

    def __init__(self, message: str | None = None, *, code: str | None = None, **details: str | int | float) -> None:
        super().__init__(
            message
            or "This is no export that Falconry can read. It reads its own (JSON), ChatGPT's (the zip file, or "
            "conversations.json) and Open WebUI's (JSON).",
            code=code,
            **details,
        )


def wrong_value(where: str, field: str) -> ImportRefused:
    return ImportRefused(
        f"{where}: “{field}” is missing, or has a value that it cannot have.",
        code="import_wrong_value",
        where=where,
        field=field,
    )


class Notes:
    """Counts what had to be left out of what was taken all the same."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def media(self) -> None:
        self._counts["media"] += 1

    def file_without_text(self) -> None:
        self._counts["file"] += 1

    def unknown(self) -> None:
        self._counts["unknown"] += 1

    def all(self) -> list[FalconryError]:
        """One sentence for each kind."""
        found: list[FalconryError] = []
        if count := self._counts["media"]:
            found.append(
                FalconryError(
                    f"Pictures and recordings that were left out, since Falconry keeps text: {count}.",
                    code="import_media_left_out",
                    count=count,
                )
            )
        if count := self._counts["file"]:
            found.append(
                FalconryError(
                    f"Files whose text is not in the export, so that only their names were kept: {count}.",
                    code="import_file_without_text",
                    count=count,
                )
            )
        if count := self._counts["unknown"]:
            found.append(
                FalconryError(
                    f"Parts of messages of a kind that Falconry does not know, which were left out: {count}.",
                    code="import_unknown_content",
                    count=count,
                )
            )
        return found
