"""What is already there is found where programs put it, read in place, and told once."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import pytest

from falconry.i18n import error_text
from falconry.models.local import LocalModel, find_models, model_at
from falconry.models.stores.places import unreadable_places
from falconry.models.stores.programs import lm_studio_folders
from falconry.settings import Settings
from tests.models.gguf_bytes import PAIRS, File, string
from tests.models.places import Hub, Ollama, adapter, gguf, projector, write


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of the test's own, without variables that lead elsewhere."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME", "OLLAMA_MODELS", "LLAMA_CACHE"):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture
def find(home: Path) -> Callable[..., dict[str, LocalModel]]:
    """Everything there is, by name."""

    def find(**values: Any) -> dict[str, LocalModel]:
        settings = Settings(data_dir=home / "data", **values)
        return {model.name: model for model in find_models(settings)}

    return find


Find = Callable[..., dict[str, LocalModel]]


def test_nothing_is_nothing(find: Find) -> None:
    assert find() == {}


class TestFolders:
    def test_files_and_folders_of_the_users_own(self, find: Find, tmp_path: Path) -> None:
        one = write(tmp_path / "one.gguf", gguf("One"))
        two = write(tmp_path / "more" / "two.gguf", gguf("Two"))
        deep = write(tmp_path / "more" / "a" / "b" / "three.gguf", gguf("Three"))
        found = find(models=[one, tmp_path / "more"])
        assert [(model.name, model.path, model.source) for model in found.values()] == [
            ("one", one, "folder"),
            ("two", two, "folder"),
            ("three", deep, "folder"),
        ]
        assert found["two"].header is not None
        assert (found["two"].header.name, found["two"].size, found["two"].files) == ("Two", len(gguf("Two")), (two,))

    def test_falconrys_own(self, find: Find, home: Path) -> None:
        write(home / "data" / "models" / "org" / "name" / "own.gguf", gguf())
        assert find()["own"].source == "falconry"

    def test_what_is_not_complete_is_left_out(self, find: Find, tmp_path: Path) -> None:
        for name in ("a.gguf.part", "b.gguf.incomplete", "c.gguf.downloadInProgress", ".downloads/d.gguf", "e.txt"):
            write(tmp_path / "mine" / name, gguf())
        assert find(models=[tmp_path / "mine"]) == {}

    def test_a_file_that_is_named_is_told_of_whatever_it_is(self, find: Find, tmp_path: Path) -> None:
        write(tmp_path / "weights.bin", b"\x80\x02}q\x00.")
        found = find(models=[tmp_path / "weights.bin", tmp_path / "gone.gguf"])
        codes = {name: model.problem.code for name, model in found.items() if model.problem}
        assert codes == {"weights": "model_file_pickle", "gone": "model_file_unreadable"}

    def test_paths_that_no_system_takes(self, find: Find, tmp_path: Path) -> None:
        names = ["x" * 300, "y" * 300 + "-00002-of-00003.gguf", "a\0b.gguf"]
        found = find(models=[tmp_path / name for name in names])
        assert len(found) == 3
        assert all(model.problem is not None for model in found.values())

    def test_a_broken_one_is_told_with_its_reason(self, find: Find, tmp_path: Path) -> None:
        write(tmp_path / "mine" / "cut.gguf", gguf()[:-1])
        problem = find(models=[tmp_path / "mine"])["cut"].problem
        assert problem is not None
        assert "should have at least" in problem.message
        assert "不完整" in error_text(problem.as_dict(), "zh")

    def test_an_encoder_is_told_to_be_none_for_chat(self, find: Find, tmp_path: Path) -> None:
        pairs = (string("general.architecture", "nomic-bert"), *PAIRS[1:])
        write(tmp_path / "mine" / "embed.gguf", File(pairs=pairs).bytes())
        problem = find(models=[tmp_path / "mine"])["embed"].problem
        assert problem is not None
        assert problem.message.startswith("embed.gguf (nomic-bert) writes no text")

    def test_names_that_are_there_twice(self, find: Find, tmp_path: Path) -> None:
        for n, folder in enumerate(("a/x", "b/x", "c/x")):
            write(tmp_path / "mine" / folder / "model.gguf", gguf(fill=n))
        assert [*find(models=[tmp_path / "mine"])] == ["model", "x/model", "x/model (2)"]

    def test_a_name_that_no_terminal_should_be_given(self, find: Find, tmp_path: Path) -> None:
        write(tmp_path / "mine" / "a\x1b[2Jb.gguf", gguf())
        write(tmp_path / "mine" / os.fsdecode(b"d\xff.gguf"), gguf(fill=1))
        names = [*find(models=[tmp_path / "mine"])]
        assert names == ["a�[2Jb", "d�"]
        json.dumps(names).encode()

    def test_a_model_in_parts_is_one(self, find: Find, tmp_path: Path) -> None:
        for part in (2, 3):
            write(tmp_path / "mine" / f"big-0000{part}-of-00003.gguf", gguf(fill=part))
        found = find(models=[tmp_path / "mine"])
        assert [*found] == ["big"]
        problem = found["big"].problem
        assert problem is not None
        assert problem.code == "model_file_part_missing"
        assert "big-00001-of-00003.gguf is missing" in problem.message

    def test_folders_in_a_circle(self, find: Find, tmp_path: Path) -> None:
        write(tmp_path / "mine" / "x.gguf", gguf())
        (tmp_path / "mine" / "again").symlink_to(tmp_path / "mine")
        (tmp_path / "mine" / "self").symlink_to("self")
        assert [*find(models=[tmp_path / "mine"])] == ["x"]

    def test_a_pipe_among_them_stops_nothing(self, find: Find, tmp_path: Path) -> None:
        (tmp_path / "mine").mkdir()
        os.mkfifo(tmp_path / "mine" / "pipe.gguf")
        write(tmp_path / "mine" / "x.gguf", gguf())
        found = find(models=[tmp_path / "mine"])
        assert found["x"].problem is None
        assert found["pipe"].problem is not None

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_a_folder_that_may_not_be_read_is_one_line(self, find: Find, tmp_path: Path) -> None:
        (tmp_path / "locked").mkdir(mode=0)
        problem = find(models=[tmp_path / "locked"])["locked"].problem
        assert problem is not None


class TestHuggingFace:
    def test_files_of_a_repository(self, find: Find, home: Path) -> None:
        hub = Hub(home / ".cache" / "huggingface" / "hub")
        folder = hub.add(
            "org/tiny-GGUF", {"tiny-Q4_K_M.gguf": gguf(), "deep/tiny-Q8_0.gguf": gguf(fill=1), "README.md": b"x"}
        )
        found = find()
        assert {name: model.path for name, model in found.items()} == {
            "tiny-Q4_K_M": folder / "tiny-Q4_K_M.gguf",
            "tiny-Q8_0": folder / "deep" / "tiny-Q8_0.gguf",
        }
        assert {model.source for model in found.values()} == {"huggingface"}

    @pytest.mark.parametrize(
        ("variable", "inside"),
        [
            ("HF_HOME", "hub"),
            ("HF_HUB_CACHE", ""),
            ("HUGGINGFACE_HUB_CACHE", ""),
            ("XDG_CACHE_HOME", "huggingface/hub"),
        ],
    )
    def test_the_cache_elsewhere(
        self, find: Find, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, inside: str
    ) -> None:
        monkeypatch.setenv(variable, str(tmp_path / "elsewhere"))
        Hub(tmp_path / "elsewhere" / inside).add("org/tiny", {"tiny.gguf": gguf()})
        assert [*find()] == ["tiny"]

    def test_main_comes_before_other_revisions(self, find: Find, home: Path) -> None:
        hub = Hub(home / ".cache" / "huggingface" / "hub")
        new = hub.add("org/tiny", {"tiny.gguf": gguf("New")}, revision="1" * 40)
        old = hub.add("org/tiny", {"tiny.gguf": gguf("Old"), "gone.gguf": gguf("Gone")}, revision="2" * 40, main=False)
        assert {name: model.path.parent for name, model in find().items()} == {"tiny": new, "gone": old}

    def test_a_link_whose_blob_is_gone(self, find: Find, home: Path) -> None:
        folder = Hub(home / ".cache" / "huggingface" / "hub").add("org/tiny", {"tiny.gguf": gguf()})
        (folder / "tiny.gguf").resolve().unlink()
        problem = find()["tiny"].problem
        assert problem is not None
        assert problem.code == "model_file_link"


def _manifest(digest: object) -> bytes:
    return json.dumps({"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": digest}]}).encode()


class TestOllama:
    def test_names_are_those_of_ollama(self, find: Find, home: Path) -> None:
        store = Ollama(home / ".ollama" / "models")
        store.add("tiny:1b", [("model", gguf("A")), ("template", b"{{ .Prompt }}"), ("license", b"MIT")])
        store.add("mine:latest", [("model", gguf("B"))], place="registry.ollama.ai/ada")
        store.add("tiny-GGUF:Q4_K_M", [("model", gguf("C"))], place="hf.co/org")
        found = find()
        assert sorted(found) == ["ada/mine:latest", "hf.co/org/tiny-GGUF:Q4_K_M", "tiny:1b"]
        assert {model.source for model in found.values()} == {"ollama"}
        assert found["tiny:1b"].header is not None

    def test_the_store_elsewhere(self, find: Find, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "elsewhere"))
        Ollama(tmp_path / "elsewhere").add("tiny:1b", [("model", gguf())])
        assert [*find()] == ["tiny:1b"]

    def test_two_names_for_the_same_files(self, find: Find, home: Path) -> None:
        store = Ollama(home / ".ollama" / "models")
        for tag in ("latest", "1b", "1b-instruct"):
            store.add(f"tiny:{tag}", [("model", gguf())])
        assert [*find()] == ["tiny:1b"]

    def test_a_projector_belongs_to_its_model_and_an_adapter_stands_alone(self, find: Find, home: Path) -> None:
        store = Ollama(home / ".ollama" / "models")
        _, sight = store.add("eye:latest", [("model", gguf("Eye")), ("projector", projector())])
        store.add("tone:latest", [("model", gguf("Base")), ("adapter", adapter())])
        found = find()
        assert (found["eye:latest"].projector, found["eye:latest"].vision) == (sight, True)
        assert found["tone:latest (adapter)"].kind == "adapter"

    def test_a_blob_that_is_gone_is_told_by_the_models_name(self, find: Find, home: Path) -> None:
        (blob,) = Ollama(home / ".ollama" / "models").add("tiny:1b", [("model", gguf())])
        blob.unlink()
        problem = find()["tiny:1b"].problem
        assert problem is not None
        assert problem.message.startswith("tiny:1b cannot be read: ")

    @pytest.mark.parametrize(
        "manifest",
        [
            b"",
            b"{",
            b"[]",
            b'{"layers": 3}',
            b'{"layers": [1, null, {}]}',
            _manifest("sha256:../../../../../etc/passwd"),
            _manifest({"a": 1}),
            b"[" * 100_000,
        ],
    )
    def test_a_manifest_that_is_none(self, find: Find, home: Path, manifest: bytes) -> None:
        write(home / ".ollama/models/manifests/registry.ollama.ai/library/evil/latest", manifest)
        assert find() == {}


class TestOtherPrograms:
    def test_lm_studio(self, find: Find, home: Path) -> None:
        write(home / ".lmstudio/models/org/tiny-GGUF/tiny.gguf", gguf())
        write(home / ".cache/lm-studio/models/org/old-GGUF/old.gguf", gguf("Old"))
        assert {name: model.source for name, model in find().items()} == {"tiny": "lm_studio", "old": "lm_studio"}

    def test_lm_studio_keeps_them_where_the_user_wants(self, home: Path, tmp_path: Path) -> None:
        write(home / ".lmstudio/settings.json", json.dumps({"downloadsFolder": str(tmp_path / "big disk")}).encode())
        assert lm_studio_folders()[0] == tmp_path / "big disk"

    @pytest.mark.parametrize("variable", [None, "LLAMA_CACHE"])
    def test_llama_cpp(
        self, find: Find, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str | None
    ) -> None:
        cache = tmp_path / "cache" if variable else home / ".cache" / "llama.cpp"
        if variable:
            monkeypatch.setenv(variable, str(cache))
        write(cache / "org_tiny-GGUF_tiny-Q4_K_M.gguf", gguf())
        write(cache / "org_tiny-GGUF_tiny-Q8_0.gguf.downloadInProgress", gguf())
        write(cache / "manifest=org=tiny-GGUF=latest.json", b"{}")
        assert {name: model.source for name, model in find().items()} == {"org_tiny-GGUF_tiny-Q4_K_M": "llama_cpp"}

    def test_they_can_be_left_out(self, find: Find, home: Path) -> None:
        write(home / ".lmstudio/models/org/tiny-GGUF/tiny.gguf", gguf())
        assert find(find_models=False) == {}

    def test_a_folder_of_somebody_elses_is_told(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Root may read everything, so that the system's answer is given in its place."""
        write(home / ".ollama/models/blobs/x", b"")
        original = os.scandir

        def scandir(path: Any) -> Any:
            if Path(path) == home / ".ollama" / "models":
                raise PermissionError(13, "Permission denied")
            return original(path)

        monkeypatch.setattr(os, "scandir", scandir)
        (error,) = unreadable_places(Settings(data_dir=home / "data"))
        assert error.message.startswith(
            f"Models in {home}/.ollama/models do not show, for it cannot be read: Permission"
        )
        assert unreadable_places(Settings(data_dir=home / "data", find_models=False)) == []


