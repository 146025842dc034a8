"""One download: as it is worked on, and as it is told of."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from falconry.errors import FalconryError
from falconry.models.download_plan import ACTIVE, Plan, State, Stored
from falconry.models.meter import Meter


@dataclass(frozen=True, slots=True)
class Download:
    """How a download stands.

    Attributes:
        total, done: bytes.
        speed: bytes per second, None while nobody can tell.
        remaining: seconds, None while nobody can tell.
        path: the model's file or folder, once it is there.
        model: the name under which it can then be chosen.
    """

    id: str
    wanted: str
    title: str
    files: tuple[str, ...]
    total: int
    done: int
    speed: float | None
    remaining: float | None
    state: State
    error: FalconryError | None
    path: Path
    model: str


@dataclass(slots=True)
class Entry:
    """A download as it is worked on."""

    plan: Plan
    state: State
    done: int = 0
    error: FalconryError | None = None
    etags: dict[str, str] = field(default_factory=dict)
    meter: Meter = field(default_factory=Meter)
    task: asyncio.Task[None] | None = None
    elsewhere: bool = False
    """Another process fetches it, and we look on."""
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it is known whether another process fetches it."""
    ending: State | None = None
    """What it is to be when its task is cancelled; None when only we end."""

    @property
    def is_active(self) -> bool:
        """Whether it is being worked on, or waits for its turn."""
        return self.state in ACTIVE

    def told(self, models: Path) -> Download:
        """How it stands at this moment. `models`: the folder of all models."""
        plan = self.plan
        speed = self.meter.speed() if self.state == "running" else None
        target = models / plan.folder
        return Download(
            id=plan.id,
            wanted=plan.wanted,
            title=plan.title,
            files=tuple(file.path for file in plan.files),
            total=plan.total,
            done=min(self.done, plan.total),
            speed=speed,
            remaining=(plan.total - self.done) / speed if speed else None,
            state=self.state,
            error=self.error,
            path=target / plan.files[0].path if plan.format == "gguf" else target,
            model=plan.model,
        )

    def stored(self) -> Stored:
        """What is written down of it."""
        return Stored(self.plan, self.state, self.error.as_dict() if self.error else None, dict(self.etags))


def error_of(stored: Mapping[str, Any] | None) -> FalconryError | None:
    """An error as it was written down."""
    if stored is None:
        return None
    details = stored.get("details")
    known = {str(name): value for name, value in details.items()} if isinstance(details, Mapping) else {}
    error = FalconryError(str(stored.get("message", "")), code=str(stored.get("code", "")))
    error.details = known
    return error
