"""Only what lies in Falconry's own folder is deleted."""

from __future__ import annotations

from pathlib import Path

import pytest

from falconry.errors import ModelNotFound, NotAllowed
from falconry.models.removal import remove_model
from falconry.settings import Settings
from tests.models.places import gguf, projector, write


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", find_models=False, models=[tmp_path / "mine"])


def test_a_model_and_the_folders_that_are_empty_then(settings: Settings) -> None:
    own = settings.models_folder
    write(own / "org" / "name" / "a.gguf", gguf("A"))
    write(own / "org" / "other" / "b.gguf", gguf("B"))
    assert remove_model(settings, "a") == len(gguf("A"))
    assert not (own / "org" / "name").exists()
    assert (own / "org" / "other" / "b.gguf").exists()
    remove_model(settings, "b")
    assert [*own.iterdir()] == []


def test_a_broken_one_is_deleted_too(settings: Settings) -> None:
    path = write(settings.models_folder / "cut.gguf", gguf()[:-1])
    remove_model(settings, "cut")
    assert not path.exists()


def test_all_parts_that_are_there(settings: Settings) -> None:
    for part in (1, 3):
        write(settings.models_folder / f"big-0000{part}-of-00003.gguf", gguf())
    remove_model(settings, "big")
    assert [*settings.models_folder.glob("*")] == []


def test_a_projector_goes_with_the_last_model_that_needs_it(settings: Settings) -> None:
    folder = settings.models_folder / "org" / "vl"
    write(folder / "vl-Q4.gguf", gguf("VL"))
    write(folder / "vl-Q8.gguf", gguf("VL", fill=1))
    sight = write(folder / "mmproj-vl.gguf", projector("VL"))
    remove_model(settings, "vl-Q4")
    assert sight.exists()
    remove_model(settings, "vl-Q8")
    assert not folder.exists()


def test_what_is_not_ours_stays(settings: Settings, tmp_path: Path) -> None:
    path = write(tmp_path / "mine" / "hers.gguf", gguf())
    with pytest.raises(NotAllowed) as caught:
        remove_model(settings, "hers")
    assert str(path) in caught.value.message
    assert path.exists()


def test_a_link_in_our_folder_to_a_file_elsewhere_takes_only_the_link(settings: Settings, tmp_path: Path) -> None:
    path = write(tmp_path / "elsewhere" / "x.gguf", gguf())
    settings.models_folder.mkdir(parents=True)
    (settings.models_folder / "x.gguf").symlink_to(path)
    remove_model(settings, "x")
    assert path.exists()
    assert not (settings.models_folder / "x.gguf").is_symlink()


def test_a_folder_in_ours_that_leads_elsewhere_stays(settings: Settings, tmp_path: Path) -> None:
    path = write(tmp_path / "elsewhere" / "x.gguf", gguf())
    settings.models_folder.mkdir(parents=True)
    (settings.models_folder / "more").symlink_to(path.parent)
    with pytest.raises(NotAllowed):
        remove_model(settings, "x")
    assert path.exists()


@pytest.mark.parametrize("name", ["nothing", "../../etc/passwd", "", "x" * 300])
def test_one_that_there_is_not(settings: Settings, name: str) -> None:
    with pytest.raises(ModelNotFound):
        remove_model(settings, name)