class TestTheSameContent:
    def test_a_hard_link(self, find: Find, home: Path, tmp_path: Path) -> None:
        one = write(tmp_path / "mine" / "one.gguf", gguf())
        two = home / ".lmstudio/models/org/x/two.gguf"
        two.parent.mkdir(parents=True)
        two.hardlink_to(one)
        found = find(models=[tmp_path / "mine"])
        assert [*found] == ["one"]
        assert found["one"].copies == (two,)

    def test_a_copy(self, find: Find, home: Path, tmp_path: Path) -> None:
        one = write(tmp_path / "mine" / "one.gguf", gguf())
        (blob,) = Ollama(home / ".ollama" / "models").add("tiny:1b", [("model", gguf())])
        assert find(models=[one])["one"].copies == (blob,)

    def test_a_digest_that_both_stores_know(self, find: Find, home: Path) -> None:
        Hub(home / ".cache/huggingface/hub").add("org/tiny", {"tiny.gguf": gguf()})
        Ollama(home / ".ollama" / "models").add("tiny:1b", [("model", gguf())])
        assert [*find()] == ["tiny"]

    def test_the_same_size_and_other_weights(self, find: Find, tmp_path: Path) -> None:
        for n in range(3):
            write(tmp_path / "mine" / f"{n}.gguf", gguf(fill=n))
        assert [*find(models=[tmp_path / "mine"])] == ["0", "1", "2"]

    def test_a_projector_that_only_the_copy_has(self, find: Find, home: Path, tmp_path: Path) -> None:
        one = write(tmp_path / "one.gguf", gguf())
        _, sight = Ollama(home / ".ollama" / "models").add("eye:1b", [("model", gguf()), ("projector", projector())])
        assert find(models=[one])["one"].projector == sight


