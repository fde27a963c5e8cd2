"""A package of Cloud Run functions: packages stand beside ``main.py``, the framework is listed.

The buildpack installs what ``requirements.txt`` lists, and wants the framework there; what stands
beside ``main.py`` is imported from there. So the list has the framework and what that needs, by
hash, and nothing of the rest is fetched when it is built.

Sources: "The Python runtime" in the documentation of Cloud Run functions (the stack of each Python;
google-22 is Ubuntu 22.04, google-24 is 24.04); its quotas, which bound no package of today's.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from leeward_deploy.google.facts import CLOUD
from leeward_deploy.recipe import (
    Command,
    PackageSpec,
    Recipe,
    System,
    check_platform,
    same_versions,
)

FRAMEWORK: Final = "functions-framework"


def recipe(spec: PackageSpec) -> Recipe:
    """Return what Cloud Run functions want; the entry point ``google`` of ``leeward.packagers``.

    Raises:
        ConfigError: there is no such Python or processor there.
    """
    check_platform(spec, "Cloud Run functions", '"The Python runtime"')
    ubuntu, glibc = ("24.04", (2, 39)) if spec.python == "3.14" else ("22.04", (2, 35))
    return Recipe(
        entry="main.py",
        statement='main = {app}.handler("google")',
        requires=(*same_versions("google"), FRAMEWORK),
        system=System(
            f"Google's python{spec.python.replace('.', '')}, on Ubuntu {ubuntu}",
            glibc,
            "choose an older version, or deploy it as a container",
        ),
        built=(FRAMEWORK,),
        lists=True,
        cloud=CLOUD,
        commands=partial(_commands, spec),
    )


def _commands(spec: PackageSpec, out: str) -> tuple[Command, ...]:
    """Return what deploys the package, as one function for all handlers."""
    runtime = f"python{spec.python.replace('.', '')}"
    name = spec.app.name.lower()
    return (
        Command(
            "gcloud functions",
            f"gcloud functions deploy {name} --gen2 --region REGION --runtime {runtime} --source "
            f"{out}/google --entry-point main --trigger-http --no-allow-unauthenticated",
            "with a trigger of events add --retry, without which a failed event is gone",
        ),
        Command(
            "Terraform",
            f"terraform apply with package = {out}/google.zip",
            "for the module that leeward export terraform writes: one function for each handler",
        ),
    )
