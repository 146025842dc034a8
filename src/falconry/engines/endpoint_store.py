"""Endpoints that people have added, in `endpoints.json` of the data folder: read by the server and the command line.

The file holds keys, so nobody else may read it (0600). It is replaced as a whole, so that it is never half written,
under a lock, so that of two who write at once neither is lost. A key is bound to scheme, host and port of its URL:
where those change, the key is gone. A file that cannot be understood is set aside, and stops nothing.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr, ValidationError

from falconry.engines.endpoint_url import origin_of
from falconry.errors import FalconryError, InvalidRequest, NotFound, StorageError
from falconry.file_lock import try_lock
from falconry.settings import Endpoint, EndpointKind

FILE = "endpoints.json"
FORMAT = 1
MOST_ENDPOINTS = 200
_LOCK_SECONDS = 5.0
_LARGEST_FILE = 128 * 2**20  # bytes; as many endpoints as there can be, each with all its models chosen, take 75 MB


@dataclass(frozen=True, slots=True)
class StoredEndpoint:
    """An endpoint as it was added. `models` are those that were chosen of what it lists; empty means all of them."""

    name: str
    url: str
    kind: EndpointKind = "auto"
    api_key: SecretStr | None = None
    auth: Literal["bearer", "basic"] = "bearer"
    models: tuple[str, ...] = ()
    prompt_format: Literal["auto", "plain"] = "auto"
    context_length: int | None = None

    def endpoint(self) -> Endpoint:
        """As engines take it. Raises ValidationError."""
        return Endpoint(
            name=self.name,
            url=self.url,
            kind=self.kind,
            api_key=self.api_key,
            auth=self.auth,
            model=self.models[0] if len(self.models) == 1 else None,
            prompt_format=self.prompt_format,
            context_length=self.context_length,
        )


class EndpointStore:
    """The file. Every method blocks for a moment; `all` only where the file has changed.

    Attributes:
        problem: what was wrong with the file when it was last read.
    """

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / FILE
        self.problem: FalconryError | None = None
        self._seen: tuple[int, int, int] | None = None
        self._endpoints: tuple[StoredEndpoint, ...] = ()

    def all(self) -> tuple[StoredEndpoint, ...]:
        """What is stored, in the order in which it was added; read again where another process has changed it."""
        seen = self._stamp()
        if seen != self._seen:
            if seen is None:
                self._endpoints, self.problem = (), None
            else:
                self._endpoints = self._load()
            self._seen = self._stamp()
        return self._endpoints

    def add(self, endpoint: StoredEndpoint, *, replace: bool = False) -> None:
        """Add an endpoint, or put it in the place of the one of that name.

        Raises InvalidRequest where the name is taken or there are too many, StorageError.
        """

        def change(there: tuple[StoredEndpoint, ...]) -> tuple[StoredEndpoint, ...]:
            names = [each.name for each in there]
            if endpoint.name in names and replace:
                return tuple(endpoint if each.name == endpoint.name else each for each in there)
            if endpoint.name in names:
                raise name_taken(endpoint.name)
            if len(there) >= MOST_ENDPOINTS:
                raise InvalidRequest(
                    f"There can be {MOST_ENDPOINTS} endpoints at most. Remove one first.",
                    code="endpoints_full",
                    limit=MOST_ENDPOINTS,
                )
            return (*there, endpoint)

        self._change(change)

    def remove(self, name: str) -> None:
        """Remove an endpoint with its key. Raises NotFound, StorageError."""

        def change(there: tuple[StoredEndpoint, ...]) -> tuple[StoredEndpoint, ...]:
            if all(each.name != name for each in there):
                raise endpoint_not_found(name)
            return tuple(each for each in there if each.name != name)

        self._change(change)

    def _change(self, change: Callable[[tuple[StoredEndpoint, ...]], tuple[StoredEndpoint, ...]]) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _locked(self.path.with_suffix(".lock")):
                self._seen = None  # what another process wrote within the clock's grain counts as well
                there = self.all()
                if self.problem is not None and self.path.exists():  # it may hold keys; it is not ours to overwrite
                    raise self.problem
                changed = change(there)
                replace_file(self.path, _as_text(changed))
                self._endpoints, self._seen = changed, self._stamp()
        except OSError as error:
            raise StorageError(
                f"{self.path} cannot be written ({error.strerror or error}). Check its owner and the room on the disk.",
                code="endpoints_file_unwritable",
                file=str(self.path),
                reason=error.strerror or str(error),
            ) from error

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _load(self) -> tuple[StoredEndpoint, ...]:
        self.problem = None
        try:
            with self.path.open("rb") as file:
                raw = file.read(_LARGEST_FILE)
        except OSError as error:
            self.problem = StorageError(
                f"{self.path} cannot be read ({error.strerror}). Its endpoints are missing until it can.",
                code="endpoints_file_unreadable",
                file=str(self.path),
                reason=error.strerror or str(error),
            )
            return ()
        try:
            found = json.loads(raw)
            version, entries = found["format"], found["endpoints"]
            if version > FORMAT:
                self.problem = StorageError(
                    f"{self.path} was written by a newer Falconry. Its endpoints are missing until you upgrade.",
                    code="endpoints_file_newer",
                    file=str(self.path),
                )
                return ()
            return tuple(_read_entry(entry) for entry in entries)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):  # ValidationError is a ValueError
            self._set_aside()
            return ()

    def _set_aside(self) -> None:
        aside = self.path.with_name(f"{FILE}.broken-{int(time.time())}")
        with suppress(OSError):
            self.path.rename(aside)
        self.problem = StorageError(
            f"{self.path} could not be understood and was set aside as {aside.name}. Add its endpoints again.",
            code="endpoints_file_broken",
            file=str(self.path),
            aside=aside.name,
        )


def name_taken(name: str) -> InvalidRequest:
    return InvalidRequest(
        f"There is an endpoint named “{name}” already. Choose another name, or remove that one first.",
        code="endpoint_name_taken",
        name=name,
    )


def endpoint_not_found(name: str) -> NotFound:
    return NotFound(f"No endpoint named “{name[:200]}” has been added.", code="endpoint_not_found", name=name[:200])


def replace_file(path: Path, text: str) -> None:
    """Put a text into a file that only its owner may read: as a whole, and on the disk, or not at all."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600 from the start
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    if os.name == "posix":  # the new name, too, is to survive a power cut
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _as_text(endpoints: Iterable[StoredEndpoint]) -> str:
    return json.dumps({"format": FORMAT, "endpoints": [_entry(each) for each in endpoints]}, indent=2) + "\n"