class TestProjectors:
    def test_beside_its_model(self, find: Find, tmp_path: Path) -> None:
        write(tmp_path / "mine" / "tiny-vl-Q4_K_M.gguf", gguf("Tiny VL"))
        sight = write(tmp_path / "mine" / "mmproj-tiny-vl-f16.gguf", projector("Tiny VL"))
        found = find(models=[tmp_path / "mine"])
        assert found["tiny-vl-Q4_K_M"].projector == sight
        assert found["mmproj-tiny-vl-f16"].kind == "projector"
        assert found["mmproj-tiny-vl-f16"].problem is None

    def test_one_without_a_name(self, find: Find, home: Path) -> None:
        folder = Hub(home / ".cache/huggingface/hub").add(
            "org/vl", {"a.gguf": gguf("A"), "mmproj-F16.gguf": projector("")}
        )
        assert find()["a"].projector == folder / "mmproj-F16.gguf"

    def test_of_several_the_one_in_16_bits(self, find: Find, tmp_path: Path) -> None:
        write(tmp_path / "mine" / "tiny.gguf", gguf("Tiny"))
        for name, kind in (("f32", 0), ("f16", 1), ("bf16", 32)):
            write(tmp_path / "mine" / f"mmproj-tiny-{name}.gguf", projector("Tiny", kind=kind))
        projector_ = find(models=[tmp_path / "mine"])["tiny"].projector
        assert projector_ is not None
        assert projector_.name == "mmproj-tiny-f16.gguf"

    def test_of_another_model_in_the_same_folder(self, find: Find, tmp_path: Path) -> None:
        write(tmp_path / "mine" / "tiny.gguf", gguf("Tiny"))
        write(tmp_path / "mine" / "grand.gguf", gguf("Grand", fill=1))
        sight = write(tmp_path / "mine" / "mmproj-grand.gguf", projector("Grand"))
        found = find(models=[tmp_path / "mine"])
        assert (found["tiny"].projector, found["grand"].projector) == (None, sight)

    def test_one_of_another_width(self, find: Find, tmp_path: Path) -> None:
        write(tmp_path / "mine" / "tiny.gguf", gguf("Tiny"))
        write(tmp_path / "mine" / "mmproj-tiny.gguf", projector("Tiny", width=48))
        assert find(models=[tmp_path / "mine"])["tiny"].projector is None


