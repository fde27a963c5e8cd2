"""A word is its speaker's own: what a nested call is told says nothing of the call around it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from leeward import App, Client, Event
from leeward.app import Context
from leeward.app.dead_letters import MessageStep, fails_as_one, next_step
from leeward.app.handlers import answer
from leeward.app.idempotency import ApprovalPending, RepeatRefused, idempotent
from leeward.app.signatures import IDEMPOTENCY
from leeward.app.triggers import Delivery, Platform
from leeward.cli.key_records import approve_by_hand
from leeward.clock import SystemClock
from leeward.local import Local
from leeward.status import read_queues
from leeward.testing import Deployed, recorded_logs
from leeward.values import Effect
from leeward.workflow.commands import StepCall, StepFailure
from leeward.workflow.model import NOT_SENT, REFUSED, THROTTLED
from leeward.workflow.steps import functions_called_by, make_call
from leeward_contract_tests.rows import each_row
from tests.app.words import (
    ORDER,
    OUTERS,
    RUNNERS,
    SECONDS,
    WORDS,
    Table,
    app_of,
    word_of,
)
from tests.local.calls import PATIENT

OWN = {"a problem": "sold_out"}
"""Reasons that are the handler's own word: whoever raises a `Problem` has written them."""


@pytest.fixture
def client() -> Iterator[Client]:
    """Return a client of the table with the records."""
    with Client(Local("local:records")) as client:
        yield client


def fresh(client: Client) -> None:
    """Forget the records of inner functions."""
    for name in ("running", "unknown", "not-kept", "voided", "pending", "refused", "reused"):
        client.delete_data("keys", f"inner-{name}:42")
    client.delete_data("keys", "inner-failed:42")


def expected(outer: str, word: str) -> tuple[Any, ...]:
    """Return what a caller may hear: nothing is proved but what the outer's own marks prove."""
    ran = "maybe"
    acts = ("running", "unknown", "not_kept", "refused", "reused", "failed")
    if outer == "undone" and word not in acts:
        ran = "no"  # no effect was announced, its own or an inner one's
    return ("app_error", OWN.get(word), None, ran, 0)


@pytest.mark.vendors
@each_row("runner", {name: name for name in RUNNERS})
def test_no_word_of_a_nested_call_travels_up(
    runner: str, client: Client, subtests: pytest.Subtests
) -> None:
    """Through every runner: neither refusal nor reason, neither proof nor voids."""
    effects: list[str] = []
    with RUNNERS[runner](app_of(client, effects)) as call:
        for outer in OUTERS:
            for word in WORDS:
                with subtests.test(f"{outer}, {word}"):
                    fresh(client)
                    effects.clear()
                    assert word_of(call(outer, word)) == expected(outer, word)
                    assert len(effects) == (outer != "undone")


def test_neither_a_letter_nor_a_step_believes_it(client: Client, subtests: pytest.Subtests) -> None:
    """A letter says `maybe`, and a step has not been proved not to have run."""
    effects: list[str] = []
    app, local = App("queues"), Local()
    inner = app_of(client, effects)
    for outer in ("plain", "guarded"):
        app.on_message(outer, retries=0)(inner.handlers[outer].function)
    with Client(local, app=app) as cloud:
        for outer in ("plain", "guarded"):
            for word in WORDS:
                with subtests.test(f"letter, {outer}, {word}"):
                    fresh(client)
                    cloud.enqueue(outer, word)
                    local.wait_idle(PATIENT)
                    (letter,) = local.dead_letters()
                    assert (letter.ran, letter.reason) == ("maybe", OWN.get(word))
                    local.discard(letter)
    with Client(Local(), app=inner) as cloud:
        functions = functions_called_by(cloud)
        for outer in ("plain", "guarded"):
            for word in WORDS:
                with subtests.test(f"step, {outer}, {word}"):
                    fresh(client)
                    step = StepCall(
                        *("a", 1, outer, word, f"{outer} {word}", Effect.KEYED, 10), guarded=False
                    )
                    found = make_call(functions, step)
                    assert isinstance(found, StepFailure)
                    assert found.ambiguous or found.doubtful
                    assert found.name not in (THROTTLED, NOT_SENT, REFUSED)


