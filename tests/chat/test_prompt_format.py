from __future__ import annotations

from falconry.chat.prompt_format import plain_prompt
from falconry.messages import Message


def test_the_lessons_format_to_the_letter() -> None:
    messages = [
        Message("system", "A conversation."),
        Message("user", "Which animals live on the savanna?"),
        Message("assistant", "Lions and zebras."),
        Message("user", "Which of them is the strongest?"),
    ]
    assert plain_prompt(messages) == (
        "System:A conversation.\nUser: Which animals live on the savanna?\nAssistant: Lions and zebras."
        "\nUser: Which of them is the strongest?\nAssistant:"
    )


def test_a_partial_reply_is_left_open() -> None:
    assert plain_prompt([Message("user", "Hi"), Message("assistant", "Hel")]) == "\nUser: Hi\nAssistant: Hel"