def test_a_changed_file_is_looked_at_again(find: Find, tmp_path: Path) -> None:
    path = write(tmp_path / "x.gguf", gguf()[:-1])
    assert find(models=[path])["x"].problem is not None
    write(path, gguf())
    assert find(models=[path])["x"].problem is None


def test_one_file_by_its_path(tmp_path: Path) -> None:
    model = model_at(write(tmp_path / "x.gguf", gguf()))
    assert (model.name, model.quantization, model.parameters, model.context_length) == ("x", "F32", 544, 512)


def test_three_hundred_files_are_listed_quickly(find: Find, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(300):
        write(tmp_path / "mine" / f"{n // 10}" / f"{n}.gguf", gguf(f"Model {n}"))
    assert len(find(models=[tmp_path / "mine"])) == 300
    opened: list[str] = []
    original = os.open

    def noted(path: Any, *rest: Any) -> int:
        opened.append(str(path))
        return original(path, *rest)

    monkeypatch.setattr(os, "open", noted)
    begun = process_time()
    assert len(find(models=[tmp_path / "mine"])) == 300
    assert process_time() - begun < 0.5  # 0.02 s where this was written
    assert not any(path.endswith(".gguf") for path in opened)  # the second time their states are enough


def test_nothing_is_written_or_changed(find: Find, home: Path) -> None:
    Hub(home / ".cache/huggingface/hub").add("org/tiny", {"tiny.gguf": gguf()})
    Ollama(home / ".ollama" / "models").add("tiny:1b", [("model", gguf("B"))])
    before = sorted((path, path.lstat().st_mtime_ns) for path in home.rglob("*"))
    assert len(find()) == 2
    assert sorted((path, path.lstat().st_mtime_ns) for path in home.rglob("*")) == before
    shutil.rmtree(home)
    assert find() == {}
