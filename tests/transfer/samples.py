"""Files in the shapes that others export, made for the tests."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]


def packed(files: Mapping[str, bytes | str]) -> bytes:
    """A zip file."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


def node(node_id: str, parent: str | None, message: Json | None) -> Json:
    return {"id": node_id, "parent": parent, "children": [], "message": message}


def said(role: str, text: str | None = None, **more: Any) -> Json:
    """A message of ChatGPT's."""
    content = more.pop("content", {"content_type": "text", "parts": [text]})
    defaults = {"create_time": 1_700_000_000.5, "status": "finished_successfully", "recipient": "all", "metadata": {}}
    return {"author": {"role": role, "name": None, "metadata": {}}, "content": content, **defaults, **more}


def chatgpt(*nodes: Json, current: str | None = None, **more: Any) -> Json:
    """A conversation of ChatGPT's with these nodes, each also told by its parent."""
    mapping = {each["id"]: each for each in nodes}
    for each in nodes:
        if each["parent"] in mapping:
            mapping[each["parent"]]["children"].append(each["id"])
    return {
        "title": "Falcons",
        "create_time": 1_700_000_000.0,
        "update_time": 1_700_000_100.0,
        "mapping": mapping,
        "current_node": current or nodes[-1]["id"],
        "conversation_id": "6c9a2f9e-0000-4000-8000-000000000001",
        **more,
    }


def simple_chatgpt(number: int = 1) -> Json:
    return chatgpt(
        node("root", None, None),
        node("q", "root", said("user", "What is a falcon?")),
        node("a", "q", said("assistant", "A bird.", metadata={"model_slug": "gpt-4o"})),
        conversation_id=f"6c9a2f9e-0000-4000-8000-{number:012}",
    )


def webui_message(message_id: str, parent: str | None, role: str, content: Any, **more: Any) -> Json:
    """A message of Open WebUI's."""
    return {
        "id": message_id,
        "parentId": parent,
        "childrenIds": [],
        "role": role,
        "content": content,
        "timestamp": 1_730_000_000,
        **more,
    }


def webui(*messages: Json, current: str | None = None, **more: Any) -> Json:
    """A row of Open WebUI's export of all chats."""
    by_id = {each["id"]: each for each in messages}
    return {
        "id": "b6a30cde-0000-4000-8000-000000000001",
        "user_id": "someone",
        "title": "Eagles",
        "chat": {
            "title": "Eagles",
            "models": ["llama3.2:3b"],
            "history": {"messages": by_id, "currentId": current or messages[-1]["id"]},
            "messages": list(messages),
            "files": [],
            "params": {},
            "timestamp": 1_730_000_000_000,
        },
        "created_at": 1_730_000_000,
        "updated_at": 1_730_000_100,
        "pinned": False,
        "archived": False,
        "meta": {},
        **more,
    }


def simple_webui() -> Json:
    return webui(
        webui_message("q", None, "user", "What is an eagle?", models=["llama3.2:3b"]),
        webui_message("a", "q", "assistant", "Another bird.", model="llama3.2:3b", done=True),
    )
