"""What fits into the model's context window, and what is left out.

Two rules: the system message and the newest message are never left out, and nothing else is without being counted.

When a conversation outgrows the window, whole turns are dropped from its old end until about 70 % of the room is
used. The next turns then only append, so the engine's prompt cache stays warm; dropping the oldest turn every time
would change the beginning of every prompt and have all of it read again (benchmarks/context_window.py measures
both). Where the cut lies is stored with each reply as `start_id`, and the next turn begins from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate
from weakref import WeakKeyDictionary

from falconry.chat.prompt_format import plain_prompt
from falconry.engines.base import Engine
from falconry.errors import ContextWindowExceeded
from falconry.messages import ContextUse, Message, Prompt, StoredMessage, TokenCount

KEEP = 0.7  # the share of the prompt's room that is used after a cut
MIN_REPLY = 64  # tokens that even the longest prompt leaves for the reply
# No tokenizer in use packs more bytes into the average token; older history is not even counted.
MAX_BYTES_PER_TOKEN = 32
KEPT_COUNTS = 50_000


class Prompter:
    """Renders and counts for one engine: by its chat template, or in the plain format where it has none.

    Counts of single messages are kept, since the same ones are asked for again at every cut.

    Attributes:
        sees: pictures go to the model; to others their names do.
    """

    def __init__(self, engine: Engine, *, plain: bool, sees: bool = False) -> None:
        self.engine = engine
        self.plain = plain
        self.sees = sees
        self._counts: dict[bytes, int] = {}

    def prompt(self, messages: Sequence[Message]) -> Prompt:
        return plain_prompt(messages) if self.plain else messages

    async def count(self, messages: Sequence[Message]) -> TokenCount:
        """Tokens of exactly what the engine will read."""
        return await self.engine.count_tokens(self.prompt(messages))

    def messages(self, history: Sequence[StoredMessage]) -> list[Message]:
        """Stored messages as the model reads them."""
        return [message.as_message(sees=self.sees) for message in history]

    async def count_message(self, message: StoredMessage) -> int:
        """Tokens of one message alone: without what the template puts around it, but for one with pictures."""
        read = message.as_message(sees=self.sees)
        digest = blake2b(read.content.encode("utf-8", "replace"), digest_size=16)
        for image in read.images:
            digest.update(image.data)
        key = digest.digest()
        if key not in self._counts:
            if len(self._counts) >= KEPT_COUNTS:
                self._counts.clear()
            prompt: Prompt = [read] if read.images else read.content
            self._counts[key] = (await self.engine.count_tokens(prompt)).upper if prompt else 0
        return self._counts[key]

    async def render(self, messages: Sequence[Message]) -> str | None:
        return plain_prompt(messages) if self.plain else await self.engine.render(messages)


class Prompters:
    """The prompter of each engine, as long as the engine lives."""

    def __init__(self) -> None:
        self._of: WeakKeyDictionary[Engine, Prompter] = WeakKeyDictionary()

    async def of(self, engine: Engine, *, vision: bool | None = None) -> Prompter:
        """Args: vision: whether its model is known to see pictures or not to; None where nobody can tell."""
        plain = not await engine.has_chat_template()
        sees = engine.sees_images and vision is not False and not plain
        prompter = self._of.get(engine)
        if prompter is None or (prompter.plain, prompter.sees) != (plain, sees):
            prompter = self._of[engine] = Prompter(engine, plain=plain, sees=sees)
        return prompter


@dataclass(frozen=True, slots=True)
class Fitted:
    """The messages to send, and how they were chosen."""

    messages: list[Message]
    use: ContextUse

    @property
    def room(self) -> int | None:
        """Tokens left for the reply."""
        if self.use.context_length is None:
            return None
        counted = TokenCount(self.use.prompt_tokens, self.use.error)
        return max(1, self.use.context_length - counted.upper)


def sendable(path: Sequence[StoredMessage]) -> list[StoredMessage]:
    """The messages of a branch that a model may read: questions without an answer are left out, the newest apart.

    Many chat templates refuse two messages of one role in a row, and a question that failed for being too long
    would push everything else out of the window.
    """
    kept: list[StoredMessage] = []
    for index, message in enumerate(path):
        if message.role == "user":
            answer = path[index + 1] if index + 1 < len(path) else None
            if answer is None or (answer.role == "assistant" and answer.content):
                kept.append(message)
        elif message.content:
            kept.append(message)
    return kept


async def fit(
    prompter: Prompter,
    system: str,
    path: Sequence[StoredMessage],
    *,
    context_length: int | None,
    max_tokens: int | None,
    start_id: str | None = None,
    keep: float = KEEP,
) -> Fitted:
    """Choose what of a conversation to send.

    Args:
        system: the system message; empty for none.
        path: the branch up to the newest message, which is the user's, or the assistant's to be continued; from its
            root, or at least from `start_id`.
        context_length: tokens for prompt and reply together; None where nobody knows: then everything is sent.
        max_tokens: of the reply; up to half of the window is kept free for it.
        start_id: where the previous turn's prompt began.
        keep: the share of the prompt's room that is used after a cut.

    Raises:
        ContextWindowExceeded: the system message and the newest turn alone do not fit.
    """
    history = sendable(path)
    turns = [index for index, message in enumerate(history) if message.role == "user"] or [0]
    first = next((n for n, index in enumerate(turns) if history[index].id == start_id), 0)
    if context_length is not None:
        hard = context_length - min(MIN_REPLY, context_length // 4)
        room = min(hard, context_length - min(max_tokens or context_length, context_length // 2))
        first = _within_bytes(history, turns, first, context_length * MAX_BYTES_PER_TOKEN)
        first, count = await _cut(prompter, system, history, turns, first, room, int(keep * room))
        if count.upper > hard:
            raise ContextWindowExceeded(count.tokens, hard)
    else:
        count = await prompter.count(_to_send(prompter, system, history))
        first = 0
    start = turns[first]
    use = ContextUse(
        prompt_tokens=count.tokens,
        error=count.error,
        context_length=context_length,
        start_id=history[start].id if history[start].depth else None,
        left_out=path[-1].depth + 1 - len(history[start:]),
        system=system,
    )
    return Fitted(_to_send(prompter, system, history[start:]), use)


async def _cut(
    prompter: Prompter, system: str, history: list[StoredMessage], turns: list[int], first: int, room: int, target: int
) -> tuple[int, TokenCount]:
    """The first turn to send, counting on from `first`, and the tokens of the prompt that begins with it."""
    count = await prompter.count(_to_send(prompter, system, history[turns[first] :]))
    if count.upper <= room or first == len(turns) - 1:
        return first, count
    first = await _first_turn_within(prompter, history, turns, first, count.upper, target)
    while True:
        count = await prompter.count(_to_send(prompter, system, history[turns[first] :]))
        if count.upper <= room or first == len(turns) - 1:
            return first, count
        first += 1


async def _first_turn_within(
    prompter: Prompter, history: list[StoredMessage], turns: list[int], first: int, total: int, target: int
) -> int:
    """The oldest turn after `first` from which the prompt has at most `target` tokens, by the messages' own counts.

    What the template and the system message add is known from the exact total; it is shared out evenly, and the
    caller counts the result exactly.
    """
    kept = history[turns[first] :]
    own = [await prompter.count_message(message) for message in kept]
    around = max(0.0, (total - sum(own)) / len(kept))
    dropped = [0, *accumulate(tokens + around for tokens in own)]
    for n in range(first + 1, len(turns)):
        if total - dropped[turns[n] - turns[first]] <= target:
            return n
    return len(turns) - 1


def _within_bytes(history: list[StoredMessage], turns: list[int], first: int, most: int) -> int:
    """Skip turns so old that they cannot possibly fit, so that counting stays cheap in endless conversations."""
    size = 0
    end = len(history)
    for n in range(len(turns) - 1, first - 1, -1):
        size += sum(len(_said(message).encode("utf-8", "replace")) for message in history[turns[n] : end])
        if size > most:
            return min(n + 1, len(turns) - 1)
        end = turns[n]
    return first


def _said(message: StoredMessage) -> str:
    """What the model reads of a message, its files' texts included."""
    return message.as_message().content if message.attachments else message.content


def _to_send(prompter: Prompter, system: str, history: Sequence[StoredMessage]) -> list[Message]:
    head = [Message("system", system)] if system.strip() else []
    return head + prompter.messages(history)
