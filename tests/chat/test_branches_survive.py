"""kill -9 while branches are made, switched, rated and deleted: the tree is always whole, and what was said is kept."""

from __future__ import annotations

import random
import sqlite3
import threading
from pathlib import Path
from typing import Any

import httpx

from tests.process import Falconry

BROKEN = {
    "a head that is not there": """SELECT c.id FROM conversations c WHERE head_id IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.id = c.head_id AND m.conversation_id = c.id)""",
    "a head that is no leaf": "SELECT c.id FROM conversations c JOIN messages m ON m.parent_id = c.head_id",
    "messages but no head": """SELECT c.id FROM conversations c JOIN messages m ON m.conversation_id = c.id
        WHERE c.head_id IS NULL""",
    "a message without its parent": """SELECT m.id FROM messages m WHERE parent_id IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM messages p WHERE p.id = m.parent_id AND p.conversation_id = m.conversation_id
        AND p.depth = m.depth - 1)""",
    "a first message that is not at the top": "SELECT id FROM messages WHERE parent_id IS NULL AND depth != 0",
}


class Restless:
    """Does what a person could do with a conversation, one thing after the other, until the server is gone.

    Attributes:
        title, questions, ratings: what the server has said is stored, and was not deleted since.
        done: how many things were.
    """

    def __init__(self, client: httpx.Client, seed: int) -> None:
        self.client = client
        self.rng = random.Random(seed)
        self.conversation_id: str = client.post("/api/conversations").json()["id"]
        self.title = ""
        self.questions: dict[str, str] = {}
        self.ratings: dict[str, int] = {}
        self.done = 0

    def run(self) -> None:
        try:
            while True:
                self.step()
                self.done += 1
        except httpx.HTTPError:
            pass  # killed

    def step(self) -> None:
        found = self.client.get(f"/api/conversations/{self.conversation_id}").json()
        messages: list[dict[str, Any]] = found["messages"]
        replies = [m["id"] for m in messages if m["role"] == "assistant" and m["status"] != "running"]
        choices = ["ask", "edit", "regenerate", "switch", "rate", "rename", "delete"] if replies else ["ask"]
        what = self.rng.choice(choices)
        if what in ("ask", "edit"):
            text = f"question {self.done}"
            edit_of = self.rng.choice([m["id"] for m in messages if m["role"] == "user"]) if what == "edit" else None
            body = {"content": text, "parent_id": found["head_id"], "edit_of": edit_of}
            answer = self.post(f"/api/conversations/{self.conversation_id}/replies", body)
            self.questions[answer["message"]["id"]] = text
            self.post(f"/api/replies/{answer['reply']['id']}/stop", {})
        elif what == "regenerate":
            answer = self.post(f"/api/replies/{self.rng.choice(replies)}/regenerate", {"head_id": found["head_id"]})
            self.post(f"/api/replies/{answer['reply']['id']}/stop", {})
        elif what == "switch":
            version = self.rng.choice(self.rng.choice(messages)["versions"])
            body = {"message_id": version, "head_id": found["head_id"]}
            self.post(f"/api/conversations/{self.conversation_id}/head", body)
        elif what == "rate":
            reply, rating = self.rng.choice(replies), self.rng.choice([1, -1])
            self.client.put(f"/api/messages/{reply}/rating", json={"rating": rating}).raise_for_status()
            self.ratings[reply] = rating
        elif what == "rename":
            title = f"title {self.done}"
            self.client.patch(f"/api/conversations/{self.conversation_id}", json={"title": title}).raise_for_status()
            self.title = title
        else:
            self.questions.clear()
            self.ratings.clear()  # whatever was below it
            self.client.delete(f"/api/messages/{self.rng.choice(replies)}").raise_for_status()

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.client.post(path, json=body)
        answer.raise_for_status()
        told: dict[str, Any] = answer.json()
        return told


def check(data_dir: Path, restless: Restless) -> None:
    connection = sqlite3.connect(data_dir / "falconry.db")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    for what, query in BROKEN.items():
        assert connection.execute(query).fetchall() == [], what
    rows = connection.execute("SELECT id, content, rating FROM messages").fetchall()
    content, rating = {row[0]: row[1] for row in rows}, {row[0]: row[2] for row in rows}
    assert {one: content.get(one) for one in restless.questions} == restless.questions
    assert all(rating.get(one) is not None for one in restless.ratings)
    connection.close()


def test_kill_9_leaves_a_whole_tree_with_all_that_was_acknowledged(tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    for round_ in range(2):
        with Falconry(tmp_path / "data", canned_rate=5000) as falconry, falconry.client() as client:
            restless = Restless(client, seed + round_)
            person = threading.Thread(target=restless.run)
            person.start()
            person.join(random.Random(seed + round_).uniform(1, 3))
            falconry.kill()
            person.join(10)
        assert restless.done > 5
        check(tmp_path / "data", restless)
        with Falconry(tmp_path / "data", canned_rate=5000) as falconry, falconry.client() as client:
            restless.client = client
            shown = client.get(f"/api/conversations/{restless.conversation_id}").json()
            assert shown["running"] is None
            assert "running" not in [message["status"] for message in shown["messages"]]
            for _ in range(5):
                restless.step()
            falconry.stop()
