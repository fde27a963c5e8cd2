"""The function of a handler on Google Cloud, and the service account that it runs as.

Source: the resource ``google_cloudfunctions2_function`` of the provider ``hashicorp/google``.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final, NamedTuple

from leeward.app.kit import Handler
from leeward.errors import ConfigError
from leeward_deploy.google.roles import FUNCTION, PROJECT, Region, own_name
from leeward_deploy.needs import seconds_of, shortened
from leeward_deploy.recipe import Wish
from leeward_deploy.terraform import Configuration, of

LONGEST: Final = 3600
"""Seconds of a function that is called by HTTP."""

MEMORY: Final = "256M"


def add_account(made: Configuration, wish: Wish, name: str) -> str:
    """Add a service account; return a reference to it."""
    return made.add(
        "google_service_account",
        name,
        project=PROJECT,
        account_id=account_id(f"{wish.app.name}-{name}".lower()),
        display_name=f"{wish.app.name}: {name}",
    )


def account_of(made: Configuration, wish: Wish, name: str) -> str:
    """Return a reference to a service account that all regions share; the first one adds it."""
    if made.known("google_service_account", name) == name:
        return add_account(made, wish, name)
    return f"google_service_account.{name}"


def account_id(name: str) -> str:
    """Return an id of 6 to 30 characters."""
    if len(name) >= 6:
        return shortened(name, 30)
    return f"{name}-{sha256(name.encode()).hexdigest()[:8]}"


class Source(NamedTuple):
    """What a function is made of: references to the package, and to its account."""

    content: str
    account: str


def add_function(
    made: Configuration, wish: Wish, handler: Handler, source: Source, region: Region
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
    name = own_name(wish, handler)
    return deployed(made, wish, Deployed(name, handler.name, seconds), source, region)


class Deployed(NamedTuple):
    """A function: its own name, for which handler it is, its seconds, and who may reach it."""

    name: str
    handler: str
    seconds: int
    ingress: str | None = None


def deployed(
    made: Configuration, wish: Wish, function: Deployed, source: Source, region: Region
) -> str:
    """Add a function; return a reference to it."""
    # The platform tells no function of the second generation where it is.
    variables = {"LEEWARD_FUNCTION": function.handler, "GOOGLE_CLOUD_REGION": region.name}
    if not wish.declared.ordered:
        variables["CLOUD_PROVIDER"] = wish.declared.order or "google"
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
            "runtime": f"python{wish.python.replace('.', '')}",
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
