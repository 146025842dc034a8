"""`falconry chat`: the same conversations as in the browser, at the terminal, without Gradio.

The services live on an event loop in a thread of its own, so that they go on while the main thread waits for a line:
only in the main thread does Ctrl-C interrupt readline.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING

import click

from falconry.cli.configure import LOCAL_MODELS, load_settings, settings_flags
from falconry.cli.log import configure_logging
from falconry.cli.sampling import sampling_flags, sampling_params
from falconry.cli.terminal import Terminal
from falconry.cli.verbs import Verb
from falconry.errors import FalconryError

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

    from falconry.cli.talk import Talk

DEFAULT_TOKENS = 1024


@click.command("chat", cls=Verb)
@settings_flags("model", "data_dir", *LOCAL_MODELS)
@click.option("--system", metavar="TEXT")
@sampling_flags
@click.option("-c", "--continue", "go_on", is_flag=True)
@click.pass_obj
def command(
    terminal: Terminal,
    /,
    debug: bool,
    system: str | None,
    max_tokens: int | None,
    temperature: float | None,
    stop: tuple[str, ...],
    seed: int | None,
    go_on: bool,
    **flags: str | None,
) -> int:
    params = sampling_params(
        terminal, max_tokens=max_tokens, temperature=temperature, stop=stop, seed=seed, default_tokens=DEFAULT_TOKENS
    )
    settings = load_settings(terminal, debug=debug, **flags)
    configure_logging("debug" if debug else settings.log_level, settings.log_format)

    from anyio.from_thread import start_blocking_portal  # not needed for --help, nor are the services

    from falconry.cli.talk import Talk
    from falconry.services import open_services

    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(open_services(settings)) as services,
    ):
        portal.call(services.shelf.require_default)
        talk = Talk(services, terminal, params=params, system=system)
        portal.call(talk.start, go_on)
        return _Dialogue(portal, talk, terminal).run()


class _Dialogue:
    """Reads lines, answers them, and leaves at the end of the input."""

    def __init__(self, portal: BlockingPortal, talk: Talk, terminal: Terminal) -> None:
        self._portal = portal
        self._talk = talk
        self._terminal = terminal
        self._interactive = sys.stdin.isatty() and sys.stdout.isatty()

    def run(self) -> int:
        """Give the exit status: a failed reply ends a piped dialogue, for the next question would build on it."""
        if self._interactive:
            _use_readline(self._talk.questions)
            self._terminal.note("chat_welcome", model=self._talk.model)
        for line in self._lines():
            if not line.strip():
                continue
            try:
                going_on = self._command(line.strip()) if line.lstrip().startswith("/") else self._answer(line)
            except FalconryError as error:
                if self._terminal.debug:
                    raise
                self._terminal.complain(self._terminal.error(error.as_dict()))
                going_on = self._interactive
            except KeyboardInterrupt:  # while a command worked
                going_on = self._interactive
            if not going_on:
                return 0 if line.strip() in ("/exit", "/quit") else 1
        return 0

    def _lines(self) -> Iterator[str]:
        if not self._interactive:
            yield from (line.rstrip("\n") for line in sys.stdin)
            return
        while True:
            try:
                yield input("> ")
            except EOFError:
                print()
                return
            except KeyboardInterrupt:  # drops the line that was being typed, as shells do
                print()
                self._terminal.note("chat_how_to_leave")

    def _answer(self, content: str) -> bool:
        reply = self._portal.start_task_soon(self._talk.answer, content)
        return self._wait(reply) or self._interactive

    def _wait(self, reply: Future[bool]) -> bool:
        """Wait for a reply; Ctrl-C stops it, not the program."""
        while True:
            try:
                return reply.result()
            except KeyboardInterrupt:
                self._portal.start_task_soon(self._talk.stop)  # not waited for: a second Ctrl-C may come

    def _command(self, line: str) -> bool:
        """Carry out a line that starts with a slash; False to leave."""
        name, _, rest = line.partition(" ")
        match name:
            case "/exit" | "/quit":
                return False
            case "/clear":
                self._portal.call(self._talk.start, False)
                self._terminal.note("chat_cleared")
            case "/prompt":
                self._portal.call(self._talk.show_prompt)
            case "/model":
                self._portal.call(self._talk.choose_model, rest.strip())
            case "/help":
                self._terminal.note("chat_help")
            case _:
                self._terminal.note("chat_no_such_command", name=name)
        return True


def _use_readline(questions: list[str]) -> None:
    """Line editing, and the conversation's questions under the arrow keys. They are kept in the database alone."""
    try:
        import readline  # Windows has none
    except ImportError:
        return
    readline.clear_history()
    for question in questions:
        readline.add_history(question.replace("\n", " "))
