"""The contract of failure: what is known, what is not known, and how long that takes.

Lost answers: the request did its work, and the answer never came. If a driver calls this a failure,
a caller pays twice; if it calls it a success, it invents a promise. It is AMBIGUOUS.
"""

from __future__ import annotations

import time

import pytest

from leeward import Client, Event, FunctionError, Outcome, OutcomeUnknown, Promise
from leeward.adapter import Capability, Driver
from leeward.calls import GetObject, ListObjects
from leeward.values import Effect, Item
from leeward_contract_tests.contracts.base import Contract
from leeward_contract_tests.contracts.calls import (
    SECONDS,
    delete,
    enqueue,
    fresh,
    head,
    invoke,
    load,
    outcomes_of,
    publish,
    put,
    store,
)
from leeward_contract_tests.contracts.capabilities import needs
from leeward_contract_tests.contracts.gateways import GatewayContract
from leeward_contract_tests.contracts.observations import Deliveries, Runs, Times
from leeward_contract_tests.contracts.refusals import RefusedContract
from leeward_contract_tests.faults import Faults
from leeward_contract_tests.fixtures import BUCKET, COUNT, EVENTS, ITEMS, SLOW

ALL = 100
"""More answers than any call waits for."""

TABLES, CONDITIONS = Capability.TABLES, Capability.CONDITIONS
OBJECTS = Capability.OBJECTS
INVOKE, ENQUEUE, PUBLISH = Capability.INVOKE, Capability.ENQUEUE, Capability.PUBLISH


