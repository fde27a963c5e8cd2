"""The export of a workflow to Google Cloud Workflows: one file, and what deploys it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from leeward.errors import ConfigError
from leeward.workflow.checks import check_portable
from leeward.workflow.model import Definition
from leeward_deploy.google.flows.source import WorkflowSource
from leeward_deploy.recipe import WorkflowExport

LARGEST: Final = 128 * 1024
"""Bytes of a source (the API of Workflows)."""
LONGEST_EXPRESSION: Final = 400
"""Characters (quotas of Workflows)."""


def export(
    definition: Definition, functions: Mapping[str, str], marks: Collection[str] = ()
) -> WorkflowExport:
    """Return the workflow.

    Args:
        definition: of it.
        functions: own names, by logical names.
        marks: functions that are known to mark their answers. Of another one a status proves
            nothing: it may pass on what it was told itself.

    Raises:
        ConfigError: it is larger than Workflows takes.
    """
    check_portable(definition)
    text = json.dumps(WorkflowSource(definition, functions, marks).document(), indent=1) + "\n"
    if len(text) > LARGEST:
        text = json.dumps(json.loads(text), separators=(",", ":"))
    if len(text) > LARGEST:
        raise ConfigError(
            f"the workflow {definition.name!r} makes a source of {len(text)} bytes, and Google "
            f"Workflows takes {LARGEST}; make two workflows"
        )
    for expression in _expressions(json.loads(text)):
        if len(expression) > LONGEST_EXPRESSION:
            raise ConfigError(
                f"the workflow {definition.name!r} needs an expression of {len(expression)} "
                f"characters, and Google Workflows takes {LONGEST_EXPRESSION}; shorten its ids"
            )
    name = f"{definition.name}.workflow.json"
    command = (
        f"gcloud workflows deploy {definition.name} --source={name} "
        "--service-account=ACCOUNT_THAT_MAY_INVOKE_THE_FUNCTIONS"
    )
    return WorkflowExport({name: text}, command)


def _expressions(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value.startswith("${"):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _expressions(each)
