"""What uv does for a package: which versions fit together for a platform, and their files.

uv is a program of its own, and no part of leeward: it comes with ``leeward-deploy``, or stands on
the path. Which wheels a platform loads is decided here, by their tags.

Sources: PEP 425 (tags), PEP 427 (names of wheels), PEP 600 (``manylinux_X_Y``: the least glibc),
PEP 751 (``pylock.toml``).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from shutil import which
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from packaging.tags import Tag, compatible_tags, cpython_tags, parse_tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from leeward.errors import ConfigError

ALIASES: Final = {"manylinux1": 5, "manylinux2010": 12, "manylinux2014": 17}
"""Older names, and the glibc 2 that they stand for. Source: PEP 600."""

LEVELS: Final = ((2, 17), (2, 28), *((2, minor) for minor in range(31, 41)))
"""The versions of glibc that uv can resolve for."""

NEWEST: Final = LEVELS[-1]

SECONDS: Final = 600
"""For one run of uv, which may fetch a lot."""

_WITHOUT_WHEEL: Final = re.compile(r"Wheels are required for `([^`]+)`")
"""How uv names what it would have to build."""

LONGEST: Final = 2000
"""Characters of what uv says that are passed on."""

_BUILT_OF: Final = ("sdist", "archive")


class NotLoadable(ConfigError):
    """What is required has native code that does not load where it is to."""


class Goal(NamedTuple):
    """For what is resolved.

    Attributes:
        python: such as ``3.13``.
        machine: as wheels call the processor.
        glibc: that is there.
    """

    python: str
    machine: str
    glibc: tuple[int, int]

    def arguments(self) -> list[str]:
        """Return the options of uv that say so: the newest level that is not too new."""
        level = max(each for each in LEVELS if each <= self.glibc)
        platform = f"{self.machine}-manylinux_{level[0]}_{level[1]}"
        return ["--python-platform", platform, "--python-version", self.python]

    def version(self) -> tuple[int, int]:
        """Return Python's version as numbers."""
        major, _, minor = self.python.partition(".")
        return int(major), int(minor)

    def tags(self) -> frozenset[Tag]:
        """Return the tags of the wheels that load there."""
        major, minor = self.glibc
        platforms = [f"manylinux_{major}_{each}_{self.machine}" for each in range(minor, 4, -1)]
        older = [name for name, least in ALIASES.items() if (2, least) <= self.glibc]
        platforms += [f"{name}_{self.machine}" for name in older]
        interpreter = f"cp{self.python.replace('.', '')}"
        native = cpython_tags(self.version(), [interpreter], platforms)
        return frozenset((*native, *compatible_tags(self.version(), interpreter, platforms)))


class PackageSource(NamedTuple):
    """Where packages come from.

    Attributes:
        links: folders of wheels, besides the index that uv is configured with.
        offline: ask no index.
        built: packages without a wheel that may be built here.
    """

    links: tuple[str, ...] = ()
    offline: bool = False
    built: tuple[str, ...] = ()

    def arguments(self) -> list[str]:
        """Return the options of uv that say so."""
        found = [f"--find-links={link}" for link in self.links]
        found += ["--no-index"] if self.offline else []
        return [*found, "--only-binary=:all:", *(f"--no-binary={each}" for each in self.built)]


class Pinned(NamedTuple):
    """One version of one package, as it was resolved.

    Attributes:
        name: of the package.
        version: of it.
        files: with their hashes.
    """

    name: str
    version: str
    files: tuple[tuple[str, str], ...]

    def line(self) -> str:
        """Return its line of a ``requirements.txt``."""
        hashes = " ".join(f"--hash=sha256:{digest}" for _, digest in sorted(self.files))
        return f"{self.name}=={self.version} {hashes}".rstrip()


