"""One engine in memory: who uses it, whether it is loaded, how far that is, and what its process takes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Literal, TypeAlias

from falconry.engines.base import Engine
from falconry.engines.queue import FairQueue
from falconry.engines.specs import ModelSpec
from falconry.errors import FalconryError

State: TypeAlias = Literal["unloaded", "loading", "ready", "failed"]


@dataclass(frozen=True, slots=True)
class ModelState:
    """How a model is.

    Attributes:
        progress: how much of it is loaded, 0 to 1: the memory that its process has, of what it will need. None where
            nobody can tell.
        memory: bytes that its process has, None where there is none, or the system does not tell.
        problem: why it failed.
    """

    state: State
    progress: float | None = None
    memory: int | None = None
    problem: FalconryError | None = None


@dataclass(slots=True, eq=False)
class Resident:
    """An engine that was made.

    Attributes:
        needs: bytes that it takes when it is loaded; 0 where nobody can tell.
        users: requests that have it, or wait for it.
        loading: the task that loads it; None before, and when it is done.
        ready: it was loaded. Whether its process lives is its engine's to say.
        progress: see ModelState.
        expiry: the timer that unloads it when nobody uses it.
    """

    spec: ModelSpec
    engine: Engine
    queue: FairQueue
    needs: int = 0
    users: int = 0
    last_used: float = field(default_factory=monotonic)
    loading: asyncio.Task[None] | None = None
    ready: bool = False
    progress: float | None = None
    expiry: asyncio.TimerHandle | None = None
    _views: dict[Hashable, Engine] = field(default_factory=dict)

    def seen_by(self, view: Callable[[Engine], Engine], identity: Hashable) -> Engine:
        """The engine of an adapter in this one's process; the same one each time, for what is known of it is kept."""
        if identity not in self._views:
            self._views[identity] = view(self.engine)
        return self._views[identity]

    def state(self) -> ModelState:
        """As it is now."""
        if not self.spec.local:
            return ModelState("ready")
        if self.loading is not None or not self.ready:
            return ModelState("loading", self.progress, self.memory())
        # A process that has crashed is started again by its supervisor.
        state: State = "ready" if self.engine.state == "ready" else "loading"
        return ModelState("failed" if self.engine.state == "failed" else state, memory=self.memory())

    def memory(self) -> int | None:
        """Bytes of its process, mapped files included."""
        taken = process_memory(self.engine.pid)
        return sum(taken) if taken else None

    def measure(self) -> bool:
        """Look how far it is loaded; whether that is another per cent."""
        memory = self.memory()
        if not self.needs or memory is None:
            return False
        before, self.progress = self.progress, round(min(memory / self.needs, 0.99), 2)
        return self.progress != before

    def outstanding(self) -> int:
        """Bytes that it needs and that the system counts as free all the same.

        What is still to be loaded; and the weights, which are mapped from the file, so that Linux would take their
        pages back. Then they would have to be read again for every token. Where a process cannot be looked into, all
        that it needs until it is loaded.
        """
        taken = process_memory(self.engine.pid)
        if taken is None:
            return 0 if self.ready else self.needs
        return max(0, self.needs - taken[0])

    def gives_back(self) -> int:
        """Bytes that the system would have more of, were it unloaded."""
        taken = process_memory(self.engine.pid)
        if taken is None:
            return self.needs if self.ready else 0
        return taken[0]


def process_memory(pid: int | None) -> tuple[int, int] | None:
    """Bytes of a process that are its own, and of files that it has mapped; None where the system does not tell."""
    if pid is None or sys.platform != "linux":
        return None
    with suppress(OSError, ValueError, KeyError, IndexError):
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
        fields = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Rss")}
        own, mapped, shared = (int(fields[name]) * 1024 for name in ("RssAnon", "RssFile", "RssShmem"))
        return own + shared, mapped
    return None
