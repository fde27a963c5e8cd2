"""What an exception tells: codes, ids and what to do. Everything else stays in its cause."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from leeward import CallError, Client, Config, LeewardError
from leeward.calls import FunctionFault, Result
from leeward.config import TableConfig
from leeward.errors import Outcome
from leeward_contract_tests.rows import each_row
from tests.scripted import Scripted
from tests.security.test_canaries import CANARY

pytestmark = pytest.mark.threat("S23")

TOLD = """
LOCAL Overloaded
    was refused on this side before anything was sent (E42). It did not run. Call again later,
    or with fewer calls at once.
NOT_SENT TargetUnavailable
    could not be sent: the target cannot be reached (E42). It did not run; calling again is
    safe.
REJECTED Throttled
    was refused by the target before it ran (E42). Calling again later is safe.
UNUSABLE TargetUnusable
    was refused by the target for a reason that lasts (E42). It did not run. Remove the cause:
    the account, a quota, or a setting of the target.
AMBIGUOUS OutcomeUnknown
    may have run, or not (E42). It is unsafe to repeat, so leeward did not. Find out what
    happened before calling again (idempotency key k1).
APP_ERROR FunctionError
    reached the function, which raised; it may have had an effect (E42: ValueError). No other
    target was tried: find out what it has done before calling again.
CALLER InvalidRequest
    was refused because the request is wrong (E42). It did not run; correct the request.
AUTH AuthError
    was refused: the identity or its permissions are not accepted (E42). It did not run; check
    credentials and permissions.
NOT_FOUND NotFound
    named something that does not exist (E42). It did not run; check the name, and `names` in
    leeward.toml.
CONFLICT Conflict
    found that its condition does not hold (E42). Nothing was changed; load the item and decide
    again.
"""
"""The class and the whole message of every outcome but success: a snapshot, to be changed on
purpose. Nothing of a cause, a value, a payload or a stack is in it."""


def told(outcome: Outcome) -> tuple[str, str]:
    """Give the class and the message that the snapshot has."""
    (found,) = re.finditer(rf"(?m)^{outcome.name} (\w+)\n((?: .*\n)+)", TOLD)
    return found[1], " ".join(found[2].split())


def failed(outcome: Outcome) -> CallError:
    """Give the exception of a call to a driver that hands over as much as it can."""
    told: Result[Any] = Result(
        outcome,
        CANARY,
        code="E42",
        request_id="r1",
        fault=FunctionFault("ValueError", CANARY, ()) if outcome is Outcome.APP_ERROR else None,
        cause=OSError(CANARY),
    )
    driver = Scripted("fake", *[told] * 5)
    with Client(driver, config=Config()) as client, pytest.raises(CallError) as caught:
        client.invoke("send", {"a": CANARY}, idempotency_key="k1")
    return caught.value


@each_row("outcome", [each for each in Outcome if each is not Outcome.OK])
def test_the_message_of_every_outcome_is_this(outcome: Outcome) -> None:
    """Word for word; the native error is its cause, and nothing else is told."""
    error = failed(outcome)
    kind, message = told(outcome)
    assert (type(error).__name__, str(error)) == (kind, f"invoke 'send' on fake {message}")
    assert repr(error.__cause__) == f"OSError('{CANARY}')"
    assert CANARY not in f"{error} {error!r} {vars(error)} {error.attempts}"
    public = set(vars(error)) - {"_said"}
    common = {"target", "attempts", "code", "reason", "retry_after"}
    own = {
        "call",
        "field",
        "error_type",
        "trace",
        "ran",
        "retryable",
        "idempotency_key",
        "executed",
    }
    assert public - common <= own
    assert (error.target, error.code) == ("fake", "E42")
    assert [each.request_id for each in error.attempts] == ["r1"] * len(error.attempts) != []


def test_an_error_of_data_names_no_key_and_no_value() -> None:
    """The table is named, and not what was looked for."""
    told: Result[Any] = Result(Outcome.AMBIGUOUS, cause=OSError(CANARY))
    config = Config(tables={"orders": TableConfig()})
    doors: tuple[Callable[[Client], object], ...] = (
        lambda c: c.store_data("orders", {"id": CANARY, "a": CANARY}),
        lambda c: c.load_data("orders", CANARY),
        lambda c: c.delete_data("orders", CANARY),
    )
    for do in doors:
        driver = Scripted("fake", *[told] * 9)
        with Client(driver, config=config) as client, pytest.raises(LeewardError) as caught:
            do(client)
        assert "'orders' on fake" in str(caught.value)
        assert CANARY not in f"{caught.value} {caught.value!r} {vars(caught.value)}"
