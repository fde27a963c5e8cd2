"""The contract of workflows: one run of an id, and how it ends."""

from __future__ import annotations

from typing import Any, Final

import pytest

from leeward import Client, Conflict, NotFound, Outcome, Unsupported
from leeward.adapter import Capability, Driver
from leeward.calls import AbortRun, FoundRun, GetRun
from leeward.values.runs import RunState
from leeward_contract_tests.contracts.base import Contract
from leeward_contract_tests.contracts.calls import SECONDS, fresh, start_run
from leeward_contract_tests.contracts.capabilities import needs
from leeward_contract_tests.contracts.observations import eventually, in_parallel
from leeward_contract_tests.faults import Faults
from leeward_contract_tests.fixtures import (
    CONTRACT_FAILED,
    DO_FAIL,
    DO_WAIT,
    WORKFLOW,
    contract_config,
    contract_workflow,
)

WORKFLOWS, SINGLE_STARTS = Capability.WORKFLOWS, Capability.SINGLE_STARTS

ALL: Final = 1_000
"""More answers than any attempt asks for."""

COARSE: Final = 2.0
"""Seconds: some engines tell times in whole seconds, and what they answer to a start has none."""

INPUT: Final[dict[str, Any]] = {"do": "echo", "n": [1, 2.5, True, None, "\u00fc"], "empty": {}}


