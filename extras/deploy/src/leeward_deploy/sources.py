"""What of a user's folder goes into a package."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path
from shutil import copyfile
from typing import Any, Final, NamedTuple

from leeward.adapter.looking import EXPECTED_FILE
from leeward.config.load import DEFAULT_FILE
from leeward.errors import ConfigError
from leeward_deploy.entry import handler_calls

CACHES: Final = ("__pycache__", "node_modules", "*.egg-info")
"""Names of folders that are made, and not written; nor goes whatever begins with a dot."""

MADE: Final = ("*.pyc", "*.pyo")

ENVIRONMENT: Final = "pyvenv.cfg"
"""A folder with this file is an environment of Python."""

DENIED: Final = (
    *("*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "*.ppk"),
    *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "*.env", "env", "!env/", "rootkey*.csv"),
    *("local.settings.json", "credentials", "credentials.json", "client_secret*.json"),
    "!credentials/",  # which may be a package
    *("kubeconfig", "secrets.json", "secrets.toml", "secrets.yaml", "secrets.yml"),
    *("*service-account*.json", "*service_account*.json", "application_default_credentials.json"),
    *("*.tfstate", "*.tfstate.*", "*.tfvars", "*.tfvars.json"),
    *("*.sqlite", "*.sqlite3", "*.sqlite-*", "*.sqlite3-*", "*.db", "*.db-*"),
    *("*.log", "/logs/", "/tests/", "/test/", "test_*.py", "conftest.py"),
)
"""What holds secrets or data, or is of no use in a cloud, as patterns of a .gitignore."""

SECRET: Final = re.compile(
    rb"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----|\"refresh_token\"\s*:\s*\"|aws_secret_access_key\s*="
    rb"|\bAKIA[A-Z0-9]{16}\b|://[^\s:/@]{1,64}:[^\s:/@${<]{3,256}@"
    rb"|(?i:secret|password|passwd|token|(?:api|access|account|function|cosmos|eventgrid)[_-]?key)"
    rb"\"?\s{0,4}[:=]\s{0,4}[\"']?"
    rb"(?=[^\s\"']{0,255}\d)[^\s\"'${}<>(),]{8,256}"
)
"""What is a secret in a file of settings: a key, or what stands behind the name of one and has a
digit in it. Code is not looked at, nor what names a variable."""

CODE: Final = (".py", ".js", ".ts", ".html", ".css", ".svg", ".md", ".sql")

CACHE: Final = "a cache"
RISK: Final = "may hold secrets or data, or is a test"
"""Reasons why a file stays behind."""

DASHBOARD: Final = ("grafana", "leeward.json")
"""What `leeward export grafana` writes."""

IGNORE: Final = (".gitignore", ".leewardignore")
"""Files of the user with further patterns; the second has the last word."""

_OUTPUT: Final = ".requirements.txt"
"""The end of the name of a file that `leeward package` writes beside a zip of the same name."""


class Files(NamedTuple):
    """The files of a folder.

    Attributes:
        kept: paths of those that go along, in order.
        denied: paths of files and folders that stay behind by `DENIED`.
        left: paths of all that stays behind but caches, each with the reason.
    """

    kept: tuple[str, ...]
    denied: tuple[str, ...]
    left: tuple[tuple[str, str], ...]


def sources_of(folder: Path, leave_out: Iterable[str], out: Path) -> Files:
    """Return the files that go along, and what stays behind because it may hold secrets.

    Raises:
        ConfigError: there is a link to a folder, one that leads out of this one or to what stays
            behind, or a file that no zip takes; or the library that reads a .gitignore is missing.
    """
    denied_by = _patterns(DENIED)
    lists: list[tuple[Path, Any, Any]] = []
    kept: list[str] = []
    left: list[tuple[str, str]] = []
    for where, folders, files in os.walk(folder):
        here = Path(where)
        below = here.relative_to(folder)
        if any(
            (here / f"{name.removesuffix(_OUTPUT)}.zip").name in files
            for name in [file for file in files if file.endswith(_OUTPUT)]
        ):
            folders.clear()
            left.append((below.as_posix(), "an earlier output"))
            continue
        git, own = (
            (here / name).read_text(encoding="utf-8", errors="replace").splitlines()
            if name in files
            else []
            for name in IGNORE
        )
        if git or own:
            lists.append((below, _patterns([*git, *own]), _patterns(own)))
        for each in folders.copy():
            path = below / each
            why = _why_not(here / each, path, leave_out, out) or _list_against(
                lists, denied_by, path, "/"
            )
            if why is not None:
                folders.remove(each)
                left += [] if why == CACHE else [(path.as_posix(), why)]
            elif (here / each).is_symlink():
                raise ConfigError(f"{here / each} is a link to a folder; put the folder there")
        for file in files:
            path = below / file
            why = _why_not(here / file, path, leave_out, out) or _list_against(
                lists, denied_by, path, file=here / file
            )
            if why is None:
                _check_file(here / file, folder)
                kept.append(path.as_posix())
            elif why != CACHE:
                left.append((path.as_posix(), why))
    _check_links(folder, kept)
    denied = sorted(path for path, why in left if why == RISK)
    return Files(tuple(sorted(kept)), tuple(denied), tuple(sorted(left)))


def _check_links(folder: Path, kept: Collection[str]) -> None:
    """Check that no link that goes along leads to what stays behind, which may hold a secret."""
    for name in [each for each in kept if (folder / each).is_symlink()]:
        behind = (folder / name).resolve()
        if behind.relative_to(folder.resolve()).as_posix() not in kept:
            raise ConfigError(
                f"{folder / name} is a link to {behind}, which stays behind; put a file there, or "
                "leave it out with --exclude"
            )


def _patterns(lines: Iterable[str]) -> Any:
    try:
        from pathspec import GitIgnoreSpec
    except ImportError:
        raise ConfigError(
            'pathspec, which reads a .gitignore, is not installed; pip install "leeward[deploy]"'
        ) from None
    return GitIgnoreSpec.from_lines(lines)


def _has_secret(file: Path) -> bool:
    """Return whether a file has a secret in it, as files of settings and credentials have."""
    if file.suffix in CODE or not file.is_file():
        return False
    return SECRET.search(file.read_bytes()) is not None


def check_no_secret(file: Path) -> None:
    """Check that a file of settings, which goes along in any case, holds no secret.

    Raises:
        ConfigError: it does.
    """
    if _has_secret(file):
        raise ConfigError(
            f"{file} has a secret in it, and everybody who reads the package could read it: set it "
            "by a variable of the platform; or name the file with ! in .leewardignore"
        )


def _list_against(
    lists: Sequence[tuple[Path, Any, Any]],
    denied_by: Any,
    path: Path,
    end: str = "",
    file: Path | None = None,
) -> str | None:
    """Return which list leaves a path out; None for one that goes along.

    Lists of folders further in decide first. What may hold a secret goes along only if a
    .leewardignore says so: a `!` of a .gitignore speaks of git.

    Args:
        lists: of each folder, from the outside in: its path, the patterns of both of its files,
            and those of its .leewardignore alone.
        denied_by: the patterns of `DENIED`.
        path: of a file or a folder.
        end: a slash behind a folder.
        file: where the file is; it is looked into.
    """
    is_in_git = False
    for below, patterns, own in reversed(lists):
        if path.is_relative_to(below):
            name = path.relative_to(below).as_posix() + end
            if own.check_file(name).include is False:
                return None
            is_left = patterns.check_file(name).include
            if is_left and not is_in_git:
                return f"by {' or '.join(IGNORE)} of {below}"
            is_in_git |= is_left is False
    is_risk = denied_by.check_file(path.as_posix() + end).include
    if not is_risk and (file is None or not _has_secret(file)):
        return None
    if file is not None and path.name == DEFAULT_FILE:  # without it the app would be another one
        check_no_secret(file)
    return RISK


def _check_file(file: Path, folder: Path) -> None:
    """Check that a zip takes a file, and that it does not lead to what may hold a secret.

    Raises:
        ConfigError: it is a pipe or the like, has a name that no zip takes, or leads elsewhere.
    """
    if file.is_symlink() and not file.resolve().is_relative_to(folder.resolve()):
        raise ConfigError(
            f"{file} is a link that leads out of {folder}; put the file there, or leave it out "
            "with --exclude"
        )
    if not file.is_file():
        raise ConfigError(f"{file} is not a regular file; leave it out with --exclude")
    try:
        f"{file.relative_to(folder)}".encode()
    except UnicodeEncodeError:
        raise ConfigError(
            f"{os.fsencode(file)!r} has a name that is not UTF-8; rename it, or leave it out with "
            "--exclude"
        ) from None


def copy_files(folder: Path, files: Iterable[str], to: Path) -> None:
    """Copy files of a folder into another one, without times; programs stay programs.

    Raises:
        ConfigError: a file has the name of a folder that is there, or the other way round.
    """
    for name in files:
        target = to / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            copyfile(folder / name, target)
        except (FileExistsError, IsADirectoryError, NotADirectoryError):
            raise ConfigError(
                f"{name} is a file of yours, and a package that the app requires has a folder of "
                "that name, or the other way round; rename yours"
            ) from None
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


def _why_not(path: Path, below: Path, leave_out: Iterable[str], out: Path) -> str | None:
    """Return why a file or folder stays behind, whatever lists say; None if nothing forbids it."""
    if _matches(below.as_posix(), leave_out):
        return "by --exclude"
    if _matches(path.name, (*CACHES, *MADE)):
        return CACHE
    if path.name.startswith("."):
        return "its name begins with a dot"
    if (path / ENVIRONMENT).exists():
        return "an environment of Python"
    is_made = path.resolve() == out.resolve() or (path / EXPECTED_FILE).exists()
    is_dashboard = path.parts[-2:] == DASHBOARD
    return "an earlier output" if is_made or is_dashboard else None


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)
