"""All routes there are, with who may use them: read from the application once, and asked for every request.

What is not in this table does not exist: a request for it gets 404, or 405 where the path has other methods, and
never reaches a framework. So nothing that a library brings along is open by accident.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import Mount

from falconry.errors import FalconryError, NotFound
from falconry.gate.marks import Access, access_of


class MethodNotAllowed(FalconryError):
    """The path exists, with other methods."""

    status = 405
    default_code = "method_not_allowed"

    def __init__(self, methods: Iterable[str]) -> None:
        self.allowed = ", ".join(sorted(methods))
        super().__init__(f"This path takes {self.allowed}.", methods=self.allowed)


@dataclass(frozen=True, slots=True)
class Entry:
    """One route. `path` is a pattern as Starlette writes it, `/api/replies/{reply_id}`."""

    path: str
    methods: frozenset[str]
    access: Access
    regex: re.Pattern[str]


class RouteTable:
    """See the module. Entries are asked in the order in which the application has them."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)
        self._exact: dict[tuple[str, str], Entry] = {}
        for entry in self.entries:
            if "{" not in entry.path:
                for method in entry.methods:
                    self._exact.setdefault((method, entry.path), entry)
        self._patterns = tuple(entry for entry in self.entries if "{" in entry.path or "(" in entry.path)

    def find(self, method: str, path: str) -> Entry:
        """The route that a request goes to; HEAD goes where GET does. Raises NotFound, MethodNotAllowed."""
        wanted = "GET" if method == "HEAD" else method
        if (entry := self._exact.get((wanted, path))) is not None:
            return entry
        others: set[str] = set()
        for entry in self._patterns:
            if entry.regex.fullmatch(path):
                if wanted in entry.methods:
                    return entry
                others |= entry.methods
        others |= {known for known, exact in self._exact if exact == path}
        if others:
            raise MethodNotAllowed(others)
        raise NotFound("There is nothing at this address.", path=path[:200])


def read_routes(app: FastAPI, mounted: Sequence[Entry] = ()) -> RouteTable:
    """The table of an application.

    Args:
        mounted: the entries of what is mounted into it, whose own routes have no marks.

    Raises:
        RuntimeError: a route without a mark, or a mount without entries. Falconry must not start with it.
    """
    entries: list[Entry] = []
    unmarked: list[str] = []
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, Mount) or route.endpoint is None:
            if not mounted:
                unmarked.append(f"mount {route.path!r}")
            continue
        access = access_of(route.endpoint)
        path = str(route.path)
        if access is None:
            unmarked.append(path)
            continue
        methods = frozenset(route.methods or {"GET"}) - {"HEAD"}
        entries.append(Entry(path, methods, access, route.path_regex))
    if unmarked:
        raise RuntimeError(f"Routes without a mark of who may use them (falconry.gate.marks): {', '.join(unmarked)}")
    return RouteTable([*entries, *mounted])
