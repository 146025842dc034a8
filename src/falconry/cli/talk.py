"""One conversation at the terminal: asks, shows the reply while it is written, and what the model saw."""

from __future__ import annotations

import sys

from falconry.cli.terminal import Terminal, printable
from falconry.errors import FalconryError, InvalidRequest
from falconry.messages import SamplingParams, StoredMessage
from falconry.services import Services

POLL = 1.0  # seconds after which the reply is looked at even when nobody woke us
DIM, PLAIN = "\x1b[2m", "\x1b[0m"


class Talk:
    """See the module. Its coroutines run on the services' loop.

    Attributes:
        model: the name of the model that answers.
        questions: what the person asked so far, oldest first.
    """

    def __init__(self, services: Services, terminal: Terminal, *, params: SamplingParams, system: str | None) -> None:
        self._services = services
        self._terminal = terminal
        self._params = params
        self._system = system
        self._conversation: str | None = None
        self._head: str | None = None
        self._reply: str | None = None
        self._stopping = False
        self.model = services.pool.resolve(None)
        self.questions: list[str] = []

    async def start(self, go_on: bool) -> None:
        """Begin a conversation, or go on with the newest one. An unused one is not stored."""
        self._conversation = self._head = self._reply = None
        if not go_on:
            return
        newest = await self._services.chat.conversations(limit=1)
        if not newest:
            raise InvalidRequest(self._terminal.text("nothing_to_continue"), code="cli.nothing_to_continue")
        self._conversation = newest[0].id
        messages = await self._services.chat.messages(newest[0].id)
        self._head = messages[-1].id if messages else None
        self.questions = [message.content for message in messages if message.role == "user"]
        self._terminal.note("chat_continues", title=newest[0].title, count=len(messages))
        for message in messages[-2:] if sys.stdout.isatty() else []:
            mark = "> " if message.role == "user" else ""
            print(mark + printable(message.content), flush=True)

    async def answer(self, content: str) -> bool:
        """Ask, and show the reply while it grows; True when it ended well, a stop by the person included."""
        chat = self._services.chat
        self._stopping = False
        if self._conversation is None:
            self._conversation = (await chat.create_conversation()).id
        try:
            _, reply = await chat.ask(
                self._conversation,
                content,
                parent_id=self._head,
                model=self.model,
                params=self._params,
                system=self._system,
            )
        except FalconryError:
            await self._find_head()  # it went on elsewhere, or the question is stored already
            raise
        self._head = self._reply = reply.id
        if self._stopping:
            await chat.stop(reply.id)
        return self._report(await self._show(reply))

    async def _show(self, reply: StoredMessage) -> StoredMessage:
        """Print what comes, and give the reply as it ended."""
        chat = self._services.chat
        printer = _Printer(sys.stdout.isatty())
        told = False
        with chat.watch(reply.conversation_id) as watcher:
            while (live := chat.find(reply.id)) is not None:
                if live.loading is not None and not told and sys.stdout.isatty():
                    told = True
                    self._terminal.note("chat_loading", model=live.loading.title)
                printer.show(live.thinking, live.text)
                await watcher.wait(POLL)
        ended = await chat.message(reply.id)
        printer.show(ended.thinking, ended.content)
        printer.end()
        return ended

    def _report(self, reply: StoredMessage) -> bool:
        """Say whatever a person has to know beside the text."""
        note = self._terminal.note
        if reply.context is not None and reply.context.left_out:
            note("chat_left_out", count=reply.context.left_out)
        if reply.error is not None:
            self._terminal.complain(self._terminal.error(reply.error))
        elif reply.status == "stopped":
            note("chat_stopped")
        elif reply.status == "interrupted":
            note("chat_interrupted")
        elif reply.finish_reason == "length":
            note("chat_length", count=reply.usage.completion_tokens if reply.usage else self._params.max_tokens)
        return reply.status in ("complete", "stopped")

    async def stop(self) -> None:
        """Stop the reply that is being written, also one that has not begun."""
        self._stopping = True
        if self._reply is not None:
            await self._services.chat.stop(self._reply)

    async def show_prompt(self) -> None:
        """Print the exact prompt of the last reply."""
        if self._head is None:
            self._terminal.note("chat_no_prompt")
            return
        seen = await self._services.chat.prompt(self._head)
        text = seen.prompt
        if text is None:  # the backend does not tell its template: show the messages it got
            text = "\n".join(f"[{message.role}] {message.content}" for message in seen.messages)
        print(printable(text), flush=True)
        self._terminal.note("chat_prompt_tokens", count=seen.context.prompt_tokens)

    async def choose_model(self, name: str) -> None:
        """Let another model answer from now on; without a name, list them. Raises ModelNotFound."""
        if name:
            self.model = self._services.pool.resolve(name)
            self._terminal.note("chat_model", model=self.model)
            return
        for model in self._services.pool.models():
            print(("* " if model.name == self.model else "  ") + printable(model.name), flush=True)

    async def _find_head(self) -> None:
        try:
            messages = await self._services.chat.messages(self._conversation or "")
        except FalconryError:
            return
        self._head = messages[-1].id if messages else None


class _Printer:
    """Prints a text that grows. Thinking is shown dimmed to a person and left out of a pipe."""

    def __init__(self, to_person: bool) -> None:
        self._to_person = to_person
        self._thinking = 0
        self._text = 0

    def show(self, thinking: str, text: str) -> None:
        if self._to_person and len(thinking) > self._thinking:
            self._write(DIM + printable(thinking[self._thinking :]) + PLAIN)
            self._thinking = len(thinking)
        if len(text) > self._text:
            if self._thinking and not self._text:
                self._write("\n")
            self._write(printable(text[self._text :]) if self._to_person else text[self._text :])
            self._text = len(text)

    def end(self) -> None:
        self._write("\n")

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
