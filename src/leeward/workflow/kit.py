"""The kit of an export: the model of a flow, what it means, and the run as an orchestrator.

What an adapter writes or runs of workflows imports this, the vocabulary, and nothing else of
leeward.
"""

from __future__ import annotations

from leeward.workflow.commands import Failure, Returned
from leeward.workflow.exports import Export
from leeward.workflow.files import json_of
from leeward.workflow.kernel import UNDO_AT_ONCE, repeats_ambiguous
from leeward.workflow.model import (
    AMBIGUOUS,
    ANY,
    COMPENSATION_FAILED,
    DEADLINE,
    FAILED,
    INPUT,
    NOT_SENT,
    REFUSED,
    THROTTLED,
    TIMEOUT,
    UNKNOWN,
    All,
    Attempt,
    Block,
    Choose,
    Compare,
    Condition,
    Definition,
    Each,
    Fail,
    Handler,
    Node,
    Not,
    OneOf,
    Parallel,
    Present,
    Reference,
    Saga,
    Some,
    Step,
    Stop,
    Template,
    Undo,
    Wait,
    blocks_of,
    nodes,
)
from leeward.workflow.orchestration import ACTIVITY, ORCHESTRATOR, orchestrate, perform_step
from leeward.workflow.reading import read_definition
from leeward.workflow.retry import Retry
from leeward.workflow.steps import UNKNOWN_CLASSES, Invoke

__all__ = [
    "ACTIVITY",
    "AMBIGUOUS",
    "ANY",
    "COMPENSATION_FAILED",
    "DEADLINE",
    "FAILED",
    "INPUT",
    "NOT_SENT",
    "ORCHESTRATOR",
    "REFUSED",
    "THROTTLED",
    "TIMEOUT",
    "UNDO_AT_ONCE",
    "UNKNOWN",
    "UNKNOWN_CLASSES",
    "All",
    "Attempt",
    "Block",
    "Choose",
    "Compare",
    "Condition",
    "Definition",
    "Each",
    "Export",
    "Fail",
    "Failure",
    "Handler",
    "Invoke",
    "Node",
    "Not",
    "OneOf",
    "Parallel",
    "Present",
    "Reference",
    "Retry",
    "Returned",
    "Saga",
    "Some",
    "Step",
    "Stop",
    "Template",
    "Undo",
    "Wait",
    "blocks_of",
    "json_of",
    "nodes",
    "orchestrate",
    "perform_step",
    "read_definition",
    "repeats_ambiguous",
]
