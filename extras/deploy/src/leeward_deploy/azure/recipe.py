"""A package of a function app: its packages stand where the worker looks for them.

It is indexed by Microsoft's own worker before it is shipped: in the cloud, a fault in one function,
or an import that fails, makes all functions vanish, and the reason is often nowhere to be read. The
worker is a package of its own from Python 3.13 on, azure-functions-runtime; uv runs it in an
environment of the moment.

Sources: "Python developer reference", "Build options for Python function apps" and "Deployment
technologies" in the documentation of Azure Functions; host/4/ of azure-functions-docker, which says
what is below each Python.
"""

from __future__ import annotations

import platform
import sys
from functools import partial
from pathlib import Path
from typing import Final

from leeward.errors import ConfigError
from leeward_deploy.azure.facts import CLOUD
from leeward_deploy.azure.host import host_json
from leeward_deploy.recipe import (
    ARCHES,
    Command,
    PackageSpec,
    Recipe,
    System,
    check_platform,
    same_versions,
)
from leeward_deploy.uv import PackageSource, message_of, run

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

PACKAGES: Final = ".python_packages/lib/site-packages"
"""Where the worker looks for packages that were installed before."""

REMEDY: Final = "choose an older version, or deploy it as a container"


def index(spec: PackageSpec, folder: Path, source: PackageSource) -> tuple[str, ...]:
    """Index a package as the cloud does, and return one line that says so, or why not.

    Raises:
        ConfigError: the worker does not find what the app has.
    """
    why = _why_not(spec)
    if why:
        return (f"Not indexed by Microsoft's worker: {why}.",)
    links = [f"--find-links={link}" for link in source.links]
    done = run(
        [
            *("run", "--no-project", "--no-python-downloads", "--python", spec.python),
            *("--with", WORKER, *links),
            *(["--no-index"] if source.offline else []),
            *("--", "python", "-I", str(PROGRAM), str(folder)),
        ],
        folder.parent,
    )
    names = [line for line in done.stdout.splitlines() if line.startswith(FOUND)]
    if done.returncode == 0 and names:
        return (f"Indexed by Microsoft's worker: {len(names)} functions.",)
    if TRACEBACK not in done.stderr:
        return (f"Not indexed by Microsoft's worker, which cannot be had here: {message_of(done)}",)
    reason = done.stderr.strip().splitlines()[-1]
    raise ConfigError(f"Microsoft's worker does not index the app: {reason[:LONGEST]}")


def _why_not(spec: PackageSpec) -> str | None:
    if tuple(map(int, spec.python.split("."))) < FIRST:
        return f"it is available for Python {'.'.join(map(str, FIRST))} and later"
    here = (sys.platform, platform.machine())
    if here != ("linux", ARCHES[spec.arch]):
        return f"the package is for another machine than this one, {here[0]} on {here[1]}"
    return None


def recipe(spec: PackageSpec) -> Recipe:
    """Return what Azure Functions wants; the entry point ``azure`` of ``leeward.packagers``.

    Raises:
        ConfigError: there is no such Python or processor there.
    """
    check_platform(spec, "Azure Functions", '"Supported Python versions"')
    debian, glibc = ("11", (2, 31)) if spec.python == "3.11" else ("12", (2, 36))
    return Recipe(
        entry="function_app.py",
        statement='function_app = {app}.handler("azure")',
        requires=(*same_versions("azure"), "azure-functions"),
        system=System(f"Azure's Python {spec.python}, on Debian {debian}", glibc, REMEDY),
        place=PACKAGES,
        files={"host.json": host_json(spec)},
        lists=True,
        provided=("azure.functions",),
        commands=_commands,
        cloud=CLOUD,
        check=partial(index, spec),
    )


def _commands(out: str) -> tuple[Command, ...]:
    """Return what deploys the package."""
    return (
        Command(
            "func",
            f"cd {out}/azure && func azure functionapp publish APP --python --no-build",
            "the packages are there, so nothing is built",
        ),
        Command(
            "az",
            f"az functionapp deployment source config-zip --resource-group GROUP --name APP "
            f"--src {out}/azure.zip --build-remote false",
            "not for a Consumption plan on Linux, which wants a URL of the zip",
        ),
        Command(
            "terraform",
            "leeward export terraform && cd infrastructure/azure && terraform apply",
            "what is around the code; once more with -var published=true after the code is there",
        ),
    )
