"""Each answer of Nimbus, and each exception of requests, has one outcome."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from responses import RequestsMock
from urllib3 import PoolManager
from urllib3.connection import HTTPConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
)

from leeward.calls import Invoke, Key, Load, Publish, Result, Store
from leeward.errors import Outcome
from leeward.values import Event
from leeward_nimbus import NimbusDriver

from .conftest import URL

INVOKE = Invoke("f", b'{"n": 1}', "the-key")
LOAD = Load("t", Key(("id",), ("k",)))
STORE = Store("t", Key(("id",), ("k",)), {"id": "k"}, "w", 0.0)
F = f"{URL}/functions/f"
ITEM = f"{URL}/tables/t/k"

CONNECTION = HTTPConnection("nimbus.example")


@pytest.fixture
def nimbus() -> Iterator[RequestsMock]:
    """Return a Nimbus that answers as told."""
    with RequestsMock() as mock:
        yield mock


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (400, Outcome.CALLER),
        (401, Outcome.AUTH),
        (402, Outcome.UNUSABLE),
        (403, Outcome.AUTH),
        (404, Outcome.NOT_FOUND),
        (412, Outcome.CONFLICT),
        (413, Outcome.CALLER),
        (424, Outcome.APP_ERROR),
        (429, Outcome.REJECTED),
        (201, Outcome.AMBIGUOUS),
        (307, Outcome.AMBIGUOUS),
        (408, Outcome.AMBIGUOUS),
        (500, Outcome.AMBIGUOUS),
        (502, Outcome.AMBIGUOUS),
        (503, Outcome.AMBIGUOUS),
    ],
)
def test_a_status(
    nimbus: RequestsMock, driver: NimbusDriver, status: int, outcome: Outcome
) -> None:
    """What Nimbus documents has an outcome of its own; everything else is AMBIGUOUS."""
    said = {"code": "a_code", "message": "a message"}
    nimbus.post(F, status=status, json=said, headers={"Nimbus-Request": "r-1"})
    result = driver.perform(INVOKE, 5.0)
    assert (result.outcome, result.code, result.message) == (outcome, "a_code", "a message")
    assert result.request_id == "r-1"


@pytest.mark.parametrize("status", [401, 404, 429, 502])
def test_an_answer_that_is_not_from_nimbus(
    nimbus: RequestsMock, driver: NimbusDriver, status: int
) -> None:
    """A page that something in between has made proves nothing, whatever its status."""
    nimbus.post(F, status=status, body="<html>Sorry</html>")
    result = driver.perform(INVOKE, 5.0)
    assert (result.outcome, result.code) == (Outcome.AMBIGUOUS, f"http_{status}")
    assert result.executed is None


@pytest.mark.parametrize("body", ["", '{"trunc', "<html>"])
def test_a_good_answer_that_cannot_be_read(
    nimbus: RequestsMock, driver: NimbusDriver, body: str
) -> None:
    """A status of success without a usable answer means that it ran, and the rest is lost."""
    nimbus.post(F, body=body)
    result = driver.perform(INVOKE, 5.0)
    assert (result.outcome, result.executed, result.value) == (Outcome.AMBIGUOUS, True, None)


@pytest.mark.parametrize("said", [{}, [], {"revision_of": 1}, "1"])
def test_a_good_answer_without_what_it_should_hold(
    nimbus: RequestsMock, driver: NimbusDriver, said: Any
) -> None:
    """A store without a revision may have stored, and is not reported as if it had."""
    nimbus.put(ITEM, json=said)
    result = driver.perform(STORE, 5.0)
    assert (result.outcome, result.executed, result.value) == (Outcome.AMBIGUOUS, True, None)


def _never_connected(reason: Exception) -> requests.ConnectionError:
    return requests.ConnectionError(MaxRetryError(PoolManager(), F, reason))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        (
            _never_connected(NewConnectionError(CONNECTION, "refused")),
            Outcome.NOT_SENT,
            "NewConnectionError",
        ),
        (
            _never_connected(NameResolutionError("nimbus.example", CONNECTION, OSError())),  # type: ignore[arg-type]
            Outcome.NOT_SENT,
            "NameResolutionError",
        ),
        (
            _never_connected(ConnectTimeoutError()),
            Outcome.NOT_SENT,
            "ConnectTimeoutError",
        ),
        (
            _never_connected(ReadTimeoutError(PoolManager(), F, "slow")),  # type: ignore[arg-type]
            Outcome.AMBIGUOUS,
            "ReadTimeoutError",
        ),
        (requests.ReadTimeout(), Outcome.AMBIGUOUS, "ReadTimeout"),
        (requests.ConnectionError("aborted"), Outcome.AMBIGUOUS, "ConnectionError"),
        (requests.exceptions.SSLError("bad record"), Outcome.AMBIGUOUS, "SSLError"),
        (
            requests.exceptions.ChunkedEncodingError("cut"),
            Outcome.AMBIGUOUS,
            "ChunkedEncodingError",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_an_exception(
    nimbus: RequestsMock,
    driver: NimbusDriver,
    error: requests.RequestException,
    outcome: Outcome,
    code: str,
) -> None:
    """Only a connection that never was proves that nothing ran; the native error is the cause."""
    nimbus.post(F, body=error)
    result = driver.perform(INVOKE, 5.0)
    assert (result.outcome, result.code, result.cause) == (outcome, code, error)


def test_a_function_that_raised(nimbus: RequestsMock, driver: NimbusDriver) -> None:
    """What the function raised is told as its fault."""
    error = {"type": "ValueError", "message": "no such order"}
    nimbus.post(F, status=424, json={"code": "function_failed", "message": "m", "error": error})
    fault = driver.perform(INVOKE, 5.0).fault
    assert fault is not None
    assert (fault.type, fault.message) == ("ValueError", "no such order")


def test_the_wait_that_nimbus_asks_for(nimbus: RequestsMock, driver: NimbusDriver) -> None:
    """A throttled call tells for how long."""
    said = {"code": "too_many_requests", "message": "m", "retry_after": 2.5}
    nimbus.post(F, status=429, json=said)
    assert driver.perform(INVOKE, 5.0).retry_after == 2.5


def test_events_that_were_refused_one_by_one(nimbus: RequestsMock, driver: NimbusDriver) -> None:
    """Each event of a request has its own outcome, in order."""
    nimbus.post(f"{URL}/buses/b", json={"statuses": [200, 413, 599]})
    events = tuple(Event("t", id=str(n), source="s") for n in range(3))
    result = driver.perform(Publish("b", events), 5.0)
    assert [each.outcome for each in result.value or ()] == [
        Outcome.OK,
        Outcome.CALLER,
        Outcome.AMBIGUOUS,
    ]


def test_an_absent_item_and_an_absent_table(nimbus: RequestsMock, driver: NimbusDriver) -> None:
    """No item is OK, with None; no table is NOT_FOUND."""
    nimbus.get(ITEM, body="null")
    said = {"code": "not_here", "message": "m"}
    nimbus.get(ITEM, status=404, json=said, headers={"Nimbus-Request": "r-1"})
    results: list[Result[Any]] = [driver.perform(LOAD, 5.0) for _ in range(2)]
    assert [(each.outcome, each.value) for each in results] == [
        (Outcome.OK, None),
        (Outcome.NOT_FOUND, None),
    ]
