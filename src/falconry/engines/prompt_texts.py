"""What a prompt is made of as text, and which text would crash a tokenizer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from falconry.errors import InvalidRequest
from falconry.messages import Prompt, TokenPrompt

_UNBROKEN = 128 * 1024
"""Characters that may stand together without a change between letters, digits, blanks and other signs. Most
tokenizers, Falcon's too, match such a run with a recursive regular expression that takes 350 bytes of stack for each
character; on the usual 8 MiB, 25,000 exclamation marks were a segmentation fault."""
_RUN = re.compile(r"[^\W\d_]+|\d+|\s+|(?:[^\w\s]|_)+")


def texts_of(prompt: Prompt) -> list[str]:
    """All texts of a prompt, without roles; none of one that is tokens already."""
    if isinstance(prompt, TokenPrompt):
        return []
    if isinstance(prompt, str):
        return [prompt]
    return [text for message in prompt for text in (message.content, *(call.arguments for call in message.tool_calls))]


def unbroken(texts: Sequence[str]) -> bool:
    """Whether there is a run of characters that the tokenizer cannot take."""
    long = (text for text in texts if len(text) > _UNBROKEN)
    return any(len(run[0]) > _UNBROKEN for text in long for run in _RUN.finditer(text))


def refuse_unbroken(texts: Sequence[str]) -> None:
    """Raise InvalidRequest for such a run."""
    if unbroken(texts):
        raise InvalidRequest(
            f"The text has more than {_UNBROKEN} characters without any change between letters, digits, blanks "
            "and other signs. Break it up.",
            code="unbroken_text",
            limit=_UNBROKEN,
        )
