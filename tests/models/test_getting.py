"""Short names, and the quantisation for this machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from falconry.errors import NotFound
from falconry.models.catalog import Terms, catalog
from falconry.models.getting import in_catalogue, open_downloads
from falconry.models.wanted import HubReference, ShortName, read_wanted
from falconry.settings import Settings
from tests.models.hub_server import HubServer, model_bytes


async def test_a_short_name_leads_to_the_hub(
    hub: HubServer, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    model = catalog()[0]
    files = {f"m-{name}.gguf": model_bytes(tmp_path, seed=seed) for seed, name in enumerate(("Q4_K_M", "Q8_0"))}
    hub.add(model.gguf, files)
    downloads = open_downloads(make_settings(hf_endpoint=hub.url))
    ended = await downloads.wait((await downloads.start(f"{model.id.upper()}:Q4_K_M")).id)
    assert ended.state == "done"
    assert ended.title == f"{model.gguf}:Q4_K_M"
    assert ended.path.read_bytes() == files["m-Q4_K_M.gguf"]
    with pytest.raises(NotFound, match="no “no-such-model” in the catalogue"):
        await downloads.start("no-such-model")
    await downloads.aclose()


@pytest.mark.parametrize("model", [model.id for model in catalog()])
def test_each_of_the_catalogue_has_a_repository_that_can_be_asked_for(model: str) -> None:
    wanted = in_catalogue(ShortName(model), None, terms=Terms())
    assert wanted is not None
    reference = read_wanted(wanted, hub="https://huggingface.co", hosts=frozenset())
    assert isinstance(reference, HubReference)
    assert reference.quantization is not None


async def test_the_quantisation_depends_on_the_memory(
    hub: HubServer, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    small, large = model_bytes(tmp_path, seed=1), model_bytes(tmp_path, seed=2, size=3_000_000)
    hub.add("org/name", {"m-Q2_K.gguf": small, "m-Q4_K_M.gguf": large})
    for limit, quantization in ((64, "Q2_K"), (4096, "Q4_K_M")):
        downloads = open_downloads(make_settings(hf_endpoint=hub.url, memory_limit_mib=limit))
        download = await downloads.start("org/name")
        assert download.title == f"org/name:{quantization}"
        await downloads.cancel(download.id)
        await downloads.aclose()
