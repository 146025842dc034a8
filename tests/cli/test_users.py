"""`falconry users` and `falconry keys`, beside whatever else uses the database."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from falconry.access.people import People
from falconry.settings import Settings
from falconry.storage.database import Database
from tests.cli.conftest import Run, clean_environment

MakeSettings = Callable[..., Settings]
PASSWORD = "correct horse 马"


def add(falconry: Run, *arguments: str) -> None:
    done = falconry("users", "add", *arguments, "--password-stdin", stdin=PASSWORD + "\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert PASSWORD not in done.stderr


def test_users_come_and_go(falconry: Run) -> None:
    assert "There are no users" in falconry("users", "list").stderr
    add(falconry, "ada")
    add(falconry, "bob")
    rows = [line.split() for line in falconry("users", "list").stdout.splitlines()]
    assert rows[0] == ["NAME", "ROLE", "SINCE", "CONVERSATIONS", "KEYS"]
    assert [row[:2] for row in rows[1:]] == [["ada", "admin"], ["bob", "user"]]
    assert falconry("users", "role", "BOB", "admin").returncode == 0
    assert falconry("users", "remove", "ada", "--yes").returncode == 0
    assert [line.split()[:2] for line in falconry("users", "list").stdout.splitlines()[1:]] == [["bob", "admin"]]


def test_the_first_user_hears_what_it_means(falconry: Run) -> None:
    done = falconry("users", "add", "ada", "--password-stdin", stdin=PASSWORD, lang="zh_CN.UTF-8")
    assert "ada 是管理员" in done.stderr
    assert "所有人都要登录" in done.stderr
    assert (
        "从现在起" not in falconry("users", "add", "bob", "--password-stdin", stdin=PASSWORD, lang="zh_CN.UTF-8").stderr
    )


@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        (["users", "add", "ada", "--password-stdin"], "short", "at least 8 characters"),
        (["users", "add", "a b", "--password-stdin"], PASSWORD, "letters, digits"),
        (["users", "add", "ada"], PASSWORD, "--password-stdin"),
        (["users", "remove", "nobody", "--yes"], "", "no user named “nobody”"),
        (["users", "passwd", "nobody", "--password-stdin"], PASSWORD, "no user named “nobody”"),
        (["users", "role", "nobody", "admin"], "", "no user named “nobody”"),
        (["keys", "add", "ci"], "", "Add a user first"),
        (["keys", "revoke", "ci"], "", "There is no key “ci”"),
        (["keys", "list", "--user", "nobody"], "", "no user named “nobody”"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_status_1(
    arguments: list[str], stdin: str, words: str, falconry: Run
) -> None:
    done = falconry(*arguments, stdin=stdin)
    assert done.returncode == 1
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert "short" not in done.stderr.replace("too short", "")
    assert PASSWORD not in done.stderr


def test_nothing_is_lost_without_being_asked(falconry: Run) -> None:
    add(falconry, "ada")
    done = falconry("users", "remove", "ada", stdin="y\n")
    assert done.returncode == 1
    assert "--yes" in done.stderr
    assert "ada" in falconry("users", "list").stdout


async def test_a_new_password_is_the_one_that_counts(falconry: Run, tmp_path: Path) -> None:
    add(falconry, "ada")
    done = falconry("users", "passwd", "Ada", "--password-stdin", stdin="battery staple\r\nsecond line\n")
    assert done.returncode == 0
    async with await Database.open(f"sqlite:///{tmp_path / 'data' / 'falconry.db'}", tmp_path / "running") as database:
        people = People(database)
        assert (await people.verify("ada", "battery staple", "")).name == "ada"
        await people.aclose()


async def test_conversations_go_where_the_command_says(falconry: Run, tmp_path: Path) -> None:
    falconry("chat", "--model", "canned", stdin="the question of before\n")
    add(falconry, "ada")
    add(falconry, "bob")
    done = falconry("users", "role", "bob", "admin")
    done = falconry("users", "remove", "ada", "--give-to", "bob", "--yes")
    assert "1 conversation goes to bob" in done.stderr
    assert falconry("users", "list").stdout.splitlines()[1].split()[3] == "1"
    assert "nobody has to log in any more" in falconry("users", "remove", "bob", "--yes").stderr
    assert "the question of before" in falconry("chat", "--model", "canned", "-c", stdin="/exit\n").stderr


def test_keys_are_shown_once_and_revoked_by_their_beginning(falconry: Run) -> None:
    add(falconry, "ada")
    made = falconry("keys", "add", "ci", "--days", "3", "--scope", "inference", "--scope", "conversations")
    key = made.stdout.strip()
    assert key.startswith("fk-")
    assert made.stdout == key + "\n"
    assert "cannot be shown again" in made.stderr
    listed = falconry("keys", "list").stdout
    assert key not in listed
    assert key[:11] in listed
    assert "conversations inference" in listed
    assert falconry("keys", "revoke", key[:11]).returncode == 0
    assert "There are no keys" in falconry("keys", "list").stderr


def test_a_key_is_somebodys(falconry: Run) -> None:
    add(falconry, "ada")
    add(falconry, "bob")
    assert "--user NAME" in falconry("keys", "add", "ci").stderr
    for name in ("ada", "bob"):
        assert falconry("keys", "add", "ci", "--user", name).returncode == 0
    assert "Several keys" in falconry("keys", "revoke", "ci").stderr
    assert falconry("keys", "revoke", "ci", "--user", "bob").returncode == 0
    assert [line.split()[2] for line in falconry("keys", "list").stdout.splitlines()[1:]] == ["ada"]


def test_a_user_cannot_have_an_admins_key(falconry: Run) -> None:
    add(falconry, "ada")
    add(falconry, "bob")
    done = falconry("keys", "add", "ci", "--user", "bob", "--scope", "admin")
    assert (done.returncode, done.stdout) == (1, "")
    assert "conversations, inference" in done.stderr


class AtTerminal:
    """A command with a terminal of its own; `answers` are typed when it asks."""

    def __init__(self, folder: Path, *arguments: str, answers: list[str]) -> None:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "falconry", *arguments],
            env=clean_environment(folder),
            cwd=folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.seen = ""
        try:
            for answer in answers:
                self._read(ours, until=(": ", "] "))
                os.write(ours, answer.encode())
            with contextlib.suppress(OSError):  # the other end is closed
                self._read(ours, until=("nothing that it says",))
            self.status = process.wait(30)
        finally:
            process.kill()
            process.wait()
            os.close(ours)

    def _read(self, ours: int, until: tuple[str, ...]) -> None:
        start = len(self.seen)
        while not self.seen[start:].endswith(until):
            read = os.read(ours, 4096)
            if not read:
                return
            self.seen += read.decode("utf-8", "replace")


def test_a_password_is_asked_for_twice_and_never_shown(tmp_path: Path, falconry: Run) -> None:
    done = AtTerminal(tmp_path, "users", "add", "ada", answers=[f"{PASSWORD}\n", f"{PASSWORD}\n"])
    assert done.status == 0
    assert "The same again" in done.seen
    assert "horse" not in done.seen
    assert "ada" in falconry("users", "list").stdout


def test_two_different_passwords_add_nobody(tmp_path: Path, falconry: Run) -> None:
    done = AtTerminal(tmp_path, "users", "add", "ada", answers=[f"{PASSWORD}\n", f"{PASSWORD}x\n"])
    assert done.status == 1
    assert "not the same" in done.seen
    assert "There are no users" in falconry("users", "list").stderr


@pytest.mark.parametrize(("answer", "status"), [("\n", 1), ("n\n", 1), ("y\n", 0), ("是\n", 0), ("\x04", 1)])
def test_a_person_is_asked_before_a_user_is_removed(answer: str, status: int, tmp_path: Path, falconry: Run) -> None:
    add(falconry, "ada")
    done = AtTerminal(tmp_path, "users", "remove", "ada", answers=[answer])
    assert done.status == status
    assert ("ada" in falconry("users", "list").stdout) == (status != 0)
