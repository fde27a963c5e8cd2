"""The contract of workflows over runs in memory, of a target that keeps starts apart or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest

from leeward import Client, Conflict, InvalidRequest, NotFound, OutcomeUnknown
from leeward.adapter import Driver
from leeward.errors import HomeUnavailable
from leeward.opening import NameMappingDriver
from leeward.testing import FakeClock, Fault, FaultyDriver
from leeward_contract_tests import Awaited, Faults, WorkflowsContract, contract_workflow, faults_of
from leeward_contract_tests.contracts.observations import THREADS, in_parallel
from leeward_contract_tests.fixtures import DO_WAIT, WORKFLOW
from tests.contract.clouds import local_cloud
from tests.contract.runs import WithRuns


class _OverRuns(WorkflowsContract):
    single: ClassVar[bool] = True

    @pytest.fixture
    def driver(self) -> Iterator[FaultyDriver]:
        driver = FaultyDriver(WithRuns(local_cloud("cloud"), single=self.single))
        yield driver
        driver.close()

    @pytest.fixture
    def faults(self, driver: FaultyDriver) -> Faults:
        return faults_of(driver)


class TestRuns(_OverRuns):
    """A target that itself starts one run of an id."""


class TestRunsAwaited(Awaited, _OverRuns):
    """The same through the asynchronous client."""


class TestRunsKeptApart(_OverRuns):
    """A target that would start two: leeward's idempotency record keeps them apart."""

    single = False


def client_of(driver: Driver, clock: FakeClock | None = None) -> Client:
    return Client(driver, workflows=[contract_workflow()], clock=clock)


def test_whoever_races_starts_one_run() -> None:
    """The target without help starts several; the clients, each on its own, start one."""
    runs = WithRuns(local_cloud("cloud"), single=False)
    clients = [client_of(runs) for _ in range(THREADS)]
    in_parallel(lambda at: clients[at].start_workflow(WORKFLOW, DO_WAIT, id="one"))
    assert runs.executions.starts == ["one"]


def test_a_start_that_may_have_taken_place_is_not_made_again_by_itself() -> None:
    """The answer is lost, and so is what would have shown the run: nobody knows, and says so.

    Who asks again with the same id gets the run, for whoever starts it looks first.
    """
    runs = FaultyDriver(WithRuns(local_cloud("cloud"), single=False))
    with client_of(runs, FakeClock()) as client:
        runs.fail(Fault.LOSE_ANSWER, times=1, verb="start_run")
        runs.fail(Fault.LOSE_ANSWER, verb="get_run", times=1)
        with pytest.raises(OutcomeUnknown, match="Asking again with the same id is safe"):
            client.start_workflow(WORKFLOW, DO_WAIT, id="one")
        assert client.start_workflow(WORKFLOW, DO_WAIT, id="one").state.value == "running"
        with pytest.raises(Conflict, match="another input; nothing was started"):
            client.start_workflow(WORKFLOW, {"do": "echo"}, id="one")


def test_the_same_input_is_the_same_however_it_is_written() -> None:
    """The order of names is no part of JSON."""
    runs = WithRuns(local_cloud("cloud"), single=False)
    with client_of(runs) as client:
        client.start_workflow(WORKFLOW, {"a": 1, "b": 2}, id="one")
        client.start_workflow(WORKFLOW, {"b": 2, "a": 1}, id="one")
        with pytest.raises(Conflict, match="another input; nothing was started"):
            client.start_workflow(WORKFLOW, {"b": 1, "a": 2}, id="one")
    assert runs.executions.starts == ["one"]


def test_nothing_is_started_without_the_record() -> None:
    """While the table is away nothing is sent to the engine; a refused start frees the id."""
    runs = FaultyDriver(WithRuns(local_cloud("cloud"), single=False))
    with client_of(runs, FakeClock()) as client:
        runs.fail(Fault.REFUSE, verb="store")
        with pytest.raises(HomeUnavailable, match="store 'workflow-starts' on cloud could not be"):
            client.start_workflow(WORKFLOW, DO_WAIT, id="one")
        runs.heal()
        assert "start_run" not in {call.verb for call in runs.calls}
        runs.fail(Fault.SUSPEND, verb="start_run", times=1)
        with pytest.raises(Exception, match="refused by the target for a reason that lasts"):
            client.start_workflow(WORKFLOW, DO_WAIT, id="one")
        assert client.start_workflow(WORKFLOW, {"do": "echo"}, id="one").result == {"do": "echo"}


def test_a_run_that_the_engine_has_forgotten_is_not_started_again() -> None:
    """What was started once stays started, for as long as the record is kept."""
    runs = WithRuns(local_cloud("cloud"), single=False)
    with client_of(runs, FakeClock()) as client:
        client.start_workflow(WORKFLOW, id="one")
        runs.executions.all.clear()
        with pytest.raises(Conflict, match="keeps it no longer; give this one another id"):
            client.start_workflow(WORKFLOW, id="one")


def test_a_run_is_waited_for() -> None:
    """By looks that become rarer, until it has ended or the time is over."""
    runs = FaultyDriver(WithRuns(local_cloud("cloud")))
    with client_of(runs, FakeClock()) as client:
        client.start_workflow(WORKFLOW, DO_WAIT, id="one")
        runs.calls.clear()
        with pytest.raises(TimeoutError, match="still runs"):
            client.wait_for_run(WORKFLOW, "one", timeout=60)
        assert 10 < len(runs.calls) < 20
        client.abort_run(WORKFLOW, "one")
        assert client.wait_for_run(WORKFLOW, "one").state.value == "aborted"


def test_what_is_wrong_is_refused_before_anything_is_sent() -> None:
    """An id that not every engine takes, an input that is too large, a workflow nobody knows."""
    runs = FaultyDriver(WithRuns(local_cloud("cloud")))
    with client_of(runs) as client:
        for id, value, field in (("a b", None, "id"), ("one", "x" * 33_000, "value")):
            with pytest.raises(InvalidRequest) as raised:
                client.start_workflow(WORKFLOW, value, id=id)
            assert raised.value.field == field
        with pytest.raises(NotFound, match="no workflow 'other' is known here"):
            client.start_workflow("other", id="one")
        with pytest.raises(InvalidRequest):
            client.get_run(WORKFLOW, "a/b")
    assert runs.calls == []


def test_a_workflow_has_the_name_of_the_target() -> None:
    """That of ``names``; what comes back has its own."""
    inner = FaultyDriver(WithRuns(local_cloud("cloud")))
    named = NameMappingDriver(inner, {"workflow": {WORKFLOW: "arn:of:it"}})
    with client_of(named) as client:
        assert client.start_workflow(WORKFLOW, id="one").workflow == WORKFLOW
        client.abort_run(WORKFLOW, "one")
    assert {call[0] for call in inner.calls} == {"arn:of:it"}
