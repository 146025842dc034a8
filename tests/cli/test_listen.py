"""Loopback alone, unless people have to log in; and a port that is certain."""

from __future__ import annotations

import asyncio
import re
import socket
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from falconry.cli import listen
from falconry.cli.listen import address_of, open_listener
from falconry.cli.terminal import Terminal
from falconry.errors import InvalidRequest, StorageError
from falconry.settings import Settings
from falconry.storage.database import Database
from falconry.storage.users import Users
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
def test_every_other_address_is_refused_without_users(host: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest) as error:
        open_listener(Settings(host=host, port=0, data_dir=tmp_path), TERMINAL)
    assert "falconry users add" in error.value.message


async def test_small_pieces_are_sent_at_once(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    accepted: asyncio.Future[int] = loop.create_future()

    async def look(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        accepted.set_result(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    with open_listener(Settings(port=0, data_dir=tmp_path), TERMINAL) as listener:
        async with await asyncio.start_server(look, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            assert await accepted
            writer.close()
            await writer.wait_closed()


async def add_user(settings: Settings) -> None:
    async with await Database.open(settings.url, settings.data_dir / "running") as database:
        await Users(database).add("ada", "user", "a hash")


@pytest.mark.parametrize("host", ["0.0.0.0", "0", " "])
async def test_other_addresses_are_taken_when_people_have_to_log_in(host: str, tmp_path: Path) -> None:
    settings = Settings(host=host, port=0, data_dir=tmp_path)
    await add_user(settings)
    with open_listener(settings, TERMINAL) as listener:
        assert listener.getsockname()[0] == "0.0.0.0"


async def test_a_database_of_the_first_schema_has_no_users(tmp_path: Path) -> None:
    settings = Settings(host="0.0.0.0", port=0, data_dir=tmp_path)
    with sqlite3.connect(tmp_path / "falconry.db") as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
    connection.close()
    with pytest.raises(InvalidRequest, match="falconry users add"):
        open_listener(settings, TERMINAL)


def test_nobody_is_let_in_while_users_cannot_be_counted(tmp_path: Path) -> None:
    (tmp_path / "falconry.db").write_bytes(b"no database at all" * 1000)
    with pytest.raises(StorageError):
        open_listener(Settings(host="0.0.0.0", port=0, data_dir=tmp_path), TERMINAL)


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
        (["--share"], {}, "", "", "the command line (--share)"),
        ([], {"share": "true"}, "", "", "the environment (FALCONRY_SHARE)"),
        ([], {}, "FALCONRY_SHARE=1", "", ".env (FALCONRY_SHARE)"),
        ([], {}, "", "share = true", "falconry.toml (share)"),
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
    assert "falconry users add" in done.stderr
    assert done.stdout == ""


def test_on_all_addresses_the_one_that_others_see_is_shown() -> None:
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))
        assert re.fullmatch(r"http://(?!0\.)\d+\.\d+\.\d+\.\d+:\d+", address_of(listener))


@pytest.mark.skipif(sys.platform != "linux", reason="the options have other names elsewhere")
async def test_a_reader_that_does_not_read_is_sent_little_and_then_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen, "ABANDONED", 1)
    loop = asyncio.get_running_loop()
    with open_listener(Settings(port=0, data_dir=tmp_path), TERMINAL) as listener, socket.socket() as reader:
        listener.setblocking(False)
        reader.setblocking(False)
        await loop.sock_connect(reader, listener.getsockname())
        writer, _ = await loop.sock_accept(listener)
        with writer:
            sending = loop.create_task(loop.sock_sendall(writer, bytes(16 * 2**20)))
            with pytest.raises(TimeoutError):  # the kernel's, ETIMEDOUT
                await asyncio.wait_for(sending, 10)
        read = 0
        with suppress(OSError):
            while data := await loop.sock_recv(reader, 2**20):
                read += len(data)
        assert read < 512 * 1024
