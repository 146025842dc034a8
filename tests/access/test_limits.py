from __future__ import annotations

from contextlib import ExitStack

import pytest

from falconry.access.limits import Allowance, Limits
from falconry.access.person import LOCAL, Person
from falconry.errors import TooManyRequests
from tests.access.test_attempts import Clock

ADA, BOB = Person("1", "ada", "user", credential="s"), Person("2", "bob", "user", credential="t")
ADAS_KEY = Person("1", "ada", "user", credential="k")


def test_so_many_at_a_time() -> None:
    limits = Limits(user=Allowance(at_once=2), key=Allowance())
    with limits.admit(ADA), limits.admit(ADAS_KEY):
        with pytest.raises(TooManyRequests) as error, limits.admit(ADA):
            pass
        assert (error.value.code, error.value.details["open"]) == ("too_many_at_once", 2)
        assert error.value.retry_after > 0
        with limits.admit(BOB):
            pass
    with limits.admit(ADA), limits.admit(ADA):
        pass


def test_so_many_for_one_key() -> None:
    limits = Limits(user=Allowance(at_once=3), key=Allowance(at_once=1))
    with limits.admit(ADAS_KEY):
        with pytest.raises(TooManyRequests), limits.admit(ADAS_KEY):
            pass
        with limits.admit(ADA):  # what was refused did not count for its owner either
            pass


def test_a_request_that_fails_is_over() -> None:
    limits = Limits(user=Allowance(at_once=1), key=Allowance())
    with pytest.raises(KeyError), limits.admit(ADA):
        raise KeyError
    with limits.admit(ADA):
        pass


def test_so_many_in_a_minute_and_then_one_by_one() -> None:
    clock = Clock()
    limits = Limits(user=Allowance(per_minute=30), key=Allowance(), clock=clock)
    for _ in range(30):
        with limits.admit(ADA):
            pass
    with pytest.raises(TooManyRequests) as error, limits.admit(ADA):
        pass
    assert (error.value.code, error.value.retry_after) == ("too_many_a_minute", 2)
    clock.now += 2
    with limits.admit(ADA):
        pass
    with pytest.raises(TooManyRequests), limits.admit(ADA):
        pass
    clock.now += 600
    for _ in range(30):
        with limits.admit(ADA):
            pass
    with pytest.raises(TooManyRequests), limits.admit(ADA):
        pass


def test_the_person_at_the_machine_has_no_limit() -> None:
    limits = Limits(user=Allowance(1, 1), key=Allowance(1, 1))
    with ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(limits.admit(LOCAL))


def test_no_limit_where_none_is_set() -> None:
    limits = Limits(user=Allowance(), key=Allowance())
    with ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(limits.admit(ADA))


def test_those_who_went_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("falconry.access.limits.REMEMBERED", 10)
    clock = Clock()
    limits = Limits(user=Allowance(at_once=1), key=Allowance(), clock=clock)
    with limits.admit(ADA):
        clock.now += 3600
        for n in range(100):
            clock.now += 10
            with limits.admit(Person(f"n{n}", "x", "user")):
                pass
        assert len(limits._accounts) <= 12
        with pytest.raises(TooManyRequests), limits.admit(ADA):
            pass
