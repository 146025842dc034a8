from __future__ import annotations

import pytest

from falconry.access.attempts import MOST, REMEMBERED, WINDOW, Attempts, network_of
from falconry.errors import TooManyRequests


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_ten_within_a_minute_and_no_more() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    for _ in range(MOST):
        attempts.begin("ada")
        clock.now += 1
    with pytest.raises(TooManyRequests) as error:
        attempts.begin("ada")
    assert (error.value.code, error.value.retry_after) == ("too_many_logins", WINDOW - MOST)
    attempts.begin("bob")
    clock.now += WINDOW - MOST
    attempts.begin("ada")
    with pytest.raises(TooManyRequests):
        attempts.begin("ada")


def test_one_full_key_is_enough_and_then_none_is_counted() -> None:
    attempts = Attempts(Clock())
    for n in range(MOST):
        attempts.begin(f"name {n}", "address")
    for _ in range(MOST + 1):
        with pytest.raises(TooManyRequests):
            attempts.begin("ada", "address")
    attempts.begin("ada", "another address")


def test_what_went_well_does_not_count_and_forgives_nothing() -> None:
    attempts = Attempts(Clock())
    for _ in range(MOST - 1):
        attempts.begin("ada")
    for _ in range(5):
        attempts.succeeded(attempts.begin("ada"), "ada")
    attempts.begin("ada")
    with pytest.raises(TooManyRequests):
        attempts.begin("ada")


def test_memory_has_an_end() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    for n in range(REMEMBERED + 50):
        attempts.begin(str(n))
    assert len(attempts._times) <= REMEMBERED
    clock.now += WINDOW
    for n in range(REMEMBERED + 50):
        attempts.begin(f"later {n}")
    assert all(key.startswith("later") for key in attempts._times)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_what_counts_as_one_address(address: str, network: str) -> None:
    assert network_of(address) == network
