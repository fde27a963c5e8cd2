"""A package of a function app: its packages stand where the worker looks for them.

Sources: "Python developer reference", "Build options for Python function apps" and "Deployment
technologies" in the documentation of Azure Functions; host/4/ of azure-functions-docker, which says
what is below each Python.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from leeward.errors import ConfigError
from leeward_deploy.azure.export import terraform
from leeward_deploy.azure.host import host_json
from leeward_deploy.azure.template import template
from leeward_deploy.recipe import Command, Recipe, System, PackageSpec, known_python, same_versions
from leeward_deploy.uv import PackageSource

PYTHONS: Final = ("3.11", "3.12", "3.13", "3.14")

PACKAGES: Final = ".python_packages/lib/site-packages"
"""Where the worker looks for packages that were installed before."""

REMEDY: Final = "choose an older version, or deploy it as a container"


def recipe(spec: PackageSpec) -> Recipe:
    """Return what Azure Functions wants; the entry point ``azure`` of ``leeward.packagers``.

    Raises:
        ConfigError: there is no such Python or processor there.
    """
    known_python(spec, PYTHONS, "Azure Functions", '"Supported Python versions"')
    if spec.arch != "x86_64":
        raise ConfigError(f"Azure Functions has no Linux on {spec.arch}; leave --arch out")
    debian, glibc = ("11", (2, 31)) if spec.python == "3.11" else ("12", (2, 36))
    return Recipe(
        entry="function_app.py",
        statement='function_app = {app}.handler("azure")',
        requires=(*same_versions("leeward-azure"), "azure-functions"),
        system=System(f"Azure's Python {spec.python}, on Debian {debian}", glibc, REMEDY),
        place=PACKAGES,
        files={"host.json": host_json(spec)},
        lists=True,
        provided=("azure.functions",),
        commands=_commands,
        template=partial(template, spec),
        exports={"terraform": partial(terraform, spec)},
        check=partial(_check, spec),
    )


def _check(spec: PackageSpec, folder: Path, source: PackageSource) -> tuple[str, ...]:
    from leeward_deploy.azure.indexing import index

    return index(spec, folder, source)


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
            f"terraform -chdir={out} init && terraform -chdir={out} apply",
            "what is around the code, with --template; once more with -var published=true after "
            "the code is there",
        ),
    )
