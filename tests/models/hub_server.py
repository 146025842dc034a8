"""A server that speaks the model hub's protocol, and one that stands for its store: with all the faults they can have.

    GET  /api/models/{org}/{name}/revision/{revision}?blobs=true    what a repository holds
    GET  /{org}/{name}/resolve/{commit}/{file}                       302 to the store for large files, with X-Linked-*

The store answers Range, gives ETags and takes no HEAD. Both listen on loopback, on ports of their own, as two origins.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import gguf
import numpy as np

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FIRST_BYTE = "bytes=0-0"
SMALL = 1024  # bytes; larger files lie in the store
_BLOCK = 16 * 1024


@dataclass(frozen=True)
class Seen:
    """A request that came."""

    server: str
    path: str
    range: str | None
    token: str | None


@dataclass
class Repo:
    files: dict[str, bytes]
    gated: bool = False
    sizes: bool = True


@dataclass
class HubServer:
    """What there is, what has been asked, and what goes wrong.

    Attributes:
        faults: what the next requests to the store suffer, one each: `cut:BYTES`, `status:403`, `html`, `no_range`,
            `length:BYTES`, `noise`, `endless`, `stall`, `hold:BYTES`, `etag:TEXT`, `gzip`, `short_range`.
        always: the fault of all requests to the store for which `faults` has none.
        redirect: where the hub leads in place of the store.
        api: the fault of the hub's API: `status:429`, `nonsense`, `endless`; `api_faults`: of its next requests.
        rate: bytes per second of the store.
    """

    repos: dict[str, Repo] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    always: str | None = None
    redirect: str | None = None
    api: str | None = None
    api_faults: list[str] = field(default_factory=list)
    rate: float | None = None
    token: str | None = None
    retry_after: str | None = None
    linked_size: str | None = None
    """What X-Linked-Size says, where it is not the size."""
    whole_size: str | None = None
    """What the store says the whole size is, where it is asked for the first byte."""
    url: str = ""
    store: str = ""
    held: threading.Event = field(default_factory=threading.Event)
    """Set when a `hold` has sent its bytes, and sends no more."""
    released: threading.Event = field(default_factory=threading.Event)

    def add(self, name: str, files: dict[str, bytes], **how: Any) -> None:
        self.repos[name] = Repo(files, **how)

    def stored(self, digest: str) -> bytes | None:
        for repo in self.repos.values():
            for content in repo.files.values():
                if hashlib.sha256(content).hexdigest() == digest:
                    return content
        return None

    def downloads(self) -> list[Seen]:
        """The requests for content of large files, without those for the first byte, which ask how large one is."""
        return [seen for seen in self.seen if seen.server == "store" and seen.range != FIRST_BYTE]


@contextmanager
def hub_server() -> Iterator[HubServer]:
    hub = HubServer()
    servers = [_listen("hub", _HubHandler, hub), _listen("store", _StoreHandler, hub)]
    hub.url, hub.store = (f"http://127.0.0.1:{server.server_address[1]}" for server in servers)
    threads = [threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield hub
    finally:
        hub.released.set()
        for server in servers:
            server.shutdown()
            server.server_close()
        for thread in threads:
            thread.join()


def model_bytes(folder: Path, *, size: int = 300_000, seed: int = 0) -> bytes:
    """A sound GGUF file with random weights, a bit larger than `size` bytes."""
    path = folder / f"made-{seed}-{size}.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(f"made-{seed}")
    writer.add_context_length(512)
    writer.add_embedding_length(64)
    writer.add_block_count(1)
    writer.add_head_count(4)
    writer.add_feed_forward_length(64)
    numbers = np.random.default_rng(seed).integers(0, 2**15, (-(-size // 128), 64), dtype=np.int16)
    writer.add_tensor("token_embd.weight", numbers.view(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    content = path.read_bytes()
    path.unlink()
    return content


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    name: str
    hub: HubServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked has hung up; that is what these tests do."""