def called(app: App, name: str, voids: int) -> Any:
    """Call a function as a caller does that knows of some voids; return its failure."""
    given = Delivery(json.dumps(ORDER).encode(), "id", name, SECONDS, voids=voids)
    return answer(app.handlers[name], given, Platform("nimbus", None, SystemClock())).failure


def test_voids_of_a_call_let_no_void_of_an_inner_key_run(client: Client) -> None:
    """Neither in the handler's own thread, nor beside it with the handler's context."""
    runs: list[str] = []
    app, table, clock = App("shop"), Table(client), SystemClock()

    def run(order: dict[str, Any], context: Context) -> None:
        runs.append("ran")

    inner = table.inner("voided", run)
    asked = Context("f", "", None, clock.monotonic() + SECONDS, clock)
    settled = getattr(inner, IDEMPOTENCY).settle(1.0, (ORDER,), asked)
    assert settled["verdict"] == "not_run"

    def beside(order: dict[str, Any], context: Context) -> None:
        try:
            inner(order, context)
        except RepeatRefused:
            runs.append("refused")

    def outer(order: dict[str, Any], context: Context) -> None:
        thread = threading.Thread(target=beside, args=(order, context))
        thread.start()
        thread.join()
        inner(order, context)

    guarded = idempotent(table="keys", name="outer", principal=None, client=client)(outer)
    for name, each in (("plain", outer), ("guarded", guarded)):
        app.function(name=name, effect="keyed")(each)
        failure = called(app, name, 3)
        assert (failure.reason, failure.ran) == (None, "maybe")
    assert runs == ["refused"] * 2


def test_voids_of_a_call_are_written_into_no_inner_record(client: Client) -> None:
    """Else a message that nobody has settled would be refused as voided."""
    app, inner = App("shop"), Table(client).inner("fresh")

    @app.function(name="first", effect="keyed")
    @idempotent(table="keys", name="first", principal=None, client=client)
    def first(order: Any) -> None:
        inner(order)

    assert called(app, "first", 3) is None
    for id, voids in (("first:first", 3), ("inner-fresh:42", None)):
        record = client.load_data("keys", id)
        assert record is not None
        assert record.item.get("voids") == voids


def test_a_doubled_message_waits_while_the_first_runs(client: Client) -> None:
    """It is parked, and no attempt of it is counted; if the first one fails, it runs."""
    begun, may_end, charged = threading.Event(), threading.Event(), list[Any]()
    app, local = App("shop"), Local()

    @app.on_message("orders", retries=0)
    @idempotent(
        table="keys",
        key="order.id",
        name="orders",
        client=client,
        failures={LookupError: "release"},
    )
    def charge(order: dict[str, Any], context: Context) -> None:
        if not begun.is_set():
            begun.set()
            may_end.wait(PATIENT)
            raise LookupError
        charged.append((order["id"], context.attempt))

    with Client(local, app=app) as cloud:
        cloud.enqueue("orders", ORDER)
        assert begun.wait(PATIENT)
        cloud.enqueue("orders", ORDER)
        deadline = SystemClock.monotonic() + 1.5
        while SystemClock.monotonic() < deadline:
            assert local.dead_letters() == ()
        may_end.set()
        local.wait_idle(PATIENT)
        assert [letter.error for letter in local.dead_letters()] == ["LookupError"]
    assert charged == [("42", 1)]


