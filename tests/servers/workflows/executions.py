"""Executions of workflows, for servers that play an engine: they run where nobody has to wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from leeward.testing.simulator import simulate
from leeward.values import Json
from leeward.workflow import Definition
from leeward.workflow.commands import Returned

State = Literal["running", "succeeded", "failed", "aborted"]

LONG = 60.0
"""Seconds: a run that takes longer is still under way, however long one waits in a test."""


@dataclass
class Execution:
    """One execution. Times are Unix seconds.

    Attributes:
        labels: as it was started with.
    """

    id: str
    input: str
    labels: Mapping[str, str]
    started: float
    state: State = "running"
    ended: float | None = None
    result: Json = None
    error: str | None = None


class Executions:
    """Runs one definition, whose functions all return null.

    Attributes:
        all: by id, in the order of their starts.
        starts: the ids of all starts.
    """

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.all: dict[str, Execution] = {}
        self.starts: list[str] = []
        self.lock = threading.RLock()

    def start(
        self, id: str, given: str, value: Json, labels: Mapping[str, str] | None = None
    ) -> Execution:
        """Start an execution, which takes the place of one of the same id.

        Args:
            id: of it.
            given: what it was started with, as it is told afterwards.
            value: the input of the flow.
            labels: that it can be found by.
        """
        simulated = simulate(self.definition, value)
        began = Execution(id, given, labels or {}, time.time())
        if simulated.seconds < LONG:
            end = simulated.end
            began.ended = time.time()
            if isinstance(end, Returned):
                began.state, began.result = "succeeded", end.value
            else:
                began.state, began.error = "failed", end.name
        with self.lock:
            self.starts.append(id)
            self.all[id] = began
        return began

    def abort(self, id: str) -> Execution | None:
        """End an execution at once; one that has ended stays as it is."""
        with self.lock:
            found = self.all.get(id)
            if found is not None and found.state == "running":
                found.state, found.ended = "aborted", time.time()
            return found
