"""Names of a template: logical ids, and what AWS calls the functions of an app."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from leeward.app.kit import Handler
from leeward.errors import ConfigError
from leeward_deploy.needs import ORDERED
from leeward_deploy.recipe import PackageSpec

DEFAULT_BUS: Final = "default"
"""The bus that every account has."""


def own_name(spec: PackageSpec, handler: Handler) -> str:
    """Return the name of a handler's function: that by which clients call it.

    They may know it by an ARN, and by one of its versions or aliases.
    """
    known = spec.declared.functions.get(handler.name, handler.name)
    return known.rpartition(":function:")[2].partition(":")[0]


def bus_id(bus: str) -> str:
    """Return the logical id of a bus."""
    return f"{logical(bus)}Bus"


def logical(name: str) -> str:
    """Return the logical id of something: letters and digits."""
    words = re.split(r"[^A-Za-z0-9]+", name)
    return "".join(word[:1].upper() + word[1:] for word in words)


def check_names(resources: Mapping[str, Any]) -> None:
    """Check that no two functions or queues have one name, which an apply would make one.

    Raises:
        ConfigError: two have.
    """
    known: dict[tuple[str, str], str] = {}
    for id, each in resources.items():
        properties = each["Properties"]
        name = properties.get("QueueName") or properties.get("FunctionName")
        if isinstance(name, str) and known.setdefault((each["Type"], name), id) != id:
            raise ConfigError(
                f"{known[each['Type'], name]} and {id} would both be {name!r}; give one of them "
                "another name, in the app, in dead_letters of the entry file, or in leeward.toml"
            )


def check_order(dead: str, *, ordered: bool, told: str) -> None:
    """Check that a dead-letter queue is of the same kind as what it is for: SQS takes no other.

    Args:
        dead: its name.
        ordered: what it is for keeps an order.
        told: what that is, for the message.

    Raises:
        ConfigError: one of them keeps an order, and the other does not.
    """
    if dead.endswith(ORDERED) != ordered:
        no, how = ("an", "with") if ordered else ("no", "without")
        raise ConfigError(
            f"{told} {no} order, and so must the queue of its dead letters, {dead!r}; name one "
            f"{how} {ORDERED} at its end in dead_letters of the entry file"
        )
