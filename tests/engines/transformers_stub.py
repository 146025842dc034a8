"""A child process that behaves as `falconry.engines.transformers_worker` does, without torch.

    python -P transformers_stub.py --host PATH.sock

It answers with the words of the prompt, backwards. Some prompts make it do what the real one does on bad days.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

LIMIT = 64
"""Words that prompt and reply may have together."""
PROPS = {
    "context_length": LIMIT,
    "vocabulary": 1000,
    "bos": None,
    "eos": "</s>",
    "chat_template": "{{ messages[-1].content }}",
    "continues": True,
    "tools": False,
}


async def main(host: str) -> None:
    async with await asyncio.start_unix_server(_connected, host) as server:
        await server.serve_forever()


async def _connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        length = next(int(line.split(": ")[1]) for line in head if line.lower().startswith("content-length"))
        body = json.loads(await reader.readexactly(length) or b"null")
        await _answer(head[0].split()[1], body, writer)
        await writer.drain()
    finally:
        writer.close()


async def _answer(path: str, body: Any, writer: asyncio.StreamWriter) -> None:
    if path == "/health":
        _send(writer, {"status": "ok"})
    elif path == "/props":
        _send(writer, PROPS)
    elif path == "/tokenize":
        _send(writer, {"count": len(_words(body)), "tokens": []})
    elif path == "/apply-template":
        _send(writer, {"prompt": body["messages"][-1]["content"]})
    elif path.startswith("/v1/") and path.endswith("/completions"):
        await _generate(path, body, writer)
    else:  # as /v1/models is without a network
        _send(writer, {"error": {"message": "no such route"}}, 500)


def _words(body: Any) -> list[str]:
    text = body["messages"][-1]["content"] if "messages" in body else body.get("prompt", body.get("content"))
    return text.split() if isinstance(text, str) else [str(number) for number in text]


async def _generate(path: str, body: Any, writer: asyncio.StreamWriter) -> None:
    words = _words(body)
    if len(words) >= LIMIT:
        failure = {"message": "too long", "code": "context_length_exceeded", "n_prompt_tokens": len(words)}
        return _send(writer, {"error": {**failure, "n_ctx": LIMIT}}, 400)
    if not words:
        return _send(writer, {"error": {"message": "the prompt is empty", "code": "empty_prompt"}}, 400)
    if words == ["template"]:
        return _send(writer, {"error": {"message": "Conversation roles must alternate"}}, 400)
    writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n")
    chat = "messages" in body
    most = min(body.get("max_tokens") or LIMIT, LIMIT - len(words))
    reply = words[::-1][:most]
    for word in reply:
        if word == "memory":
            return _last(writer, 'data: {"error": "out of memory"}\n\n')
        if word == "broken":
            return _last(writer, 'data: {"error": "shapes (1, 2) do not fit"}\n\n')
        if word == "nothing":
            return _last(writer, "")
        if word == "crash":
            await writer.drain()
            os._exit(1)
        _event(writer, _choice(chat, word + " "))
    usage = {"prompt_tokens": len(words), "completion_tokens": len(reply)}
    _event(writer, _choice(chat, "", "length" if len(reply) == body.get("max_tokens") else "stop") | {"usage": usage})
    return _last(writer, "event: cached\ndata: 3\n\n")  # and no [DONE]


def _choice(chat: bool, text: str, finish: str | None = None) -> dict[str, object]:
    said = {"delta": {"content": text}} if chat else {"text": text}
    return {"choices": [{**said, "finish_reason": finish}]}


def _event(writer: asyncio.StreamWriter, body: object) -> None:
    _chunk(writer, f"data: {json.dumps(body)}\n\n")


def _last(writer: asyncio.StreamWriter, text: str) -> None:
    if text:
        _chunk(writer, text)
    writer.write(b"0\r\n\r\n")


def _chunk(writer: asyncio.StreamWriter, text: str) -> None:
    writer.write(f"{len(text.encode()):x}\r\n{text}\r\n".encode())


def _send(writer: asyncio.StreamWriter, body: object, status: int = 200) -> None:
    raw = json.dumps(body).encode()
    writer.write(f"HTTP/1.1 {status} Status\r\nconnection: close\r\ncontent-length: {len(raw)}\r\n\r\n".encode() + raw)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[sys.argv.index("--host") + 1]))