class LostAnswersContract(Contract):
    """Report as AMBIGUOUS what is not known."""

    @needs(INVOKE)
    def test_a_lost_answer_to_an_invoke_is_ambiguous(
        self, driver: Driver, faults: Faults, runs: Runs
    ) -> None:
        """Report AMBIGUOUS for a function that ran unheard, and let it run once."""
        with faults.lose_answers(ALL):
            result = driver.perform(invoke(COUNT, runs.payload), SECONDS)
        assert (result.outcome, result.value) == (Outcome.AMBIGUOUS, None)
        assert runs.count() == 1

    @needs(INVOKE)
    def test_an_attempt_is_one_request(self, driver: Driver, faults: Faults, runs: Runs) -> None:
        """Send one request for each attempt, even where repeating is harmless."""
        with faults.lose_answers(ALL):
            result = driver.perform(invoke(COUNT, runs.payload, Effect.IDEMPOTENT), SECONDS)
        assert outcomes_of(result) == [Outcome.AMBIGUOUS] * runs.count()

    @needs(ENQUEUE)
    def test_a_lost_answer_to_an_enqueue_is_ambiguous(
        self, driver: Driver, faults: Faults, runs: Runs
    ) -> None:
        """Report AMBIGUOUS for a call that was accepted unheard."""
        with faults.lose_answers(ALL):
            result = driver.perform(enqueue(COUNT, runs.payload), SECONDS)
        assert result.outcome is Outcome.AMBIGUOUS
        assert runs.eventually(1) >= 1

    @needs(PUBLISH)
    def test_a_lost_answer_to_a_publish_is_ambiguous(
        self, driver: Driver, faults: Faults, deliveries: Deliveries
    ) -> None:
        """Report AMBIGUOUS for events that were taken unheard, and for none of them OK."""
        call = publish(Event("contract.lost", 1), Event("contract.lost", 2))
        with faults.lose_answers(ALL):
            result = driver.perform(call, SECONDS)
        assert (result.outcome, result.value) == (Outcome.AMBIGUOUS, None)
        assert [bool(deliveries.eventually(str(event.id))) for event in call.events] == [True] * 2

    @needs(TABLES)
    def test_a_lost_answer_to_a_store_is_ambiguous(self, driver: Driver, faults: Faults) -> None:
        """Report AMBIGUOUS for an item that was stored unheard, without a revision."""
        call = store({"id": fresh("item"), "n": 1})
        with faults.lose_answers(ALL):
            result = driver.perform(call, SECONDS)
        assert (result.outcome, result.value) == (Outcome.AMBIGUOUS, None)
        stored = driver.perform(load(call.item["id"]), SECONDS).value
        assert stored is not None
        assert (stored.item, stored.write_id) == (call.item, call.write_id)

    @needs(TABLES)
    def test_a_lost_answer_to_a_delete_is_ambiguous(self, driver: Driver, faults: Faults) -> None:
        """Report AMBIGUOUS for an item that was deleted unheard."""
        key = fresh("item")
        assert driver.perform(store({"id": key}), SECONDS).outcome is Outcome.OK
        with faults.lose_answers(ALL):
            result = driver.perform(delete(key), SECONDS)
        assert result.outcome is Outcome.AMBIGUOUS
        assert driver.perform(load(key), SECONDS).value is None

    @needs(TABLES)
    def test_a_lost_answer_to_a_load_is_not_an_absent_item(
        self, driver: Driver, faults: Faults
    ) -> None:
        """Report AMBIGUOUS, and never that nothing is there, for a read without an answer."""
        key = fresh("item")
        assert driver.perform(store({"id": key}), SECONDS).outcome is Outcome.OK
        with faults.lose_answers(ALL):
            result = driver.perform(load(key), SECONDS)
        assert result.outcome is Outcome.AMBIGUOUS

    @needs(TABLES)
    def test_a_lost_store_is_resolved_by_reading_back(self, client: Client, faults: Faults) -> None:
        """Find the client's own write: a receipt that says so, with the item's revision."""
        item: Item = {"id": fresh("item"), "n": 1}
        with faults.lose_answers(1):
            receipt = client.store_data(ITEMS, item)
        record = client.load_data(ITEMS, item["id"])
        assert (receipt.promise, receipt.resolved) == (Promise.COMMITTED, True)
        assert record is not None
        assert (record.item, record.revision) == (item, receipt.revision)

    @needs(TABLES, CONDITIONS)
    def test_a_lost_conditional_store_does_not_conflict_with_itself(
        self, client: Client, faults: Faults
    ) -> None:
        """Recognise that the item that is there is the one that the client has stored."""
        item: Item = {"id": fresh("item"), "n": 1}
        with faults.lose_answers(1):
            created = client.store_data(ITEMS, item, if_absent=True)
        with faults.lose_answers(1):
            replaced = client.store_data(ITEMS, {**item, "n": 2}, if_revision=created.revision)
        record = client.load_data(ITEMS, item["id"])
        assert (created.resolved, replaced.resolved) == (True, True)
        assert record is not None
        assert (record.item["n"], record.revision) == (2, replaced.revision)

    @needs(TABLES, CONDITIONS)
    def test_a_lost_conflict_is_no_success(self, client: Client, faults: Faults) -> None:
        """See that another's item is there, and not the client's own."""
        item: Item = {"id": fresh("item"), "by": "another"}
        client.store_data(ITEMS, item)
        with faults.lose_answers(1), pytest.raises(OutcomeUnknown):
            client.store_data(ITEMS, {**item, "by": "me"}, if_absent=True)
        record = client.load_data(ITEMS, item["id"])
        assert record is not None
        assert record.item == item

    @needs(TABLES)
    def test_a_lost_delete_is_resolved_by_reading_back(
        self, client: Client, faults: Faults
    ) -> None:
        """See that the item is gone."""
        key = fresh("item")
        client.store_data(ITEMS, {"id": key})
        with faults.lose_answers(1):
            receipt = client.delete_data(ITEMS, key)
        assert (receipt.promise, receipt.resolved) == (Promise.COMMITTED, True)
        assert client.load_data(ITEMS, key) is None

    @needs(OBJECTS)
    def test_a_lost_put_of_an_object_is_resolved_by_reading_back(
        self, client: Client, faults: Faults
    ) -> None:
        """Find the client's own object, created or replaced, and never conflict with it."""
        name = fresh("object")
        with faults.lose_answers(1):
            created = client.put_object(BUCKET, name, b"first", if_absent=True)
        with faults.lose_answers(1):
            replaced = client.put_object(BUCKET, name, b"second", if_revision=created.revision)
        reader = client.get_object(BUCKET, name)
        assert (created.resolved, replaced.resolved) == (True, True)
        assert reader is not None
        assert (reader.read(), reader.info.revision) == (b"second", replaced.revision)

    @needs(OBJECTS)
    def test_a_repeated_put_of_an_object_is_no_conflict(self, driver: Driver) -> None:
        """Report OK for a put that finds its own object, whatever was said of it before."""
        call = put(fresh("object"), b"mine", if_absent=True)
        results = [driver.perform(call, SECONDS) for _ in range(2)]
        assert [result.outcome for result in results] == [Outcome.OK, Outcome.OK]
        assert results[0].value == results[1].value
        other = driver.perform(call._replace(write_id=fresh("write")), SECONDS)
        assert (other.outcome, other.value) == (Outcome.CONFLICT, None)

    @needs(OBJECTS)
    def test_a_lost_conflict_over_an_object_is_no_success(
        self, client: Client, faults: Faults
    ) -> None:
        """See that another's object is there, even one of the same bytes."""
        name = fresh("object")
        client.put_object(BUCKET, name, b"same")
        with faults.lose_answers(1), pytest.raises(OutcomeUnknown):
            client.put_object(BUCKET, name, b"same", if_absent=True)

    @needs(OBJECTS)
    def test_a_lost_delete_of_an_object_is_resolved(self, client: Client, faults: Faults) -> None:
        """See that the object is gone."""
        name = fresh("object")
        client.put_object(BUCKET, name, b"gone")
        with faults.lose_answers(1):
            receipt = client.delete_object(BUCKET, name)
        assert (receipt.promise, receipt.resolved) == (Promise.COMMITTED, True)
        assert client.head_object(BUCKET, name) is None

    @needs(OBJECTS)
    def test_a_lost_read_of_an_object_is_not_an_absent_object(
        self, driver: Driver, faults: Faults
    ) -> None:
        """Report AMBIGUOUS, and never that nothing is there."""
        call = put(fresh("object"), b"there")
        assert driver.perform(call, SECONDS).outcome is Outcome.OK
        for read in (head(call.name), GetObject(BUCKET, call.name, 0, 5), ListObjects(BUCKET)):
            with faults.lose_answers(ALL):
                assert driver.perform(read, SECONDS).outcome is Outcome.AMBIGUOUS

    @needs(INVOKE)
    def test_a_lost_unsafe_invoke_is_left_alone(
        self, client: Client, driver: Driver, faults: Faults, runs: Runs
    ) -> None:
        """Raise `OutcomeUnknown` for a call that is unsafe to repeat, which ran exactly once."""
        with faults.lose_answers(1), pytest.raises(OutcomeUnknown) as raised:
            client.invoke(COUNT, runs.payload, idempotency_key="the-key")
        assert runs.count() == 1
        assert (raised.value.target, raised.value.idempotency_key) == (driver.target, "the-key")
        assert [attempt.outcome for attempt in raised.value.attempts] == [Outcome.AMBIGUOUS]

    @needs(INVOKE)
    def test_a_lost_idempotent_invoke_is_sent_again(
        self, client: Client, faults: Faults, runs: Runs
    ) -> None:
        """Answer a call that may be repeated from its second run, under the same key."""
        with faults.lose_answers(1):
            result = client.invoke(COUNT, runs.payload, effect="idempotent")
        assert result.value == 2

    @needs(PUBLISH)
    def test_a_lost_event_is_sent_again_under_its_id(
        self, client: Client, faults: Faults, deliveries: Deliveries
    ) -> None:
        """Publish again what may not have arrived, so that consumers recognise the copy."""
        with faults.lose_answers(1):
            receipt = client.publish_event(EVENTS, "contract.lost", {"n": 1})
        copies = deliveries.eventually(receipt.id)
        assert {(copy.id, copy.source, copy.type) for copy in copies} == {
            (receipt.id, "leeward-contract", "contract.lost")
        }
        assert [copy.data for copy in copies] == [{"n": 1}] * len(copies)


