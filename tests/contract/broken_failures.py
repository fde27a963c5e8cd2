"""Drivers that are mistaken about what went wrong, each in one way."""

from __future__ import annotations

from typing import Any

from leeward.adapter import Driver
from leeward.calls import Call, Result
from leeward.errors import Outcome
from leeward.testing import FaultyDriver
from leeward_contract_tests import FailureContract
from tests.contract.cases import breaks


@breaks(FailureContract, "test_a_function_slower_than_the_deadline_is_ambiguous")
class IgnoresTheTimeout(FaultyDriver):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        return super().perform(call, 7 * timeout)  # longer than the contract waits for


@breaks(FailureContract, "test_a_lost_answer_to_an_invoke_is_ambiguous")
class RetriesByItself(FaultyDriver):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        result = super().perform(call, timeout)
        return super().perform(call, timeout) if result.outcome is Outcome.AMBIGUOUS else result


class _Misreports(FaultyDriver):
    """Reports one outcome as another."""

    mistaken: Outcome

    def report(self, call: Call) -> Result[Any]:
        raise NotImplementedError

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        result = super().perform(call, timeout)
        return self.report(call) if result.outcome is self.mistaken else result


@breaks(FailureContract, "test_a_function_slower_than_the_deadline_is_ambiguous")
class ReportsATimeoutAsNotSent(_Misreports):
    mistaken = Outcome.AMBIGUOUS

    def report(self, call: Call) -> Result[Any]:
        return Result(Outcome.NOT_SENT, code="timeout")


@breaks(FailureContract, "test_a_lost_answer_to_a_store_is_ambiguous")
class ReportsALostAnswerAsOk(_Misreports):
    mistaken = Outcome.AMBIGUOUS

    def report(self, call: Call) -> Result[Any]:
        return Result.ok(getattr(call, "write_id", None))


@breaks(FailureContract, "test_a_lost_unsafe_invoke_is_left_alone")
class ReportsALostAnswerAsRejected(_Misreports):
    mistaken = Outcome.AMBIGUOUS

    def report(self, call: Call) -> Result[Any]:
        return Result(Outcome.REJECTED, code="503")


@breaks(FailureContract, "test_a_lost_answer_to_a_load_is_not_an_absent_item")
class ReportsALostReadAsAbsent(_Misreports):
    mistaken = Outcome.AMBIGUOUS

    def report(self, call: Call) -> Result[Any]:
        return Result.ok(None)


@breaks(FailureContract, "test_a_refused_invoke_did_not_run", "unreachable")
class ReportsARefusalAsAmbiguous(_Misreports):
    mistaken = Outcome.NOT_SENT

    def report(self, call: Call) -> Result[Any]:
        return Result(Outcome.AMBIGUOUS, code="connection")


@breaks(FailureContract, "test_a_refused_store_changes_nothing", "throttled")
class ReportsThrottlingAsTheCallersError(_Misreports):
    mistaken = Outcome.REJECTED

    def report(self, call: Call) -> Result[Any]:
        return Result(Outcome.CALLER, code="429")


@breaks(FailureContract, "test_a_refused_invoke_did_not_run", "unreachable")
class LosesTheCause(_Misreports):
    mistaken = Outcome.NOT_SENT

    def report(self, call: Call) -> Result[Any]:
        return Result(Outcome.NOT_SENT)


@breaks(FailureContract, "test_a_refused_invoke_did_not_run", "throttled")
class RunsWhatItHasRefused(FaultyDriver):
    def __init__(self, driver: Driver) -> None:
        super().__init__(driver)
        self._below = driver

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        result = super().perform(call, timeout)
        if result.outcome is Outcome.REJECTED:
            self._below.perform(call, timeout)
        return result


@breaks(
    FailureContract,
    "test_an_invoke_that_a_gateway_answers_is_ambiguous",
    "503 with HTML",
    on_wire=True,
)
class TakesA503ForARefusal(_Misreports):
    """Says that what is unavailable has run nothing."""

    mistaken = Outcome.AMBIGUOUS

    def report(self, call: Call) -> Result[Any]:
        return Result(Outcome.REJECTED, code="503")


@breaks(
    FailureContract,
    "test_an_unsafe_invoke_that_a_gateway_answers_is_left_alone",
    "502 with HTML",
    on_wire=True,
)
class TakesA502ForNotSent(_Misreports):
    mistaken = Outcome.AMBIGUOUS

    def report(self, call: Call) -> Result[Any]:
        return Result(Outcome.NOT_SENT, code="502")


@breaks(FailureContract, "test_half_the_answer_of_a_function_proves_nothing", on_wire=True)
class BelievesHalfAJson(_Misreports):
    """Takes what it cannot read for an answer without a value."""

    mistaken = Outcome.AMBIGUOUS

    def report(self, call: Call) -> Result[Any]:
        return Result.ok(None)


@breaks(FailureContract, "test_an_answer_in_drops_ends_within_the_deadline", on_wire=True)
class TimesEachByteAlone(FaultyDriver):
    """Has a time for each receive, and none for the call."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        return super().perform(call, 7 * timeout)
