"""Counts what failed, so that nobody can try out passwords: ten a minute for a name, and ten for an address."""

from __future__ import annotations

import ipaddress
from collections import deque
from collections.abc import Callable
from math import ceil
from time import monotonic

from falconry.errors import TooManyRequests

MOST = 10
WINDOW = 60.0  # seconds
REMEMBERED = 10_000  # names and addresses


class Attempts:
    """Attempts of the last minute, by name or address. One counts from its beginning, until it turns out well."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._times: dict[str, deque[float]] = {}

    def begin(self, *keys: str) -> float:
        """Count an attempt under all keys; gives its time, for `succeeded`. Raises TooManyRequests and counts none."""
        now = self._clock()
        for key in keys:
            times = self._recent(key, now)
            if len(times) >= MOST:
                wait = ceil(times[0] + WINDOW - now)
                raise TooManyRequests(
                    f"Too many failed logins. Try again in {wait} s.",
                    code="too_many_logins",
                    retry_after=wait,
                    seconds=wait,
                )
        for key in keys:
            self._times.setdefault(key, deque()).append(now)
        self._forget(now)
        return now

    def succeeded(self, begun: float, *keys: str) -> None:
        """Take back an attempt that turned out well. The failed ones before it stay counted."""
        for key in keys:
            times = self._times.get(key, deque())
            if begun in times:
                times.remove(begun)

    def _recent(self, key: str, now: float) -> deque[float]:
        times = self._times.get(key, deque())
        while times and times[0] <= now - WINDOW:
            times.popleft()
        return times

    def _forget(self, now: float) -> None:
        if len(self._times) <= REMEMBERED:
            return
        for key in [key for key in self._times if not self._recent(key, now)]:
            del self._times[key]
        while len(self._times) > REMEMBERED:
            del self._times[next(iter(self._times))]


def network_of(address: str) -> str:
    """What counts as one address: of IPv6 the first 64 bits, for everybody has as many of the rest as they like."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
