"""`settle` by the error of a write, an event, a queued call or a start: what is asked, and told."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from leeward import (
    AsyncClient,
    AuthError,
    CallError,
    Client,
    Conflict,
    Event,
    InvalidRequest,
    OutcomeUnknown,
    Settled,
    Verdict,
)
from leeward.adapter import Capability
from leeward.calls import (
    Call,
    Delete,
    DeleteObject,
    Enqueue,
    FoundObject,
    FoundRun,
    GetRun,
    HeadObject,
    Key,
    Load,
    Publish,
    PutObject,
    Result,
    SettleWrite,
    StartRun,
    Store,
    Stored,
)
from leeward.entropy import new_id
from leeward.errors import Attempt, Outcome
from leeward.testing import FakeClock, Fault, FaultyDriver
from leeward.values import Effect, FunctionFault
from leeward_contract_tests.rows import each_row
from tests.contract.clouds import local_cloud
from tests.scripted import AMBIGUOUS, AUTH, CONFLICT, Scripted

NOW = FakeClock().now()
OWN, OLDER, NEWER = new_id(NOW), new_id(NOW - 61), new_id(NOW - 59)
KEY = Key(("id",), ("1",))
STORE = Store("t", KEY, {"id": "1"}, OWN, NOW)
DELETE = Delete("t", KEY, NOW, write_id=OWN)
PUT = PutObject("b", "n", b"", "", OWN)
CLOUD = frozenset(Capability) - {Capability.SETTLING}
EVENT = Event("order.created", 1, "1", "tests", datetime.fromtimestamp(NOW, UTC))
EVENTS = Publish("bus", (EVENT, EVENT._replace(id="2")))
START = StartRun("flow", "run-1", b'{"a": 1}', "digest", repeatable=True)
QUEUED = Enqueue("f", b"1", "key-1", Effect.KEYED, sent=NOW)
RUN = FoundRun("running", b'{"a":1}', NOW)


def lost(call: Call, target: str = "a") -> OutcomeUnknown:
    """Make the error of a call whose answer was lost."""
    attempt = Attempt(target, 0.0, 0.1, Outcome.AMBIGUOUS)
    error = OutcomeUnknown("lost", target=target, attempts=(attempt,))
    error.call = call
    return error


def settled(
    call: Call, *script: Any, capabilities: frozenset[Capability] = CLOUD
) -> tuple[Settled, list[Call]]:
    """Settle a call that was lost; return what that found, and what the target was asked."""
    driver = Scripted("a", *script, capabilities=capabilities)
    with Client(driver, clock=FakeClock()) as client:
        return client.settle(lost(call)), driver.calls


def item(id: str | None, revision: str = "r", **options: Any) -> Result[Any]:
    """An item as a look finds it."""
    return Result.ok(Stored({"id": "1"}, revision, id, **options))


def object_of(id: str | None, revision: str = "r") -> Result[Any]:
    """An object as a look finds it."""
    return Result.ok(FoundObject("n", 0, revision, id))


NOTHING: Result[Any] = Result.ok(None)
STORED: Result[Any] = Result.ok("r-2")


@each_row(
    "call, there, reason",
    [
        (STORE, item(OWN), "write_id"),
        (STORE, item(OWN, foreign=True), "write_id"),
        (STORE._replace(if_absent=True), item(OWN), "write_id"),
        (STORE._replace(if_revision="r-0"), item(OWN), "write_id"),
        (DELETE, NOTHING, "gone"),
        (DELETE, item(None, expires_at=NOW), "gone"),
        (PUT, object_of(OWN), "write_id"),
        (DeleteObject("b", "n", OWN), NOTHING, "gone"),
    ],
)
def test_a_trace_is_enough(call: Any, there: Result[Any], reason: str) -> None:
    """One look, and nothing is sent again; a write has the revision that is there."""
    found, asked = settled(call, there)
    revision = there.value.revision if there.value and reason == "write_id" else None
    assert found == Settled(Verdict.RAN, revision, reason, target="a")
    look = HeadObject("b", "n") if call.verb.endswith("_object") else Load("t", KEY)
    assert asked == [look]


@each_row(
    "call, there, again",
    [
        (STORE, NOTHING, {"if_absent": True}),
        (STORE, item(OLDER), {"if_revision": "r"}),
        (STORE, item(NEWER, expires_at=NOW), {"if_absent": True}),
        (STORE._replace(if_absent=True), NOTHING, {}),
        (STORE._replace(if_revision="r"), item(None), {}),
        (STORE._replace(if_revision="r"), item(NEWER), {}),
        (DELETE, item(OLDER), {"if_revision": "r"}),
        (DELETE._replace(if_revision="r"), item(NEWER), {}),
        (PUT, NOTHING, {"if_absent": True}),
        (PUT, object_of(OLDER), {"if_revision": "r"}),
        (PUT._replace(if_absent=True), NOTHING, {}),
        (PUT._replace(if_revision="r"), object_of(None), {}),
    ],
)
def test_it_is_sent_again_where_that_replaces_nothing_else(
    call: Any, there: Result[Any], again: dict[str, Any]
) -> None:
    """Under its own id, and under a condition on what the look has shown."""
    answer = NOTHING if call.verb == "delete" else STORED
    found, asked = settled(call, there, answer)
    assert found == Settled(Verdict.RAN, answer.value, "sent_again", target="a")
    assert asked[1:] == [call._replace(**again)]


@each_row(
    "call, there, reason",
    [
        (STORE, item(NEWER), "overwritten"),
        (STORE, item(None), "overwritten"),
        (STORE, item(OLDER, foreign=True), "overwritten"),
        (STORE._replace(write_id="theirs"), item(OLDER), "overwritten"),
        (STORE._replace(if_absent=True), item(OLDER), "overwritten"),
        (STORE._replace(if_revision="r-0"), item(OLDER), "overwritten"),
        (STORE._replace(if_revision="r-0"), NOTHING, "gone"),
        (STORE._replace(if_revision="r"), item(OLDER, expires_at=NOW), "gone"),
        (STORE._replace(expires_at=NOW), NOTHING, "expired"),
        (DELETE, item(NEWER), "overwritten"),
        (DELETE, item(OLDER, foreign=True), "overwritten"),
        (DELETE._replace(if_revision="r-0"), item(OLDER), "overwritten"),
        (DELETE._replace(if_revision="r-0"), NOTHING, "gone"),
        (PUT, object_of(NEWER), "overwritten"),
        (PUT, object_of(None), "overwritten"),
        (PUT._replace(if_absent=True), object_of(OLDER), "overwritten"),
        (PUT._replace(if_revision="r-0"), object_of(OLDER), "overwritten"),
        (PUT._replace(if_revision="r-0"), NOTHING, "gone"),
        (DeleteObject("b", "n", OWN), object_of(OLDER), "still_there"),
    ],
)
def test_what_cannot_be_decided_stays_unknown(call: Any, there: Result[Any], reason: str) -> None:
    """Nothing is sent, and the reason is one that the page has."""
    found, asked = settled(call, there)
    assert found == Settled(Verdict.UNKNOWN, reason=reason, target="a")
    assert len(asked) == 1


def test_a_race_is_looked_at_again() -> None:
    """Its own late request has won, or somebody else's."""
    found, asked = settled(STORE, NOTHING, CONFLICT, item(OWN, "r-1"))
    assert found == Settled(Verdict.RAN, "r-1", "write_id", target="a")
    assert [each.verb for each in asked] == ["load", "store", "load"]
    assert settled(STORE, NOTHING, CONFLICT, item(new_id(NOW)))[0].reason == "overwritten"


