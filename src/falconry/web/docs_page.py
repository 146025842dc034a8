"""/docs: the API's reference as a page to read, made on the server from /openapi.json, without anybody's script."""

from __future__ import annotations

import json
import re
from html import escape
from itertools import groupby
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from falconry.gate.identity import language_of
from falconry.gate.marks import user
from falconry.web.plain import Texts, brand, other_language, plain_page, texts_for

Json = dict[str, Any]
METHODS = ("get", "post", "put", "patch", "delete")
# The doors for programs of others come first; what is not named comes after, in the application's order.
TITLES = {"openai": "OpenAI", "anthropic": "Anthropic", "text-generation-inference": "text-generation-inference"}
DEEPEST = 4  # objects within objects that an example shows


def docs_page_router() -> APIRouter:
    """The route /docs."""
    router = APIRouter(include_in_schema=False)

    @router.get("/docs")
    @user("conversations")
    async def docs(request: Request) -> Response:
        t = texts_for(language_of(request))
        base = str(request.base_url).rstrip("/")
        return plain_page(request, t("api_reference"), render(request.app.openapi(), base, t, other_language(request)))

    return router


def render(document: Json, base: str, t: Texts, language_link: str) -> str:
    """The page's body."""
    operations = [
        (operation.get("tags", ["other"])[0], method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]
    order = list(dict.fromkeys([*TITLES, *(tag for tag, *_ in operations)]))
    operations.sort(key=lambda one: order.index(one[0]))
    links, parts = [], []
    for tag, group in groupby(operations, lambda one: one[0]):
        title = escape(TITLES.get(tag) or tag[:1].upper() + tag[1:])
        links.append(f"<h2>{title}</h2>")
        parts.append(f"<h2>{title}</h2>")
        for _, method, path, operation in group:
            name = f'<span class="method">{method.upper()}</span><span>{_breakable(path)}</span>'
            links.append(f'<a href="#{_anchor(method, path)}">{name}</a>')
            parts.append(_Route(document, base, t).render(method, path, operation))
    head = (
        f"<h1>{t('api_reference')}</h1>{_prose(document['info']['description'])}"
        f"<p>{t('base_url')}: <code>{escape(base)}</code> · <code>{escape(base)}/v1</code> · "
        f'<a href="/openapi.json">openapi.json</a> · {language_link}</p>'
    )
    return f'<div class="book"><nav>{brand()}{"".join(links)}</nav><main>{head}{"".join(parts)}</main></div>'


class _Route:
    """One operation as HTML."""

    def __init__(self, document: Json, base: str, t: Texts) -> None:
        self._schemas: Json = document.get("components", {}).get("schemas", {})
        self._base = base
        self._t = t

    def render(self, method: str, path: str, operation: Json) -> str:
        access = operation.get("x-access", {})
        who = access.get("scope") or access.get("who", "")
        title = f'<span class="method">{method.upper()}</span><code>{_breakable(path)}</code>'
        parts = [
            f'<h3>{title}<span class="tag">{escape(who)}</span></h3>',
            _prose(operation.get("description", "")),
        ]
        if parameters := operation.get("parameters"):
            parts.append(self._table(self._t("parameters"), [self._parameter(one) for one in parameters]))
        body = self._body(operation)
        if body is not None:
            required = body.get("required", [])
            rows = [
                (name, self._words(schema), _default(schema, name in required), schema.get("description", ""))
                for name, schema in body.get("properties", {}).items()
            ]
            if rows:
                rows.sort(key=lambda row: row[2] != "required")
                parts.append(self._table(self._t("body"), rows))
        curl = escape(self._curl(method, path, body, operation))
        parts.append(f"<details><summary>curl</summary><pre>{curl}</pre></details>")
        return f'<section class="route" id="{_anchor(method, path)}">{"".join(parts)}</section>'

    def _table(self, title: str, rows: list[tuple[str, str, str, str]]) -> str:
        cells = [
            (f"<code>{escape(name)}</code>", escape(kind), escape(default), _inline(text))
            for name, kind, default, text in rows
        ]
        heads = [self._t("field"), self._t("type"), self._t("default"), self._t("meaning")]
        kept = [index for index in range(4) if any(row[index] for row in cells)]
        lines = "".join("<tr>" + "".join(f"<td>{row[index]}</td>" for index in kept) + "</tr>" for row in cells)
        head = "".join(f"<th>{heads[index]}</th>" for index in kept)
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"
        return f'<h4>{title}</h4><div class="scroll">{table}</div>'

    def _parameter(self, parameter: Json) -> tuple[str, str, str, str]:
        schema = parameter.get("schema", {})
        kind = f"{self._words(schema)}, {parameter['in']}"
        text = parameter.get("description", "")
        return parameter["name"], kind, _default(schema, parameter.get("required", False)), text

    def _body(self, operation: Json) -> Json | None:
        content = operation.get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        if schema is None:
            return None
        schema = self._resolve(schema)
        options = (self._resolve(option) for option in schema.get("anyOf", []))
        return next((option for option in options if option.get("properties")), schema)

    def _resolve(self, schema: Json) -> Json:
        while "$ref" in schema:
            schema = self._schemas[schema["$ref"].rpartition("/")[2]]
        return schema

    def _words(self, schema: Json) -> str:
        """A type in words: `integer (1…16)`, `array of string (…4 items)`, `string or null`."""
        if "$ref" in schema:
            return self._words(self._resolve(schema)) if "enum" in self._resolve(schema) else _last(schema["$ref"])
        if options := schema.get("anyOf") or schema.get("oneOf"):
            return " or ".join(dict.fromkeys(self._words(option) for option in options))
        if "enum" in schema:
            return " or ".join(json.dumps(value, ensure_ascii=False) for value in schema["enum"])
        if "const" in schema:
            return json.dumps(schema["const"], ensure_ascii=False)
        kind = str(schema.get("type", "anything"))
        if kind == "array":
            return f"array of {self._words(schema.get('items', {}))}{_range(schema, 'Items', ' items')}"
        return kind + (_range(schema, "Length", " characters") if kind == "string" else _range(schema, "imum"))

    def _curl(self, method: str, path: str, body: Json | None, operation: Json) -> str:
        lines = [f"curl {self._base}{path}"]
        if method not in ("get", "post") or (method == "post" and body is None):
            lines[0] = f"curl -X {method.upper()} {self._base}{path}"
        lines.append("-H 'Authorization: Bearer fk-…'")
        if body is not None:
            lines.append("-H 'Content-Type: application/json'")
            given = operation["requestBody"]["content"]["application/json"].get("example")
            example = given if given is not None else self._example(body, DEEPEST)
            lines.append(f"-d '{json.dumps(example, ensure_ascii=False)}'")
        return " \\\n  ".join(lines)

    def _example(self, schema: Json, depth: int) -> Any:
        """A value that a schema allows: its own example, else what is required and nothing else."""
        schema = self._resolve(schema)
        for key in ("example", "default", "const"):
            if schema.get(key) is not None:
                return schema[key]
        if schema.get("examples"):
            return schema["examples"][0]
        if schema.get("enum"):
            return schema["enum"][0]
        if options := schema.get("anyOf") or schema.get("oneOf"):
            return self._example(options[0], depth)
        kind = schema.get("type")
        if kind == "object" and depth > 0:
            fields = schema.get("properties", {})
            wanted = [name for name in schema.get("required", []) if name in fields]
            return {name: self._example(fields[name], depth - 1) for name in wanted}
        if kind == "array":
            return [self._example(schema.get("items", {}), depth - 1)] if depth > 0 else []
        return {"string": "…", "integer": schema.get("minimum", 1), "number": 0.7, "boolean": True}.get(str(kind), {})


def _anchor(method: str, path: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", f"{method}{path}".lower()).strip("-")


def _breakable(path: str) -> str:
    """A path that may be broken after each slash, where a line is too short for it."""
    return escape(path).replace("/", "/<wbr>")


def _last(reference: str) -> str:
    return reference.rpartition("/")[2]


def _default(schema: Json, required: bool) -> str:
    if required:
        return "required"
    value = schema.get("default")
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _range(schema: Json, what: str, unit: str = "") -> str:
    low, high = schema.get(f"min{what}"), schema.get(f"max{what}")
    if low is None and high is None:
        return ""
    return f" ({'' if low is None else low}…{'' if high is None else high}{unit})"


def _prose(text: str) -> str:
    """Paragraphs with `code` in them."""
    return "".join(f"<p>{_inline(part)}</p>" for part in text.strip().split("\n\n") if part)


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
