"""The contract of failure: what is known, what is not known, and how long that takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import pytest

from leeward import Client, Outcome, OutcomeUnknown
from leeward.adapter import Capability, Driver
from leeward_contract_tests.contracts.calls import SECONDS, invoke
from leeward_contract_tests.contracts.capabilities import needs
from leeward_contract_tests.contracts.lost_answers import LostAnswersContract
from leeward_contract_tests.contracts.refused import RefusedContract
from leeward_contract_tests.fixtures import SLOW


class Times(NamedTuple):
    """Seconds: what a call is given, by when it must have ended, and what its function takes."""

    deadline: float
    latest: float
    takes: float

    @classmethod
    def here(cls, call: Callable[[], object]) -> Times:
        """Return times for this machine, as busy as it is, by what `call` takes.

        Made once before it is measured: by then the function's address, its credential and a
        connection are there.
        """
        call()
        began = time.monotonic()
        call()
        usual = time.monotonic() - began
        deadline = max(0.3, 5 * usual)
        latest = deadline + max(1.7, 10 * usual)
        return cls(deadline, latest, latest + 1.0)


class FailureContract(LostAnswersContract, RefusedContract):
    """End every call that goes wrong with the one outcome that is true."""

    @needs(Capability.INVOKE)
    def test_a_function_slower_than_the_deadline_is_ambiguous(self, driver: Driver) -> None:
        """Report AMBIGUOUS within the deadline for a function that still runs."""
        times = Times.here(lambda: driver.perform(invoke(SLOW, {"seconds": 0}), SECONDS))
        began = time.monotonic()
        result = driver.perform(invoke(SLOW, {"seconds": times.takes}), times.deadline)
        took = time.monotonic() - began
        assert (result.outcome, result.value) == (Outcome.AMBIGUOUS, None)
        assert took < times.latest

    @needs(Capability.INVOKE)
    def test_a_call_ends_within_its_deadline(self, client: Client, driver: Driver) -> None:
        """Let the client raise `OutcomeUnknown` within the deadline, and send nothing again."""
        times = Times.here(lambda: client.invoke(SLOW, {"seconds": 0}))
        began = time.monotonic()
        with pytest.raises(OutcomeUnknown) as raised:
            client.invoke(SLOW, {"seconds": times.takes}, timeout=times.deadline)
        assert time.monotonic() - began < times.latest
        assert raised.value.target == driver.target
        assert [each.outcome for each in raised.value.attempts] == [Outcome.AMBIGUOUS]
