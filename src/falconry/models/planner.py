"""From what somebody asks for to the files that are fetched: asks the catalogue and the hub."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from falconry.models import download_errors as errors
from falconry.models.checksum import Checksum
from falconry.models.download_plan import Plan, PlannedFile
from falconry.models.fetch import describe
from falconry.models.hub import Hub
from falconry.models.repository import RepoFile, choose
from falconry.models.safe_names import is_safe
from falconry.models.split import stem_of
from falconry.models.wanted import HubReference, ShortName, UrlReference, read_wanted

Find = Callable[[ShortName, int | None], str | None]
"""What the catalogue has under a short name, in words for the hub: `org/name:Q4_K_M`. Takes the memory in bytes."""


async def make_plan(wanted: str, hub: Hub, *, hosts: frozenset[str], find: Find, memory: int | None) -> Plan:
    """What to fetch.

    Args:
        hosts: further hosts that the settings name.
        memory: bytes that a model may take on this machine, for the choice of a quantisation; None for any.

    Raises InvalidRequest, NotFound, NotAllowed, DownloadFailed, each with a sentence.
    """
    reference = read_wanted(wanted, hub=hub.endpoint, hosts=hosts)
    if isinstance(reference, ShortName):
        found = find(reference, memory)
        if found is None:
            raise errors.not_in_catalogue(reference.name)
        reference = read_wanted(found, hub=hub.endpoint, hosts=hosts)
    hub.require_online()
    if isinstance(reference, UrlReference):
        return await _from_url(wanted, reference, hub)
    if isinstance(reference, HubReference):
        return await _from_hub(wanted, reference, hub, memory)
    raise errors.not_in_catalogue(reference.name)


async def _from_hub(wanted: str, reference: HubReference, hub: Hub, memory: int | None) -> Plan:
    repository = await hub.repository(reference.repo, reference.revision)
    # In a thread: there are repositories with thousands of files.
    choice = await asyncio.to_thread(choose, repository, reference, memory=memory)
    if repository.gated:  # what it holds is told to everybody; whether we may have it, only its files tell
        first = choice.files[0].path
        await describe(hub, hub.file_url(repository.name, repository.commit, first), first, repository.name)
    files = []
    for file in choice.files:
        url = hub.file_url(repository.name, repository.commit, file.path)
        files.append(PlannedFile(url, file.path, *await _measured(hub, url, file, repository.name)))
    if choice.format == "safetensors":
        model = title = repository.name
    else:
        model = stem_of(Path(choice.files[0].path))
        title = f"{repository.name}:{choice.quantization}" if choice.quantization else model
    return Plan(wanted.strip(), title, repository.name, tuple(files), choice.format, model, repository.name)


async def _measured(hub: Hub, url: str, file: RepoFile, repository: str) -> tuple[int, Checksum | None]:
    """Size and checksum of a file. Mirrors do not always give them with the list; then its head has them."""
    if file.size is not None:
        return file.size, file.checksum
    size, sha256 = await describe(hub, url, file.path, repository)
    return size, Checksum("sha256", sha256) if sha256 else file.checksum


async def _from_url(wanted: str, reference: UrlReference, hub: Hub) -> Plan:
    place = urlsplit(reference.url)
    name = unquote(PurePosixPath(place.path).name)
    if not name.lower().endswith(".gguf"):
        raise errors.bad_reference(wanted[:200])
    if not is_safe(name):
        raise errors.unsafe_name(reference.host, name[:200])
    size, sha256 = await describe(hub, reference.url, name)
    expected = reference.sha256 or sha256
    file = PlannedFile(reference.url, name, size, Checksum("sha256", expected) if expected else None)
    model = PurePosixPath(name).stem
    return Plan(wanted.strip(), model, place.netloc.replace(":", "_").strip("[]"), (file,), "gguf", model)
