"""Asks the hub what a repository holds.

huggingface_hub gives the words: how its API's answers are read (`ModelInfo`), where a file lies (`hf_hub_url`), the
token of a login. The requests are our own (`falconry.models.outgoing`), since a download has to go on after a kill, and
neither the token nor a redirect may go where it should not (docs/design.md).
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from pydantic import SecretStr

from falconry.errors import FalconryError
from falconry.models import download_errors as errors
from falconry.models.checksum import Checksum
from falconry.models.download_errors import TemporaryFailure
from falconry.models.outgoing import TIMEOUT, Answer, Outgoing
from falconry.models.repository import RepoFile, Repository
from falconry.settings import Settings

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo, RepoSibling

PUBLIC_HUB = "https://huggingface.co"
_LARGEST_ANSWER = 32 * 2**20  # bytes; a repository of 10,000 files has 3 MB
_MOST_FILES = 50_000
_SECONDS = 20.0
_WAITS = (0.3, 1.0)  # seconds before each further try
_COMMIT = re.compile(r"[0-9a-f]{40}")
_HASH = {40: re.compile(r"[0-9a-f]{40}"), 64: re.compile(r"[0-9a-f]{64}")}


class Hub:
    """The model hub that the settings name, or huggingface.co."""

    def __init__(self, endpoint: str, outgoing: Outgoing, *, offline: bool = False) -> None:
        self.endpoint = endpoint
        self.outgoing = outgoing
        self.offline = offline
        self.host = urlsplit(endpoint).hostname or endpoint

    @classmethod
    def from_settings(cls, settings: Settings, timeout: float = TIMEOUT) -> Hub:
        """`timeout`: seconds without a byte after which a server counts as silent."""
        hosts = frozenset(host.lower() for host in settings.download_hosts)
        token = settings.hf_token or _login(settings.hf_endpoint)
        outgoing = Outgoing(settings.hf_endpoint, hosts=hosts, token=token, timeout=timeout)
        return cls(settings.hf_endpoint, outgoing, offline=settings.hf_offline)

    def require_online(self) -> None:
        """Raises NotAllowed in offline mode."""
        if self.offline:
            raise errors.offline()

    async def repository(self, name: str, revision: str = "main") -> Repository:
        """The files of a repository, with sizes and checksums, at the commit that a revision means now.

        Raises NotFound, NotAllowed where its licence has to be accepted first, DownloadFailed.
        """
        self.require_online()
        try:
            async with asyncio.timeout(_SECONDS):
                body = await self._described(name, revision)
        except TimeoutError:
            raise errors.stalled(self.host, _SECONDS) from None
        try:
            info = await asyncio.to_thread(_model_info, body)
            files = tuple(map(_repo_file, info.siblings or []))
            if len(files) > _MOST_FILES:
                raise ValueError("too many files")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise errors.nonsense(self.host) from None
        commit = info.sha if isinstance(info.sha, str) and _COMMIT.fullmatch(info.sha) else revision
        return Repository(name, commit, files, gated=bool(info.gated))

    async def _described(self, name: str, revision: str) -> bytes:
        """The hub's description of a repository; asked again when it fails for a moment."""
        url = f"{self.endpoint}/api/models/{name}/revision/{quote(revision, safe='')}?blobs=true"
        for wait in (*_WAITS, None):
            try:
                return await self._read(url, name)
            except TemporaryFailure as failure:
                if wait is None or (failure.retry_after or 0.0) > _SECONDS / 2:
                    raise
                await asyncio.sleep(max(wait, failure.retry_after or 0.0))
        raise AssertionError

    async def _read(self, url: str, repository: str) -> bytes:
        body = bytearray()
        async with self.outgoing.get(url) as answer:
            if answer.status != 200:
                raise self.refusal(answer, repository)
            async for chunk in answer.chunks():
                body += chunk
                if len(body) > _LARGEST_ANSWER:
                    raise errors.nonsense(self.host)
        return bytes(body)

    def file_url(self, repository: str, commit: str, path: str) -> str:
        """Where a file of a repository lies."""
        from huggingface_hub import hf_hub_url  # 0.2 s, when a model is fetched for the first time

        return hf_hub_url(repository, path, revision=commit, endpoint=self.endpoint)

    def refusal(self, answer: Answer, repository: str | None = None) -> FalconryError:
        """The error for an answer that is none of 2xx. `repository`: whose file or description was asked for."""
        status, host = answer.status, answer.host
        if status == 429:
            return errors.busy(host, answer.retry_after)
        if status >= 500:
            return errors.broken_server(host, status, answer.retry_after)
        if not answer.at_hub or repository is None:
            return errors.refused(host, status) if answer.at_hub or status == 404 else errors.link_refused(host, status)
        # https://huggingface.co says in X-Error-Code what it means; a missing repository is a 401 for strangers.
        code = answer.header("x-error-code")
        if code == "GatedRepo":
            return errors.gated(repository, f"{self.endpoint}/{repository}")
        if answer.header("x-error-message") == "Invalid credentials in Authorization header":
            return errors.token_refused(host)
        if code in ("RepoNotFound", "RevisionNotFound", "EntryNotFound") or status in (401, 404):
            return errors.not_found(repository, host)
        return errors.refused(host, status)


def _login(endpoint: str) -> SecretStr | None:
    """The token of `hf auth login`, for huggingface.co alone: a mirror gets what HF_TOKEN says."""
    if endpoint != PUBLIC_HUB:
        return None
    from huggingface_hub import get_token

    token = get_token()
    return SecretStr(token) if token else None


def _model_info(body: bytes) -> ModelInfo:
    """Read the hub's answer. Blocking: the import takes 0.2 s."""
    from huggingface_hub.hf_api import ModelInfo

    data = json.loads(body)
    if not isinstance(data, dict) or not isinstance(data.get("siblings"), list):
        raise ValueError("no description of a repository")
    # Only what we read: other fields change with the hub, and must not break this.
    known = ("id", "sha", "siblings", "gated", "private")
    make: Callable[..., ModelInfo] = ModelInfo
    return make(**{"id": "", **{name: data[name] for name in known if name in data}})


def _repo_file(sibling: RepoSibling) -> RepoFile:
    lfs = sibling.lfs
    size = lfs.size if lfs is not None else sibling.size
    checksum = None
    if lfs is not None and _is_hash(lfs.sha256, 64):
        checksum = Checksum("sha256", lfs.sha256)
    elif lfs is None and _is_hash(sibling.blob_id, 40):
        checksum = Checksum("git", str(sibling.blob_id))
    if not isinstance(sibling.rfilename, str) or (
        size is not None and (type(size) is not int or not 0 <= size < 2**63)
    ):
        raise ValueError("no file")
    return RepoFile(sibling.rfilename, size, checksum)


def _is_hash(value: object, length: int) -> bool:
    return isinstance(value, str) and _HASH[length].fullmatch(value) is not None
