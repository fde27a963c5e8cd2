"""What a runtime of an adapter needs to run a workflow on the cloud's own engine.

Who writes a flow in a cloud's own language reads `leeward.workflow.model`.
"""

from __future__ import annotations

from leeward.workflow.commands import Returned, StepFailure
from leeward.workflow.model import NOT_SENT, UNKNOWN, Definition
from leeward.workflow.orchestration import ACTIVITY, ORCHESTRATOR, orchestrate, perform_step
from leeward.workflow.reading import read_stored
from leeward.workflow.steps import StepClient, functions_called_by

__all__ = [
    "ACTIVITY",
    "NOT_SENT",
    "ORCHESTRATOR",
    "UNKNOWN",
    "Definition",
    "Returned",
    "StepClient",
    "StepFailure",
    "functions_called_by",
    "orchestrate",
    "perform_step",
    "read_stored",
]
