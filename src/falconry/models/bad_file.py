"""Why a file is not used as a model: one sentence for each reason, with its code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from falconry.errors import BadModelFile, FalconryError

_AGAIN = "Download it again."
_WRITTEN = "It is damaged, or a faulty program wrote it. " + _AGAIN

SENTENCES: Mapping[str, str] = {
    # What it is
    "model_file_unreadable": "{file} cannot be read: {problem}. Check that it is there and that you may read it.",
    "model_file_not_regular": "{file} is no regular file but a folder, a pipe, a device or the like. Name a GGUF file.",
    "model_file_link": "{file} is a link that leads nowhere. Remove it, or fetch the model again.",
    "model_file_empty": "{file} is empty. " + _AGAIN,
    "model_file_web_page": "{file} is a web page and no model: most likely the message or login page of the site it "
    "came from. Download it again, logged in where the site asks for it.",
    "model_file_lfs_pointer": "{file} is only a Git LFS pointer to a model. Fetch the real file: git lfs pull.",
    "model_file_pickle": "{file} holds Python objects (pickle), which can run any program when they are read. Falconry "
    "reads GGUF and safetensors only. Get the model in one of these formats.",
    "model_file_archive": "{file} is a packed archive ({format}) and no model. Unpack it first.",
    "model_file_old_format": "{file} is in a format older than GGUF that llama.cpp gave up in 2023. Get it as GGUF.",
    "model_file_unknown": "{file} is neither GGUF nor safetensors. Falconry reads no other model files.",
    # The frame of a GGUF file
    "model_file_big_endian": "{file} is made for big-endian machines. Get the little-endian file.",
    "model_file_version": "{file} has version {version} of GGUF, and Falconry reads versions 2 and 3. Update Falconry, "
    "or get the model in a current version.",
    "model_file_truncated": "{file} is not complete: it has {size:,} bytes and should have at least {needed:,}. "
    + _AGAIN,
    "model_file_many_tensors": "{file} claims to have {count:,} tensors; more than {limit:,} there cannot be. "
    + _WRITTEN,
    "model_file_many_values": "{file} claims to have {count:,} values in its header; more than {limit:,} there "
    "cannot be. " + _WRITTEN,
    "model_file_many_texts": "{file}: “{key}” claims to have {count:,} texts; more than {limit:,} in a file there "
    "cannot be. " + _WRITTEN,
    "model_file_many_parts": "{file} claims to be one of {count:,} parts; more than {limit:,} there cannot be. "
    + _WRITTEN,
    "model_file_header_size": "{file} has a header of more than {limit_mib} MiB. " + _WRITTEN,
    "model_file_text_length": "{file} holds a text of {length:,} bytes in its header; more than {limit:,} there cannot "
    "be. " + _WRITTEN,
    "model_file_value_type": "{file}: “{key}” has a value of the unknown type {type}. " + _WRITTEN,
    "model_file_nesting": "{file}: “{key}” is a list of lists, which llama.cpp does not read. " + _WRITTEN,
    "model_file_duplicate": "{file} has “{key}” twice. " + _WRITTEN,
    "model_file_missing_key": "{file} does not say what it is: “{key}” is missing, or no text. " + _WRITTEN,
    "model_file_value": "{file}: “{key}” is {value}, which cannot be. " + _WRITTEN,
    # Its tensors
    "model_file_dimensions": "{file}: the tensor “{tensor}” has impossible dimensions ({shape}). " + _WRITTEN,
    "model_file_tensor_type": "{file}: the tensor “{tensor}” is of type {type}, which Falconry does not know. Update "
    "Falconry, or get the model in another quantisation.",
    "model_file_offset": "{file}: the tensor “{tensor}” begins at byte {offset:,} and should begin at {expected:,}. "
    + _WRITTEN,
    "model_file_excess": "{file} has {excess:,} bytes more than its tensors need. " + _WRITTEN,
    # Several files
    "model_file_part_missing": "{file} is one of {count} files of a model, and {missing} is missing. Fetch it too.",
    "model_file_not_first": "{file} is a later part of a model in several files. Name the first one, {first}.",
    "model_file_parts_differ": "{file} and {other} are not parts of the same model. " + _AGAIN,
    # Whether it can chat
    "model_file_not_chat": "{file} ({architecture}) writes no text: it is for other work, such as search. Choose "
    "another model.",
    # Its chat template
    "chat_template_loops": "{file} has a chat template that did not end within {seconds:g} s. A faulty one keeps the "
    "model busy for ever. Get the model from somewhere else, or a newer file of it.",
    "chat_template_explodes": "{file} has a chat template that writes far more than the conversation that it is given. "
    "Get the model from somewhere else, or a newer file of it.",
    # safetensors, and the folder around it
    "model_file_json": "{file}: its header, or the file itself, is no sound JSON ({problem}). " + _WRITTEN,
    "model_file_custom_code": "{file} needs program code that comes with the model ({key}). Falconry runs none. Get "
    "the model as GGUF, or choose another one.",
    "model_file_data_size": "{file}: the tensor “{tensor}” has {size:,} bytes and should have {expected:,}. "
    + _WRITTEN,
    "model_folder_kernels": "{file} asks for program code from elsewhere ({key}: {value}). Falconry runs none. Get the "
    "model as GGUF, or choose another one.",
    "model_folder_adapter": "{file} is an adapter in safetensors, and Falconry uses adapters in GGUF. Convert it with "
    "llama.cpp's convert_lora_to_gguf.py.",
    "model_folder_without_weights": "{file} has no weights in safetensors. Fetch them, or get the model as GGUF.",
}


def bad_file(code: str, path: Path, /, **details: str | int | float) -> BadModelFile:
    """The error for a file, to be raised. Raises KeyError where there is no such sentence."""
    shown = {"file": _printable(path.name or str(path))} | {
        name: _printable(value) if isinstance(value, str) else value for name, value in details.items()
    }
    return BadModelFile(SENTENCES[code].format(**shown), code=code, **shown)


def renamed(error: FalconryError, name: str) -> FalconryError:
    """The same error about a file that a person knows by another name than the one it has on the disk."""
    if error.code not in SENTENCES:
        return error
    details = {key: value for key, value in error.details.items() if key != "file"}
    return BadModelFile(SENTENCES[error.code].format(file=name, **details), code=error.code, file=name, **details)


def _printable(text: str) -> str:
    """What a stranger's file or its name says, as far as it can go into a sentence."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text[:200])
