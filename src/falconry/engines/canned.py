"""A bot without a model: one of three preset replies, streamed like a model's.

For demos, tests and benchmarks. It keeps the whole contract of an engine: it counts its own tokens exactly,
has a context window, ends by `length` or `stop`, can be closed at any time and continues a reply that broke off.
What works with it works with a model.
"""

from __future__ import annotations

import asyncio
import math
import random
import re
import zlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from itertools import islice
from typing import ClassVar

from falconry.engines.base import Engine
from falconry.engines.stop import StopFilter
from falconry.engines.token_queue import TokenQueue
from falconry.errors import ContextWindowExceeded, EngineInterrupted, NotSupported
from falconry.i18n import Language
from falconry.messages import (
    NO_EXTRAS,
    Delta,
    Extras,
    FinishReason,
    Message,
    Prompt,
    SamplingParams,
    Token,
    TokenCount,
    TokenPrompt,
    Usage,
)

REPLIES: dict[Language, tuple[str, str, str]] = {
    "en": (
        """Hello! I am a bot **without a model**: I pick one of three replies and send it word by word.

- Everything around me is real: the page, the history, the stop button.
- Only the thinking is missing.

Choose a model in the list of models and ask it the same question.""",
        """A falcon can dive at more than 300 km/h, which makes it the fastest animal on Earth. \
It sees a pigeon from *two kilometres* away.

> I know this by heart, because I know only three things.

Ask again, and you may hear one of the others.""",
        """Here is how to run a language model of your own:

1. Pick one that fits into your memory.
2. Start `falconry`.
3. Ask your question.

```python
print("Hello, falcon!")
```

I have no model myself, so please do not ask me why this works.""",
    ),
    "zh": (
        """你好！我是一个**没有模型**的机器人：我会从三条预设回复中随机选一条，再逐字发给你。

- 我周围的一切都是真的：页面、历史记录、停止按钮。
- 只是没有思考。

请在模型列表里选一个模型，再问它同样的问题吧。""",
        """游隼俯冲的速度超过每小时 300 公里，是地球上最快的动物，*两公里*外的鸽子也逃不过它的眼睛。

> 这段话我背得很熟，因为我总共只会三段。

再问一次，也许你会听到另外一段。""",
        """想运行自己的语言模型，只需三步：

1. 选一个内存放得下的模型。
2. 启动 `falconry`。
3. 提出你的问题。

```python
print("你好，猎鹰！")
```

我自己没有模型，所以请别问我其中的原理。""",
    ),
}

# A token is a run of Latin letters and digits together with the space before it, or any other single
# character.
_TOKEN = re.compile(r" ?[A-Za-z0-9]+|.", re.DOTALL)
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
# Above 100 tokens a second several go into one delta: a timer per token would cost more than the text.
_SHORTEST_NAP = 0.01


