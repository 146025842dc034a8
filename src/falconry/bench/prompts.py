"""Prompts of a wished length, each of which begins differently, so that no cache has read any of it before."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from falconry.engines.base import Engine
from falconry.messages import Message

_TEXT = (
    "falcon river mountain window letter market garden engine silver morning harbour bridge winter paper teacher "
    "island number forest candle question summer doctor ocean village song travel answer kitchen moon history "
    "猎鹰 河流 高山 窗户 书信 市场 花园 引擎 早晨 港口 桥梁 冬天 老师 岛屿 森林 问题 夏天 海洋 村庄 旅行 月亮 历史"
)
_WORDS = _TEXT.split()
_TASK = "Write a long story in which all of these words occur:"
_NEAR = 0.02  # by how much a prompt may be shorter or longer than wished
_TRIES = 8


@dataclass
class Prompts:
    """Makes prompts for one model.

    Args:
        engine: it counts the tokens.
        tokens: wished length of a prompt as the model reads it, template included; the shortest one that is possible
            has about twenty.
        seed: the same seed makes the same prompts.
    """

    engine: Engine
    tokens: int
    seed: int
    _words: int | None = field(default=None, init=False)

    async def fit(self) -> int:
        """Find out how many words make the wished length; gives the tokens of such a prompt. Raises EngineError."""
        words = max(1, self.tokens // 2)
        for _ in range(_TRIES):
            counted = (await self.engine.count_tokens(_prompt(self._numbers(), words))).tokens
            if abs(counted - self.tokens) <= self.tokens * _NEAR or (words == 1 and counted > self.tokens):
                break
            words = max(1, round(words * self.tokens / counted))
        self._words = words
        return counted

    def _numbers(self) -> random.Random:
        return random.Random(self.seed)  # noqa: S311 - not for secrets

    def __iter__(self) -> Iterator[list[Message]]:
        """Prompt after prompt, without an end. `fit` comes first."""
        if self._words is None:
            raise ValueError("fit the prompts to the model first")
        numbers = self._numbers()
        while True:
            yield _prompt(numbers, self._words)


def _prompt(numbers: random.Random, words: int) -> list[Message]:
    # A system message, because it comes first: prompts that differ only in the question share what many templates
    # write before it.
    begin = f"{numbers.getrandbits(64):016x}"
    return [Message("system", begin), Message("user", f"{_TASK} {' '.join(numbers.choices(_WORDS, k=words))}")]