def test_without_conditions_nothing_is_sent_again() -> None:
    """It could replace what is newer."""
    capabilities = CLOUD - {Capability.CONDITIONS}
    found, asked = settled(STORE, NOTHING, capabilities=capabilities)
    assert (found.verdict, found.reason) == (Verdict.UNKNOWN, "no_conditions")
    assert len(asked) == 1


def test_a_target_that_settles_writes_is_asked_once() -> None:
    """Its word is final."""
    answer = Settled(Verdict.NOT_RUN, reason="voided")
    capabilities = frozenset(Capability)
    found, asked = settled(DELETE, Result.ok(answer), capabilities=capabilities)
    assert found == answer._replace(target="a")
    assert asked == [SettleWrite("t", DELETE)]


@each_row("call", [STORE, EVENTS, START, QUEUED])
def test_what_cannot_be_reached_stays_unknown(call: Any) -> None:
    """It is asked until the time is over."""
    driver = FaultyDriver(Scripted("a", capabilities=CLOUD))
    driver.fail(Fault.REFUSE)
    clock = FakeClock()
    with Client(driver, clock=clock) as client:
        found = client.settle(lost(call), timeout=20.0)
    assert (found.verdict, found.reason) == (Verdict.UNKNOWN, "unreachable")
    assert 10.0 < clock.monotonic() <= 20.0


