"""The plain prompt format, for models that have no chat template of their own.

    System:{instruction}
    User: {text}
    Assistant: {text}
    User: {text}
    Assistant:

The model is stopped before it speaks for the user.
"""

from __future__ import annotations

from collections.abc import Sequence

from falconry.messages import Message

PLAIN_STOP = ("\nUser:", "<|endoftext|>")
_SPEAKER = {"user": "\nUser: ", "assistant": "\nAssistant: "}


def plain_prompt(messages: Sequence[Message]) -> str:
    """Write messages as one raw prompt. A last message of the assistant is left open, to be continued."""
    parts = [
        f"System:{message.content}" if message.role == "system" else _SPEAKER[message.role] + message.content
        for message in messages
    ]
    if not messages or messages[-1].role != "assistant":
        parts.append("\nAssistant:")
    return "".join(parts)
