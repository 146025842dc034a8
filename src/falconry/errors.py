"""What can go wrong, one class per thing that somebody catches.

    FalconryError                      500
      InvalidRequest                   400  the request cannot be understood or is out of range
        NotSupported                        the chosen model or its server cannot do this
        AdapterMismatch                     a LoRA adapter was made for another model
      NotAuthenticated                 401  nobody knows who asks
      NotAllowed                       403
      NotFound                         404
        ModelNotFound
        ConversationNotFound
        ReplyNotFound
        DownloadNotFound
      StaleConversation                409  the conversation went on elsewhere; reload
      DownloadFailed                   502  a model could not be fetched
        NotEnoughSpace                 507  the disk has no room for it
      ModelBusy                        409  somebody uses the model, or the room that it needs
      StorageError                     503  the database cannot be read or written
      TooManyRequests                  429  this user or key has used up what it may have; try again later
      EngineError                      502  the engine or endpoint answered with an error
        ContextWindowExceeded          400  the prompt can never fit
        EngineOverloaded               429  busy; try again later
        EngineUnavailable              503  cannot be reached or cannot start
          ModelTooLarge                507  there is not enough memory for the model
          BadModelFile                      it is no sound model file
        EngineInterrupted              502  the stream broke before its finish reason

Every error has a `code`, an English sentence that says what happened and what to do, and `details`: the values
in that sentence. A page or a terminal in another language looks the code up in the tables of `falconry.i18n` and fills
in the details. Details never hold a key, a password or a prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class FalconryError(Exception):
    """The root of all errors that Falconry raises on purpose."""

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "internal_error"

    def __init__(self, message: str, *, code: str | None = None, **details: str | int | float) -> None:
        super().__init__(message)
        self.code = code or self.default_code
        self.details = details

    @property
    def message(self) -> str:
        return str(self.args[0])

    def as_dict(self) -> dict[str, object]:
        """The form in which an error travels and is stored: code, English message, details."""
        return {"code": self.code, "message": self.message, "details": dict(self.details)}


class InvalidRequest(FalconryError):
    status = 400
    default_code = "invalid_request"


class NotSupported(InvalidRequest):
    """What was asked for is right, but not of this model. `feature` is the word of the protocols for it."""

    default_code = "not_supported"

    def __init__(self, feature: str, message: str | None = None) -> None:
        super().__init__(
            message
            or f"The chosen model, or the server that runs it, does not support {feature}. Leave it out, or "
            "choose another model.",
            feature=feature,
        )


class AdapterMismatch(InvalidRequest):
    """A LoRA adapter that was made for another model."""

    default_code = "adapter_mismatch"


class NotAuthenticated(FalconryError):
    status = 401
    default_code = "not_authenticated"


class NotAllowed(FalconryError):
    status = 403
    default_code = "not_allowed"


class NotFound(FalconryError):
    status = 404
    default_code = "not_found"


class ModelNotFound(NotFound):
    default_code = "model_not_found"


class ConversationNotFound(NotFound):
    default_code = "conversation_not_found"


class ReplyNotFound(NotFound):
    default_code = "reply_not_found"


class DownloadNotFound(NotFound):
    default_code = "download_not_found"


class StaleConversation(FalconryError):
    status = 409
    default_code = "stale_conversation"


class DownloadFailed(FalconryError):
    """A model could not be fetched. The sentences, one per reason, stand in `falconry.models.download_errors`."""

    status = 502
    default_code = "download_failed"


class NotEnoughSpace(DownloadFailed):
    """The disk has no room for a model. Carries both numbers, in bytes."""

    status = 507
    default_code = "not_enough_space"

    def __init__(self, needed: int, free: int, folder: str) -> None:
        needed_text, free_text = (
            f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB" for size in (needed, free)
        )
        super().__init__(
            f"There is not enough room: {needed_text} are needed and {free_text} are free in {folder}. Make room, "
            "choose a smaller model or quantisation, or set models_dir to another disk.",
            needed=needed,
            free=free,
            needed_text=needed_text,
            free_text=free_text,
            folder=folder,
        )


class ModelBusy(FalconryError):
    status = 409
    default_code = "model_busy"


class StorageError(FalconryError):
    status = 503
    default_code = "storage_error"


class TooManyRequests(FalconryError):
    """A limit of ours was reached. `retry_after` is in seconds."""

    status = 429
    default_code = "too_many_requests"

    def __init__(
        self, message: str, *, code: str | None = None, retry_after: float, **details: str | int | float
    ) -> None:
        super().__init__(message, code=code, **details)
        self.retry_after = retry_after


class EngineError(FalconryError):
    status = 502
    default_code = "engine_error"


class ContextWindowExceeded(EngineError):
    """The prompt alone is longer than the model can read. Carries both numbers, in tokens."""

    status = 400
    default_code = "context_length_exceeded"

    def __init__(self, prompt_tokens: int, limit: int, message: str | None = None) -> None:
        super().__init__(
            message
            or f"This message needs {prompt_tokens} tokens and the model can read at most {limit}. "
            "Shorten it, or choose a model with a larger context window.",
            prompt_tokens=prompt_tokens,
            limit=limit,
        )
        self.prompt_tokens = prompt_tokens
        self.limit = limit


class EngineOverloaded(EngineError):
    """The engine is busy. `retry_after` is in seconds, None where nobody knows."""

    status = 429
    default_code = "engine_overloaded"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        retry_after: float | None = None,
        **details: str | int | float,
    ) -> None:
        super().__init__(message, code=code, **details)
        self.retry_after = retry_after


class EngineUnavailable(EngineError):
    status = 503
    default_code = "engine_unavailable"


class BadModelFile(EngineUnavailable):
    """A file is not used as a model, for what was found in it. Its codes stand in `falconry.models.bad_file`."""

    default_code = "bad_model_file"


class ModelTooLarge(EngineUnavailable):
    """There is not enough memory for a model; nothing was loaded. The numbers are in `details`, in bytes and tokens.

    `falconry.models.fit.too_large` makes it, with what would fit instead.
    """

    status = 507
    default_code = "model_too_large"

    def __init__(self, message: str, details: Mapping[str, str | int | float], *, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.details = dict(details)


class EngineInterrupted(EngineError):
    default_code = "engine_interrupted"
