"""Anthropic's messages protocol, as far as its clients need it of a local model.

https://docs.anthropic.com/en/api/messages
"""

from __future__ import annotations

from falconry.errors import FalconryError

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "invalid_request_error",
    413: "request_too_large",
    415: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
}


def error_status(error: FalconryError) -> int:
    """HTTP status: a server that has too much to do is 529 here."""
    return 529 if error.status == 503 else error.status


def error_body(error: FalconryError) -> dict[str, object]:
    """The envelope, for a body or the data of an `error` event."""
    return {"type": "error", "error": {"type": _TYPES.get(error.status, "api_error"), "message": error.message}}
