"""What the hub is asked, and what is said when it answers something else."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest
from pydantic import SecretStr, ValidationError

from falconry.errors import DownloadFailed, FalconryError, NotAllowed, NotFound
from falconry.models.checksum import Checksum
from falconry.models.download_errors import TemporaryFailure
from falconry.models.hub import Hub
from falconry.settings import Settings
from tests.models.hub_server import COMMIT, HubServer

MakeHub = Callable[..., Hub]


@pytest.fixture
def make_hub(hub: HubServer, make_settings: Callable[..., Settings]) -> MakeHub:
    def make(**settings: object) -> Hub:
        return Hub.from_settings(make_settings(**{"hf_endpoint": hub.url, **settings}))

    return make


async def code_of(hub: Hub, repository: str = "org/name") -> str:
    with pytest.raises(FalconryError) as raised:
        await hub.repository(repository)
    assert "secret" not in raised.value.message
    return raised.value.code


async def test_a_repository_with_sizes_and_checksums(hub: HubServer, make_hub: MakeHub) -> None:
    hub.add("org/name", {"config.json": b"{}", "model.safetensors": b"x" * 5000})
    found = await make_hub().repository("org/name")
    assert found.commit == COMMIT
    small, large = found.files
    assert (small.path, small.size) == ("config.json", 2)
    assert small.checksum == Checksum("git", "9e26dfeeb6e641a33dae4961196235bdb965b21b")  # git hash-object
    assert large.checksum is not None
    assert large.checksum.algorithm == "sha256"


async def test_a_repository_that_is_not_there(make_hub: MakeHub) -> None:
    with pytest.raises(NotFound, match="has no org/name, or it is private"):
        await make_hub().repository("org/name")


async def test_a_token_that_is_not_valid(hub: HubServer, make_hub: MakeHub) -> None:
    hub.token = "right"
    with pytest.raises(NotAllowed, match="does not accept the token"):
        await make_hub(hf_token="secret").repository("org/name")


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("status:429", "hub_busy"),
        ("status:500", "hub_broken"),
        ("status:418", "hub_refused"),
        ("nonsense", "hub_nonsense"),
        ("endless", "hub_nonsense"),
    ],
)
async def test_faults_of_the_hub(hub: HubServer, make_hub: MakeHub, fault: str, code: str) -> None:
    hub.api = fault
    assert await code_of(make_hub(hf_token="secret")) == code


async def test_a_hub_that_fails_for_a_moment_is_asked_again(hub: HubServer, make_hub: MakeHub) -> None:
    hub.add("org/name", {"config.json": b"{}"})
    hub.api_faults = ["status:503", "status:502"]
    assert (await make_hub().repository("org/name")).commit == COMMIT
    hub.api_faults, hub.retry_after = ["status:429"], "3600"
    assert await code_of(make_hub()) == "hub_busy"


async def test_a_hub_that_is_not_there(make_hub: MakeHub) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(TemporaryFailure, match="cannot be reached"):
        await make_hub(hf_endpoint=url).repository("org/name")


async def test_offline_nothing_is_asked(hub: HubServer, make_hub: MakeHub) -> None:
    with pytest.raises(NotAllowed, match="HF_HUB_OFFLINE"):
        await make_hub(hf_offline=True).repository("org/name")
    assert hub.seen == []


def test_the_hubs_own_variables_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example.org/")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    settings = Settings()
    assert settings.hf_endpoint == "https://mirror.example.org"
    assert settings.hf_token is not None
    assert settings.hf_offline
    assert "hf_secret" not in repr(settings)


@pytest.mark.parametrize(("given", "token"), [(" hf_secret\n", "hf_secret"), ("  ", None), ("", None)])
def test_a_token_may_have_been_pasted_with_its_line_end(given: str, token: str | None) -> None:
    settings = Settings(hf_token=SecretStr(given))
    assert (settings.hf_token.get_secret_value() if settings.hf_token else None) == token


def test_a_token_that_no_header_could_carry_is_refused_and_not_shown() -> None:
    with pytest.raises(ValidationError) as raised:
        Settings(hf_token=SecretStr("geheim\nX-Evil: 1"))
    assert "geheim" not in str(raised.value)


async def test_a_proxy_looks_names_up_itself(
    hub: HubServer, make_hub: MakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("org/name", {"config.json": b"{}"})
    monkeypatch.setenv("http_proxy", hub.url)
    assert (await make_hub(hf_endpoint="http://hub.invalid").repository("org/name")).commit == COMMIT
    assert hub.seen[0].path.startswith("http://hub.invalid/api/models/org/name")


# Where it leads

LEADS = {
    "http://localhost:1/x": "bad_redirect",  # another host without TLS
    "https://localhost:1/x": "address_refused",
    "https://169.254.169.254/latest/meta-data": "address_refused",
    "https://[::ffff:10.0.0.1]/x": "address_refused",
    "ftp://127.0.0.1/x": "bad_redirect",
    "file:///etc/passwd": "bad_redirect",
    "https://user:pass@example.org/x": "bad_redirect",
    "https://[::1": "download_broken_off",  # httpx takes it for a broken answer
}


@pytest.mark.parametrize("where", LEADS)
async def test_redirects_to_where_nothing_may_be_fetched(hub: HubServer, make_hub: MakeHub, where: str) -> None:
    hub.add("org/name", {"m.gguf": b"x" * 5000})
    hub.redirect = where
    asker = make_hub()
    with pytest.raises(FalconryError) as raised:
        async with asker.outgoing.get(asker.file_url("org/name", COMMIT, "m.gguf")) as answer:
            raise asker.refusal(answer, "org/name")
    assert raised.value.code == LEADS[where]


async def test_redirects_without_end(hub: HubServer, make_hub: MakeHub) -> None:
    hub.add("org/name", {"m.gguf": b"x" * 5000})
    hub.always = "redirect"
    asker = make_hub()
    with pytest.raises(DownloadFailed, match="on and on"):
        async with asyncio.timeout(10), asker.outgoing.get(asker.file_url("org/name", COMMIT, "m.gguf")):
            pass


async def test_the_token_goes_to_the_hub_alone(hub: HubServer, make_hub: MakeHub) -> None:
    hub.add("org/name", {"m.gguf": b"x" * 5000})
    asker = make_hub(hf_token="hf_secret")
    async with asker.outgoing.get(asker.file_url("org/name", COMMIT, "m.gguf")) as answer:
        assert answer.status == 200
        assert not answer.at_hub
    assert [(seen.server, seen.token) for seen in hub.seen] == [("hub", "Bearer hf_secret"), ("store", None)]
