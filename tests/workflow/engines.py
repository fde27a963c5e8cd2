"""The clouds' engines, as near as they can be started here, each in a process of its own.

Each is given what the export writes, and asks the test what a function answers.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from leeward.workflow.model import Definition
from leeward_contract_tests.workflows.programs import EngineProcess
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
