"""A model as Hugging Face lays it out: a folder with config.json and weights in safetensors.

Such a folder can hold programs, and `transformers` would run them where it is told to trust them. Falconry never is:
what needs code of its own, or code from elsewhere, is refused here, by what the files say and not by their names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path, PurePosixPath

from falconry.models.bad_file import bad_file
from falconry.models.file_kind import begins_as_pickle
from falconry.models.json_file import read_json, read_json_where_there_is
from falconry.models.safetensors import read_safetensors

_SHARDS = 2000
_CODE_KEYS = ("auto_map", "custom_pipelines", "custom_generate")
_CODE_FILES = ("config.json", "tokenizer_config.json", "generation_config.json", "processor_config.json")
_IMPLEMENTATIONS = ("attn_implementation", "_attn_implementation", "_attn_implementation_internal")
_WRITES_TEXT = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel", "ForImageTextToText")
_PICKLED = (".bin", ".pt", ".pth", ".pkl", ".ckpt")


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """What a folder says of its model, checked.

    Attributes:
        architecture: as in config.json, such as "FalconForCausalLM".
        dtype: the type that most bytes of its weights have.
        files: those with weights.
        size: bytes of these.
    """

    path: Path
    architecture: str
    parameters: int
    dtype: str
    context_length: int | None
    files: tuple[Path, ...]
    size: int
    chat_template: bool
    vision: bool


def is_model_folder(names: frozenset[str] | set[str]) -> bool:
    """Whether a folder with files of these names is such a model."""
    weights = any(name.endswith((".safetensors", *_PICKLED)) for name in names)
    return weights and ("config.json" in names or "adapter_config.json" in names)


def telling_files(folder: Path) -> tuple[Path, ...]:
    """The files whose change makes another model of it, for a look at their times. Raises BadModelFile."""
    return tuple(path for path in _entries(folder) if path.suffix in (".safetensors", ".json", *_PICKLED))


def read_folder(folder: Path) -> ModelFolder:
    """Check a folder. Raises BadModelFile."""
    names = {path.name for path in _entries(folder)}
    if "config.json" not in names and "adapter_config.json" in names:
        raise bad_file("model_folder_adapter", folder)
    config = read_json(folder / "config.json")
    architecture = _architecture(config)
    for name in _CODE_FILES:
        _refuse_code(folder, read_json_where_there_is(folder, name))
    if "custom_generate" in names:
        raise bad_file("model_file_custom_code", folder, key="custom_generate")
    files = _weights(folder, names)
    if not architecture.endswith(_WRITES_TEXT):
        raise bad_file("model_file_not_chat", folder, architecture=architecture or "?")
    sizes: Counter[str] = Counter()
    parameters = size = 0
    for file in files:
        found = read_safetensors(file)
        size += found.file_size
        for tensor in found.tensors:
            parameters += prod(tensor.shape)
            sizes[tensor.type] += tensor.size
    text = config.get("text_config")
    inner = text if isinstance(text, dict) else {}
    return ModelFolder(
        path=folder,
        architecture=architecture,
        parameters=parameters,
        dtype=sizes.most_common(1)[0][0] if sizes else "",
        context_length=_context_length(config) or _context_length(inner),
        files=files,
        size=size,
        chat_template="chat_template.jinja" in names or "chat_template.json" in names or _has_template(folder),
        vision="vision_config" in config,
    )


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise bad_file("model_file_unreadable", folder, problem=error.strerror or str(error)) from None


def _architecture(config: dict[str, object]) -> str:
    named = config.get("architectures")
    return named[0] if isinstance(named, list) and named and isinstance(named[0], str) else ""


def _refuse_code(folder: Path, config: dict[str, object]) -> None:
    """Refuse what makes `transformers` look for code in the folder or on the hub, at any depth of a configuration."""
    for key, value in _walk(config):
        if key in _CODE_KEYS and value:
            raise bad_file("model_file_custom_code", folder, key=key)
        # The name of a repository in place of "sdpa" or "eager": kernels are fetched from there, and run.
        if key in _IMPLEMENTATIONS and any("/" in one for one in _texts(value)):
            raise bad_file("model_folder_kernels", folder, key=key, value=str(value)[:100])
        if key in ("kernel_config", "use_kernels") and value:
            raise bad_file("model_folder_kernels", folder, key=key, value=str(value)[:100])


def _walk(value: object) -> Iterator[tuple[str, object]]:
    level = [value]
    while level:
        inner: list[object] = []
        for container in level:
            if isinstance(container, dict):
                yield from container.items()
                inner += container.values()
            elif isinstance(container, list):
                inner += container
        level = [one for one in inner if isinstance(one, dict | list)]


def _texts(value: object) -> list[str]:
    values = value.values() if isinstance(value, dict) else [value]
    return [one for one in values if isinstance(one, str)]


def _weights(folder: Path, names: set[str]) -> tuple[Path, ...]:
    if "model.safetensors.index.json" in names:
        index = read_json(folder / "model.safetensors.index.json")
        places = index.get("weight_map")
        shards = {one for one in places.values() if isinstance(one, str)} if isinstance(places, dict) else set()
        if not shards or len(shards) > _SHARDS:
            raise bad_file("model_file_value", folder / "model.safetensors.index.json", key="weight_map", value="…")
        for shard in shards:
            if PurePosixPath(shard).name != shard or shard in ("", ".", ".."):  # it would lead out of the folder
                raise bad_file("model_file_value", folder, key="weight_map", value=shard[:60])
            if shard not in names:
                raise bad_file("model_file_part_missing", folder, count=len(shards), missing=shard)
        return tuple(folder / shard for shard in sorted(shards))
    if "model.safetensors" in names:
        return (folder / "model.safetensors",)
    for name in sorted(names):
        if name.endswith(_PICKLED) and begins_as_pickle(folder / name):
            raise bad_file("model_file_pickle", folder / name)
    raise bad_file("model_folder_without_weights", folder)


def _context_length(config: dict[str, object]) -> int | None:
    for key in ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length"):
        value = config.get(key)
        if type(value) is int and value > 0:
            return value
    return None


def _has_template(folder: Path) -> bool:
    return bool(read_json_where_there_is(folder, "tokenizer_config.json").get("chat_template"))
