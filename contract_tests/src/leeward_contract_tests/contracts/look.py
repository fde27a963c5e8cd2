"""The contract of looking: what is there is told without any effect, by looks and by the probe."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from leeward import Outcome
from leeward.adapter import Capability, Driver
from leeward.calls import Call, Key, ListObjects, Load, Look, LookResult, Result
from leeward.calls.looks import BUCKET, BUS, FUNCTION, QUEUE, TABLE, LookVerb
from leeward.testing import FaultyDriver
from leeward.values import Event
from leeward_contract_tests import fixtures
from leeward_contract_tests.contracts.base import Contract
from leeward_contract_tests.contracts.calls import SECONDS, enqueue, fresh, invoke, publish

FURTHEST: Final = 3600.0
"""Seconds that the clock of a cloud may be off: more than any is, less than a time zone."""

FIDELITIES: Final = ("data_plane", "control_plane")


class Kind(NamedTuple):
    """A kind of thing that can be looked for, and the names of those that are there."""

    capability: Capability
    verb: LookVerb
    there: tuple[Look, ...]


KINDS: Final = (
    Kind(
        Capability.INVOKE,
        FUNCTION,
        tuple(Look(name, FUNCTION) for name in (fixtures.ECHO, fixtures.FAIL, fixtures.SLOW)),
    ),
    Kind(Capability.ENQUEUE, QUEUE, (Look(fixtures.ECHO, QUEUE),)),
    Kind(Capability.PUBLISH, BUS, (Look(fixtures.EVENTS, BUS),)),
    Kind(Capability.TABLES, TABLE, (Look(fixtures.ITEMS, TABLE),)),
    Kind(Capability.COMPOSITE_KEYS, TABLE, (Look(fixtures.PAIRS, TABLE, fixtures.PAIR),)),
    Kind(Capability.OBJECTS, BUCKET, (Look(fixtures.BUCKET, BUCKET),)),
)
"""A function that raises, and one that needs a payload, are there as well: they are not called."""

CALLS: Final[Mapping[str, Callable[[str], Call]]] = {
    FUNCTION: lambda name: invoke(name, None),
    QUEUE: lambda name: enqueue(name, None),
    BUS: lambda name: publish(Event("contract.absent"))._replace(bus=name),
    TABLE: lambda name: Load(name, Key(("id",), ("absent",))),
    BUCKET: ListObjects,
}
"""What a thing of each kind that is there can be called with."""


class LookContract(Contract):
    """Find what is there, miss what is not, and change nothing."""

    def test_what_is_there_is_seen(self, recorder: FaultyDriver) -> None:
        """Answer OK with a `LookResult`: it is there, or it says why nobody can tell."""
        looks = [
            look
            for kind in KINDS
            if kind.capability in recorder.capabilities
            for look in kind.there
        ]
        for look in looks:
            seen = _check_seen(recorder.look(look, SECONDS), look)
            assert seen.there is not False, look
            assert seen.there or seen.why, f"{look}: give the reason why nobody can tell"
            if seen.time is not None:
                assert abs(seen.time - time.time()) < FURTHEST, f"{look}: Unix seconds"

    def test_what_is_absent_is_not_seen(self, recorder: FaultyDriver) -> None:
        """Answer NOT_FOUND, or that nobody can tell; "there" only if a call makes it."""
        for kind in KINDS:
            absent = Look(fresh("absent"), kind.verb)
            if kind.capability not in recorder.capabilities:
                continue
            result = recorder.look(absent, SECONDS)
            if result.outcome is Outcome.NOT_FOUND:
                continue
            if _check_seen(result, absent).there:
                recorded = recorder.perform(CALLS[kind.verb](absent.name), SECONDS)
                assert recorded.outcome is Outcome.OK, f"{absent} is not there: {recorded.outcome}"

    def test_the_probe_answers(self, driver: Driver) -> None:
        """Answer OK, where a fidelity is declared, however often; nothing to see where none is."""
        fidelity = getattr(driver, "probe_fidelity", None)
        assert fidelity in (None, *FIDELITIES)
        if fidelity is not None:
            assert {driver.probe(SECONDS).outcome for _ in range(3)} == {Outcome.OK}


def _check_seen(result: Result[Any], look: Look) -> LookResult:
    assert result.outcome is Outcome.OK, f"{look}: {result}"
    assert isinstance(result.value, LookResult), f"{look}: the value of OK is a LookResult"
    return result.value
