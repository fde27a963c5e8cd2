"""What of a user's folder goes into a package, by patterns as git has them."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from shutil import copyfile
from typing import Any, Final, NamedTuple

from leeward.adapter.looking import EXPECTED_FILE
from leeward.config.load import DEFAULT_FILE
from leeward.errors import ConfigError

CACHE: Final = "a cache"
RISK: Final = "may hold secrets or data, or is a test"
EARLIER: Final = "an earlier output"
"""Reasons why a file stays behind."""

ALWAYS: Final = (
    *((CACHE, pattern) for pattern in ("__pycache__", "node_modules", "*.egg-info", "*.py[co]")),
    ("its name begins with a dot", ".*"),
)
"""What stays behind whatever lists say."""

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

GIT, OWN = ".gitignore", ".leewardignore"
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


class Patterns:
    """Lines of a .gitignore, each with a reason; the last one that matches a path decides.

    Args:
        rows: reasons and patterns.
    """

    def __init__(self, rows: Iterable[tuple[str, str]]) -> None:
        try:
            from pathspec import GitIgnoreSpec
        except ImportError:
            raise ConfigError(
                'pathspec, which reads .gitignore, is not installed; pip install "leeward[deploy]"'
            ) from None
        self._rows = list(rows)
        self._spec: Any = GitIgnoreSpec.from_lines(pattern for _, pattern in self._rows)

    def check(self, name: str) -> tuple[bool | None, str]:
        """Return whether a path stays behind, with the reason; None if no pattern matches."""
        result = self._spec.check_file(name)
        return result.include, "" if result.index is None else self._rows[result.index][0]


class Rules:
    """What decides whether a path stays behind, and why.

    Args:
        folder: of the user.
        leave_out: patterns of the command line.
        out: where packages are written to.
    """

    def __init__(self, folder: Path, leave_out: Iterable[str], out: Path) -> None:
        self._folder, self._out = folder, out
        self._always = Patterns([*ALWAYS, *(("by --exclude", pattern) for pattern in leave_out)])
        self._risks = Patterns((RISK, pattern) for pattern in DENIED)
        self._rows: dict[str, list[tuple[str, str]]] = {GIT: [], OWN: []}
        self._lists = Patterns(())

    def read_lists(self, below: Path, files: Collection[str]) -> None:
        """Add the lists among the files of a folder; the folders around it come first."""
        for name in (file for file in self._rows if file in files):
            self._rows[name] += _rows_in(below, name, self._folder / below / name)
            self._lists = Patterns((*self._rows[GIT], *self._rows[OWN]))

    def reason(self, path: Path, end: str = "") -> str | None:
        """Return why a path stays behind, a folder with its slash as `end`; None for another."""
        file, name = self._folder / path, path.as_posix() + end
        is_left, why = self._always.check(name)
        maker = _made_in(file, self._out) if end else None
        if is_left or maker:
            return why or maker
        is_left, why = self._lists.check(name)
        if is_left or (is_left is False and why.startswith(f"by {OWN}")):
            return why if is_left else None
        if not self._risks.check(name)[0] and (end or not _has_secret(file)):
            return None
        if path.name == DEFAULT_FILE:  # without it the app would be another one
            check_no_secret(file)
        return RISK


def sources_of(folder: Path, leave_out: Iterable[str], out: Path) -> Files:
    """Return the files that go along, and what stays behind because it may hold secrets.

    Raises:
        ConfigError: there is a link to a folder, one that leads out of this one or to what stays
            behind, or a file that no zip takes; or the library that reads a .gitignore is missing.
    """
    rules = Rules(folder, leave_out, out)
    paths: list[str] = []
    rest: list[tuple[str, str]] = []
    for where, folders, files in os.walk(folder):
        below = Path(where).relative_to(folder)
        rules.read_lists(below, files)
        for name, end in [*((entry, "/") for entry in folders), *((entry, "") for entry in files)]:
            path = below / name
            why = rules.reason(path, end)
            if why is not None:
                rest.append((path.as_posix(), why))
                folders[:] = [other for other in folders if other != name or not end]
            elif end and (folder / path).is_symlink():
                raise ConfigError(f"{folder / path} is a link to a folder; put the folder there")
            elif not end:
                _check_file(folder / path, folder)
                paths.append(path.as_posix())
    _check_links(folder, paths)
    rest = sorted(row for row in rest if row[1] != CACHE)
    denied = tuple(path for path, why in rest if why == RISK)
    return Files(tuple(sorted(paths)), denied, tuple(rest))


def _made_in(folder: Path, out: Path) -> str | None:
    """Return what has made a folder, if it is not one that a person has written."""
    if (folder / ENVIRONMENT).exists():
        return "an environment of Python"
    lists = folder.glob(f"*{_OUTPUT}")
    is_output = any(path.with_name(path.name.replace(_OUTPUT, ".zip")).exists() for path in lists)
    is_output = is_output or folder.resolve() == out.resolve()
    return EARLIER if is_output or (folder / EXPECTED_FILE).exists() else None


def _rows_in(below: Path, name: str, file: Path) -> Iterator[tuple[str, str]]:
    """Yield the patterns of a list as if they stood in the whole folder's, with the reason."""
    place = "" if below == Path() else "/" + re.sub(r"([\\*?\[])", r"\\\1", below.as_posix())
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        mark, pattern = re.fullmatch(r"(!?)(.*)", line).groups()  # type: ignore[union-attr]
        if place and "/" in pattern.rstrip("/"):
            pattern = f"{place}/{pattern.removeprefix('/')}"
        elif place:
            pattern = f"{place}/**/{pattern}"
        if line.strip() and not line.startswith("#"):
            yield f"by {name} of {below.as_posix()}", mark + pattern


def _check_links(folder: Path, paths: Collection[str]) -> None:
    """Check that no link that goes along leads to what stays behind, which may hold a secret."""
    for name in [file for file in paths if (folder / file).is_symlink()]:
        behind = (folder / name).resolve()
        if behind.relative_to(folder.resolve()).as_posix() not in paths:
            raise ConfigError(
                f"{folder / name} is a link to {behind}, which stays behind; put a file there, or "
                "leave it out with --exclude"
            )


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
    """Return the texts of all modules, by their files, however deep they are."""
    return {
        name: (folder / name).read_text(encoding="utf-8", errors="replace")
        for name in files
        if name.endswith(".py")
    }


def module_of(file: str) -> str:
    """Return the name of the module that a file has."""
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
