"""Drivers whose runs have one mistake each, around a correct driver."""

from __future__ import annotations

from typing import Any

from leeward.adapter import Driver
from leeward.calls import AbortRun, Call, GetRun, Result, StartRun
from leeward.errors import Outcome
from leeward.testing import FaultyDriver
from leeward_contract_tests import WorkflowsContract
from tests.contract.cases import breaks
from tests.contract.runs import WithRuns


class _OverRuns(FaultyDriver):
    def __init__(self, driver: Driver) -> None:
        super().__init__(WithRuns(driver))
        self.target = "broken"


@breaks(WorkflowsContract, "test_a_run_ends_with_its_result")
class ForgetsTheResult(_OverRuns):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        result = super().perform(call, timeout)
        if isinstance(call, GetRun) and result.value is not None:
            return result._replace(value=result.value._replace(result=None))
        return result


@breaks(WorkflowsContract, "test_a_second_start_is_the_same_run")
class StartsAnother(_OverRuns):
    """Takes the place of a run of the same id, as some engines do."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, StartRun):
            self._driver.executions.all.pop(call.run, None)  # type: ignore[attr-defined]
        return super().perform(call, timeout)


@breaks(WorkflowsContract, "test_another_input_is_a_conflict")
class TakesAnyInput(_OverRuns):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        result = super().perform(call, timeout)
        if isinstance(call, StartRun) and result.outcome is Outcome.CONFLICT:
            return super().perform(GetRun(call.workflow, call.run), timeout)
        return result


@breaks(WorkflowsContract, "test_an_absent_run_is_none")
class ReportsAnAbsentRunAsAnError(_OverRuns):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        result = super().perform(call, timeout)
        if isinstance(call, GetRun) and result.value is None:
            return Result(Outcome.NOT_FOUND, code="absent")
        return result


@breaks(WorkflowsContract, "test_an_aborted_run_ends")
class AbortsNothing(_OverRuns):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        return Result.ok(True) if isinstance(call, AbortRun) else super().perform(call, timeout)


@breaks(WorkflowsContract, "test_a_lost_start_claims_nothing")
class ClaimsWhatItDidNotHear(_OverRuns):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        result = super().perform(call, timeout)
        if isinstance(call, StartRun) and result.outcome is Outcome.AMBIGUOUS:
            return Result(Outcome.NOT_FOUND)
        return result
