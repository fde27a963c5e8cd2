"""Where an object lies in the folder of its bucket, and the way back from a file to a name.

A part of a name that is followed by a slash is a folder with ``~`` behind its name; ``%`` stands
before what a file's name cannot hold.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

SAFE: Final = " !#$&'()+,;=@[]^_`{}.-"
"""What stands in a file's name as it is, besides letters and digits."""

_LONGEST: Final = 200
"""Characters of one file's name; a longer part of an object's name is a folder in a folder."""

_CONTINUES: Final = "~~"
_FOLDER: Final = "~"


def file_of(name: str) -> str:
    """Return where an object lies in its bucket."""
    *folders, last = name.split("/")
    pieces: list[str] = []
    for part in folders:
        cut = _cut(part)
        pieces += [*(f"{each}{_CONTINUES}" for each in cut[:-1]), f"{cut[-1]}{_FOLDER}"]
    cut = _cut(last)
    return "/".join([*pieces, *(f"{each}{_CONTINUES}" for each in cut[:-1]), cut[-1]])


def _cut(part: str) -> list[str]:
    """Spell a part of a name as one file's name or several; none begins with a dot."""
    quoted = quote(part, safe=SAFE).replace("~", "%7E")
    cut = [quoted[at : at + _LONGEST] for at in range(0, len(quoted), _LONGEST)] or [""]
    return [f"%2E{each[1:]}" if each[:1] == "." else each for each in cut]


def names_below(folder: Path, prefix: str) -> Iterator[str]:
    """Yield the name of each object below `folder`, whose names begin so.

    `prefix` is as it is quoted: a character may be cut in two by the end of a folder's name.
    """
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_symlink():
            yield unquote(prefix + entry.name)
        elif entry.name.endswith(_CONTINUES):
            yield from names_below(Path(entry.path), prefix + entry.name[: -len(_CONTINUES)])
        elif entry.name.endswith(_FOLDER):
            yield from names_below(Path(entry.path), f"{prefix}{entry.name[: -len(_FOLDER)]}/")
