"""What an adapter offers of its provider's edge, under the entry point ``leeward.edges``.

Nothing is deployed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from leeward.errors import ConfigError
from leeward_deploy.edge.rules import EdgeRule, changes_of, data_of
from leeward_deploy.recipe import Command


class EdgeExport(NamedTuple):
    """Rules as a provider takes them.

    Attributes:
        files: texts, by their names.
        notes: what the provider does otherwise, or wants besides.
        commands: that deploy them; what the user has to fill in is in capitals.
        module: of Terraform that reads them, by its folder; empty for none.
    """

    files: Mapping[str, str]
    notes: tuple[str, ...]
    commands: tuple[Command, ...]
    module: str = ""


class Association(NamedTuple):
    """A configuration that was read, with a function in it.

    Attributes:
        text: the whole configuration that is to be written; empty if nothing is to be done.
        name: of its file.
        notes: what there is to say of it.
        commands: that write it, on the condition that nobody else has.
    """

    text: str
    name: str
    notes: tuple[str, ...]
    commands: tuple[Command, ...]


class Trigger(NamedTuple):
    """When a function is to be called.

    Attributes:
        function: its address.
        event: in the provider's words.
        path: the pattern of the requests; empty for all others.
    """

    function: str
    event: str
    path: str = ""


class Edge(NamedTuple):
    """A provider's edge.

    Attributes:
        export: rules as the provider takes them; raises `ConfigError` for what it cannot do.
        associate: puts a function into a configuration that was read; raises `ConfigError`.
    """

    export: Callable[[Sequence[EdgeRule]], EdgeExport]
    associate: Callable[[Mapping[str, Any], Trigger], Association] | None = None


def rule_error(rule: EdgeRule, why: str, remedy: str) -> ConfigError:
    """Return the error for a rule that an edge cannot run."""
    return ConfigError(f"rule {rule.name!r}: {why}; {remedy}")


def export_data(
    provider: str,
    edge: str,
    rules: Sequence[EdgeRule],
    *,
    most: int,
    own: re.Pattern[str],
    given: str,
) -> EdgeExport:
    """Return rules as data for the module of an edge, in one form for each.

    Args:
        provider: whose module it is.
        edge: what messages call it.
        rules: that it is to have.
        most: rules that it takes.
        own: headers that it writes itself.
        given: what a person gives to the module besides the rules.

    Raises:
        ConfigError: there are too many rules, or one changes such a header.
    """
    if len(rules) > most:
        why = f"it is one of {len(rules)}, and {edge} takes {most}"
        raise rule_error(rules[most], why, "put the rest into a file of its own")
    for rule in rules:
        for name in (*rule.request.names, *rule.response.names):
            if own.fullmatch(name):
                raise rule_error(rule, f"{edge} writes {name} itself", "choose another header")
    found = [
        {"name": each.name, **data_of(each)}
        | {"request": changes_of(each.request), "response": changes_of(each.response)}
        for each in rules
    ]
    module, file = f"{provider}-edge", f"edge.{provider}.json"
    command = Command(
        "Terraform",
        f'module "edge" {{ source = "./modules/{module}", rules = "{file}", {given} }}',
        "in a file of your project, a line for each argument; then terraform plan and apply",
    )
    text = json.dumps({"format": 1, "rules": found}, indent=2) + "\n"
    return EdgeExport({file: text}, (), (command,), module)
