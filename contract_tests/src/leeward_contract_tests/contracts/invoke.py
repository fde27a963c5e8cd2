"""The contract of `invoke`: a function is called once, and its answer or its error comes back."""

from __future__ import annotations

import json

import pytest

from leeward import Client, FunctionError, NotFound, Outcome, PayloadTooLarge
from leeward.adapter import Capability, Driver
from leeward.testing import FaultyDriver
from leeward.values import Json
from leeward_contract_tests.contracts.base import Contract
from leeward_contract_tests.contracts.calls import SECONDS, invoke
from leeward_contract_tests.contracts.capabilities import needs
from leeward_contract_tests.contracts.observations import Runs
from leeward_contract_tests.fixtures import ABSENT, COUNT, ECHO, FAIL

PAYLOADS: dict[str, Json] = {
    "null": None,
    "true": True,
    "an integer": 2**53 - 1,
    "a fraction": -0.125,
    "a text": 'caf\u00e9 \U0001f9ca \u2028 "quoted" \\ \x00',
    "an empty text": "",
    "an empty list": [],
    "an empty object": {},
    "nested": {"list": [1, "1", None, {"": [[]]}], "object": {"a b": {"c/d": False}}},
}


class InvokeContract(Contract):
    """Call a function, wait for its answer, and say honestly how that went."""

    @needs(Capability.INVOKE)
    def test_invoke_gives_the_answer(self, client: Client, subtests: pytest.Subtests) -> None:
        """Carry payload and answer as JSON, whatever its kind."""
        for kind, payload in PAYLOADS.items():
            with subtests.test(kind):
                assert client.invoke(ECHO, payload).value == payload

    @needs(Capability.INVOKE)
    def test_invoke_tells_how_it_went(self, client: Client, driver: Driver) -> None:
        """Name the target, list the one attempt, and keep the idempotency key that was given."""
        result = client.invoke(ECHO, idempotency_key="key-of-the-contract")
        (attempt,) = result.attempts
        assert (result.target, attempt.target) == (driver.target, driver.target)
        assert attempt.outcome is Outcome.OK
        assert result.idempotency_key == "key-of-the-contract"

    @needs(Capability.INVOKE)
    def test_invoke_runs_the_function_once(self, client: Client, runs: Runs) -> None:
        """Run the function once for each call, and give this run's own answer."""
        answers = [client.invoke(COUNT, runs.payload).value for _ in range(3)]
        assert answers == [1, 2, 3]

    @needs(Capability.INVOKE)
    def test_invoke_raises_what_the_function_raised(self, client: Client, driver: Driver) -> None:
        """Distinguish a function's own error from an answer and from a fault of the cloud."""
        with pytest.raises(FunctionError) as raised:
            client.invoke(FAIL, {"any": "payload"})
        assert raised.value.target == driver.target

    @needs(Capability.INVOKE)
    def test_invoke_does_not_repeat_a_function_that_raised(self, client: Client) -> None:
        """Send a call whose function raised no second time, even where that is harmless."""
        with pytest.raises(FunctionError) as raised:
            client.invoke(FAIL, effect="idempotent")
        assert [attempt.outcome for attempt in raised.value.attempts] == [Outcome.APP_ERROR]

    @needs(Capability.INVOKE)
    def test_invoke_reports_the_function_error_itself(self, driver: Driver) -> None:
        """Report a function's error as APP_ERROR, without a value."""
        result = driver.perform(invoke(FAIL, {}), SECONDS)
        assert (result.outcome, result.value) == (Outcome.APP_ERROR, None)

    @needs(Capability.INVOKE)
    def test_invoke_knows_an_absent_function(self, client: Client) -> None:
        """Report a function that is not there as NOT_FOUND, after one attempt."""
        with pytest.raises(NotFound) as raised:
            client.invoke(ABSENT)
        assert [attempt.outcome for attempt in raised.value.attempts] == [Outcome.NOT_FOUND]

    @needs(Capability.INVOKE)
    def test_invoke_takes_a_payload_of_the_declared_size(
        self, client: Client, driver: Driver, runs: Runs
    ) -> None:
        """Accept a payload exactly as large as the declared limit."""
        payload = _pad(runs.payload, driver.limits.payload_bytes)
        assert client.invoke(COUNT, payload).value == 1

    @needs(Capability.INVOKE)
    def test_invoke_refuses_a_larger_payload_unsent(
        self, client: Client, driver: Driver, recorder: FaultyDriver, runs: Runs
    ) -> None:
        """Refuse a payload of one byte more before the driver sees it."""
        with pytest.raises(PayloadTooLarge):
            client.invoke(COUNT, _pad(runs.payload, driver.limits.payload_bytes + 1))
        assert recorder.calls == []


def _pad(payload: Json, size: int) -> Json:
    """Return `payload` with a text that makes it `size` bytes of JSON."""
    bare = len(json.dumps({**payload, "padding": ""}, separators=(",", ":")))
    return {**payload, "padding": "x" * (size - bare)}
