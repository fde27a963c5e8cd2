"""What a target says of a key counts for the attempts that it knows of."""

from __future__ import annotations

from typing import Any

import pytest

from leeward import AllTargetsUnavailable, Client, Config, OutcomeUnknown
from leeward.calls import Result
from leeward.config import FunctionConfig
from leeward.envelope import BY_GROUP, BY_TARGET, VOIDED
from leeward.errors import Outcome
from leeward.testing import FakeClock
from leeward.values import Effect, FunctionFault
from tests.scripted import AMBIGUOUS, Scripted

SHARED = FunctionConfig(Effect.KEYED, shared_dedup=("a", "b"), on_unknown="settle")


def not_run(dedup: str) -> Result[Any]:
    """Return the answer of a function that has settled a key."""
    return Result.ok({"key": "k", "verdict": "not_run", "voids": 1}, dedup=dedup)


def voided(dedup: str) -> Result[Any]:
    """Return the refusal of a call whose key was settled before."""
    fault = FunctionFault(reason=VOIDED, ran="no", voids=1)
    return Result(Outcome.REJECTED, reason=VOIDED, fault=fault, dedup=dedup)


def invoke(first: Scripted, second: Scripted) -> Any:
    """Call a function that is declared to recognise keys for both targets."""
    config = Config(functions={"pay": SHARED})
    with Client([first, second], config=config, clock=FakeClock()) as client:
        return client.invoke("pay", idempotency_key="k", timeout=5).value


def test_a_target_that_knows_all_keys_settles_for_all() -> None:
    """All attempts were lost, and nothing has run anywhere."""
    first = Scripted("a", *[AMBIGUOUS] * 2, *[not_run(BY_GROUP)] * 9)
    second = Scripted("b", *[AMBIGUOUS] * 2, *[not_run(BY_GROUP)] * 9)
    with pytest.raises(AllTargetsUnavailable, match="did not run"):
        invoke(first, second)


def test_a_target_that_knows_its_own_keys_settles_for_itself() -> None:
    """The other one may have run it."""
    first = Scripted("a", *[AMBIGUOUS] * 2, *[not_run(BY_TARGET)] * 9)
    second = Scripted("b", *[AMBIGUOUS] * 2, *[not_run(BY_TARGET)] * 9)
    with pytest.raises(OutcomeUnknown):
        invoke(first, second)


def test_so_does_one_that_refuses_a_void_key() -> None:
    """Its record is void; the first target may have run it all the same."""
    with pytest.raises(OutcomeUnknown):
        invoke(Scripted("a", *[AMBIGUOUS] * 9), Scripted("b", *[voided(BY_TARGET)] * 9))
    known = Scripted("b", voided(BY_GROUP), Result.ok("paid"))
    assert invoke(Scripted("a", *[AMBIGUOUS] * 2), known) == "paid"


@pytest.mark.parametrize("retry_after", [None, 0.0, 0.2])
def test_a_run_that_never_ends_is_asked_for_at_a_bounded_pace(retry_after: float | None) -> None:
    """Whatever the function says of when to ask again, and however little a clock resolves."""
    running = Result.ok({"key": "k", "verdict": "running", "retry_after": retry_after})
    first = Scripted("a", AMBIGUOUS, *[running] * 9_999)
    config = Config(functions={"pay": FunctionConfig(Effect.UNSAFE, on_unknown="settle")})
    with (
        Client([first], config=config, clock=FakeClock()) as client,
        pytest.raises(OutcomeUnknown),
    ):
        client.invoke("pay", idempotency_key="k", timeout=200)
    assert 2 <= len(first.calls) <= 4_000
