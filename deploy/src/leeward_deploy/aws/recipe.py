"""A package of Lambda: everything beside each other at the root of one zip.

Sources: "Working with .zip file archives for Python", "Lambda runtimes" and "Lambda quotas" in
Lambda's developer guide.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from leeward_deploy.aws.export import cloudformation, template, terraform
from leeward_deploy.aws.facts import CLOUD
from leeward_deploy.aws.handlers import HANDLER
from leeward_deploy.recipe import (
    Command,
    Limit,
    PackageSpec,
    Recipe,
    System,
    known_python,
    same_versions,
)

PYTHONS: Final = ("3.11", "3.12", "3.13", "3.14")

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
        "upload it through S3, as SAM does",
        refuses=False,
    ),
)


def recipe(spec: PackageSpec) -> Recipe:
    """Return what Lambda wants; the entry point ``aws`` of ``leeward.packagers``.

    Raises:
        ConfigError: Lambda has no such Python.
    """
    known_python(spec, PYTHONS, "Lambda", '"Lambda runtimes"')
    return Recipe(
        entry="handler.py",
        statement='lambda_handler = {app}.handler("aws")',
        requires=same_versions("aws"),
        system=_system(spec.python),
        limits=LIMITS,
        commands=partial(_commands, spec),
        template=partial(template, spec),
        provided=("boto3", "botocore"),
        cloud=CLOUD,
        exports={
            "terraform": partial(terraform, spec),
            "cloudformation": partial(cloudformation, spec),
        },
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


def _commands(spec: PackageSpec, out: str) -> tuple[Command, ...]:
    """Return what deploys the package."""
    runtime = f"Runtime python{spec.python}, Architectures [{spec.arch}]"
    template = f"{out}/aws.template.yaml"
    return (
        Command(
            "CloudFormation",
            f"aws cloudformation package --template-file {template} --s3-bucket BUCKET "
            f"--output-template-file {out}/packaged.yaml && aws cloudformation deploy "
            f"--template-file {out}/packaged.yaml --stack-name {spec.app.name} --s3-bucket BUCKET "
            "--capabilities CAPABILITY_IAM",
            "the template is written with --template; the first command uploads the zip",
        ),
        Command(
            "SAM",
            f"sam deploy --guided --template-file {template}",
            f"the template is written with --template; without `sam build`; {runtime}",
        ),
        Command(
            "Serverless",
            "serverless deploy",
            f"with `package: {{artifact: {out}/aws.zip}}` and `handler: {HANDLER}` in "
            "serverless.yml",
        ),
        Command(
            "aws",
            f"aws lambda update-function-code --function-name NAME --zip-file fileb://{out}/aws.zip",
            f"for a function that is there; its handler is {HANDLER}",
        ),
    )
