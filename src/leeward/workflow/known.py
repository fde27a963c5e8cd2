"""The workflows that a process knows, by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from leeward.errors import ConfigError, NotFound
from leeward.workflow.model import Definition


def by_name(definitions: Iterable[Definition]) -> dict[str, Definition]:
    """Return definitions by their names.

    Raises:
        ConfigError: one of them is something else, or two have one name.
    """
    found: dict[str, Definition] = {}
    for each in definitions:
        if not isinstance(each, Definition):
            raise ConfigError(
                f"a workflow is a Definition, not a {type(each).__name__}; decorate the function "
                'with @workflow("name")'
            )
        # A module that is run and imported has made its flow twice.
        if found.setdefault(each.name, each).digest != each.digest:
            raise ConfigError(f"two workflows are named {each.name!r}; rename one of them")
    return found


def known_in(definitions: Mapping[str, Definition], workflow: str) -> Definition:
    """Return the definition of a workflow.

    Raises:
        NotFound: no such workflow is known here.
    """
    definition = definitions.get(workflow)
    if definition is None:
        known = ", ".join(sorted(definitions)) or "none"
        raise NotFound(
            f"no workflow {workflow!r} is known here (known: {known}); give its definition to "
            "the client, or name it under `workflows` in leeward.toml"
        )
    return definition
