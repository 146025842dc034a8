"""Who may use a route stands at the route: @public, @user or @admin, under the router's decorator.

    @router.get("/models")
    @user("conversations")
    async def models() -> Json: ...

Falconry does not start while a route has no mark (`falconry.gate.route_table`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

from falconry.access.person import Scope

F = TypeVar("F", bound=Callable[..., Any])
Level: TypeAlias = Literal["public", "user", "admin"]

_ATTRIBUTE = "__falconry_access__"


@dataclass(frozen=True, slots=True)
class Access:
    """What a route asks of whoever comes.

    Attributes:
        scope: what a session or key must be good for; None for public routes.
        counted: a model works for it, so it counts against what a person may ask for (`falconry.access.limits`).
    """

    level: Level
    scope: Scope | None = None
    counted: bool = False


PUBLIC = Access("public")
ADMIN = Access("admin", "admin")


def public(endpoint: F) -> F:
    """Anybody, without a login."""
    return _mark(endpoint, PUBLIC)


def user(scope: Scope, *, counted: bool = False) -> Callable[[F], F]:
    """Any user, with a session or with a key that has this scope. What has the scope "inference" is always counted."""
    return lambda endpoint: _mark(endpoint, Access("user", scope, counted or scope == "inference"))


def admin(endpoint: F) -> F:
    """Admins, with a session or with a key of scope "admin"."""
    return _mark(endpoint, ADMIN)


def access_of(endpoint: object) -> Access | None:
    """The mark of an endpoint."""
    found = getattr(endpoint, _ATTRIBUTE, None)
    return found if isinstance(found, Access) else None


def _mark(endpoint: F, access: Access) -> F:
    setattr(endpoint, _ATTRIBUTE, access)
    return endpoint
