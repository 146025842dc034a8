"""Open WebUI as a front end: its server, started here without the internet, talks to ours as to any other."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from tests.compat.probes.report import Probe, Target, raises

probe = Probe("Open WebUI", "open-webui")
START = 300  # seconds; about 60 on two cores


class OpenWebUI:
    """Its server on a data folder of its own, one person and no login."""

    def __init__(self, target: Target, folder: Path) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.token = ""
        environment = {
            **os.environ,
            "DATA_DIR": str(folder),
            "WEBUI_AUTH": "False",
            "WEBUI_SECRET_KEY": "compat",
            "OFFLINE_MODE": "true",
            "HF_HUB_OFFLINE": "1",
            "ENABLE_OLLAMA_API": "false",
            "OPENAI_API_BASE_URL": target.v1,
            "OPENAI_API_KEY": target.key,
            "RAG_EMBEDDING_ENGINE": "openai",
            "RAG_OPENAI_API_BASE_URL": target.v1,
            "RAG_OPENAI_API_KEY": target.key,
            "RAG_EMBEDDING_MODEL": target.model,
            "ANONYMIZED_TELEMETRY": "false",
            "DO_NOT_TRACK": "true",
        }
        self.log = (folder / "log").open("w")
        self.process = subprocess.Popen(
            [str(Path(sys.executable).parent / "open-webui"), "serve", "--host", "127.0.0.1", "--port", str(port)],
            env=environment,
            cwd=folder,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )

    def wait(self) -> None:
        deadline = monotonic() + START
        while monotonic() < deadline:
            assert self.process.poll() is None, f"it ended: {Path(self.log.name).read_text()[-500:]}"
            try:
                urllib.request.urlopen(f"{self.url}/health", timeout=5).close()
            except OSError:
                sleep(0.5)
            else:
                self.token = json.loads(self.ask("/api/v1/auths/signin", {"email": "", "password": ""}))["token"]
                return
        raise TimeoutError(f"not ready after {START} s")

    def ask(self, path: str, body: object = None) -> str:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=50) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{error.code}: {error.read().decode()[:300]}") from error

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()


def register(web: OpenWebUI) -> None:
    """The checks, on a server that has started."""

    @probe.check("models")
    def the_picker_shows_our_models(target: Target) -> None:
        models: Any = json.loads(web.ask("/api/models"))["data"]
        assert target.model in [model["id"] for model in models]

    @probe.check("chat")
    def a_reply(target: Target) -> None:
        body = {"model": target.model, "messages": [{"role": "user", "content": "Hello, who are you?"}]}
        reply: Any = json.loads(web.ask("/api/chat/completions", {**body, "stream": False}))
        assert reply["choices"][0]["message"]["content"]

    @probe.check("streaming")
    def a_reply_as_it_comes(target: Target) -> None:
        body = {"model": target.model, "messages": [{"role": "user", "content": "Hello, who are you?"}]}
        answer = web.ask("/api/chat/completions", {**body, "stream": True})
        frames = [line[6:] for line in answer.splitlines() if line.startswith("data: ") and "[DONE]" not in line]
        text = "".join(
            choice.get("delta", {}).get("content") or ""
            for frame in frames
            for choice in json.loads(frame).get("choices", [])
        )
        assert text

    @probe.check("embeddings")
    def documents_are_embedded(target: Target) -> None:
        body = {"model": target.model, "input": ["a falcon", "an owl"]}
        reply: Any = json.loads(web.ask("/api/embeddings", body))
        assert len(reply["data"]) == 2

    @probe.check("errors")
    def our_reason_reaches_the_person(target: Target) -> None:
        long = "falcon " * 30_000
        body = {"model": target.model, "messages": [{"role": "user", "content": long}], "stream": False}
        error = raises(AssertionError, web.ask, path="/api/chat/completions", body=body)
        assert "context" in str(error), str(error)


if __name__ == "__main__":
    target, options = probe.parse()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        ours = OpenWebUI(target, Path(name))
        try:
            ours.wait()
            register(ours)
            probe.run(target, options)
        finally:
            ours.close()
