"""What uv does for a package: which versions fit together for a platform, and their files.

uv is a program of its own, and no part of leeward: it comes with ``leeward-deploy``, or stands on
the path. It also knows which wheels a platform loads.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from shutil import which
from typing import Final, NamedTuple

from leeward.errors import ConfigError

LEVELS: Final = ((2, 17), (2, 28), *((2, minor) for minor in range(31, 41)))
"""The versions of glibc that uv can resolve for."""

LIST: Final = "requirements.txt"
CHOSEN: Final = "chosen.txt"

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
        level = max(level for level in LEVELS if level <= self.glibc)
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
        options = [f"--find-links={link}" for link in self.links]
        options += ["--no-index"] if self.offline else []
        return [*options, "--only-binary=:all:", *(f"--no-binary={name}" for name in self.built)]


def program() -> str:
    """Return where uv is.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        from uv import find_uv_bin
    except ImportError:
        path = which("uv")
    else:
        path = find_uv_bin()
    if not path:
        raise ConfigError(
            "uv, which resolves what a package needs, is not installed; pip install "
            '"leeward[deploy]"'
        )
    return path


def resolve(
    requires: Sequence[str], files: Sequence[Path], goal: Goal, source: PackageSource, folder: Path
) -> dict[str, str]:
    """Return the versions that fit together: requirements with their hashes, by name.

    Raises:
        ConfigError: no versions fit; what does not load there is named.
    """
    done = _compile(requires, files, goal, source, folder)
    if done.returncode == 0:
        text = (folder / LIST).replace(folder / CHOSEN).read_text(encoding="utf-8")
        lines = re.sub(r"\s*\\\n\s*", " ", text)
        rows = [line for line in lines.splitlines() if line[:1] not in ("", "#")]
        return {re.split(r"[=@ ]", line)[0]: line for line in rows}
    message = message_of(done)
    if "building from source is disabled" in message or "matching platform tag" in message:
        newest = goal._replace(glibc=LEVELS[-1])
        if _compile(requires, files, newest, source, folder).returncode == 0:
            raise NotLoadable(f"it has wheels for a newer glibc alone; uv says: {message}")
        names = ", ".join(sorted(set(_WITHOUT_WHEEL.findall(message)))) or "a package"
        raise ConfigError(
            f"{names} has no wheel for Python {goal.python} on {goal.machine}, and what has "
            "native code cannot be built for another machine; look for a version with a wheel, "
            "make one on such a machine and name its folder with --find-links, or, if it is pure "
            f"Python, let it be built here with --allow-build NAME. uv says: {message}"
        )
    raise ConfigError(
        f"uv finds no versions that fit together: {message} What is in no registry is taken from a "
        "folder of wheels, with --find-links"
    )


def install(
    lines: Iterable[str], goal: Goal, source: PackageSource, folder: Path, work: Path
) -> None:
    """Put packages into a folder, as they were resolved, each file by its hash.

    Raises:
        ConfigError: uv could not do it; what it said is in the message.
    """
    file = work / CHOSEN
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    done = run(
        [
            *("pip", "install", "--python", sys.executable, "--target", str(folder)),
            *("--no-deps", "--require-hashes"),
            *("--link-mode=copy", "-r", str(file)),
            *goal.arguments(),
            *source.arguments(),
        ],
        work,
    )
    if done.returncode:
        raise ConfigError(f"uv could not install what the package needs: {message_of(done)}")


def _compile(
    requires: Sequence[str], files: Sequence[Path], goal: Goal, source: PackageSource, folder: Path
) -> subprocess.CompletedProcess[str]:
    source_list, lock = folder / "requires.in", folder / LIST
    lock.unlink(missing_ok=True)  # uv would prefer the versions in it
    source_list.write_text(
        "".join(f"{requirement}\n" for requirement in requires), encoding="utf-8"
    )
    return run(
        [
            *("pip", "compile", "--python", sys.executable),
            *("--generate-hashes", "-o", str(lock), "--no-header", "--no-annotate"),
            *(str(source_list), *(str(file) for file in files)),
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