class FailureContract(LostAnswersContract, RefusedContract, GatewayContract):
    """End every call that goes wrong with the one outcome that is true."""

    @needs(Capability.INVOKE)
    def test_a_function_slower_than_the_deadline_is_ambiguous(self, driver: Driver) -> None:
        """Report AMBIGUOUS within the deadline for a function that still runs."""
        times = Times.here(lambda: driver.perform(invoke(SLOW, {"seconds": 0}), SECONDS))
        while True:
            began = time.monotonic()
            result = driver.perform(invoke(SLOW, {"seconds": times.takes}), times.deadline)
            took = time.monotonic() - began
            if result.fault is None or result.fault.ran != "no":
                break
            times = times.twice()
        assert (result.outcome, result.value) == (Outcome.AMBIGUOUS, None)
        assert took < times.latest

    @needs(Capability.INVOKE)
    def test_a_call_ends_within_its_deadline(self, client: Client, driver: Driver) -> None:
        """Raise `OutcomeUnknown` within the deadline, and send nothing again."""
        times = Times.here(lambda: client.invoke(SLOW, {"seconds": 0}))
        while True:
            began = time.monotonic()
            with pytest.raises((OutcomeUnknown, FunctionError)) as raised:
                client.invoke(SLOW, {"seconds": times.takes}, timeout=times.deadline)
            took = time.monotonic() - began
            if not isinstance(raised.value, FunctionError) or raised.value.ran != "no":
                break
            times = times.twice()
        assert times.latest > took
        assert raised.value.target == driver.target
        assert [attempt.outcome for attempt in raised.value.attempts] == [Outcome.AMBIGUOUS]
