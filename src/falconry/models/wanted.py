"""What may be asked for: a model of the hub, a file of one, a URL, or a short name from the catalogue.

qwen3.5-4b                           ShortName          and qwen3.5-4b:Q8_0
org/name                             HubReference       the best quantisation for this machine
org/name:Q8_0                        HubReference
org/name/folder/file.gguf            HubReference       with all parts, where it has several
hf.co/org/name:Q8_0                  HubReference       and hf://…, and https:// with /tree, /blob or /resolve
https://host/file.gguf               UrlReference       and …#sha256=…, to have it checked
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import SplitResult, unquote, urlsplit

from falconry.models.download_errors import bad_reference, host_not_allowed

LONGEST = 2000
HUB_HOSTS = frozenset({"huggingface.co", "www.huggingface.co", "hf.co"})
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?")
_QUANTIZATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,99}")
_SHA256 = re.compile(r"sha256=([0-9a-fA-F]{64})")


@dataclass(frozen=True, slots=True)
class HubReference:
    """A model of the hub. At most one of `quantization` and `file` is given."""

    repo: str
    quantization: str | None = None
    file: str | None = None
    revision: str = "main"


@dataclass(frozen=True, slots=True)
class UrlReference:
    """A file elsewhere. `sha256` in lower case, where whoever asks knows it."""

    url: str
    host: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class ShortName:
    """A name from the catalogue."""

    name: str
    quantization: str | None = None


Reference: TypeAlias = HubReference | UrlReference | ShortName


def read_wanted(wanted: str, *, hub: str, hosts: frozenset[str]) -> Reference:
    """Understand what somebody asks for.

    Args:
        hub: URL of the hub; its own URLs are understood beside those of huggingface.co.
        hosts: further hosts, `host` or `host:port`, whose URLs may be fetched.

    Raises InvalidRequest for what names no model, NotAllowed for a URL elsewhere.
    """
    text = wanted.strip()
    if not text or len(text) > LONGEST or not text.isprintable():
        raise bad_reference(wanted[:200])
    try:
        parts = urlsplit(text) if "://" in text else None
    except ValueError:  # brackets that hold no address, or letters that are others than they seem
        raise bad_reference(wanted[:200]) from None
    if parts is not None and parts.scheme == "hf":
        return _hub_path(f"{parts.netloc}{parts.path}", wanted)
    if parts is not None:
        return _url(parts, wanted, hub, hosts)
    first, _, rest = text.partition("/")
    if first.lower() in HUB_HOSTS:
        return _hub_path(rest, wanted)
    if rest:
        return _hub_path(text, wanted)
    name, quantization = _tagged(text, wanted)
    if not _NAME.fullmatch(name):
        raise bad_reference(wanted[:200])
    return ShortName(name, quantization)


def _url(parts: SplitResult, wanted: str, hub: str, hosts: frozenset[str]) -> Reference:
    try:
        host, netloc = parts.hostname, parts.netloc.lower()
        _ = parts.port
    except ValueError:
        raise bad_reference(wanted[:200]) from None
    if not host or parts.username or parts.password:
        raise bad_reference(wanted[:200])
    own = urlsplit(hub)
    if (host in HUB_HOSTS and parts.scheme == "https") or (
        netloc == own.netloc.lower() and parts.scheme == own.scheme and parts.path.startswith(own.path)
    ):
        path = parts.path if host in HUB_HOSTS else parts.path[len(own.path) :]
        return _hub_path(unquote(path), wanted)
    if parts.scheme not in ("http", "https"):
        raise bad_reference(wanted[:200])
    if host not in hosts and netloc not in hosts:
        raise host_not_allowed(host)
    checked = _SHA256.fullmatch(parts.fragment)
    return UrlReference(parts._replace(fragment="").geturl(), host, checked[1].lower() if checked else None)


def _hub_path(path: str, wanted: str) -> HubReference:
    """`org/name`, `org/name:quant`, `org/name/file`, `org/name/resolve/revision/file`, `org/name/tree/revision`."""
    org, _, rest = path.strip("/").partition("/")
    name, _, rest = rest.partition("/")
    if not rest:
        name, quantization = _tagged(name, wanted)
        return HubReference(_repo(org, name, wanted), quantization)
    repo = _repo(org, name, wanted)
    kind, _, behind = rest.partition("/")
    if kind not in ("resolve", "blob", "raw", "tree") or not behind:
        return HubReference(repo, file=_file(rest, wanted))
    revision, _, file = behind.partition("/")
    if not _REVISION.fullmatch(revision) or ".." in revision:
        raise bad_reference(wanted[:200])
    if kind == "tree" or not file:
        return HubReference(repo, revision=revision)
    return HubReference(repo, file=_file(file, wanted), revision=revision)


def _repo(org: str, name: str, wanted: str) -> str:
    for part in (org, name):
        if not _NAME.fullmatch(part) or ".." in part or "--" in part:
            raise bad_reference(wanted[:200])
    return f"{org}/{name}"


def _file(path: str, wanted: str) -> str:
    if not path.lower().endswith(".gguf") or ".." in path.split("/") or "\\" in path:
        raise bad_reference(wanted[:200])
    return path


def _tagged(text: str, wanted: str) -> tuple[str, str | None]:
    name, colon, quantization = text.partition(":")
    if not colon:
        return name, None
    if not _QUANTIZATION.fullmatch(quantization):
        raise bad_reference(wanted[:200])
    return name, None if quantization.lower() == "latest" else quantization
