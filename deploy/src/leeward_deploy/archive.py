"""A zip whose bytes follow from what is in it: no times, no order of a disk, two modes.

With one zlib the bytes are the same on every machine; another may compress differently, so its
version is told beside them.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

TIME: Final = (1980, 1, 1, 0, 0, 0)
"""Of every file: the first that a zip can tell."""

FILE: Final = 0o100644
PROGRAM: Final = 0o100755
"""Modes: readable by all, as platforms want it, whatever a disk says."""

LEVEL: Final = 6
"""Of compression: 9 takes three times as long, and saves 1 %."""

_UNIX: Final = 3

ZLIB: Final = zlib.ZLIB_RUNTIME_VERSION
"""The zlib that decides on the bytes."""


def pack(folder: Path) -> bytes:
    """Return a folder's files as a zip."""
    target = BytesIO()
    files = {path.relative_to(folder).as_posix(): path for path in files_below(folder)}
    with ZipFile(target, "w", ZIP_DEFLATED, compresslevel=LEVEL) as archive:
        for name in sorted(files):
            info = ZipInfo(name, TIME)
            info.create_system = _UNIX
            info.compress_type = ZIP_DEFLATED
            is_program = files[name].stat().st_mode & 0o100
            info.external_attr = (PROGRAM if is_program else FILE) << 16
            archive.writestr(info, files[name].read_bytes(), compresslevel=LEVEL)
    return target.getvalue()


def files_below(folder: Path) -> list[Path]:
    """Return every file below a folder; links are followed."""
    return [path for path in folder.rglob("*") if path.is_file()]


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files below a folder, by their paths."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o644)