class CannedEngine(Engine):
    """Streams a preset reply in the language of the last user message.

    Temperature 0 always gives the first reply; `params.seed`, else the engine's own seed, decides otherwise.

    Args:
        seed: makes the whole series of replies repeatable; None for a different one each time.
        rate: tokens per second; `math.inf` for as fast as they are read, one delta per token.
        delay: seconds before the first token.
        text: always reply with this instead.
        context_length: tokens that prompt and reply may have together.
        fail_after: break off after so many tokens, as an engine that dies does.
        hang_after: fall silent after so many tokens, until the generator is closed.
    """

    kind: ClassVar[str] = "canned"
    can_continue = True
    supports = frozenset({"max_tokens", "temperature", "stop", "seed"})
    extras = frozenset({"top_logprobs", "prompt_logprobs"})

    def __init__(
        self,
        *,
        seed: int | None = None,
        rate: float = 50.0,
        delay: float = 0.0,
        text: str | None = None,
        context_length: int = 4096,
        fail_after: int | None = None,
        hang_after: int | None = None,
    ) -> None:
        if rate <= 0 or delay < 0:
            raise ValueError(f"rate is more than 0 and delay at least 0, not {rate} and {delay}")
        self._random = random.Random(seed)  # noqa: S311 - which of three replies is no secret
        self._rate = rate
        self._delay = delay
        self._text = text
        self._context_length = context_length
        self._fail_after = fail_after
        self._hang_after = hang_after

    async def generate(
        self, prompt: Prompt, params: SamplingParams, extras: Extras = NO_EXTRAS
    ) -> AsyncGenerator[Delta, None]:
        self._refuse_extras(extras)
        if params.grammar is not None:
            raise NotSupported("response_format")
        read = tokenize(_rendered(prompt))
        prompt_tokens = len(read)
        room = self._context_length - prompt_tokens
        if room <= 0:
            raise ContextWindowExceeded(prompt_tokens, self._context_length)
        tokens = tokenize(self._reply(prompt, params))
        limit = min(room, params.max_tokens or room)
        reason: FinishReason = "stop" if len(tokens) <= limit else "length"
        stop = StopFilter(params.stop)
        queue = None if extras.top_logprobs is None else TokenQueue()
        if extras.prompt_logprobs:
            scored = map(_token, read)
            yield Delta(prompt_tokens=(*(replace(first, logprob=None) for first in islice(scored, 1)), *scored))
        sent = 0
        async with aclosing(self._paced(tokens[:limit])) as pieces:
            async for piece in pieces:
                shown = ""
                # Token by token, so that the count ends at the token that completed the stop sequence.
                for token in piece:
                    shown += stop.feed(token)
                    sent += 1
                    if queue is not None:
                        queue.add(token, [_token(token)])
                    if stop.stopped:
                        break
                if shown:
                    yield Delta(shown) if queue is None else Delta(shown, tokens=queue.take(shown))
                if stop.stopped:
                    reason = "stop"
                    break
        last = () if queue is None else queue.take_all()
        usage = Usage(prompt_tokens, sent)
        yield Delta(stop.flush(), finish_reason=reason, usage=usage, tokens=last, stop_sequence=stop.matched)

    async def count_tokens(self, prompt: Prompt) -> TokenCount:
        return TokenCount(len(tokenize(_rendered(prompt))))

    async def context_length(self) -> int | None:
        return self._context_length

    async def tokenize(self, text: str, *, special: bool = True) -> list[Token]:
        return [replace(_token(token), logprob=None) for token in tokenize(text)]

    async def render(self, messages: Sequence[Message]) -> str | None:
        return _rendered(messages)

    def _reply(self, prompt: Prompt, params: SamplingParams) -> str:
        """The text to send: a whole reply, or the rest of the one that the prompt already begins."""
        replies = (self._text,) if self._text is not None else REPLIES[_language(prompt)]
        begun = _begun(prompt)
        # A partial text is continued by the reply it comes from, so that stop and go on give one whole reply.
        fitting = [reply for reply in replies if reply.startswith(begun)]
        rests = [reply[len(begun) :] for reply in fitting] or list(replies)
        if params.temperature == 0:
            return rests[0]
        if params.seed is not None:
            return random.Random(params.seed).choice(rests)  # noqa: S311
        return self._random.choice(rests)

    async def _paced(self, tokens: list[str]) -> AsyncGenerator[list[str], None]:
        """The tokens that are due, at the set rate; breaks off or falls silent where it was told to."""
        loop = asyncio.get_running_loop()
        if self._delay:
            await asyncio.sleep(self._delay)
        start = loop.time()
        faults = [after for after in (self._fail_after, self._hang_after) if after is not None]
        end = min([len(tokens), *faults])
        sent = 0
        while sent < end:
            if math.isinf(self._rate):
                await asyncio.sleep(0)
                due = sent + 1
            else:
                await asyncio.sleep(max(start + (sent + 1) / self._rate - loop.time(), _SHORTEST_NAP))
                due = max(sent + 1, int((loop.time() - start) * self._rate))
            due = min(due, end)
            yield tokens[sent:due]
            sent = due
        if end == self._hang_after:
            await asyncio.Event().wait()
        if end == self._fail_after:
            raise EngineInterrupted(f"The canned reply broke off after {end} tokens, as it was told to.")


def tokenize(text: str) -> list[str]:
    """Cut text into the tokens of this engine; joined again they give the text."""
    return _TOKEN.findall(text)


def _token(text: str) -> Token:
    """Without a vocabulary a token's id is a hash of its text, the same everywhere; it was always the only choice."""
    raw = text.encode("utf-8", "replace")
    return Token(zlib.crc32(raw) & 0x7FFF_FFFF, text, raw, 0.0)


def _rendered(prompt: Prompt) -> str:
    """What the engine "reads": its chat template is one line `role: content` per message."""
    if isinstance(prompt, TokenPrompt):
        raise NotSupported("prompts of token ids")
    if isinstance(prompt, str):
        return prompt
    lines = [f"{message.role}: {message.content}" for message in prompt]
    if not prompt or prompt[-1].role != "assistant":
        lines.append("assistant:")
    return "\n".join(lines)


def _begun(prompt: Prompt) -> str:
    """The part of the reply that is already there."""
    if isinstance(prompt, str | TokenPrompt) or not prompt or prompt[-1].role != "assistant":
        return ""
    return prompt[-1].content


def _language(prompt: Prompt) -> Language:
    if isinstance(prompt, TokenPrompt):
        return "en"
    if isinstance(prompt, str):
        question = prompt.rpartition("\nUser:")[2]
    else:
        question = next((message.content for message in reversed(prompt) if message.role == "user"), "")
    return "zh" if _HAN.search(question) else "en"