def test_what_waits_for_a_person_is_counted_and_runs_once_it_is_approved(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no dead letter however long that takes, and `leeward status` counts it."""
    monkeypatch.setattr("leeward.app.idempotency.record.PERSONS_WAIT", 0.2)
    charged: list[str] = []
    app, local, table = App("shop"), Local(), Table(client)

    @app.on_event("orders", "order.created")
    @idempotent(table="keys", key="order.id", name="inner-pay", client=client, approval=True)
    def charge(order: dict[str, Any]) -> None:
        charged.append(order["id"])

    with Client(local, app=app) as cloud:
        cloud.publish_event("orders", "order.created", ORDER)
        with pytest.raises(TimeoutError):
            local.wait_idle(2.0)
        (depth,) = read_queues(local)
        assert (depth.waiting, depth.dead, depth.approvals) == (1, 0, 1)
        table.decide("pay", approve_by_hand)
        local.wait_idle(PATIENT)
        assert local.dead_letters() == ()
        assert all(each.approvals == 0 for each in read_queues(local))
    assert charged == ["42"]


def test_a_redelivery_of_what_has_run_is_no_dead_letter(client: Client) -> None:
    """Nobody waits for the result that was not kept; and a letter says what has failed first."""
    app, local = App("shop"), Local()

    @app.on_message("done")
    @idempotent(table="keys", key="order.id", name="done", client=client)
    def done(order: dict[str, Any]) -> object:
        return object()

    @app.function(name="queued", effect="keyed")
    @idempotent(table="keys", key="order.id", name="queued", principal=None, client=client)
    def queued(order: dict[str, Any]) -> object:
        return {1}

    @app.on_message("fails")
    @idempotent(table="keys", key="order.id", name="fails", client=client)
    def fails(order: dict[str, Any]) -> None:
        raise ConnectionError

    with Client(local, app=app) as cloud:
        done(ORDER)
        queued(ORDER)
        for name in ("done", "queued", "fails"):
            cloud.enqueue(name, ORDER)
        local.wait_idle(PATIENT)
        (letter,) = local.dead_letters()
    assert (letter.subscription, letter.error, letter.reason) == (
        *("fails", "ConnectionError", "unknown"),
    )
    assert letter.ran == "maybe"


@pytest.mark.vendors
def test_on_clouds_no_letter_is_made_of_what_waits(client: Client) -> None:
    """It comes again, when its guard says where the platform takes that; what is done is done."""
    app, table = App("shop"), Table(client)
    for name, options in {"waits": {"approval": True}, "done": {}}.items():
        body = table.inner(name, lambda order: object(), **options)
        app.on_message(name, name=name, retries=0)(body)
    with pytest.raises(ApprovalPending):
        app.handlers["waits"].function(ORDER)
    app.handlers["done"].function(ORDER)
    app.on_event("bus", "done", name="event")(app.handlers["done"].function)
    letters = {"waits": "dead", "done": "dead"}
    for platform in ("aws", "azure", "google"):
        deployed = Deployed(app, platform, dead_letters=letters)
        with recorded_logs() as logs:
            assert deployed.message("waits", ORDER, attempt=9).again, platform
            assert not deployed.message("done", ORDER, attempt=9).again, platform
            event = deployed.event("event", Event("done", ORDER))
            assert (event.again, event.error_type) == (False, None), platform
        assert not {each.event for each in logs} & {"dead_lettered", "dead_letter_not_sent"}


@each_row("reason", ["running", "waiting"])
def test_waiting_is_no_failed_attempt(reason: str, client: Client) -> None:
    """Whatever a platform counts; and it does not make a batch fail as one."""
    app, table = App("shop"), Table(client)
    runs: list[Any] = []
    options = {"approval": True} if reason == "waiting" else {}

    def again(order: Any) -> None:
        given = Delivery(json.dumps(ORDER).encode(), "id", "k", SECONDS, 9)
        handler = app.handlers["charge"]
        runs.append(answer(handler, given, Platform("nimbus", None, SystemClock())).failure)

    app.on_message("orders", name="charge", retries=0)(table.inner(reason, again, **options))
    if reason == "running":
        app.handlers["charge"].function(ORDER)
    else:
        again(ORDER)
    (failure,) = runs
    assert (failure.reason, failure.retryable, failure.waits) == (reason, True, True)
    step = next_step(failure, 9, 0, 0.5)
    assert (step.step, step.after) == (MessageStep.AGAIN, failure.retry_after)
    assert not fails_as_one([failure] * 10)
