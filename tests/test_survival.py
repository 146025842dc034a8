"""What must survive: kill -9 of the server while it streams, leaving, coming back, and a clean end."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import httpx
import pytest

from tests.process import Falconry


def deltas(client: httpx.Client, reply_id: str) -> Iterator[str]:
    """The texts of a reply's events as they come."""
    with client.stream("GET", f"/api/replies/{reply_id}/events") as stream:
        event = ""
        for line in stream.iter_lines():
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: ") and event == "delta":
                yield json.loads(line.removeprefix("data: "))["text"]


def ask(client: httpx.Client, content: str) -> tuple[str, str]:
    """Ask in a new conversation; gives its id and the reply's."""
    conversation_id = client.post("/api/conversations").json()["id"]
    answer = client.post(f"/api/conversations/{conversation_id}/replies", json={"content": content})
    assert answer.status_code == 201
    return conversation_id, answer.json()["reply"]["id"]


def finished(client: httpx.Client, reply_id: str) -> dict[str, object]:
    for _ in deltas(client, reply_id):
        pass
    reply: dict[str, object] = client.get(f"/api/replies/{reply_id}").json()
    return reply


def kill_rounds(data_dir: Path, rounds: int, seed: int) -> None:
    """Kill the server at random moments of a reply, start it again, and look for every token that was shown."""
    rng = random.Random(seed)
    print(f"seed {seed}")
    for _ in range(rounds):
        with Falconry(data_dir, canned_rate=80) as falconry, falconry.client() as client:
            conversation_id, reply_id = ask(client, "Do you survive?")
            moment = monotonic() + rng.uniform(0, 1.2)
            received = ""
            for text in deltas(client, reply_id):
                received += text
                if monotonic() > moment:
                    break
            falconry.kill()
        with Falconry(data_dir, canned_rate=5000) as falconry, falconry.client() as client:
            assert falconry.seconds_to_ready < 10
            question, reply = client.get(f"/api/conversations/{conversation_id}").json()["messages"]
            assert question["content"] == "Do you survive?"
            assert reply["content"].startswith(received)
            assert reply["status"] in ("interrupted", "complete")
            if reply["status"] == "interrupted":
                assert client.post(f"/api/replies/{reply_id}/continue").status_code == 200
                whole = finished(client, reply_id)
                assert whole["status"] == "complete"
                assert str(whole["content"]).startswith(reply["content"])
            again = client.post(f"/api/replies/{reply_id}/regenerate").json()["reply"]
            assert finished(client, again["id"])["status"] == "complete"
            falconry.stop()
        connection = sqlite3.connect(data_dir / "falconry.db")
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()


def test_kill_9_while_streaming_loses_nothing(tmp_path: Path) -> None:
    kill_rounds(tmp_path / "data", rounds=3, seed=random.randrange(10**6))


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_kill_9_while_streaming_loses_nothing_in_fifty_rounds(tmp_path: Path) -> None:
    kill_rounds(tmp_path / "data", rounds=50, seed=random.randrange(10**6))


def test_a_question_is_there_after_kill_9_before_the_engine_answered(tmp_path: Path) -> None:
    with Falconry(tmp_path / "data", canned_delay=60) as falconry, falconry.client() as client:
        conversation_id, _ = ask(client, "Am I kept?")
        falconry.kill()
    with Falconry(tmp_path / "data") as falconry, falconry.client() as client:
        question, reply = client.get(f"/api/conversations/{conversation_id}").json()["messages"]
        assert question["content"] == "Am I kept?"
        assert (reply["status"], reply["content"]) == ("interrupted", "")


def test_leaving_and_coming_back_at_random_moments_shows_all_of_one_reply(tmp_path: Path) -> None:
    rng = random.Random(7)
    with Falconry(tmp_path / "data", canned_rate=100) as falconry, falconry.client() as client:
        for _ in range(6):
            _, reply_id = ask(client, "Do you go on?")
            while True:
                leave = monotonic() + rng.uniform(0, 0.3)
                seen, begun = "", monotonic()
                for text in deltas(client, reply_id):
                    if not seen:
                        assert monotonic() - begun < 1
                    seen += text
                    if monotonic() > leave:
                        break
                reply = client.get(f"/api/replies/{reply_id}").json()
                assert reply["content"].startswith(seen)
                if reply["status"] != "running":
                    break
            assert reply["status"] == "complete"
            assert "".join(deltas(client, reply_id)) == reply["content"]


def test_sigterm_ends_streams_stores_replies_and_frees_the_port(tmp_path: Path) -> None:
    with Falconry(tmp_path / "data", canned_rate=20) as falconry, falconry.client() as client:
        started = [ask(client, f"stream {n}") for n in range(5)]
        watchers = [deltas(client, reply_id) for _, reply_id in started]
        received = [next(watcher) for watcher in watchers]
        begun = monotonic()
        assert falconry.stop() == 0
        assert monotonic() - begun < 10
        with pytest.raises(httpx.ConnectError):
            client.get("/health")
    with Falconry(tmp_path / "data") as falconry, falconry.client() as client:
        for (_, reply_id), text in zip(started, received, strict=True):
            reply = client.get(f"/api/replies/{reply_id}").json()
            assert reply["status"] == "interrupted"
            assert reply["content"].startswith(text)


def test_a_second_falconry_on_the_same_data_leaves_the_firsts_reply_alone(tmp_path: Path) -> None:
    with Falconry(tmp_path / "data", canned_rate=10) as first, first.client() as client:
        _, reply_id = ask(client, "Whose am I?")
        with Falconry(tmp_path / "data") as second, second.client() as other:
            assert other.get(f"/api/replies/{reply_id}").json()["status"] == "running"
            assert second.stop() == 0
        assert finished(client, reply_id)["status"] == "complete"
