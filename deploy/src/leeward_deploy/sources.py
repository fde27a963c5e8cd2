"""What of a user's folder goes into a package."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path
from shutil import copyfile
from typing import Any, Final, NamedTuple

from leeward.errors import ConfigError
from leeward_deploy.entry import handler_calls

CACHES: Final = ("__pycache__", "node_modules", "*.egg-info")
"""Names of folders that are made, and not written; nor goes whatever begins with a dot."""

MADE: Final = ("*.pyc", "*.pyo")

ENVIRONMENT: Final = "pyvenv.cfg"
"""A folder with this file is an environment of Python."""

DENIED: Final = (
    *("*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "*.ppk"),
    *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "*.env"),
    *("local.settings.json", "credentials.json", "client_secret*.json"),
    *("*service-account*.json", "*service_account*.json", "application_default_credentials.json"),
    *("*.tfstate", "*.tfstate.*", "*.tfvars", "*.tfvars.json"),
    *("*.sqlite", "*.sqlite3", "*.sqlite-*", "*.sqlite3-*", "*.db"),
    *("*.log", "/logs/", "/tests/", "/test/", "conftest.py"),
)
"""What holds secrets or data, or is of no use in a cloud, as patterns of a .gitignore."""

IGNORE: Final = (".gitignore", ".leewardignore")
"""Files of the user with further patterns; the second has the last word."""

_OUTPUT: Final = ".requirements.txt"
"""The end of the name of a file that `leeward package` writes beside a zip of the same name."""


class Files(NamedTuple):
    """The files of a folder.

    Attributes:
        kept: paths of those that go along, in order.
        denied: paths of files and folders that stay behind by `DENIED`.
    """

    kept: tuple[str, ...]
    denied: tuple[str, ...]


def sources_of(folder: Path, leave_out: Iterable[str], out: Path) -> Files:
    """Return the files that go along, and what stays behind because it may hold secrets.

    Raises:
        ConfigError: there is a link to a folder, or one that leads out of this one; or the library
            that reads a .gitignore is not installed.
    """
    ignored: list[tuple[Path, Any]] = [(Path(), _patterns(DENIED))]
    found, denied = [], []
    for where, folders, files in os.walk(folder):
        here = Path(where)
        below = here.relative_to(folder)
        if any(
            (here / f"{name.removesuffix(_OUTPUT)}.zip").name in files
            for name in [file for file in files if file.endswith(_OUTPUT)]
        ):
            folders.clear()  # an old output
            continue
        lines = [
            line
            for name in IGNORE
            if name in files
            for line in (here / name).read_text(encoding="utf-8", errors="replace").splitlines()
        ]
        if lines:
            ignored.append((below, _patterns(lines)))
        kept = [each for each in folders if _is_kept(here / each, below / each, leave_out, out)]
        folders[:] = []
        for each in kept:
            place = _ignoring(ignored, below / each, "/")
            if place is not None:
                denied += [(below / each).as_posix()] if place == 0 else []
                continue
            if (here / each).is_symlink():
                raise ConfigError(f"{here / each} is a link to a folder; put the folder there")
            folders.append(each)
        for file in files:
            name = (below / file).as_posix()
            if file.startswith(".") or _matches(file, MADE) or _matches(name, leave_out):
                continue
            place = _ignoring(ignored, below / file)
            if place is not None:
                denied += [name] if place == 0 else []
                continue
            _check_link(here / file, folder)
            found.append(name)
    return Files(tuple(sorted(found)), tuple(sorted(denied)))


def _patterns(lines: Iterable[str]) -> Any:
    try:
        from pathspec import GitIgnoreSpec
    except ImportError:
        raise ConfigError(
            'pathspec, which reads a .gitignore, is not installed; pip install "leeward[deploy]"'
        ) from None
    return GitIgnoreSpec.from_lines(lines)


def _ignoring(ignored: Sequence[tuple[Path, Any]], path: Path, end: str = "") -> int | None:
    """Return the place of the list that leaves a path out; None for one that goes along.

    Lists of folders further in come last, and the last one that names a path decides.
    """
    decided = None
    for place, (below, patterns) in enumerate(ignored):
        if path.is_relative_to(below):
            found = patterns.check_file(path.relative_to(below).as_posix() + end).include
            if found is not None:
                decided = place if found else None
    return decided


def _check_link(file: Path, folder: Path) -> None:
    """Check that a link does not lead out of the folder: what it leads to may hold a secret.

    Raises:
        ConfigError: it does.
    """
    if file.is_symlink() and not file.resolve().is_relative_to(folder.resolve()):
        raise ConfigError(
            f"{file} is a link that leads out of {folder}; put the file there, or leave it out "
            "with --exclude"
        )


def copy_files(folder: Path, files: Iterable[str], to: Path) -> None:
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
            found[_module_of(path)] = (folder / name).read_text(encoding="utf-8", errors="replace")
    return found


def all_modules_in(folder: Path, files: Iterable[str]) -> dict[str, str]:
    """Return the texts of all modules, by name, however deep they are."""
    return {
        _module_of(Path(name)): (folder / name).read_text(encoding="utf-8", errors="replace")
        for name in files
        if name.endswith(".py")
    }


def _module_of(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


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
