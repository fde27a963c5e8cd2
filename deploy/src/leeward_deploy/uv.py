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
from typing import Any, Final, NamedTuple

from leeward.errors import ConfigError

ALIASES: Final = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
"""Older names, and the glibc that they stand for. Source: PEP 600."""

_MANYLINUX: Final = re.compile(r"(manylinux\d+|manylinux_(\d+)_(\d+))_(\w+)")
_INTERPRETER: Final = re.compile(r"(py|cp)(\d)(\d*)")


class Tag(NamedTuple):
    """One tag of a wheel."""

    python: str
    abi: str
    platform: str


def tags_of(file: str) -> tuple[Tag, ...]:
    """Return the tags in the name of a wheel; none if it is not one."""
    stem, _, extension = file.rpartition(".")
    parts = stem.split("-")
    if extension != "whl" or len(parts) < 5:
        return ()
    pythons, abis, platforms = (part.split(".") for part in parts[-3:])
    return tuple(Tag(p, a, q) for p in pythons for a in abis for q in platforms)


def tags_in(text: str) -> tuple[Tag, ...]:
    """Return the tags that the file ``WHEEL`` of an installed wheel tells."""
    found = re.findall(r"^Tag:\s*(\S+)\s*$", text, re.MULTILINE)
    return tuple(Tag(*each.split("-")) for each in found if each.count("-") == 2)


def loads(tag: Tag, python: str, machine: str, glibc: tuple[int, int]) -> bool:
    """Return whether a wheel with this tag can be loaded.

    Args:
        tag: of the wheel.
        python: such as ``3.13``.
        machine: as wheels call the processor.
        glibc: that is there.
    """
    if not _is_for_python(tag, python):
        return False
    if tag.platform == "any":
        return True
    needs = needed_glibc(tag, machine)
    return needs is not None and needs <= glibc


def needed_glibc(tag: Tag, machine: str) -> tuple[int, int] | None:
    """Return the least glibc of a tag; None if it is not for a Linux on `machine`."""
    found = _MANYLINUX.fullmatch(tag.platform)
    if found is None or found[4] != machine:
        return None
    return (int(found[2]), int(found[3])) if found[2] else ALIASES.get(found[1])


def least_glibc(tags: Iterable[Tag], python: str, machine: str) -> tuple[int, int] | None:
    """Return the least glibc with which any of `tags` loads; None if no glibc helps."""
    needs = (needed_glibc(each, machine) for each in tags if _is_for_python(each, python))
    return min((each for each in needs if each), default=None)


def is_pure(tags: Iterable[Tag]) -> bool:
    """Return whether a wheel has no native code."""
    return all(each.abi == "none" and each.platform == "any" for each in tags)


def _is_for_python(tag: Tag, python: str) -> bool:
    found = _INTERPRETER.fullmatch(tag.python)
    if found is None:
        return False
    major, minor = (int(part) for part in python.split("."))
    wanted = int(found[3]) if found[3] else 0
    if int(found[2]) != major or wanted > minor:
        return False
    return found[1] == "py" or wanted == minor or tag.abi == "abi3"


LEVELS: Final = ((2, 17), (2, 28), *((2, minor) for minor in range(31, 41)))
"""The versions of glibc that uv can resolve for."""

NEWEST: Final = LEVELS[-1]

SECONDS: Final = 600
"""For one run of uv, which may fetch a lot."""

_WITHOUT_WHEEL: Final = re.compile(r"Wheels are required for `([^`]+)`")
"""How uv names what it would have to build."""

LONGEST: Final = 2000
"""Characters of what uv says that are passed on."""


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
        found = [f"--find-links={each}" for each in self.links]
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

    Args:
        requires: requirements, one a line.
        files: of the user, with further ones.
        goal: for what.
        source: from where.
        folder: for what uv writes.

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
        tags = [tag for file, _ in each.files for tag in tags_of(file)]
        needs = least_glibc(tags, goal.python, goal.machine)
        if needs is not None and needs > goal.glibc:
            said.append(
                f"{each.name} {each.version} needs glibc {needs[0]}.{needs[1]} or newer, and there "
                f"is {goal.glibc[0]}.{goal.glibc[1]}"
            )
    return said


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
            *(
                "pip",
                "install",
                "--python",
                sys.executable,
                "--target",
                str(folder),
                "--no-deps",
                "--require-hashes",
            ),
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
    return tuple(
        sorted(
            Pinned(
                each["name"],
                each.get("version", ""),
                tuple((_file_name(file), file["hashes"]["sha256"]) for file in _files(each)),
            )
            for each in tomllib.loads(text).get("packages", ())
        )
    )


def _files(package: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a package's files: its wheels, and what a wheel may be built of."""
    found = [*package.get("wheels", ())]
    found += [package[kind] for kind in ("sdist", "archive") if kind in package]
    return found


def _file_name(file: dict[str, Any]) -> str:
    from urllib.parse import unquote, urlsplit

    path: str = file.get("name") or unquote(urlsplit(file.get("url", "")).path) or file["path"]
    return path.rpartition("/")[2]


def _compile(
    requires: Sequence[str], files: Sequence[Path], goal: Goal, source: PackageSource, folder: Path
) -> subprocess.CompletedProcess[str]:
    own, lock = folder / "requires.in", folder / "pylock.toml"
    lock.unlink(missing_ok=True)  # uv would prefer the versions in it
    own.write_text("".join(f"{each}\n" for each in requires), encoding="utf-8")
    return run(
        [
            *(
                "pip",
                "compile",
                "--python",
                sys.executable,
                "--format",
                "pylock.toml",
                "-o",
                str(lock),
            ),
            *("--no-header", "--no-annotate", str(own), *(str(each) for each in files)),
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
