"""What the log tells, in both forms, and what it never tells."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from falconry import request_id
from falconry.cli.log import configure_logging
from falconry.gate.gate import SESSION_COOKIE
from tests.process import Falconry

logger = logging.getLogger("falconry.test")


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("falconry")
    before = (root.level, list(root.handlers), ours.level)
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    ours.setLevel(before[2])


def test_a_line_of_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    token = request_id.begin("abc-1")
    logger.info("one\ntwo\x1b[31m")
    request_id.end(token)
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "INFO falconry.test: one\\ntwo" in line
    assert "\x1b" not in line
    assert line.rstrip().endswith("[abc-1]")


def test_a_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")
    token = request_id.begin("abc-1")
    logger.warning("it is %s", "odd\n\x1b\x7f", extra={"fields": {"status": 200, "level": "forged"}})
    request_id.end(token)
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert line.isascii()
    assert not any(ord(character) < 32 or ord(character) == 127 for character in line.rstrip("\n"))
    entry = json.loads(line)
    assert datetime.fromisoformat(entry.pop("time")).tzinfo is not None
    assert entry == {
        "level": "warning",
        "logger": "falconry.test",
        "message": "it is odd\n\x1b\x7f",
        "request_id": "abc-1",
        "status": 200,
    }


def test_an_exception_is_in_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")
    try:
        raise ValueError("broken")
    except ValueError:
        logger.exception("it failed")
    assert "ValueError: broken" in json.loads(capsys.readouterr().err)["exception"]


def test_libraries_tell_nothing_below_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("debug")
    logging.getLogger("sqlalchemy.engine.Engine").info("INSERT canary")
    logging.getLogger("httpcore.http11").debug("headers canary")
    logger.debug("ours")
    assert "canary" not in (told := capsys.readouterr().err)
    assert "ours" in told


PROMPT, PASSWORD, WRONG = "canary-prompt-7f3a", "canary-password-9c1d", "canary-wrong-5e2b"


def test_a_whole_session_at_debug_holds_no_secret(tmp_path: Path) -> None:
    """Logs in, makes a key, chats, completes, fails; then looks through every line that was logged."""
    with Falconry(tmp_path / "data", log_level="debug", log_format="json", canned_rate=2000) as server:
        secrets = [PROMPT, PASSWORD, WRONG]
        with server.client() as client:
            client.post("/api/admin/users", json={"name": "ada", "password": PASSWORD}).raise_for_status()
            assert client.post("/login", data={"name": "ada", "password": WRONG}).status_code == 401
            assert client.post("/login", data={"name": "ada", "password": PASSWORD}).status_code == 303
            secrets.append(client.cookies[SESSION_COOKIE])
            key = client.post("/api/me/keys", json={"name": "laptop"}).json()["key"]
            secrets.append(key)
            conversation = client.post("/api/conversations", json={"title": PROMPT}).json()["id"]
            asked = client.post(f"/api/conversations/{conversation}/replies", json={"content": PROMPT}).json()
            client.get(f"/api/replies/{asked['reply']['id']}/events?note={PROMPT}")
            client.post("/api/conversations", content=PROMPT, headers={"Content-Type": "application/json"})
            client.post("/api/me/password", json={"present": WRONG, "new": WRONG, "odd": WRONG})
            client.get(f"/{PROMPT}")
        with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {key}"}, trust_env=False) as program:
            program.post("/api/complete", json={"prompt": PROMPT}).raise_for_status()
            program.post("/api/complete", json={"prompt": PROMPT, "model": PROMPT})
            program.headers["Authorization"] = f"Bearer {WRONG}"
            assert program.get("/api/me").status_code == 401
        server.stop()
        log = server.errors()
    entries = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    routes = {entry.get("route") for entry in entries if entry["logger"] == "falconry.requests"}
    assert {"/login", "/api/me/keys", "/api/complete"} <= routes
    assert all(entry["request_id"] for entry in entries if entry["logger"] == "falconry.requests")
    assert not [secret for secret in secrets if secret in log]
