"""The id of the request that is being answered: in the logs, in the answer, and passed on to endpoints.

A context variable, because it has to reach the log lines and the outgoing requests of whatever runs for a request, and
is no business of anything in between.
"""

from __future__ import annotations

import re
import uuid
from contextvars import ContextVar, Token

HEADER = "X-Request-Id"
_PLAIN = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_current: ContextVar[str] = ContextVar("request_id", default="")


def current() -> str:
    """The id of the request that is being answered, "" outside of one."""
    return _current.get()


def begin(given: str | None) -> Token[str]:
    """Take over the asker's id where it is a plain one, else make one."""
    return _current.set(given if given and _PLAIN.fullmatch(given) else uuid.uuid4().hex)


def end(token: Token[str]) -> None:
    _current.reset(token)
