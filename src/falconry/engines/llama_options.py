"""How a local model is run, as values: what llama-server gets flags for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from falconry.settings import FlashAttention, KVCacheType, Settings, Speculation


@dataclass(frozen=True, slots=True)
class LlamaCppOptions:
    """How to run a model.

    Attributes:
        context_length: tokens that prompt and reply of one slot may have together; None for the model's own, at
            most 8192. No model gets more than it was trained with.
        threads: None for what the measurements in docs/design.md recommend.
        slots: replies that are written at the same time; further ones wait.
        prompt_cache_mib: memory for the prompts of other conversations, in MiB.
        cache_reuse: the shortest run of tokens that is kept, by shifting, when something before it was dropped; 0 keeps
            the common beginning only, as most servers do.
        kv_cache_type: how keys and values are stored; "q8_0" takes about half the memory of "f16".
        flash_attention: "auto" where the engine has it for this model, which "q8_0" and "q4_0" need.
        speculation: whether the next tokens are guessed from what stands in the conversation already. Then nothing is
            told of their logprobs.
        draft: a small model that guesses them in its place for models of its vocabulary.
        projector: the file by which the model sees pictures (mmproj).
        llama_server: a llama-server binary in place of the built-in one.
        start_timeout: seconds until the model must be loaded.
    """

    context_length: int | None = None
    threads: int | None = None
    slots: int = 2
    prompt_cache_mib: int = 256
    cache_reuse: int = 32
    kv_cache_type: KVCacheType = "f16"
    flash_attention: FlashAttention = "auto"
    speculation: Speculation = "off"
    draft: Path | None = None
    projector: Path | None = None
    llama_server: Path | None = None
    start_timeout: float = 300.0

    @property
    def speculates(self) -> bool:
        return self.speculation != "off" or self.draft is not None


def options_from(settings: Settings) -> LlamaCppOptions:
    """How the settings want local models to be run."""
    return LlamaCppOptions(
        context_length=settings.context_length,
        threads=settings.threads,
        slots=settings.slots,
        prompt_cache_mib=settings.prompt_cache_mib,
        kv_cache_type=settings.kv_cache_type,
        flash_attention=settings.flash_attention if settings.uses_flash_attention else "off",
        speculation=settings.speculation,
        draft=settings.draft_model,
        llama_server=settings.llama_server,
    )


def as_flags(options: LlamaCppOptions) -> dict[str, object]:
    """The flags for what is not as llama-server has it by itself, so that older ones of a user's own start too."""
    flags: dict[str, object] = {}
    if options.kv_cache_type != "f16":
        flags |= {"--cache-type-k": options.kv_cache_type, "--cache-type-v": options.kv_cache_type}
    if options.flash_attention != "auto":
        flags["--flash-attn"] = options.flash_attention
    if options.projector is not None:
        flags["--mmproj"] = options.projector.absolute()
    if options.draft is not None:
        flags |= {"--model-draft": options.draft.absolute(), **_DRAFT}
    elif options.speculation == "ngram":
        flags |= _NGRAM
    return flags


# The wheel multiplies four columns at a time: checking seven guesses and the token before them costs as much as 3.3
# tokens written one by one, checking eight guesses as much as 4 (docs/design.md, `make bench-speculation`).
_DRAFT = {"--spec-draft-n-max": 3}
"""Tokens that the draft model guesses at once."""
_NGRAM = {"--spec-type": "ngram-simple", "--spec-ngram-simple-size-n": 6, "--spec-ngram-simple-size-m": 7}
"""Seven tokens of what followed when the last six tokens stood there before."""
