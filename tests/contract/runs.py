"""A driver with runs of the contract's workflow in memory, around a driver without."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import Any

from leeward.adapter import Capability, Driver, WrappingDriver
from leeward.adapter.runs import already_there
from leeward.calls import RUN_VERBS, AbortRun, Call, FoundRun, GetRun, Result, StartRun
from leeward.json_text import decode
from leeward_contract_tests import contract_workflow
from tests.servers.workflows.executions import Execution, Executions


class WithRuns(WrappingDriver):
    """Starts runs, whose results are as an engine tells them.

    Args:
        driver: does everything else.
        single: two starts of one id are kept apart here; if not, both may find that there is none.
    """

    def __init__(self, driver: Driver, *, single: bool = True) -> None:
        super().__init__(driver)
        self.capabilities |= {Capability.WORKFLOWS}
        if single:
            self.capabilities |= {Capability.SINGLE_STARTS}
        self.executions = Executions(contract_workflow())
        self._alone = self.executions.lock if single else nullcontext()

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        match call:
            case StartRun():
                with self._alone:
                    return self._start(call)
            case GetRun():
                found = self.executions.all.get(call.run)
                return Result.ok(None if found is None else found_run(found))
            case AbortRun():
                return Result.ok(True if self.executions.abort(call.run) else None)
            case _:
                return super().perform(call, timeout)

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        if call.verb in RUN_VERBS:
            return self.perform(call, timeout)
        return await super().perform_async(call, timeout)

    def _start(self, call: StartRun) -> Result[Any]:
        found = self.executions.all.get(call.run)
        if found is not None:
            return already_there(call, Result.ok(found_run(found)))
        time.sleep(0.002)  # long enough for the others to look as well
        text = call.input.decode()
        return Result.ok(found_run(self.executions.start(call.run, text, decode(call.input))))


def found_run(found: Execution) -> FoundRun:
    """Return an execution as a driver tells it."""
    return FoundRun(
        found.state, found.input.encode(), found.started, found.ended, found.result, found.error
    )