@each_row("call", [STORE, EVENTS, START])
def test_a_refused_question_is_raised(call: Any) -> None:
    """Asking again would not help."""
    with pytest.raises(AuthError):
        settled(call, AUTH)


@each_row("call", [STORE, DELETE, PUT, EVENTS, START, QUEUED])
def test_what_was_refused_has_not_run(call: Any) -> None:
    """Nobody has to be asked."""
    driver = Scripted("a")
    error = Conflict("refused", target="a", attempts=(Attempt("a", 0.0, 0.1, Outcome.CONFLICT),))
    error.call = call
    with Client(driver) as client:
        assert client.settle(error) == Settled(Verdict.NOT_RUN, reason="refused", target="a")
    assert driver.calls == []


@each_row("call", [None, Load("t", KEY), HeadObject("b", "n"), GetRun("flow", "run-1")])
def test_what_has_no_effect_is_refused(call: Any) -> None:
    """There is nothing to settle."""
    with Client(Scripted("a")) as client, pytest.raises(InvalidRequest, match="can be settled"):
        client.settle(lost(call))


@each_row("call", [STORE, EVENTS, START, QUEUED])
def test_a_target_of_another_client_is_refused(call: Any) -> None:
    """It names the target that is missing."""
    driver = Scripted("a")
    with Client(driver) as client, pytest.raises(InvalidRequest, match="was made at b, where"):
        client.settle(lost(call, "b"))
    assert driver.calls == []


def test_events_are_published_again_where_they_were() -> None:
    """With their ids, until each is taken; only those that are open."""
    first, second = EVENTS.events
    entries: Result[Any] = Result.ok((Result.ok(None), AMBIGUOUS))
    a, b = Scripted("a"), Scripted("b", AMBIGUOUS, entries, AMBIGUOUS, Result.ok((NOTHING,)))
    with Client([a, b], clock=FakeClock()) as client:
        found = client.settle(lost(EVENTS, "b"))
    assert found == Settled(Verdict.RAN, reason="sent_again", target="b")
    assert a.calls == []
    assert [each.events for each in b.calls if isinstance(each, Publish)] == [
        (first, second),
        (first, second),
        (second,),
        (second,),
    ]


def test_an_event_of_a_batch_is_settled_by_itself() -> None:
    """The others of its request are not published again."""
    entries: Result[Any] = Result.ok((Result.ok(None), AMBIGUOUS, AMBIGUOUS))
    driver = FaultyDriver(Scripted("a", *[entries] * 1, *[Result.ok((AMBIGUOUS,) * 2)] * 9))
    with Client(driver, clock=FakeClock()) as client:
        report = client.publish_events("bus", [Event("e", id=id) for id in "123"])
        errors = [each.error for each in report.entries]
    assert errors[0] is None
    again = Scripted("a", Result.ok((NOTHING,)))
    with Client(again, clock=FakeClock()) as client:
        assert isinstance(errors[1], CallError)
        assert client.settle(errors[1]).verdict is Verdict.RAN
    (call,) = again.calls
    assert isinstance(call, Publish)
    assert [each.id for each in call.events] == ["2"]


