"""The export of a workflow to Step Functions: one file, and what creates the state machine."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from leeward.errors import ConfigError
from leeward.workflow.checks import check_portable
from leeward.workflow.model import Definition
from leeward_deploy.aws.flows.machine import Machine
from leeward_deploy.recipe import WorkflowExport

LARGEST: Final = 1024 * 1024
"""Bytes of a definition (Step Functions' quotas)."""
LONGEST: Final = 80
"""Characters of a state's name (the Amazon States Language)."""


def export(
    definition: Definition, functions: Mapping[str, str], marks: Collection[str] = ()
) -> WorkflowExport:
    """Return the state machine of a workflow. Lambda says itself what did not run.

    Raises:
        ConfigError: it is larger than Step Functions takes.
    """
    del marks
    check_portable(definition)
    text = json.dumps(Machine(definition, functions).document(), indent=2) + "\n"
    if len(text) > LARGEST:
        raise ConfigError(
            f"the workflow {definition.name!r} makes a state machine of {len(text)} bytes, and "
            f"Step Functions takes {LARGEST}; make two workflows"
        )
    check_machine(json.loads(text))
    name = f"{definition.name}.asl.json"
    command = (
        f"aws stepfunctions create-state-machine --name {definition.name} --type STANDARD "
        f"--definition file://{name} --role-arn ROLE_THAT_MAY_INVOKE_THE_FUNCTIONS"
    )
    return WorkflowExport({name: text}, command)


def check_machine(machine: Mapping[str, Any]) -> None:
    """Check that every state that is gone to is there, and that names are short and there once.

    Raises:
        ConfigError: one is not.
    """
    names: set[str] = set()
    for states in _levels(machine):
        for name, state in states.items():
            following = [state.get("Next"), state.get("Default")]
            following += [
                each["Next"] for each in (*state.get("Choices", ()), *state.get("Catch", ()))
            ]
            for each in following:
                if each is not None and each not in states:
                    raise ConfigError(f"the state {name!r} goes to {each!r}, which is not there")
            if name in names or len(name) > LONGEST:
                raise ConfigError(
                    f"the state's name {name!r} is taken or too long; rename its node"
                )
            names.add(name)


def _levels(machine: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Return the states of a machine, and of those inside it."""
    yield machine["States"]
    for state in machine["States"].values():
        for inner in (*state.get("Branches", ()), *filter(None, [state.get("ItemProcessor")])):
            yield from _levels(inner)