def program() -> str:
    """Return where uv is.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        from uv import find_uv_bin
    except ImportError:
        found = which("uv")
    else:
        found = find_uv_bin()
    if not found:
        raise ConfigError(
            "uv, which resolves what a package needs, is not installed; pip install "
            '"leeward[deploy]"'
        )
    return found


def resolve(
    requires: Sequence[str], files: Sequence[Path], goal: Goal, source: PackageSource, folder: Path
) -> tuple[Pinned, ...]:
    """Return the versions that fit together, in order of their names.

    Raises:
        ConfigError: no versions fit; what does not load there is named.
    """
    done = _compile(requires, files, goal, source, folder)
    if done.returncode == 0:
        return read_lock((folder / "pylock.toml").read_text(encoding="utf-8"))
    said = message_of(done)
    if "building from source is disabled" in said or "matching platform tag" in said:
        newer = _compile(requires, files, goal._replace(glibc=NEWEST), source, folder)
        if newer.returncode == 0:
            found = read_lock((folder / "pylock.toml").read_text(encoding="utf-8"))
            raise NotLoadable("; ".join(too_new(found, goal)) or said)
        named = ", ".join(sorted(set(_WITHOUT_WHEEL.findall(said)))) or "a package"
        raise ConfigError(
            f"{named} has no wheel for Python {goal.python} on {goal.machine}, and what has "
            "native code cannot be built for another machine; look for a version with a wheel, "
            "make one on such a machine and name its folder with --find-links, or, if it is pure "
            f"Python, let it be built here with --allow-build NAME. uv says: {said}"
        )
    raise ConfigError(
        f"uv finds no versions that fit together: {said} What is in no registry is taken from a "
        "folder of wheels, with --find-links"
    )


def too_new(found: Iterable[Pinned], goal: Goal) -> list[str]:
    """Return what to say of each package whose wheels need a newer glibc than there is."""
    said = []
    for each in found:
        tags = {tag for file, _ in each.files for tag in tags_of(file)}
        levels = [goal._replace(glibc=(2, minor)) for minor in range(goal.glibc[1], NEWEST[1] + 1)]
        needs = next((level.glibc for level in levels if tags & level.tags()), goal.glibc)
        if needs > goal.glibc:
            said.append(
                f"{each.name} {each.version} needs glibc {needs[0]}.{needs[1]} or newer, and there "
                f"is {goal.glibc[0]}.{goal.glibc[1]}"
            )
    return said


def tags_of(file: str) -> frozenset[Tag]:
    """Return the tags in the name of a wheel; none if it is not one."""
    try:
        return parse_wheel_filename(file)[3]
    except InvalidWheelFilename:
        return frozenset()


def tags_in(text: str) -> list[Tag]:
    """Return the tags that the file ``WHEEL`` of an installed wheel tells."""
    lines = re.findall(r"^Tag:\s*(\S+)\s*$", text, re.MULTILINE)
    return [tag for line in lines if line.count("-") == 2 for tag in parse_tag(line)]


def install(
    pinned: Iterable[Pinned], goal: Goal, source: PackageSource, folder: Path, work: Path
) -> None:
    """Put packages into a folder, as they were resolved, each file by its hash.

    Raises:
        ConfigError: uv could not do it; what it said is in the message.
    """
    lines = work / "pinned.txt"
    lines.write_text("".join(f"{each.line()}\n" for each in pinned), encoding="utf-8")
    done = run(
        [
            *("pip", "install", "--python", sys.executable, "--target", str(folder)),
            *("--no-deps", "--require-hashes"),
            *("--link-mode=copy", "-r", str(lines)),
            *goal.arguments(),
            *source.arguments(),
        ],
        work,
    )
    if done.returncode:
        raise ConfigError(f"uv could not install what the package needs: {message_of(done)}")


def read_lock(text: str) -> tuple[Pinned, ...]:
    """Return what is in a ``pylock.toml``.

    Source: PEP 751.
    """
    pinned = []
    for package in tomllib.loads(text).get("packages", ()):
        # Its wheels, and what a wheel may be built of.
        files = [
            *package.get("wheels", ()),
            *(package[kind] for kind in _BUILT_OF if kind in package),
        ]
        hashes = []
        for file in files:
            address = unquote(urlsplit(file.get("url", "")).path)
            path: str = file.get("name") or address or file["path"]
            hashes.append((path.rpartition("/")[2], file["hashes"]["sha256"]))
        pinned.append(Pinned(package["name"], package.get("version", ""), tuple(hashes)))
    return tuple(sorted(pinned))


def _compile(
    requires: Sequence[str], files: Sequence[Path], goal: Goal, source: PackageSource, folder: Path
) -> subprocess.CompletedProcess[str]:
    own, lock = folder / "requires.in", folder / "pylock.toml"
    lock.unlink(missing_ok=True)  # uv would prefer the versions in it
    own.write_text("".join(f"{requirement}\n" for requirement in requires), encoding="utf-8")
    return run(
        [
            *("pip", "compile", "--python", sys.executable),
            *("--format", "pylock.toml", "-o", str(lock)),
            *("--no-header", "--no-annotate", str(own), *(str(file) for file in files)),
            *goal.arguments(),
            *source.arguments(),
        ],
        folder,
    )


def run(arguments: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run uv away from the user's folder, whose project it would else take for its own.

    Raises:
        ConfigError: it is not installed, or takes longer than it may.
    """
    command = [program(), "--quiet", "--color", "never", *arguments]
    try:
        return subprocess.run(  # noqa: S603 - a program that the user has installed
            command,
            cwd=folder,
            env={**os.environ, "UV_NO_WRAP": "1"},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ConfigError(f"uv {arguments[0]} has taken {SECONDS} s; try again") from error


def message_of(done: subprocess.CompletedProcess[str]) -> str:
    """Return what uv said, on one line, without what an address may hold of a user."""
    text = " ".join(done.stderr.split()).removeprefix("error: ")
    return re.sub(r"//[^/@\s]+@", "//", text)[:LONGEST]
