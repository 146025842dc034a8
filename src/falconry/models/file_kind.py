"""What a file is by its first bytes, whatever its name says.

A model from the internet is mostly trusted for its name. Pickled ones run whatever program their maker liked when they
are opened, so they are recognised, told apart from broken files, and never opened.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NoReturn

from falconry.models.bad_file import bad_file
from falconry.models.regular_file import Beginning, open_regular

_ENOUGH = 4096  # bytes that tell
_WEB_PAGE = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|\?xml|head|body|script)", re.IGNORECASE)
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_OLD_FORMATS = (b"lmgg", b"fmgg", b"tjgg", b"algg", b"ggml", b"ggmf", b"ggjt", b"ggla")
_ARCHIVES = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!": "rar",
    b"PK\x03\x04": "zip",
}
# Protocols 2 to 5 announce themselves; what PyTorch writes (a dictionary, a global, a long number as its magic) follows
# at once. Of protocol 0 and 1 only the usual beginnings can be told from text.
_PICKLE = re.compile(
    rb"\x80[\x02-\x05][\x95\x8a}\]()cXU\x8c\x4b\x4a\x4d\x88\x89N]|[\]})]q\x00|[(\]}]?c[a-z_][\w.]*\n\w+\n|\(dp\d"
)
_NAMES_PICKLE = re.compile(rb"data\.pkl|\.pkl|/\.data/serialization_id")


def refuse_other_kinds(beginning: Beginning) -> NoReturn:
    """Say what a file is that is neither GGUF nor safetensors. Raises BadModelFile, always."""
    beginning.reach(min(_ENOUGH, beginning.size))
    head = bytes(beginning.data[:_ENOUGH])
    path = beginning.path
    if is_pickle(head):
        raise bad_file("model_file_pickle", path)
    if head.startswith(_LFS_POINTER):
        raise bad_file("model_file_lfs_pointer", path)
    if _WEB_PAGE.match(head):
        raise bad_file("model_file_web_page", path)
    if head.startswith(_OLD_FORMATS):
        raise bad_file("model_file_old_format", path)
    for magic, name in _ARCHIVES.items():
        if head.startswith(magic):
            raise bad_file("model_file_archive", path, format=name)
    raise bad_file("model_file_unknown", path)


def is_pickle(head: bytes) -> bool:
    """Whether a file that begins like this holds Python objects: a pickle, or PyTorch's zip archive of one."""
    if head.startswith(b"PK\x03\x04"):
        return _NAMES_PICKLE.search(head) is not None
    return _PICKLE.match(head) is not None


def begins_as_pickle(path: Path) -> bool:
    """Whether a file holds Python objects. Raises BadModelFile where it cannot be read."""
    with open_regular(path) as (descriptor, size):
        beginning = Beginning(path, descriptor, size, _ENOUGH)
        beginning.reach(min(_ENOUGH, size))
        return is_pickle(bytes(beginning.data))