def _entry(endpoint: StoredEndpoint) -> dict[str, object]:
    key = endpoint.api_key.get_secret_value() if endpoint.api_key is not None else None
    return {
        "name": endpoint.name,
        "url": endpoint.url,
        "kind": endpoint.kind,
        "api_key": key,
        "key_of": origin_of(endpoint.url) if key else None,
        "auth": endpoint.auth,
        "models": list(endpoint.models),
        "prompt_format": endpoint.prompt_format,
        "context_length": endpoint.context_length,
    }


def _read_entry(entry: Any) -> StoredEndpoint:
    """Raises ValueError, KeyError, TypeError for what is none."""
    key = entry["api_key"]
    if key and entry["key_of"] != origin_of(entry["url"]):
        key = None  # the URL was changed by hand: the key was meant for another host
    try:
        checked = Endpoint(
            name=entry["name"],
            url=entry["url"],
            kind=entry["kind"],
            api_key=key or None,
            auth=entry["auth"],
            prompt_format=entry["prompt_format"],
            context_length=entry["context_length"],
        )
    except ValidationError as error:
        raise ValueError(str(error)) from None
    models = entry["models"]
    if not isinstance(models, list) or not all(isinstance(model, str) for model in models):
        raise TypeError("models")
    return StoredEndpoint(
        name=checked.name,
        url=checked.url,
        kind=checked.kind,
        api_key=checked.api_key,
        auth=checked.auth,
        models=tuple(models),
        prompt_format=checked.prompt_format,
        context_length=checked.context_length,
    )


@contextmanager
def _locked(path: Path) -> Generator[None, None, None]:
    """Hold a lock that no other process has. Raises OSError where another holds it for seconds."""
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
    with file:
        until = time.monotonic() + _LOCK_SECONDS
        while not try_lock(file):
            if time.monotonic() > until:
                raise TimeoutError("another program holds it")
            time.sleep(0.02)
        yield  # closing the file lets go
