"""Turns conversations and documents into training samples: text, and which parts of it the model learns to write."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from typing import Literal

from training.eyas.corpus.dialogues import Dialogue, dialogue
from training.eyas.corpus.documents import document

END_OF_TEXT = "<|endoftext|>"
START, END = "<|im_start|>", "<|im_end|>"
SPECIAL_TOKENS = (END_OF_TEXT, START, END)

Kind = Literal["chat", "plain", "document"]


@dataclasses.dataclass(frozen=True)
class Sample:
    """``learn`` holds the character ranges (start, end) that count in the loss; the rest is only read."""

    kind: Kind
    text: str
    learn: tuple[tuple[int, int], ...]


def sample(seed: int, index: int) -> Sample:
    """Sample ``index`` of the corpus of ``seed``. Depends on nothing else, so any part can be made again alone."""
    rng = random.Random(f"{seed}:{index}")
    draw = rng.random()
    if draw < 0.05:
        text = document(rng) + END_OF_TEXT
        return Sample("document", text, ((0, len(text)),))
    return plain(dialogue(rng), rng) if draw < 0.13 else chat(dialogue(rng))


def samples(seed: int, count: int) -> Iterator[Sample]:
    """The first ``count`` samples of the corpus of ``seed``."""
    return (sample(seed, index) for index in range(count))


def chat(talk: Dialogue) -> Sample:
    """In the chat template of ``tokenizer.CHAT_TEMPLATE``: Eyas learns its own messages and their end."""
    text = f"{START}system\n{talk.system}{END}\n" if talk.system is not None else ""
    learn = []
    for question, answer in talk.turns:
        text += f"{START}user\n{question}{END}\n{START}assistant\n"
        learn.append((len(text), len(text) + len(answer) + len(END)))
        text += f"{answer}{END}\n"
    return Sample("chat", text, tuple(learn))


def plain(talk: Dialogue, rng: random.Random) -> Sample:
    """As plain lines, ``System:… User: … Assistant: …``, for completion without a template."""
    text = f"System:{talk.system}" if talk.system is not None else ""
    learn = []
    for number, (question, answer) in enumerate(talk.turns):
        text += ("\n" if text else rng.choice(("", "\n"))) + f"User: {question}\nAssistant:"
        last = number == len(talk.turns) - 1
        after = END_OF_TEXT if last else "\nUser:"
        learn.append((len(text), len(text) + 1 + len(answer) + len(after)))
        text += f" {answer}" + (after if last else "")
    return Sample("plain", text, tuple(learn))
