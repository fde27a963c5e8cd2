"""The function of a handler on Google Cloud, and the service account that it runs as.

Source: the resource ``google_cloudfunctions2_function`` of the provider ``hashicorp/google``.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final, NamedTuple

from leeward.app.kit import Handler
from leeward.errors import ConfigError
from leeward_deploy.google.roles import FUNCTION, PROJECT, GoogleRegion, own_name
from leeward_deploy.needs import seconds_of, shorten
from leeward_deploy.recipe import PackageSpec
from leeward_deploy.terraform import Configuration, of

LONGEST: Final = 3600
"""Seconds of a function that is called by HTTP."""

MEMORY: Final = "256M"


def add_account(made: Configuration, spec: PackageSpec, name: str) -> str:
    """Add a service account; return a reference to it."""
    return made.add(
        "google_service_account",
        name,
        project=PROJECT,
        account_id=account_id(f"{spec.app.name}-{name}".lower()),
        display_name=f"{spec.app.name}: {name}",
    )


def account_of(made: Configuration, spec: PackageSpec, name: str) -> str:
    """Return a reference to a service account that all regions share; the first one adds it."""
    if made.reference("google_service_account", name) == name:
        return add_account(made, spec, name)
    return f"google_service_account.{name}"


def account_id(name: str) -> str:
    """Return an id of 6 to 30 characters."""
    if len(name) >= 6:
        return shorten(name, 30)
    return f"{name}-{sha256(name.encode()).hexdigest()[:8]}"


class Code(NamedTuple):
    """What a function is made of: references to the package, and to its account."""

    content: str
    account: str


def add_function(
    made: Configuration, spec: PackageSpec, handler: Handler, source: Code, region: GoogleRegion
) -> str:
    """Add the function of a handler; return a reference to it.

    Raises:
        ConfigError: it wants more time than there is.
    """
    seconds = seconds_of(handler)
    if seconds > LONGEST:
        raise ConfigError(
            f"the handler {handler.name!r} has a timeout of {seconds} s, and Cloud Run functions "
            f"give {LONGEST} s; make it a workflow, or run it elsewhere"
        )
    name = own_name(spec, handler)
    return add_deployed(made, spec, FunctionShape(name, handler.name, seconds), source, region)


class FunctionShape(NamedTuple):
    """A function: its own name, for which handler it is, its seconds, and who may reach it."""

    name: str
    handler: str
    seconds: int
    ingress: str | None = None


def add_deployed(
    made: Configuration, spec: PackageSpec, function: FunctionShape, source: Code, region: GoogleRegion
) -> str:
    """Add a function; return a reference to it."""
    # The platform tells no function of the second generation where it is.
    variables = {"LEEWARD_FUNCTION": function.handler, "GOOGLE_CLOUD_REGION": region.name}
    if not spec.declared.ordered:
        variables["CLOUD_PROVIDER"] = spec.declared.order or "google"
    config: dict[str, Any] = {
        "available_memory": MEMORY,
        "timeout_seconds": function.seconds,
        "service_account_email": of(f"{source.account}.email"),
        "environment_variables": variables,
    }
    if region.instances is not None:
        config["min_instance_count"] = region.instances
    if function.ingress is not None:
        config["ingress_settings"] = function.ingress
    return made.add(
        FUNCTION,
        f"{function.handler}{region.suffix}",
        project=PROJECT,
        location=region.name,
        name=function.name,
        build_config={
            "runtime": f"python{spec.python.replace('.', '')}",
            "entry_point": "main",
            "source": {
                "storage_source": {
                    "bucket": of(f"{source.content}.bucket"),
                    "object": of(f"{source.content}.name"),
                }
            },
        },
        service_config=config,
    )
