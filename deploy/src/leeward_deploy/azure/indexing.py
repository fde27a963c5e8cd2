"""A package, indexed by Microsoft's own worker before it is shipped.

In the cloud, a fault in one function, or an import that fails, makes all functions vanish, and the
reason is often nowhere to be read. The worker is a package of its own from Python 3.13 on,
azure-functions-runtime; uv runs it in an environment of the moment.
"""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import Final

from leeward.errors import ConfigError
from leeward_deploy.recipe import ARCHES, PackageSpec
from leeward_deploy.uv import PackageSource, run, message_of

WORKER: Final = "azure-functions-runtime<2"

FIRST: Final = (3, 13)
"""The first Python that it is for."""

PROGRAM: Final = Path(__file__).with_name("index_app.py")

FOUND: Final = "found: "
"""Stands before the name of a function that was found."""

TRACEBACK: Final = "Traceback"
"""Stands in what the program writes when it fails; else uv could not start it."""

LONGEST: Final = 1000
"""Characters of what the worker says that are passed on."""


def index(spec: PackageSpec, folder: Path, source: PackageSource) -> tuple[str, ...]:
    """Index a package as the cloud does, and return one line that says so, or why not.

    Raises:
        ConfigError: the worker does not find what the app has.
    """
    why = _why_not(spec)
    if why:
        return (f"Not indexed by Microsoft's worker: {why}.",)
    links = [f"--find-links={each}" for each in source.links]
    done = run(
        [
            *("run", "--no-project", "--no-python-downloads", "--python", spec.python),
            *("--with", WORKER, *links),
            *(["--no-index"] if source.offline else []),
            *("--", "python", "-I", str(PROGRAM), str(folder)),
        ],
        folder.parent,
    )
    found = [line for line in done.stdout.splitlines() if line.startswith(FOUND)]
    if done.returncode == 0 and found:
        return (f"Indexed by Microsoft's worker: {len(found)} functions.",)
    if TRACEBACK not in done.stderr:
        return (f"Not indexed by Microsoft's worker, which cannot be had here: {message_of(done)}",)
    said = done.stderr.strip().splitlines()[-1]
    raise ConfigError(f"Microsoft's worker does not index the app: {said[:LONGEST]}")


def _why_not(spec: PackageSpec) -> str | None:
    if tuple(map(int, spec.python.split("."))) < FIRST:
        return f"it is to be had for Python {'.'.join(map(str, FIRST))} and later"
    here = (sys.platform, platform.machine())
    if here != ("linux", ARCHES[spec.arch]):
        return f"the package is for another machine than this one, {here[0]} on {here[1]}"
    return None
