"""Everything that people and programs do, at random, for as long as it is wanted."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeAlias

import httpx

from tests.steady.doors import WAYS, verdict

NAME, PASSWORD = "ada", "correct horse battery"
Act: TypeAlias = Callable[[], Awaitable[None]]


class Crowd:
    """Clients of one Falconry, who act one thing after the other.

    Args:
        client: with a session of the user NAME.
    """

    def __init__(self, client: httpx.AsyncClient, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self._client = client
        self._rng = random.Random(seed)
        self._acts: dict[str, tuple[int, Act]] = {
            "generation": (30, self._generate),
            "cancelled": (10, self._cancel),
            "conversation": (15, self._converse),
            "tokens": (10, self._tokenize),
            "refused": (10, self._mistake),
            "looked": (10, self._look),
            "embedding": (5, self._embed),
            "login": (1, self._log_in),
        }

    async def act(self, workers: int, go_on: Callable[[], bool]) -> None:
        """Act, so many at a time, until it is enough."""
        names = list(self._acts)
        weights = [weight for weight, _ in self._acts.values()]

        async def work() -> None:
            while go_on():
                name = self._rng.choices(names, weights)[0]
                await self._acts[name][1]()
                self.counts[name] += 1

        await asyncio.gather(*(work() for _ in range(workers)))

    async def _generate(self) -> None:
        door, stream = self._rng.choice(WAYS)
        tokens = self._rng.choice([4, 16, 64])
        answer = await self._client.post(door.path, json=door.body(self._words(), tokens, stream=stream))
        assert answer.status_code == 200, answer.text
        assert not stream or verdict(answer.text) == "finished", answer.text[-500:]

    async def _cancel(self) -> None:
        door, stream = self._rng.choice(WAYS)
        body = door.body(self._words(), 200, stream=stream)
        with suppress(TimeoutError):
            async with (
                asyncio.timeout(self._rng.uniform(0, 0.1)),
                self._client.stream("POST", door.path, json=body) as answer,
            ):
                async for _ in answer.aiter_raw():
                    pass

    async def _converse(self) -> None:
        conversation = (await self._client.post("/api/conversations")).json()["id"]
        path = f"/api/conversations/{conversation}"
        turn = {"content": self._words(), "params": {"max_tokens": 40}}
        asked = await self._client.post(f"{path}/replies", json=turn)
        assert asked.status_code == 201, asked.text
        reply = asked.json()["reply"]["id"]
        if self._rng.random() < 0.3:
            await self._client.post(f"/api/replies/{reply}/stop")
        await self._client.get(f"/api/replies/{reply}/events")
        messages = (await self._client.get(path)).json()["messages"]
        assert messages[-1]["status"] in ("complete", "stopped"), messages
        assert (await self._client.delete(path)).status_code == 204

    async def _tokenize(self) -> None:
        assert (await self._client.post("/tokenize", json={"inputs": self._words() * 20})).status_code == 200

    async def _mistake(self) -> None:
        door, _ = self._rng.choice(WAYS)
        body = self._rng.choice([b"{", b"[]", b'{"messages": 5, "inputs": [], "prompt": {}}', b"[" * 2000])
        answer = await self._client.post(door.path, content=body, headers={"Content-Type": "application/json"})
        assert 400 <= answer.status_code < 500, answer.text

    async def _look(self) -> None:
        path = self._rng.choice(["/health", "/ready", "/metrics", "/v1/models", "/info", "/api/conversations", "/docs"])
        assert (await self._client.get(path)).status_code == 200, path

    async def _embed(self) -> None:
        assert (await self._client.post("/v1/embeddings", json={"input": self._words()})).status_code == 200

    async def _log_in(self) -> None:
        async with httpx.AsyncClient(base_url=self._client.base_url, trust_env=False, timeout=60) as browser:
            page = await browser.post("/login", data={"name": NAME, "password": PASSWORD})
            assert page.status_code in (303, 429), page.text
            if page.status_code == 303:
                assert (await browser.get("/api/me")).status_code == 200
                await browser.post("/logout")

    def _words(self) -> str:
        return " ".join(self._rng.choices(["falcon", "eagle", "鹰", "flies", "the", "savanna", "?"], k=12))