@each_row(
    "script, verdict, reason, verbs",
    [
        ([Result.ok(RUN)], Verdict.RAN, "run", ["get_run"]),
        ([NOTHING, Result.ok(RUN)], Verdict.RAN, "sent_again", ["get_run", "start_run"]),
        (
            [NOTHING, CONFLICT, Result.ok(RUN)],
            Verdict.RAN,
            "run",
            ["get_run", "start_run", "get_run"],
        ),
        (
            [Result.ok(RUN._replace(input=None)), Result.ok(RUN)],
            Verdict.RAN,
            "run",
            ["get_run", "get_run"],
        ),
        ([Result.ok(RUN._replace(input=b"2"))], Verdict.UNKNOWN, "other_run", ["get_run"]),
        (
            [Result.ok(RUN._replace(input=None))] * 99,
            Verdict.UNKNOWN,
            "no_input",
            ["get_run"] * 11,
        ),
    ],
)
def test_a_start_is_settled_by_its_run(
    script: list[Result[Any]], verdict: Verdict, reason: str, verbs: list[str]
) -> None:
    """Whose id and input it has; where there is none it is started again."""
    found, asked = settled(START, *script)
    assert found == Settled(verdict, reason=reason, target="a")
    assert [each.verb for each in asked] == verbs


def test_a_start_that_two_could_make_is_not_made_again() -> None:
    """The target does not keep two starts of one id apart."""
    found, asked = settled(START._replace(repeatable=False), NOTHING)
    assert (found.verdict, found.reason) == (Verdict.UNKNOWN, "no_run")
    assert len(asked) == 1


OLD_HANDLER: Result[Any] = Result(
    Outcome.APP_ERROR, fault=FunctionFault("Refused", ran="no", retryable=True, reason="deadline")
)


@each_row(
    "call, script, verdict, reason, verbs",
    [
        (QUEUED, [OLD_HANDLER, NOTHING], Verdict.RAN, "sent_again", ["settle", "enqueue"]),
        (QUEUED._replace(to_queue=True), [NOTHING], Verdict.RAN, "sent_again", ["enqueue"]),
        (QUEUED._replace(effect=Effect.IDEMPOTENT), [NOTHING], Verdict.RAN, "sent_again", None),
        (QUEUED._replace(effect=Effect.UNSAFE), [], Verdict.UNKNOWN, "not_asked", []),
        (
            QUEUED._replace(effect=Effect.UNSAFE, to_queue=True),
            [],
            Verdict.UNKNOWN,
            "not_asked",
            [],
        ),
        (
            QUEUED,
            [Result.ok({"verdict": "not_run", "key": "key-1"})],
            Verdict.NOT_RUN,
            None,
            ["settle"],
        ),
        (
            QUEUED,
            [Result.ok({"verdict": "unknown", "key": "key-1", "reason": "lapsed"})],
            Verdict.UNKNOWN,
            "lapsed",
            ["settle"],
        ),
    ],
)
def test_a_queued_call_is_settled_by_its_function(
    call: Any, script: list[Any], verdict: Verdict, reason: str | None, verbs: list[str] | None
) -> None:
    """Where that says nothing, the call is queued again if that can do no harm."""
    found, asked = settled(call, *script)
    assert (found.verdict, found.reason) == (verdict, reason)
    assert [each.verb for each in asked] == (["enqueue"] if verbs is None else verbs)


def test_the_same_awaited() -> None:
    """`AsyncClient` settles a write of the embedded target, under the target's own name."""

    async def job() -> None:
        driver = FaultyDriver(local_cloud())
        async with AsyncClient(driver, clock=FakeClock()) as client:
            driver.fail(Fault.LOSE_ANSWER, times=9, verb="store_data")
            driver.fail(Fault.LOSE_REQUEST, times=9, verb="load_data")
            with pytest.raises(OutcomeUnknown) as caught:
                await client.store_data("orders", {"id": "1"})
            driver.heal()
            stored = await client.store_data("orders", {"id": "1", "by": "another"})
            found = await client.settle(caught.value)
            assert found.verdict is Verdict.RAN
            assert found.result not in (None, stored.revision)
            late = driver.perform(caught.value.call, 5.0)
            assert (late.outcome, late.reason) == (Outcome.CONFLICT, "settled")

    asyncio.run(job())
