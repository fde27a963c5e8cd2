"""What an adapter offers of its provider's edge, under the entry point ``leeward.edges``.

Nothing is deployed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

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


class Edge(NamedTuple):
    """A provider's edge.

    Attributes:
        title: what messages call it.
        reserved: headers that it writes itself.
        limit: of rules.
        write: rules as the provider takes them; raises `ConfigError` for what it cannot do.
        check: of one rule; raises `ConfigError` for what the edge cannot do.
    """

    title: str
    reserved: re.Pattern[str]
    limit: int
    write: Callable[[Sequence[EdgeRule]], EdgeExport]
    check: Callable[[EdgeRule], None] = lambda _: None

    def export(self, rules: Sequence[EdgeRule]) -> EdgeExport:
        """Return rules as the provider takes them.

        Raises:
            ConfigError: the edge cannot do what one says, or there are too many.
        """
        if len(rules) > self.limit:
            why = f"it is one of {len(rules)}, and {self.title} takes {self.limit}"
            raise rule_error(rules[self.limit], why, "put the rest into a file of its own")
        for rule in rules:
            for name in (*rule.request.names, *rule.response.names):
                if self.reserved.fullmatch(name):
                    why = f"{self.title} writes {name} itself"
                    raise rule_error(rule, why, "choose another header")
            self.check(rule)
        return self.write(rules)


def rule_error(rule: EdgeRule, why: str, remedy: str) -> ConfigError:
    """Return the error for a rule that an edge cannot run."""
    return ConfigError(f"rule {rule.name!r}: {why}; {remedy}")


def write_data(
    rules: Sequence[EdgeRule], provider: str, arguments: str, notes: tuple[str, ...]
) -> EdgeExport:
    """Return rules as data for the module of an edge; a person gives it `arguments` besides."""
    rows = [
        {"name": rule.name, **data_of(rule)}
        | {"request": changes_of(rule.request), "response": changes_of(rule.response)}
        for rule in rules
    ]
    module, file = f"{provider}-edge", f"edge.{provider}.json"
    command = Command(
        "Terraform",
        f'module "edge" {{ source = "./modules/{module}", rules = "{file}", {arguments} }}',
        "in a file of your project, a line for each argument; then terraform plan and apply",
    )
    text = json.dumps({"format": 1, "rules": rows}, indent=2) + "\n"
    return EdgeExport({file: text}, notes, (command,), module)
