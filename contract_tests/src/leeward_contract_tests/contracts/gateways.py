"""Answers that are not the cloud's own: of a gateway, cut in half, a byte at a time.

The request did its work, and something on the way answers instead. What the cloud has documented is
proof only in the cloud's own answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

import pytest

from leeward import Client, Event, Outcome, OutcomeUnknown
from leeward.adapter import Capability, Driver
from leeward.adapter.wire import Response
from leeward.calls import Call, GetRun, StartRun
from leeward_contract_tests.contracts.base import Contract
from leeward_contract_tests.contracts.calls import (
    SECONDS,
    delete,
    enqueue,
    fresh,
    invoke,
    load,
    publish,
    put,
    start_run,
    store,
)
from leeward_contract_tests.contracts.capabilities import needs
from leeward_contract_tests.contracts.observations import CallFunction, Runs, Times
from leeward_contract_tests.faults import Faults
from leeward_contract_tests.fixtures import COUNT, DO_FAIL, ECHO
from leeward_contract_tests.rows import each_row

TABLES, CONDITIONS = Capability.TABLES, Capability.CONDITIONS
OBJECTS = Capability.OBJECTS
INVOKE, ENQUEUE, PUBLISH = Capability.INVOKE, Capability.ENQUEUE, Capability.PUBLISH

_BODIES: Final[Mapping[str, tuple[str, bytes]]] = {
    "HTML": ("text/html", b"<html><body><h1>Service Unavailable</h1></body></html>"),
    "half a JSON": ("application/json", b'{"code": "unavailable", "mess'),
    "foreign JSON": ("application/json", b'{"code": "unavailable", "message": "try again"}'),
}

GATEWAYS: Final[Mapping[str, Response]] = {
    f"{status} with {name}": Response(status, {"content-type": _BODIES[name][0]}, _BODIES[name][1])
    for status, name in (
        (500, "half a JSON"),
        (502, "HTML"),
        (503, "HTML"),
        (503, "half a JSON"),
        (503, "foreign JSON"),
        (504, "foreign JSON"),
        (429, "HTML"),
        (429, "foreign JSON"),
    )
}
"""What something between here and the cloud answers, which may have passed the request on."""

each_gateway = each_row("gateway", GATEWAYS)
"""Runs a test for each of them, each a subtest."""

EFFECTS: Final[Mapping[Capability, Callable[[], Call]]] = {
    ENQUEUE: lambda: enqueue(ECHO, 1),
    PUBLISH: lambda: publish(Event("contract.gateway")),
    TABLES: lambda: store({"id": fresh("item")}),
    CONDITIONS: lambda: store({"id": fresh("item")}, if_absent=True),
    Capability.EXPIRY: lambda: delete(fresh("item")),
    OBJECTS: lambda: put(fresh("object"), b"gateway"),
    Capability.WORKFLOWS: lambda: start_run(DO_FAIL),
}
"""A call with an effect, by what the driver has to declare for it."""


class GatewayContract(Contract):
    """Believe an answer only if it is the cloud's: others come when the work may be done."""

    @each_gateway
    @needs(INVOKE)
    def test_an_invoke_that_a_gateway_answers_is_ambiguous(
        self,
        driver: Driver,
        faults: Faults,
        call_function: CallFunction,
        patience: float,
        gateway: Response,
    ) -> None:
        """Report AMBIGUOUS for a function that ran, whatever a gateway says instead of it."""
        if not faults.on_wire:
            return
        runs = Runs(call_function, patience)
        with faults.change_answers(lambda _: gateway):
            result = driver.perform(invoke(COUNT, runs.payload), SECONDS)
        assert (result.outcome, result.value) == (Outcome.AMBIGUOUS, None)
        assert runs.count() == 1

    @each_gateway
    @needs(INVOKE)
    def test_an_unsafe_invoke_that_a_gateway_answers_is_left_alone(
        self,
        client: Client,
        faults: Faults,
        call_function: CallFunction,
        patience: float,
        gateway: Response,
    ) -> None:
        """Raise `OutcomeUnknown` for a call that is unsafe to repeat, which ran exactly once."""
        if not faults.on_wire:
            return
        runs = Runs(call_function, patience)
        with faults.change_answers(lambda _: gateway), pytest.raises(OutcomeUnknown):
            client.invoke(COUNT, runs.payload)
        assert runs.count() == 1

    def test_an_effect_that_a_gateway_answers_is_ambiguous(
        self, driver: Driver, faults: Faults, subtests: pytest.Subtests
    ) -> None:
        """Report AMBIGUOUS for every verb that changes something.

        Each has gone well once, so that what a driver has to look up before is known.
        """
        if not faults.on_wire:
            return
        for capability, call_of in EFFECTS.items():
            if self.undeclared.is_refused([capability]):
                continue
            assert driver.perform(call_of(), SECONDS).outcome is Outcome.OK
            for name in ("503 with HTML", "503 with foreign JSON", "429 with foreign JSON"):
                call, gateway = call_of(), GATEWAYS[name]
                with subtests.test(f"{call.verb}: {name}"):
                    with faults.change_answers(partial(_exchange, gateway)):
                        result = driver.perform(call, SECONDS)
                    if isinstance(call, StartRun) and result.outcome is Outcome.NOT_SENT:
                        # The answer to a look before the start was changed: nothing was started.
                        look = driver.perform(GetRun(call.workflow, call.run), SECONDS)
                        assert look.value is None
                        continue
                    assert (result.outcome, result.value) == (Outcome.AMBIGUOUS, None)

    @needs(INVOKE)
    def test_half_the_answer_of_a_function_proves_nothing(
        self, driver: Driver, faults: Faults
    ) -> None:
        """Report AMBIGUOUS for an answer whose body something on the way has cut in half."""
        if not faults.on_wire:
            return
        with faults.change_answers(_half):
            result = driver.perform(invoke(ECHO, {"text": "half of it"}), SECONDS)
        assert (result.outcome, result.value) == (Outcome.AMBIGUOUS, None)

    @needs(TABLES)
    def test_half_an_item_proves_nothing(self, driver: Driver, faults: Faults) -> None:
        """Report AMBIGUOUS, and never that nothing is there, for half an answer to a load."""
        if not faults.on_wire:
            return
        call = store({"id": fresh("item"), "text": "half of it"})
        assert driver.perform(call, SECONDS).outcome is Outcome.OK
        with faults.change_answers(_half):
            result = driver.perform(load(call.item["id"]), SECONDS)
        assert (result.outcome, result.value) == (Outcome.AMBIGUOUS, None)

    def test_an_answer_in_drops_ends_within_the_deadline(
        self, driver: Driver, faults: Faults
    ) -> None:
        """End every call in its time, however often a byte of the answer comes."""
        if not faults.on_wire:
            return
        every = {INVOKE: lambda: invoke(ECHO, "drop by drop"), **EFFECTS}
        calls = [call() for wants, call in every.items() if not self.undeclared.is_refused([wants])]
        for call in calls[1:]:
            driver.perform(call, SECONDS)  # what it has to look up before is known then
        times = Times.here(lambda: driver.perform(calls[0], SECONDS))

        def took(call: Call) -> float:
            began = time.monotonic()
            assert driver.perform(call, times.deadline).outcome is not Outcome.OK, call.verb
            return time.monotonic() - began

        with faults.drip_answers(times.deadline / 4), ThreadPoolExecutor(len(calls)) as pool:
            assert max(pool.map(took, calls)) < times.latest


def _exchange(gateway: Response, answer: Response) -> Response:
    """Return the answer of `gateway` for that of the cloud."""
    del answer
    return gateway


def _half(answer: Response) -> Response:
    """Return the answer with half its body."""
    return answer._replace(body=answer.body[: len(answer.body) // 2])
