"""What of a user's folder goes into a package."""

from __future__ import annotations

import os
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from shutil import copyfile
from typing import Final

from leeward.errors import ConfigError
from leeward.packaging.entry import handler_calls

CACHES: Final = ("__pycache__", "node_modules", "*.egg-info")
"""Names of folders that are made, and not written; nor goes whatever begins with a dot."""

MADE: Final = ("*.pyc", "*.pyo")

ENVIRONMENT: Final = "pyvenv.cfg"
"""A folder with this file is an environment of Python."""


def sources_of(folder: Path, leave_out: Iterable[str], out: Path) -> list[str]:
    """Return the paths of the files that go along, in order.

    Args:
        folder: of the user.
        leave_out: patterns of paths, of the user's choice.
        out: where packages are written to.

    Raises:
        ConfigError: there is a link to a folder.
    """
    found = []
    for where, folders, files in os.walk(folder):
        here = Path(where)
        below = here.relative_to(folder)
        kept = [each for each in folders if _is_kept(here / each, below / each, leave_out, out)]
        for each in kept:
            if (here / each).is_symlink():
                raise ConfigError(f"{here / each} is a link to a folder; put the folder there")
        folders[:] = kept
        found += [
            (below / each).as_posix()
            for each in files
            if not each.startswith(".")
            and not _matches(each, MADE)
            and not _matches((below / each).as_posix(), leave_out)
        ]
    return sorted(found)


def copied(folder: Path, files: Iterable[str], to: Path) -> None:
    """Copy files of a folder into another one, without times; programs stay programs."""
    for name in files:
        target = to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copyfile(folder / name, target)
        target.chmod(0o755 if (folder / name).stat().st_mode & 0o100 else 0o644)


def modules_in(folder: Path, files: Iterable[str]) -> dict[str, str]:
    """Return the texts of the modules that may have the app, by name.

    Those at the root, and those of its packages.
    """
    found = {}
    for name in files:
        path = Path(name)
        is_near = len(path.parts) == 1 or (
            len(path.parts) == 2 and (folder / path.parts[0] / "__init__.py").exists()
        )
        if path.suffix == ".py" and is_near:
            parts = path.with_suffix("").parts
            module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[module] = (folder / name).read_text(encoding="utf-8", errors="replace")
    return found


def is_entry_of_another(text: str, file: str, platform: str) -> bool:
    """Return whether a module is the entry file of another platform alone."""
    named = {call.platform for call in handler_calls(text, file)}
    return bool(named) and platform not in named


def _is_kept(path: Path, below: Path, leave_out: Iterable[str], out: Path) -> bool:
    return not (
        path.name.startswith(".")
        or _matches(path.name, CACHES)
        or _matches(below.as_posix(), leave_out)
        or (path / ENVIRONMENT).exists()
        or path.resolve() == out.resolve()
    )


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)
