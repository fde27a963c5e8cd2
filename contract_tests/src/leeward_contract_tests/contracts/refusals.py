"""Calls that are refused: it is proved that nothing ran, so calling again is safe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, NamedTuple

import pytest

from leeward import CallError, Client, Event, Outcome, TargetUnavailable, Throttled
from leeward.adapter import Capability, Driver
from leeward.calls import Result
from leeward_contract_tests.contracts.base import Contract
from leeward_contract_tests.contracts.calls import (
    SECONDS,
    delete,
    enqueue,
    fresh,
    invoke,
    load,
    outcomes_of,
    publish,
    store,
)
from leeward_contract_tests.contracts.capabilities import needs
from leeward_contract_tests.contracts.observations import CallFunction, Deliveries, Runs
from leeward_contract_tests.faults import Faults
from leeward_contract_tests.fixtures import (
    BUCKET,
    COUNT,
    DO_FAIL,
    ECHO,
    EVENTS,
    ITEMS,
    PAIRS,
    WORKFLOW,
)
from leeward_contract_tests.rows import each_row

TABLES, OBJECTS = Capability.TABLES, Capability.OBJECTS
INVOKE, ENQUEUE, PUBLISH = Capability.INVOKE, Capability.ENQUEUE, Capability.PUBLISH


class RefusalKind(NamedTuple):
    """One way to be refused: how it is caused, reported and raised."""

    begin: Callable[[Faults], AbstractContextManager[None]]
    outcome: Outcome
    error: type[CallError]

    def check(self, result: Result[Any]) -> None:
        """Check what a driver reports: this outcome, no value, and why."""
        assert set(outcomes_of(result)) == {self.outcome}
        assert (result.outcome, result.value) == (self.outcome, None)
        assert result.cause is not None or result.code, "neither a native cause nor a code"


REFUSALS: Final = {
    "unreachable": RefusalKind(lambda faults: faults.refuse(), Outcome.NOT_SENT, TargetUnavailable),
    "throttled": RefusalKind(lambda faults: faults.throttle(), Outcome.REJECTED, Throttled),
}

each_refusal = each_row("refusal", REFUSALS)
"""Runs a test for both kinds, each a subtest."""

CALLS: Final[Mapping[str, tuple[Capability, Callable[[Client], object]]]] = {
    "invoke": (INVOKE, lambda client: client.invoke(ECHO)),
    "enqueue": (ENQUEUE, lambda client: client.enqueue(ECHO)),
    "publish": (PUBLISH, lambda client: client.publish_event(EVENTS, "contract.refused")),
    "store": (TABLES, lambda client: client.store_data(ITEMS, {"id": fresh("refused")})),
    "load": (TABLES, lambda client: client.load_data(ITEMS, "refused")),
    "list": (Capability.RANGES, lambda client: client.list_data(PAIRS, "refused")),
    "delete": (TABLES, lambda client: client.delete_data(ITEMS, fresh("refused"))),
    "put_object": (OBJECTS, lambda client: client.put_object(BUCKET, fresh("refused"), b"")),
    "get_object": (OBJECTS, lambda client: client.get_object(BUCKET, "refused")),
    "head_object": (OBJECTS, lambda client: client.head_object(BUCKET, "refused")),
    "list_objects": (OBJECTS, lambda client: client.list_objects(BUCKET, "refused")),
    "start_run": (
        Capability.WORKFLOWS,
        lambda client: client.start_workflow(WORKFLOW, DO_FAIL, id=fresh("refused")),
    ),
    "get_run": (Capability.WORKFLOWS, lambda client: client.get_run(WORKFLOW, fresh("refused"))),
    "delete_object": (OBJECTS, lambda client: client.delete_object(BUCKET, "refused")),
}


class RefusedContract(Contract):
    """Report as not run what is proved not to have run."""

    @each_refusal
    @needs(INVOKE)
    def test_a_refused_invoke_did_not_run(
        self, driver: Driver, faults: Faults, runs: Runs, refusal: RefusalKind
    ) -> None:
        """Report NOT_SENT or REJECTED for a function that did not run, and why.

        Where nobody has said that it marks its answers, its platform's words may prove nothing:
        that it has marked one says nothing of its next release.
        """
        with refusal.begin(faults):
            refusal.check(driver.perform(invoke(COUNT, runs.payload), SECONDS))
        assert runs.count() == 0
        call = invoke(ECHO, 1)._replace(marks=False)
        assert driver.perform(call, SECONDS).outcome is Outcome.OK
        with refusal.begin(faults):
            result = driver.perform(call, SECONDS)
        assert outcomes_of(result)[0] in (refusal.outcome, Outcome.AMBIGUOUS)

    @each_refusal
    @needs(ENQUEUE)
    def test_a_refused_enqueue_was_not_accepted(
        self,
        driver: Driver,
        faults: Faults,
        call_function: CallFunction,
        patience: float,
        refusal: RefusalKind,
    ) -> None:
        """Report NOT_SENT or REJECTED for a call that was not queued, and why."""
        refused, taken = Runs(call_function, patience), Runs(call_function, patience)
        with refusal.begin(faults):
            refusal.check(driver.perform(enqueue(COUNT, refused.payload), SECONDS))
        assert driver.perform(enqueue(COUNT, taken.payload), SECONDS).outcome is Outcome.OK
        assert taken.eventually(1) >= 1
        assert refused.count() == 0

    @each_refusal
    @needs(PUBLISH)
    def test_a_refused_event_is_not_delivered(
        self, driver: Driver, faults: Faults, deliveries: Deliveries, refusal: RefusalKind
    ) -> None:
        """Report NOT_SENT or REJECTED for an event that nobody gets, and why."""
        refused, taken = publish(Event("contract.refused")), publish(Event("contract.taken"))
        with refusal.begin(faults):
            refusal.check(driver.perform(refused, SECONDS))
        assert driver.perform(taken, SECONDS).outcome is Outcome.OK
        assert deliveries.eventually(str(taken.events[0].id))
        assert deliveries.now(str(refused.events[0].id)) == []

    @each_refusal
    @needs(TABLES)
    def test_a_refused_store_changes_nothing(
        self, driver: Driver, faults: Faults, refusal: RefusalKind
    ) -> None:
        """Report NOT_SENT or REJECTED for an item that was not stored, and why."""
        key = fresh("item")
        assert driver.perform(store({"id": key, "n": 1}), SECONDS).outcome is Outcome.OK
        with refusal.begin(faults):
            refusal.check(driver.perform(store({"id": key, "n": 2}), SECONDS))
        stored = driver.perform(load(key), SECONDS).value
        assert stored is not None
        assert stored.item["n"] == 1

    @each_refusal
    @needs(TABLES)
    def test_a_refused_delete_changes_nothing(
        self, driver: Driver, faults: Faults, refusal: RefusalKind
    ) -> None:
        """Report NOT_SENT or REJECTED for an item that was not deleted, and why."""
        key = fresh("item")
        assert driver.perform(store({"id": key}), SECONDS).outcome is Outcome.OK
        with refusal.begin(faults):
            refusal.check(driver.perform(delete(key), SECONDS))
        assert driver.perform(load(key), SECONDS).value is not None

    @each_refusal
    @needs(TABLES)
    def test_a_refused_load_is_not_an_absent_item(
        self, driver: Driver, faults: Faults, refusal: RefusalKind
    ) -> None:
        """Report NOT_SENT or REJECTED, and never that nothing is there."""
        key = fresh("item")
        assert driver.perform(store({"id": key}), SECONDS).outcome is Outcome.OK
        with refusal.begin(faults):
            refusal.check(driver.perform(load(key), SECONDS))

    @each_refusal
    def test_a_refusal_is_raised_as_such(
        self,
        client: Client,
        driver: Driver,
        faults: Faults,
        refusal: RefusalKind,
        subtests: pytest.Subtests,
    ) -> None:
        """Raise the refusal's own error, with target and attempts, and recover."""
        for method, (capability, call) in CALLS.items():
            with subtests.test(method):
                if self.undeclared.is_refused([capability]):
                    continue
                with refusal.begin(faults), pytest.raises(refusal.error) as raised:
                    call(client)
                assert raised.value.target == driver.target
                assert {attempt.outcome for attempt in raised.value.attempts} == {refusal.outcome}
                call(client)

    @each_refusal
    @needs(INVOKE)
    def test_the_native_cause_is_kept(
        self, client: Client, driver: Driver, faults: Faults, refusal: RefusalKind
    ) -> None:
        """Keep the same native cause and code in the error that a caller gets."""
        with refusal.begin(faults):
            result = driver.perform(invoke(ECHO, None), SECONDS)
            with pytest.raises(refusal.error) as raised:
                client.invoke(ECHO)
        assert type(raised.value.__cause__) is type(result.cause)
        # A driver over several may be told no by another of them the second time.
        assert raised.value.code in {result.code, *(attempt.code for attempt in result.attempts)}
