"""`falconry chat`, through a pipe and at a terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from tests.cli.conftest import Run, clean_environment


def test_lines_in_replies_out(falconry: Run) -> None:
    done = falconry("chat", "--model", "canned", stdin="hello\n\nand again\n")
    assert done.returncode == 0
    assert done.stdout.count("falcon") + done.stdout.count("bot") >= 2
    assert done.stderr == ""


def test_a_conversation_is_stored_and_goes_on(falconry: Run) -> None:
    falconry("chat", "--model", "canned", stdin="the first question\n")
    done = falconry("chat", "--model", "canned", "-c", stdin="the second\n/prompt\n")
    assert "Going on with “the first question” (2 messages)." in done.stderr
    assert re.search(r"user: the first question\nassistant: .+user: the second", done.stdout, re.DOTALL)


def test_nothing_to_go_on_with(falconry: Run) -> None:
    done = falconry("chat", "--model", "canned", "--continue", stdin="x\n")
    assert done.returncode == 1
    assert done.stderr == "falconry: There is no conversation to go on with yet.\n"


def test_options_reach_the_model_and_a_cut_is_told(falconry: Run) -> None:
    options = ("--system", "You are a falcon.", "--max-tokens", "3")
    done = falconry("chat", "--model", "canned", *options, stdin="hi\n/prompt\n")
    assert "system: You are a falcon.\nuser: hi" in done.stdout
    assert "(The reply ends here for its length: 3 tokens.)" in done.stderr


def test_commands(falconry: Run) -> None:
    done = falconry("chat", "--model", "canned", stdin="/model\n/model eyas\n/help\n/clear\n/nix\n/prompt\n/exit\nx\n")
    assert done.stdout == "  eyas\n* canned\n"
    for words in ("eyas answers from now on.", "/prompt ", "A new conversation", "no command /nix", "Nothing has been"):
        assert words in done.stderr
    assert done.returncode == 0


def test_a_failed_reply_ends_a_pipe_with_status_1(falconry: Run) -> None:
    endpoints = '[{"name": "gone", "url": "http://127.0.0.1:9/v1"}]'
    done = falconry("chat", "--model", "gone", stdin="one\ntwo\n", endpoints=endpoints)
    assert done.returncode == 1
    assert done.stderr.count("falconry: ") == 1
    assert "Traceback" not in done.stderr


class Pseudoterminal:
    """`falconry chat` at a terminal of its own."""

    def __init__(self, home: Path, *arguments: str, **settings: object) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "falconry", "chat", "--model", "canned", *arguments],
            env={**clean_environment(home, **settings), "TERM": "xterm"},
            cwd=home,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=self._take_terminal,
        )
        os.close(theirs)
        self.seen = ""

    @staticmethod
    def _take_terminal() -> None:
        import fcntl
        import termios

        fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that ^C becomes a SIGINT

    def wait_for(self, text: str, seconds: float = 20) -> None:
        """Read until a text comes after what was waited for before."""
        end = monotonic() + seconds
        while text not in self.seen:
            ready, _, _ = select.select([self._ours], [], [], max(0, end - monotonic()))
            assert ready, f"no {text!r} in {self.seen!r}"
            self.seen += os.read(self._ours, 65536).decode(errors="replace")
        self.seen = self.seen.partition(text)[2]

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def interrupt_until(self, text: str) -> None:
        """Press Ctrl-C until a text comes. One that comes while readline handles another key waits for the next key,
        and the terminal forgets what was typed just before it."""
        for _ in range(20):
            self.type("\x03")
            with contextlib.suppress(AssertionError):
                return self.wait_for(text, 1)
        raise AssertionError(f"no {text!r} in {self.seen!r}")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        os.close(self._ours)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Pseudoterminal]:
    opened = Pseudoterminal(tmp_path, canned_rate=5)
    yield opened
    opened.close()


def test_ctrl_c_stops_the_reply_and_ctrl_d_leaves(terminal: Pseudoterminal) -> None:
    terminal.wait_for("/help lists the commands")
    terminal.wait_for("> ")
    terminal.type("hello\r")
    terminal.wait_for("hello")
    terminal.wait_for(" ")  # the reply has begun: 5 tokens a second
    terminal.interrupt_until("(stopped)")
    terminal.wait_for("> ")
    terminal.type("half a line")
    terminal.wait_for("half a line")
    terminal.interrupt_until("Ctrl-D or /exit leaves.")
    terminal.wait_for("> ")
    terminal.type("\x04")
    assert terminal.process.wait(10) == 0


def test_the_conversation_is_kept_when_the_terminal_is_left(terminal: Pseudoterminal, falconry: Run) -> None:
    terminal.wait_for("> ")
    terminal.type("remember me\r")
    terminal.wait_for("remember me")
    terminal.wait_for(" ")  # the reply has begun
    terminal.interrupt_until("(stopped)")
    terminal.wait_for("> ")
    terminal.type("/exit\r")
    assert terminal.process.wait(10) == 0
    assert "remember me" in falconry("chat", "-m", "canned", "-c", stdin="").stderr