def _listen(name: str, handler: type[_Handler], hub: HubServer) -> _Server:
    server = _Server(("127.0.0.1", 0), handler)
    server.name, server.hub = name, hub
    return server


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    @property
    def hub(self) -> HubServer:
        return self.server.hub

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        """Quiet."""

    def do_GET(self) -> None:
        self._note()
        self.answer()

    def answer(self) -> None:
        raise NotImplementedError

    def send(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        self.wfile.write(body)

    def _note(self) -> None:
        self.hub.seen.append(Seen(self.server.name, self.path, self.headers["Range"], self.headers["Authorization"]))


class _HubHandler(_Handler):
    def answer(self) -> None:
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        if parts[:2] == ["api", "models"]:
            fault = self.hub.api_faults.pop(0) if self.hub.api_faults else self.hub.api
            if fault is not None:
                self._faulty_api(fault)
                return
        name = "/".join(parts[2:4] if parts[:2] == ["api", "models"] else parts[:2])
        repo = self.hub.repos.get(name)
        if self.hub.token is not None and self.headers["Authorization"] not in (None, f"Bearer {self.hub.token}"):
            self.send(401, X_Error_Message="Invalid credentials in Authorization header")
        elif repo is None:
            self.send(401, b'{"error": "Invalid username or password."}', X_Error_Code="RepoNotFound")
        elif parts[:2] == ["api", "models"]:
            self.send(200, json.dumps(_described(name, repo)).encode(), Content_Type="application/json")
        elif repo.gated and self.headers["Authorization"] != f"Bearer {self.hub.token}":
            self.send(401 if self.headers["Authorization"] is None else 403, X_Error_Code="GatedRepo")
        elif parts[2] == "resolve" and parts[3] == COMMIT and "/".join(parts[4:]) in repo.files:
            self._resolve(repo.files["/".join(parts[4:])])
        else:
            self.send(404, X_Error_Code="EntryNotFound")

    def _faulty_api(self, fault: str) -> None:
        kind, _, value = fault.partition(":")
        if kind == "status":
            waiting = {"Retry_After": self.hub.retry_after} if self.hub.retry_after else {}
            self.send(int(value), b"", **waiting)
        elif kind == "nonsense":
            self.send(200, b"<html>Welcome</html>", Content_Type="text/html")
        elif kind == "endless":
            self.send(200, Content_Length=str(2**40))
            while True:
                self.wfile.write(b" " * 2**20)

    def _resolve(self, content: bytes) -> None:
        if len(content) <= SMALL:
            self.send(200, content, ETag=f'"{_git(content)}"', X_Repo_Commit=COMMIT)
            return
        digest = hashlib.sha256(content).hexdigest()
        self.send(
            302,
            Location=self.hub.redirect or f"{self.hub.store}/{digest}?signature=secret",
            X_Linked_Etag=f'"{digest}"',
            X_Linked_Size=str(len(content)) if self.hub.linked_size is None else self.hub.linked_size,
            X_Repo_Commit=COMMIT,
        )


class _StoreHandler(_Handler):
    def answer(self) -> None:
        content = self.hub.stored(urlsplit(self.path).path.strip("/").partition("/")[0])
        if content is None:
            self.send(404)
            return
        fault = self.hub.always
        if self.headers["Range"] != FIRST_BYTE and self.hub.faults:
            fault = self.hub.faults.pop(0)
        kind, _, value = (fault or "").partition(":")
        if kind == "status":
            waiting = {"Retry_After": self.hub.retry_after} if self.hub.retry_after else {}
            self.send(int(value), b"no", **waiting)
        elif kind == "html":
            self.send(200, b"<!doctype html><title>Log in</title>", Content_Type="text/html; charset=utf-8")
        elif kind == "page":  # the same, and it does not say so
            self.send(200, b"<".ljust(len(content)))
        elif kind == "redirect":
            self.send(302, Location=value or self.path)
        else:
            self._content(content, kind, value)

    def _content(self, content: bytes, kind: str, value: str) -> None:
        etag = f'"{value}"' if kind == "etag" else f'"{hashlib.sha256(content).hexdigest()}"'
        if kind == "noise":
            content = content[:64] + bytes(byte ^ 0xFF for byte in content[64:128]) + content[128:]
        start, status, extra = 0, 200, {}
        asked = self.headers["Range"]
        if asked and kind != "no_range" and self.headers["If-Range"] in (None, etag):
            start, status = int(asked.removeprefix("bytes=").partition("-")[0]), 206
            if asked == FIRST_BYTE:
                whole = len(content) if self.hub.whole_size is None else self.hub.whole_size
                self.send(206, content[:1], Content_Range=f"bytes 0-0/{whole}")
                return
            if start >= len(content):
                self.send(416, Content_Range=f"bytes */{len(content)}")
                return
            shown = start + 1 if kind == "short_range" else start
            extra = {"Content_Range": f"bytes {shown}-{len(content) - 1}/{len(content)}"}
        length = int(value) if kind == "length" else len(content) - start
        if kind == "endless":
            extra["Transfer_Encoding"] = "chunked"
        if kind == "gzip":
            extra["Content_Encoding"] = "gzip"
        self._head(status, length, etag, extra, chunked=kind == "endless")
        if kind == "endless":
            self._endless(content)
        elif kind in ("stall", "hold"):
            self.wfile.write(content[start : start + int(value or 1000)])
            self.hub.held.set()
            self.hub.released.wait()
        else:
            self._send(content[start : start + int(value)] if kind == "cut" else content[start : start + length])

    def _head(self, status: int, length: int, etag: str, extra: dict[str, str], *, chunked: bool) -> None:
        self.send_response(status)
        if not chunked:
            self.send_header("Content-Length", str(length))
        for name, value in {"ETag": etag, "Accept-Ranges": "bytes", "Connection": "close", **extra}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.close_connection = True

    def _send(self, content: bytes) -> None:
        for at in range(0, len(content), _BLOCK):
            if self.hub.rate:
                time.sleep(_BLOCK / self.hub.rate)
            self.wfile.write(content[at : at + _BLOCK])

    def _endless(self, content: bytes) -> None:
        block = content
        while True:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block))
            block = b"\0" * 2**16


def _described(name: str, repo: Repo) -> dict[str, Any]:
    siblings = []
    for path, content in repo.files.items():
        sibling: dict[str, Any] = {"rfilename": path}
        if repo.sizes:
            sibling |= {"size": len(content), "blobId": _git(content)}
            if len(content) > SMALL:
                digest = hashlib.sha256(content).hexdigest()
                sibling["lfs"] = {"sha256": digest, "size": len(content), "pointerSize": 134}
        siblings.append(sibling)
    return {
        "id": name,
        "modelId": name,
        "sha": COMMIT,
        "gated": "manual" if repo.gated else False,
        "siblings": siblings,
    }


def _git(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
