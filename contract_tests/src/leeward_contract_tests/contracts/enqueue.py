"""The contract of `enqueue`: a call that was accepted is made; there is no answer."""

from __future__ import annotations

import pytest

from leeward import Client, NotFound, Outcome, Promise
from leeward.adapter import Capability, Driver
from leeward_contract_tests.contracts.base import Contract
from leeward_contract_tests.contracts.calls import SECONDS, enqueue, fresh
from leeward_contract_tests.contracts.capabilities import needs
from leeward_contract_tests.contracts.observations import Runs
from leeward_contract_tests.fixtures import COUNT, FAIL


class EnqueueContract(Contract):
    """Queue a function call, and say OK as soon as it is accepted."""

    @needs(Capability.ENQUEUE)
    def test_enqueue_makes_the_call(self, client: Client, runs: Runs) -> None:
        """Run the function with the payload that was queued, at least once."""
        client.enqueue(COUNT, runs.payload)
        assert runs.eventually(1) >= 1

    @needs(Capability.ENQUEUE)
    def test_enqueue_makes_every_call(self, client: Client, runs: Runs) -> None:
        """Run the function for each of several calls that were accepted."""
        for _ in range(3):
            client.enqueue(COUNT, runs.payload)
        assert runs.eventually(3) >= 3

    @needs(Capability.ENQUEUE)
    def test_enqueue_tells_how_it_went(self, client: Client, driver: Driver) -> None:
        """Promise ACCEPTED and no more, name the target, and list the attempt."""
        receipt = client.enqueue(COUNT, {"name": fresh("unwatched")}, idempotency_key="the-key")
        (attempt,) = receipt.attempts
        assert (receipt.target, attempt.target) == (driver.target, driver.target)
        assert (receipt.promise, attempt.outcome) == (Promise.ACCEPTED, Outcome.OK)
        assert receipt.idempotency_key == "the-key"

    @needs(Capability.ENQUEUE)
    def test_enqueue_does_not_wait_for_the_function(self, driver: Driver) -> None:
        """Accept a call whose function will raise: that is not the caller's business any more."""
        result = driver.perform(enqueue(FAIL, {}), SECONDS)
        assert (result.outcome, result.value) == (Outcome.OK, None)

    @needs(Capability.ENQUEUE)
    def test_enqueue_knows_an_absent_function(self, client: Client) -> None:
        """Report a function that is not there as NOT_FOUND, and accept nothing for it."""
        with pytest.raises(NotFound) as raised:
            client.enqueue(fresh("no-such-function"))
        assert [attempt.outcome for attempt in raised.value.attempts] == [Outcome.NOT_FOUND]
