"""The clouds' engines, as near as they can be started here, each in a process of its own.

Each is given what the export writes, and asks the test what a function answers.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from leeward.workflow.model import Definition, compact_json_of, functions_of
from leeward_contract_tests.workflows.programs import EngineProcess
from leeward_deploy.aws.flows.export import export as export_aws
from leeward_deploy.google.flows.export import export as export_google
from tests.house.workspace import ROOT

PYTHON = ROOT / ".servers/engines/bin/python"

SOURCES = [str(ROOT / "src"), str(ROOT / "adapters/azure/src")]


def engine_process(module: str, export: Callable[[Definition], Any], *words: str) -> EngineProcess:
    """Start one engine.

    Args:
        module: below ``tests/servers/workflows``.
        export: what makes of a definition what the engine runs.
        words: for its command line.
    """
    command = [str(PYTHON), str(ROOT / f"tests/servers/workflows/{module}.py"), *words]
    return EngineProcess(command, export, {**os.environ, "PYTHONPATH": os.pathsep.join(SOURCES)})


def as_machine(definition: Definition) -> str:
    """Return what Step Functions runs."""
    (text,) = export_aws(definition, {}, set(functions_of(definition))).files.values()
    return text


def as_workflow(definition: Definition) -> str:
    """Return what Google Workflows runs."""
    (text,) = export_google(definition, {}, set(functions_of(definition))).files.values()
    return text


ENGINES: dict[str, Callable[[], EngineProcess]] = {
    "step_functions": lambda: engine_process("step_functions", as_machine),
    "workflows": lambda: engine_process("workflows", as_workflow),
    "workflows_emulator": lambda: engine_process("emulator", as_workflow),
    "durabletask": lambda: engine_process("durable", compact_json_of, "durabletask"),
    "durable_replay": lambda: engine_process("durable", compact_json_of, "replay"),
}

Start = Callable[[str], EngineProcess]
"""Returns the engine of a name."""
