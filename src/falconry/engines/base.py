"""One waist: what every engine does, and nothing else.

The turn, the API, the command line and the benchmarks see engines only through this class, and one contract test
suite (tests/engines/test_contract.py) runs over all of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar

from falconry.engines.supervisor import State
from falconry.errors import NotSupported
from falconry.messages import NO_EXTRAS, Delta, Extras, Message, Prompt, SamplingParams, Token, TokenCount, TokenPrompt

ALL_SAMPLING = frozenset(field.name for field in fields(SamplingParams))
ALL_EXTRAS = frozenset({"tools", "top_logprobs", "prompt_logprobs"})
# What the protocols call them.
_FEATURES = {"tools": "tools", "top_logprobs": "logprobs", "prompt_logprobs": "logprobs of the prompt"}


@dataclass(frozen=True, slots=True)
class TokenizerInfo:
    """What programs that build prompts themselves must know; None for what the model has not.

    Attributes:
        bos, eos: the names of the tokens for begin and end of text.
        chat_template: in Jinja.
    """

    bos: str | None
    eos: str | None
    chat_template: str | None


class Engine(ABC):
    """Something that turns a prompt into text.

    Class attributes:
        kind: "llama_cpp", "transformers", "openai", "tgi" or "canned".
        can_continue: a last message of the assistant is continued, not answered.
        supports: names of the sampling params that reach the model; the page shows the others as unsupported.
        extras: names of the fields of `Extras` that it can give.
        sees_images: messages may have pictures; where nobody can tell, its server refuses them.
        parallel: replies that it writes at the same time; None where it has no limit of its own.
    """

    kind: ClassVar[str]
    can_continue: bool = False
    supports: frozenset[str] = ALL_SAMPLING
    extras: frozenset[str] = frozenset()
    sees_images: bool = False
    parallel: int | None = None

    @abstractmethod
    def generate(
        self, prompt: Prompt, params: SamplingParams, extras: Extras = NO_EXTRAS
    ) -> AsyncGenerator[Delta, None]:
        """Generate from a raw string or tokens, or from messages through the model's own chat template.

        Use it under `contextlib.aclosing`: closing the generator stops the work and frees the slot (≤ 1 s while
        decoding, ≤ 2 s while the prompt is read). Texts of `params.stop` never show up in the deltas, not even in
        part. The last delta carries the finish reason, and the usage where the backend reports it.

        Raises:
            ContextWindowExceeded: prompt longer than the context window.
            EngineUnavailable, EngineOverloaded: nothing was generated; trying again later may help.
            EngineInterrupted: the stream broke before its finish reason; what was yielded stands.
            NotSupported: extras, or a grammar, that this backend cannot give.
            EngineError: anything else the backend complains about.
        """

    @abstractmethod
    async def count_tokens(self, prompt: Prompt) -> TokenCount:
        """Count the tokens of exactly what `generate` would read, template and special tokens included."""

    @abstractmethod
    async def context_length(self) -> int | None:
        """Tokens that prompt and reply may have together; None where the backend does not tell."""

    async def has_chat_template(self) -> bool:
        """Whether `generate` takes messages. Where not, the plain prompt format is used."""
        return True

    async def render(self, messages: Sequence[Message]) -> str | None:
        """The exact prompt that the chat template makes of messages; None where the backend does not tell."""
        return None

    async def tokenize(self, text: str, *, special: bool = True) -> list[Token]:
        """The tokens of a text, without logprobs. `special`: with those that the model puts around a raw prompt, and
        names of special tokens in the text count as such. Raises NotSupported where the backend does not tell."""
        raise NotSupported("tokenize")

    async def detokenize(self, ids: Sequence[int]) -> str:
        """The text of tokens. Raises NotSupported where the backend does not tell."""
        raise NotSupported("detokenize")

    async def tokenizer_info(self) -> TokenizerInfo:
        """Raises NotSupported where the backend does not tell."""
        raise NotSupported("tokenizer_info")

    async def has_native_tools(self) -> bool:
        """Whether the model's own chat template knows tools, so that `extras.tools` reach it as it was trained."""
        return False

    async def embed(self, texts: Sequence[str | TokenPrompt]) -> tuple[list[list[float]], int]:
        """A vector for each text, of length 1, and the number of tokens read. Raises NotSupported."""
        raise NotSupported("embeddings")

    def _refuse_extras(self, extras: Extras) -> None:
        """Raise NotSupported for extras that this engine never gives."""
        asked = {
            "tools": bool(extras.tools),
            "top_logprobs": extras.top_logprobs is not None,
            "prompt_logprobs": extras.prompt_logprobs,
        }
        for name, wanted in asked.items():
            if wanted and name not in self.extras:
                raise NotSupported(_FEATURES[name])

    @property
    def state(self) -> State:
        """Of its process, "stopped", "starting", "ready" or "failed"; "ready" where it has none of its own."""
        return "ready"

    @property
    def pid(self) -> int | None:
        """Id of its process, also of one that is still starting; None where it has none of its own."""
        return None

    async def start(self) -> None:
        """Load the model now; also the way to try again after a crash loop. Raises EngineError."""
        return

    async def aclose(self) -> None:
        """Free everything: connections, processes, files. Safe to call twice."""
        return
