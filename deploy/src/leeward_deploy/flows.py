"""What a cloud's own engine wants of a workflow: files, and the command that deploys them.

Adapters offer exporters under the entry points ``leeward.workflow_exports``. Nothing is deployed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final, NamedTuple, TypeAlias, cast

from leeward.entrypoints import EntryPoint, all_entry_points, entry_points
from leeward.errors import ConfigError
from leeward.workflow.model import Definition

WORKFLOW_EXPORTS: Final = "leeward.workflow_exports"


class WorkflowExport(NamedTuple):
    """What is to be deployed.

    Attributes:
        files: texts, by their paths below the folder of the export.
        command: that deploys them.
    """

    files: Mapping[str, str]
    command: str


WorkflowExporter: TypeAlias = Callable[[Definition, Mapping[str, str], Collection[str]], WorkflowExport]
"""Takes a definition, own names of functions by their logical names, and the logical names of those
that are known to mark their answers: of another one no status proves that it did not run.

It raises `ConfigError` where its engine cannot run the definition."""


def exporter_of(engine: str) -> WorkflowExporter:
    """Return the exporter of an engine, by the provider's name.

    Raises:
        ConfigError: no package that is installed offers it.
    """
    found = _named(engine, entry_points(WORKFLOW_EXPORTS)) or _named(engine, all_entry_points(WORKFLOW_EXPORTS))
    if not found:
        known = sorted({point.name for point in all_entry_points(WORKFLOW_EXPORTS)})
        raise ConfigError(
            f"no engine {engine!r} to export to; known: {', '.join(known) or 'none'}; install the "
            "adapter of the cloud"
        )
    return cast("WorkflowExporter", found[0].load())


def _named(engine: str, points: list[EntryPoint]) -> list[EntryPoint]:
    return [point for point in points if point.name == engine]
