"""Loopback alone, and a port that is certain."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from falconry.cli.listen import address_of, open_listener
from falconry.cli.terminal import Terminal
from falconry.errors import InvalidRequest
from falconry.settings import Settings
from tests.cli.conftest import Run

TERMINAL = Terminal(language="en")
OPEN_DOORS = ["0.0.0.0", "::", "0", "[::]", "192.168.1.1", "10.0.0.1", "8.8.8.8", "::ffff:0.0.0.0", "fe80::1", " "]


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.parametrize("host", OPEN_DOORS)
def test_every_other_address_is_refused(host: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        open_listener(Settings(host=host, port=0), TERMINAL)
    assert "Leave out --host" in error.value.message


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "127.0.0.2"])
def test_loopback_is_taken(host: str) -> None:
    with open_listener(Settings(host=host, port=0), TERMINAL) as listener:
        assert listener.getsockname()[0].startswith("127.")
        with socket.create_connection(listener.getsockname()[:2], timeout=5):
            pass


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_loopback_of_ipv6() -> None:
    with open_listener(Settings(host="::1", port=0), TERMINAL) as listener:
        assert address_of(listener).startswith("http://[::1]:")


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"no\.such\.name\.invalid cannot be resolved"):
        open_listener(Settings(host="no.such.name.invalid", port=0), TERMINAL)


def test_a_chosen_port_that_is_taken_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(InvalidRequest, match=f"Port {port} is taken"):
            open_listener(Settings(port=port), TERMINAL)


def test_the_next_free_port_where_nobody_chose_one() -> None:
    with (
        open_listener(Settings(), TERMINAL) as first,
        open_listener(Settings(), TERMINAL) as second,
    ):
        assert Settings().port <= first.getsockname()[1] < second.getsockname()[1]


@pytest.mark.parametrize(
    ("arguments", "settings", "dotenv", "toml", "named"),
    [
        (["--host", "0.0.0.0"], {}, "", "", "the command line (--host)"),
        (["--host", "::"], {}, "", "", "the command line (--host)"),
        ([], {"host": "192.168.1.1"}, "", "", "the environment (FALCONRY_HOST)"),
        ([], {}, "FALCONRY_HOST=0.0.0.0", "", ".env (FALCONRY_HOST)"),
        ([], {}, "", "host = '0.0.0.0'", "falconry.toml (host)"),
    ],
)
def test_serve_refuses_from_every_source(
    arguments: list[str], settings: dict[str, str], dotenv: str, toml: str, named: str, falconry: Run
) -> None:
    Path(".env").write_text(dotenv)  # the tests' current folder is the command's too
    Path("falconry.toml").write_text(toml)
    done = falconry("serve", "--no-browser", *arguments, **settings)
    assert done.returncode == 1
    assert named in done.stderr
    assert "--host" in done.stderr
    assert done.stdout == ""
