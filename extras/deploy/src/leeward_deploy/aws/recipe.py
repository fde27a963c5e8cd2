"""A package of Lambda: everything beside each other at the root of one zip.

Sources: "Working with .zip file archives for Python", "Lambda runtimes" and "Lambda quotas" in
Lambda's developer guide.
"""

from __future__ import annotations

from typing import Final

from leeward_deploy.aws.facts import CLOUD
from leeward_deploy.recipe import (
    ARCHES,
    Command,
    Limit,
    PackageSpec,
    Recipe,
    System,
    check_platform,
    same_versions,
)

HANDLER: Final = "handler.lambda_handler"

LIMITS: Final = (
    Limit(
        "folder",
        250 * 1024 * 1024,
        "Lambda quotas: 250 MB unzipped, with all layers",
        "leave something out with --exclude, or deploy it as a container image",
    ),
    Limit(
        "zip",
        50 * 1024 * 1024,
        "Lambda quotas: 50 MB zipped, for an upload to Lambda itself",
        "upload it through S3",
        refuses=False,
    ),
)


def recipe(spec: PackageSpec) -> Recipe:
    """Return what Lambda wants; the entry point ``aws`` of ``leeward.packagers``.

    Raises:
        ConfigError: Lambda has no such Python.
    """
    check_platform(spec, "Lambda", '"Lambda runtimes"', ARCHES)
    return Recipe(
        entry="handler.py",
        statement='lambda_handler = {app}.handler("aws")',
        requires=same_versions("aws"),
        system=_system(spec.python),
        limits=LIMITS,
        commands=_commands,
        provided=("boto3", "botocore"),
        cloud=CLOUD,
    )


def _system(python: str) -> System:
    """Return what is below the runtime: Amazon Linux 2 up to 3.11, and 2023 from 3.12 on."""
    if python == "3.11":
        return System(
            "Lambda's python3.11, on Amazon Linux 2",
            (2, 26),
            "choose --python 3.12 or later, or build such a wheel on Amazon Linux 2 and name its "
            "folder with --find-links",
        )
    return System(
        f"Lambda's python{python}, on Amazon Linux 2023",
        (2, 34),
        "choose an older version, or deploy it as a container image",
    )


def _commands(out: str) -> tuple[Command, ...]:
    """Return what deploys the package."""
    return (
        Command(
            "Terraform",
            "cd infrastructure/aws && terraform init && terraform apply",
            f"of leeward export terraform; its main.tf has to name {out}/aws.zip as package",
        ),
        Command(
            "aws",
            f"aws lambda update-function-code --function-name NAME --zip-file fileb://{out}/aws.zip",
            f"for a function that is there; its handler is {HANDLER}",
        ),
    )
