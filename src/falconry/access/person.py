"""Somebody who asks, as far as the doors need to know them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Role: TypeAlias = Literal["admin", "user"]
# inference: the programs' routes, OpenAI's, TGI's and Anthropic's. conversations: our own. admin: for admins only.
Scope: TypeAlias = Literal["inference", "conversations", "admin"]

USER_SCOPES: frozenset[Scope] = frozenset({"inference", "conversations"})
ALL_SCOPES: frozenset[Scope] = USER_SCOPES | {"admin"}


@dataclass(frozen=True, slots=True)
class Person:
    """A user, come in by a session or a key.

    Attributes:
        id: of the user; "" is the one person of a Falconry without logins.
        scopes: what the session or key may be used for; "admin" only where the role allows it.
        credential: id of the session or key, "" without one. Never the secret itself.
    """

    id: str
    name: str
    role: Role
    scopes: frozenset[Scope] = field(default=USER_SCOPES)
    credential: str = ""

    def may(self, scope: Scope) -> bool:
        """Whether this person, by this session or key, may use routes of a scope."""
        return scope in self.scopes and (scope != "admin" or self.role == "admin")


LOCAL = Person("", "", "admin", ALL_SCOPES)
"""The person at this machine, while Falconry has no users and listens on loopback only."""
