"""The contract of failure: what is known, what is not known, and how long that takes."""

from __future__ import annotations

import time

import pytest

from leeward import Client, Outcome, OutcomeUnknown
from leeward.adapter import Capability, Driver
from leeward_contract_tests.contracts.calls import invoke
from leeward_contract_tests.contracts.capabilities import needs
from leeward_contract_tests.contracts.lost_answers import LostAnswersContract
from leeward_contract_tests.contracts.refused import RefusedContract
from leeward_contract_tests.fixtures import SLOW

DEADLINE = 0.3
TAKES = 3.0
LATEST = 2.0
"""Seconds: what a call is given, what its function takes, and by when it must have ended,
with much room for a busy machine."""


class FailureContract(LostAnswersContract, RefusedContract):
    """End every call that goes wrong with the one outcome that is true."""

    @needs(Capability.INVOKE)
    def test_a_function_slower_than_the_deadline_is_ambiguous(self, driver: Driver) -> None:
        """Report AMBIGUOUS within the deadline for a function that still runs."""
        began = time.monotonic()
        result = driver.perform(invoke(SLOW, {"seconds": TAKES}), DEADLINE)
        took = time.monotonic() - began
        assert (result.outcome, result.value) == (Outcome.AMBIGUOUS, None)
        assert took < LATEST

    @needs(Capability.INVOKE)
    def test_a_call_ends_within_its_deadline(self, client: Client, driver: Driver) -> None:
        """Let the client raise `OutcomeUnknown` within the deadline, and send nothing again."""
        began = time.monotonic()
        with pytest.raises(OutcomeUnknown) as raised:
            client.invoke(SLOW, {"seconds": TAKES}, timeout=DEADLINE)
        assert time.monotonic() - began < LATEST
        assert raised.value.target == driver.target
        assert [each.outcome for each in raised.value.attempts] == [Outcome.AMBIGUOUS]
