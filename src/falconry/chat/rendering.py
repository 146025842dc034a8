"""How a model reads a conversation: the text that its template makes of it, and the tokens of that text."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from falconry.chat.context_window import Prompter
from falconry.errors import NotSupported
from falconry.messages import ContextUse, Message, Token

MOST_BYTES = 64 * 1024
"""Of a prompt that are cut into tokens to be told one by one. 150,000 tokens of emoji took the engine ten seconds, and
nobody reads so many."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """See the module.

    Attributes:
        messages: those that are sent.
        use: tokens, window, and how many messages are left out.
        plain: the plain prompt format is used, since the model has no template of its own.
        template: the model's chat template, in Jinja; None where there is none or the backend does not tell.
        text: the exact prompt; None where the backend does not tell.
        tokens: those of the beginning of `text`, special ones marked; None where the backend does not tell.
    """

    messages: list[Message]
    use: ContextUse
    plain: bool
    template: str | None
    text: str | None
    tokens: tuple[Token, ...] | None


async def rendering(prompter: Prompter, messages: Sequence[Message], use: ContextUse) -> Rendering:
    """Let an engine render messages and cut the result into tokens. Raises EngineError."""
    text = await prompter.render(messages)
    tokens: tuple[Token, ...] | None = None
    template: str | None = None
    if text is not None:
        with suppress(NotSupported):
            tokens = tuple(await prompter.engine.tokenize(_beginning(text)))
    if not prompter.plain:
        with suppress(NotSupported):
            template = (await prompter.engine.tokenizer_info()).chat_template
    return Rendering(list(messages), use, prompter.plain, template, text, tokens)


def _beginning(text: str) -> str:
    return text.encode("utf-8", "replace")[:MOST_BYTES].decode("utf-8", "ignore")
