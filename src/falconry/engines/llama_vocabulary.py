"""Texts and tokens of a local model: counted, cut and put together by its own server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from falconry.engines.llama_child import LlamaChild
from falconry.engines.llama_launch import SPARE_THREADS, read_vocabulary
from falconry.engines.llama_server import UNTOLD, readable
from falconry.engines.stand_in import with_stand_ins
from falconry.errors import InvalidRequest
from falconry.messages import Extras, Message, Token, Tool
from falconry.protocols.logprobs import to_bytes
from falconry.protocols.openai import message_list, tool_fields

_PIECE = 16 * 1024
"""Characters of a very long prompt that are counted at once: some 5000 tokens, in a twentieth of a second."""

_AT_ONCE = 4000
"""Tokens that are read before others have their turn, in some milliseconds."""


class Vocabulary:
    """What one model makes of texts."""

    def __init__(self, child: LlamaChild, model: Path) -> None:
        self._child = child
        self._model = model
        # The server has a thread for each request, waiting ones too. Taken by these, /health would seem to hang.
        self._turn = asyncio.Semaphore(SPARE_THREADS // 2)
        self._known: tuple[int, frozenset[int]] | None = None
        self._names: dict[int, str] = {}
        self._characters: dict[bytes, tuple[Token, ...]] = {}
        self._plain: int | None = None

    async def render(self, messages: Sequence[Message]) -> str:
        """The prompt that the chat template makes of messages."""
        body = {"messages": message_list(readable(messages))}
        return str((await self._ask("/apply-template", body))["prompt"])

    async def renders_tools(self) -> bool:
        """Whether the chat template shows the model which tools there are."""
        tool = Tool("falconry_probe")
        body = {"messages": message_list([Message("user", "Hi")]), **tool_fields(Extras(tools=(tool,)))}
        return tool.name in str((await self._ask("/apply-template", body))["prompt"])

    async def count_seen(self, messages: Sequence[Message]) -> int:
        """Tokens of messages with pictures, through the chat template."""
        body = {"messages": message_list(readable(with_stand_ins(messages)))}
        return int((await self._ask("/v1/chat/completions/input_tokens", body))["input_tokens"])

    async def count(self, text: str, *, special: bool = True) -> int:
        """Tokens of a raw prompt; of a text as it stands where not `special`."""
        body = {"content": text, "add_special": special, "parse_special": True}
        return len((await self._ask("/tokenize", body))["tokens"])

    async def count_at_least(self, texts: Iterable[str], enough: int) -> int:
        """Count in pieces, and stop when it is enough: all of two megabytes would take many seconds.

        A word that is cut in two may have a token more, so one is taken off for each piece.
        """
        tokens = 0
        for text in texts:
            for start in range(0, len(text), _PIECE):
                tokens += max(await self.count(text[start : start + _PIECE], special=False) - 1, 0)
                if tokens >= enough:
                    return tokens
        return tokens

    async def tokenize(self, text: str, *, special: bool) -> list[Token]:
        """As `Engine.tokenize`."""
        body = {"content": text, "add_special": special, "parse_special": special, "with_pieces": True}
        entries = (await self._ask("/tokenize", body))["tokens"]
        _, controls = await self._about()
        tokens = []
        for place, entry in enumerate(entries):
            if place % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
            number, piece = int(entry["id"]), entry["piece"]
            raw = to_bytes(piece) if isinstance(piece, list) else str(piece).encode("utf-8", "replace")
            control = number in controls
            shown = raw.decode("utf-8", "replace")
            tokens.append(Token(number, shown, b"" if control else raw, special=control))
        return tokens

    async def detokenize(self, ids: Sequence[int]) -> str:
        """As `Engine.detokenize`."""
        await self.check(ids)
        return str((await self._ask("/detokenize", {"tokens": list(ids)}))["content"])

    async def check(self, ids: Iterable[int]) -> None:
        """Raise InvalidRequest for what is no token of this model: the server takes some of it for other tokens."""
        size, _ = await self._about()
        for number in ids:
            if not 0 <= number < (size or 2**31):
                raise InvalidRequest(
                    f"{number} is no token of this model. Its tokens are 0 to {(size or 2**31) - 1}.",
                    code="invalid_token",
                    token=number,
                    last=(size or 2**31) - 1,
                )

    async def whole(self, tokens: Sequence[Token]) -> tuple[Token, ...]:
        """The tokens of a stream, with what the server left out: names of special ones, and parts of characters."""
        found: list[Token] = []
        untold = 0
        for token in tokens:
            if token is UNTOLD:
                untold += 1
            else:
                found += await self._parts(token, untold) if untold else (token,)
                untold = 0
        return await self.named(found)

    async def _parts(self, token: Token, before: int) -> tuple[Token, ...]:
        """The tokens that make up a character, of which only the last is told of, with the bytes of all.

        They are those that the tokenizer makes of it; where that differs, the character stays one token. Their
        logprobs are not known: 0 for all but the last leaves to the character what the server reports for it.
        """
        if token.raw not in self._characters:
            pieces = await self.tokenize(token.raw.decode("utf-8", "replace"), special=False)
            self._characters[token.raw] = tuple(replace(piece, logprob=0.0) for piece in pieces)
        *parts, last = self._characters[token.raw] or (token,)
        if len(parts) != before or last.id != token.id:
            return (token,)
        return (*parts, replace(token, text=last.text, raw=last.raw))

    async def named(self, tokens: Sequence[Token]) -> tuple[Token, ...]:
        """The same tokens, with their names where the server gave none: it has no text for special ones."""
        for token in tokens:
            for nameless in (token, *token.top):
                if nameless.special and not nameless.text and nameless.id not in self._names:
                    self._names[nameless.id] = await self.detokenize([nameless.id])
        return tuple(map(self._named, tokens))

    def _named(self, token: Token) -> Token:
        if not token.special and all(other.text for other in token.top):
            return token
        text = self._names.get(token.id, token.text) if token.special else token.text
        return replace(token, text=text, top=tuple(map(self._named, token.top)))

    async def plain(self) -> int:
        """A token that is whole text."""
        if self._plain is None:
            tokens = await self.tokenize("a", special=False)
            self._plain = next(token.id for token in tokens if not token.special and "\ufffd" not in token.text)
        return self._plain

    async def _about(self) -> tuple[int, frozenset[int]]:
        if self._known is None:
            self._known = await asyncio.to_thread(read_vocabulary, self._model)
        return self._known

    async def _ask(self, path: str, body: object) -> Any:
        async with self._turn:
            return await self._child.ask(path, body)