class WorkflowsContract(Contract):
    """Start runs that are deployed at the target, look at them, and abort them."""

    @needs(WORKFLOWS)
    def test_a_run_ends_with_its_result(
        self, client: Client, driver: Driver, patience: float
    ) -> None:
        """Return a run at once, and its result as soon as it has ended."""
        run = fresh("run")
        started = client.start_workflow(WORKFLOW, INPUT, id=run)
        assert (started.workflow, started.id, started.target) == (WORKFLOW, run, driver.target)
        ended = _wait_for_end(client, run, patience)
        assert (ended.state, ended.result, ended.error) == (RunState.SUCCEEDED, INPUT, None)
        assert ended.ended is not None
        assert ended.ended >= ended.started - COARSE

    @needs(WORKFLOWS)
    def test_a_run_that_fails_tells_its_error(self, client: Client, patience: float) -> None:
        """Report FAILED, and the name of the error."""
        run = fresh("run")
        client.start_workflow(WORKFLOW, DO_FAIL, id=run)
        ended = _wait_for_end(client, run, patience)
        assert (ended.state, ended.error, ended.result) == (RunState.FAILED, CONTRACT_FAILED, None)

    @needs(WORKFLOWS)
    def test_a_second_start_is_the_same_run(self, client: Client, patience: float) -> None:
        """Start nothing for an id and input that are there, while the run runs and afterwards."""
        waiting, ended = fresh("run"), fresh("run")
        began = client.start_workflow(WORKFLOW, DO_WAIT, id=waiting).started
        again = client.start_workflow(WORKFLOW, DO_WAIT, id=waiting).started
        assert again == pytest.approx(began, rel=0, abs=COARSE)
        client.start_workflow(WORKFLOW, INPUT, id=ended)
        first = _wait_for_end(client, ended, patience)
        assert client.start_workflow(WORKFLOW, INPUT, id=ended) == first
        client.abort_run(WORKFLOW, waiting)

    @needs(WORKFLOWS)
    def test_another_input_is_a_conflict(self, client: Client, driver: Driver) -> None:
        """Refuse a second start of an id with another input, and leave the first as it is."""
        run = fresh("run")
        client.start_workflow(WORKFLOW, DO_WAIT, id=run)
        with pytest.raises(Conflict) as raised:
            client.start_workflow(WORKFLOW, {**DO_WAIT, "n": 1}, id=run)
        assert raised.value.target == driver.target
        record = client.get_run(WORKFLOW, run)
        assert record is not None
        assert record.state is RunState.RUNNING
        client.abort_run(WORKFLOW, run)

    @needs(WORKFLOWS)
    def test_the_driver_sees_which_input_a_run_has(self, driver: Driver) -> None:
        """Report OK for a repeated start, and CONFLICT for one with another input."""
        call = start_run(DO_WAIT)
        results = [driver.perform(call, SECONDS) for _ in range(2)]
        assert [result.outcome for result in results] == [Outcome.OK, Outcome.OK]
        other = driver.perform(call._replace(input=b'{"do":"wait","n":1}'), SECONDS)
        assert (other.outcome, other.value) == (Outcome.CONFLICT, None)
        run_ = driver.perform(GetRun(WORKFLOW, call.run), SECONDS).value
        assert isinstance(run_, FoundRun)
        assert run_.state == "running"
        assert driver.perform(AbortRun(WORKFLOW, call.run), SECONDS).value is True

    @needs(WORKFLOWS)
    def test_an_absent_run_is_none(self, client: Client, driver: Driver) -> None:
        """Return None for a run that is not there; there is nothing to abort then."""
        run = fresh("absent")
        assert client.get_run(WORKFLOW, run) is None
        with pytest.raises(NotFound):
            client.abort_run(WORKFLOW, run)
        for call in (GetRun(WORKFLOW, run), AbortRun(WORKFLOW, run)):
            result = driver.perform(call, SECONDS)
            assert (result.outcome, result.value) == (Outcome.OK, None)

    @needs(WORKFLOWS)
    def test_an_aborted_run_ends(self, client: Client, patience: float) -> None:
        """End a run that waits; aborting it once more changes nothing."""
        run = fresh("run")
        client.start_workflow(WORKFLOW, DO_WAIT, id=run)
        client.abort_run(WORKFLOW, run)
        ended = _wait_for_end(client, run, patience)
        assert (ended.state, ended.result) == (RunState.ABORTED, None)
        assert client.abort_run(WORKFLOW, run) == ended

    @needs(WORKFLOWS)
    def test_what_no_engine_can_do_is_refused(self, client: Client, driver: Driver) -> None:
        """Refuse by name to compensate a run, and to list runs."""
        for refused in (
            lambda: client.cancel_run(WORKFLOW, "run"),
            lambda: client.list_runs(WORKFLOW),
        ):
            with pytest.raises(Unsupported) as raised:
                refused()
            assert raised.value.target == driver.target

    @needs(WORKFLOWS)
    def test_of_those_who_race_to_start_one_starts(self, driver: Driver, patience: float) -> None:
        """Start one run of an id, whoever asks for it at the same time."""
        run = fresh("raced")
        # A clock that really waits: the others wait for the one that starts.
        client = Client(driver, config=contract_config(), workflows=[contract_workflow()])
        runs = in_parallel(lambda _: client.start_workflow(WORKFLOW, INPUT, id=run))
        ended = _wait_for_end(client, run, patience)
        assert [run_.started for run_ in runs] == pytest.approx(
            [ended.started] * len(runs), rel=0, abs=COARSE
        )
        assert ended.state is RunState.SUCCEEDED

    @needs(WORKFLOWS, SINGLE_STARTS)
    def test_the_target_itself_starts_one(self, driver: Driver) -> None:
        """Return the same run to all that race, by the driver alone."""
        call = start_run(DO_WAIT)
        results = in_parallel(lambda _: driver.perform(call, SECONDS))
        assert {result.outcome for result in results} == {Outcome.OK}
        assert len({result.value.started for result in results if result.value}) == 1
        driver.perform(AbortRun(WORKFLOW, call.run), SECONDS)

    @needs(WORKFLOWS)
    def test_a_lost_start_claims_nothing(self, driver: Driver, faults: Faults) -> None:
        """Report AMBIGUOUS for a start that took place unseen, and claim nothing; then find it."""
        call = start_run(DO_WAIT)
        with faults.lose_answers(ALL):
            lost = driver.perform(call, SECONDS)
        # What looks before it starts has sent nothing, if even that look was lost.
        assert lost.outcome in (Outcome.AMBIGUOUS, Outcome.NOT_SENT)
        assert lost.value is None
        again = [driver.perform(call, SECONDS) for _ in range(2)]
        assert [result.outcome for result in again] == [Outcome.OK, Outcome.OK]
        driver.perform(AbortRun(WORKFLOW, call.run), SECONDS)

    @needs(WORKFLOWS)
    def test_a_lost_look_is_not_an_absent_run(self, driver: Driver, faults: Faults) -> None:
        """Report AMBIGUOUS, or that nothing was asked, and never that nothing is there."""
        call = start_run(DO_WAIT)
        assert driver.perform(call, SECONDS).outcome is Outcome.OK
        with faults.lose_answers(ALL):
            assert driver.perform(GetRun(WORKFLOW, call.run), SECONDS).outcome is Outcome.AMBIGUOUS
        driver.perform(AbortRun(WORKFLOW, call.run), SECONDS)

    @needs(WORKFLOWS)
    def test_a_lost_start_is_resolved_by_looking(
        self, client: Client, faults: Faults, patience: float
    ) -> None:
        """Find the run that the client has started, and start no other."""
        run = fresh("run")
        with faults.lose_answers(1):
            client.start_workflow(WORKFLOW, INPUT, id=run)
        ended = _wait_for_end(client, run, patience)
        assert ended.result == INPUT
        assert client.start_workflow(WORKFLOW, INPUT, id=run) == ended


def _wait_for_end(client: Client, run: str, patience: float) -> Any:
    """Return a run as soon as it has ended, or as it is in the end."""

    def look() -> Any:
        run_ = client.get_run(WORKFLOW, run)
        assert run_ is not None
        return run_

    return eventually(look, lambda run: run.state is not RunState.RUNNING, patience)
