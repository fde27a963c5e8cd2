"""Orders of real clouds keep what orders are for.

In an order, data goes to its home alone, and a call stays on the first target unless that fails.
So most of the contract over an order repeats what its first target has proved by itself: one order
keeps it whole, in postgres/test_orders.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

from leeward import Client, Event, Outcome
from leeward._routing import FailoverDriver
from leeward.adapter import Driver
from leeward.calls import Call, Result
from leeward.testing import FakeClock
from leeward.values import Effect, Json
from leeward_contract_tests import (
    Contract,
    Faults,
    contract_config,
)
from leeward_contract_tests.contracts.calls import (
    SECONDS,
    delete,
    enqueue,
    fresh,
    invoke,
    load,
    publish,
    store,
)
from leeward_contract_tests.contracts.failure import ALL
from leeward_contract_tests.contracts.observations import CallFunction, Deliveries, Runs
from leeward_contract_tests.contracts.refusals import RefusalKind, each_refusal
from leeward_contract_tests.fixtures import COUNT, ECHO, SEEN
from tests.contract.over import Over, Standing

EVENT = "contract.order"

Put: TypeAlias = Callable[[Call], Result[Any]]


ORDERS = (
    ("aws", "azure"),
    ("azure", "google"),
    ("google", "local"),
)
"""Each cloud first; another cloud or the embedded target second."""


class Orders(Over):
    """The fixtures of a contract over each of `ORDERS`."""

    @pytest.fixture(params=ORDERS, ids=" then ".join)
    def standing(self, request: pytest.FixtureRequest) -> list[Standing]:
        return [request.getfixturevalue(name) for name in request.param]


class TestFirstFails(Orders, Contract):
    """What an order is for. The first target alone fails; it is also the home of the data."""

    @pytest.fixture
    def names(self, drivers: list[Driver]) -> list[str]:
        return [driver.target for driver in drivers]

    @pytest.fixture
    def faults(self, standing: list[Standing]) -> Faults:
        return standing[0].faults

    @pytest.fixture
    def call_function(self, drivers: list[Driver]) -> CallFunction:
        """Return what asks each cloud: memory is shared, but AWS looks after its own queues."""
        clients = [Client(driver, config=contract_config()) for driver in drivers]

        def call_function(function: str, payload: Json) -> Any:
            asked = clients if function == SEEN else clients[:1]
            return [client.invoke(function, payload).value for client in asked][-1]

        return call_function

    @pytest.fixture(params=["by thread", "awaited"])
    def put(self, driver: Driver, request: pytest.FixtureRequest) -> Iterator[Put]:
        """Return what puts a call to the order, by one of its runners."""
        if request.param == "by thread":
            yield lambda call: driver.perform(call, SECONDS)
            return
        with asyncio.Runner() as runner:
            yield lambda call: runner.run(driver.perform_async(call, SECONDS))
            runner.run(driver.close_async())

    def test_the_first_target_serves(self, put: Put, names: list[str]) -> None:
        """Nothing goes elsewhere without a reason."""
        for call in (invoke(ECHO, None), enqueue(ECHO, None), publish(Event(EVENT))):
            result = put(call)
            assert (result.outcome, result.target) == (Outcome.OK, names[0])
            assert [each.target for each in result.attempts] == names[:1]

    @each_refusal
    def test_the_second_target_serves_what_the_first_refuses(
        self,
        put: Put,
        faults: Faults,
        names: list[str],
        call_function: CallFunction,
        patience: float,
        refusal: RefusalKind,
    ) -> None:
        """Each call is made once, there, and its attempts tell where it was refused."""
        invoked, queued = Runs(call_function, patience), Runs(call_function, patience)
        published = publish(Event(EVENT, {"n": 1}))
        calls = (invoke(COUNT, invoked.payload), enqueue(COUNT, queued.payload), published)
        with refusal.begin(faults):
            results = [put(call) for call in calls]
        for result in results:
            *refused, served = result.attempts
            assert {(each.target, each.outcome) for each in refused} == {
                (names[0], refusal.outcome)
            }
            assert (served.target, served.outcome) == (names[1], Outcome.OK)
            assert (result.target, result.outcome) == (names[1], Outcome.OK)
        assert invoked.count() == 1
        assert queued.eventually(1) == 1
        delivered = Deliveries(call_function, patience).eventually(str(published.events[0].id))
        assert [each.data for each in delivered] == [{"n": 1}]

    def test_an_unsafe_call_goes_nowhere_else_when_its_answer_is_lost(
        self, put: Put, faults: Faults, names: list[str], runs: Runs
    ) -> None:
        """It may have run, and did."""
        with faults.lose_answers(ALL):
            result = put(invoke(COUNT, runs.payload))
        assert result.outcome is Outcome.AMBIGUOUS
        assert [each.target for each in result.attempts] == names[:1]
        assert runs.count() == 1

    def test_an_idempotent_call_goes_on_when_its_answer_is_lost(
        self, put: Put, faults: Faults, names: list[str], runs: Runs
    ) -> None:
        """The second target answers it, and each attempt has run."""
        with faults.lose_answers(ALL):
            result = put(invoke(COUNT, runs.payload, Effect.IDEMPOTENT))
        *lost, served = result.attempts
        assert {(each.target, each.outcome) for each in lost} == {(names[0], Outcome.AMBIGUOUS)}
        assert (served.target, served.outcome) == (names[1], Outcome.OK)
        assert result.value == len(result.attempts)

    def test_an_event_goes_on_under_its_id_when_its_answer_is_lost(
        self, put: Put, faults: Faults, names: list[str], deliveries: Deliveries
    ) -> None:
        """Both targets deliver it, and consumers recognise the copy."""
        call = publish(Event(EVENT, {"n": 1}))
        with faults.lose_answers(ALL):
            result = put(call)
        assert (result.target, result.outcome) == (names[1], Outcome.OK)
        copies = deliveries.eventually(str(call.events[0].id), len(result.attempts))
        assert len(copies) >= 2
        assert {each.source for each in copies} == {call.events[0].source}

    @each_refusal
    def test_data_stays_at_home(
        self, put: Put, faults: Faults, names: list[str], refusal: RefusalKind
    ) -> None:
        """What its home cannot do, no other target does."""
        key = fresh("item")
        assert put(store({"id": key, "n": 1})).target == names[0]
        for call in (store({"id": key, "n": 2}), load(key), delete(key)):
            with refusal.begin(faults):
                result = put(call)
            refusal.check(result)
            assert {each.target for each in result.attempts} == {names[0]}
        kept = put(load(key)).value
        assert kept is not None
        assert kept.item["n"] == 1

    def test_data_that_lives_elsewhere_is_served_while_the_first_target_is_down(
        self, drivers: list[Driver], faults: Faults, names: list[str]
    ) -> None:
        """Where data lives says nothing about the order, nor the other way round."""
        driver = FailoverDriver(drivers, home=names[1], clock=FakeClock())
        key = fresh("item")
        with faults.refuse():
            results = [driver.perform(call, SECONDS) for call in (store({"id": key}), load(key))]
        assert {(each.target, each.outcome) for each in results} == {(names[1], Outcome.OK)}
