"""Events that are sent to runs of the embedded engine, beside cancels and other processes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from leeward import AsyncClient, Client
from leeward.app import Context
from leeward.errors import Conflict, InvalidRequest, NotFound
from leeward.local import Local
from leeward.values import Json
from leeward.values.runs import Run, RunState
from leeward.workflow import Flow, Ref, workflow


@workflow("order", timeout="1h")
def order(w: Flow, value: Ref) -> None:
    w.step("reserve", value)
    paid = w.event("paid", timeout="30m")
    w.step("ship", paid, effect="idempotent")
    again = w.event("paid", timeout="30m", id="second")
    w.stop({"first": paid, "second": again})


@workflow("beside")
def beside(w: Flow, value: Ref) -> None:
    with w.parallel("both") as both:
        with both.branch("left"):
            first = w.event("go", "stop", id="signal")
        with both.branch("right"):
            w.step("work", value)
    w.stop(first)


@workflow("impatient")
def impatient(w: Flow, value: Ref) -> None:
    w.step("reserve", value)
    w.event("never", timeout="1s")


@contextmanager
def _client(path: Path, **functions: Callable[..., Any]) -> Iterator[Client]:
    local = Local(path=path / "data.db")
    for name in ("reserve", "ship", "work"):
        local.function(name)(functions.get(name, lambda _: None))
    with Client(local, workflows=[order, beside, impatient]) as client:
        yield client


def _wait_until(client: Client, workflow: str, is_so: Callable[[Run], object]) -> Run:
    until = time.monotonic() + 30
    while True:
        run = client.get_run(workflow, "r")
        if run is not None and is_so(run):
            return run
        assert time.monotonic() < until, run
        time.sleep(0.01)


def test_an_event_of_another_process_continues_the_run(tmp_path: Path) -> None:
    """Each wait gets the next one, also after the process has changed between them."""
    with _client(tmp_path) as first:
        first.start_workflow("order", {"id": "1"}, id="r")
        run = _wait_until(first, "order", lambda run: run.waits)
        assert [(wait.path, wait.names) for wait in run.waits] == [("paid", ("paid",))]
        assert run.waits[0].until is not None
        assert run.input == {"id": "1"}
        with _client(tmp_path) as second:
            second.send_event("order", "r", "paid", {"n": 1}, id="e1")
        _wait_until(first, "order", lambda run: [wait.path for wait in run.waits] == ["second"])
    with _client(tmp_path) as third:
        third.send_event("order", "r", "paid", {"n": 2}, id="e2")
        end = third.wait_for_run("order", "r", timeout=20)
        assert end.result == {"first": {"n": 1}, "second": {"n": 2}}
        events = {event.path: event.result for event in _wait_until(third, "order", bool).events}
        assert events == {"reserve": None, "paid": {"n": 1}, "ship": None, "second": {"n": 2}}


def test_early_events_are_kept_and_an_id_counts_once(tmp_path: Path) -> None:
    """Sent twice by its id, one event ends one wait."""
    with _client(tmp_path) as client:
        client.start_workflow("order", {}, id="r")
        for value, id in ((1, "e1"), (1, "e1"), (2, "e2")):
            client.send_event("order", "r", "paid", value, id=id)
        end = client.wait_for_run("order", "r", timeout=20)
        assert end.result == {"first": 1, "second": 2}
        assert client.send_event("order", "r", "paid", 2, id="e2").state is RunState.SUCCEEDED


def test_who_sends_to_no_run_or_to_one_that_is_over_is_told_so(tmp_path: Path) -> None:
    """And who uses an id for two events, or sends what no run takes."""
    with _client(tmp_path) as client:
        with pytest.raises(NotFound, match="no run 'r'"):
            client.send_event("order", "r", "paid", id="e1")
        client.start_workflow("order", {}, id="r")
        client.send_event("order", "r", "paid", 1, id="e1")
        for event, value in (("paid", 2), ("refused", 1)):
            with pytest.raises(Conflict, match="another event with the id 'e1'"):
                client.send_event("order", "r", event, value, id="e1")
        with pytest.raises(InvalidRequest, match="Google Workflows takes at most 32768"):
            client.send_event("order", "r", "paid", "x" * 40_000, id="e2")
        with pytest.raises(InvalidRequest, match="like order.paid"):
            client.send_event("order", "r", "not a name", id="e2")
        with pytest.raises(InvalidRequest, match="an event's id"):
            client.send_event("order", "r", "paid", id="")
        with pytest.raises(InvalidRequest, match="value"):
            client.send_event("order", "r", "paid", object(), id="e2")
        client.abort_run("order", "r")
        with pytest.raises(Conflict, match="is aborted, and takes no event"):
            client.send_event("order", "r", "paid", 2, id="e2")


def test_a_wait_beside_a_step_ends_by_an_event(tmp_path: Path) -> None:
    """While the step is under way; the first of two names counts."""
    with _client(tmp_path) as client:

        def work(_: object) -> None:
            client.send_event("beside", "r", "stop", 7, id="e1")

        with _client(tmp_path, work=work) as other:
            other.start_workflow("beside", {}, id="r")
            end = other.wait_for_run("beside", "r", timeout=20)
        assert end.result == {"event": "stop", "value": 7}


def test_a_wait_ends_by_its_time_or_by_a_cancel(tmp_path: Path) -> None:
    """By name, as everything else that a handler sees."""
    with _client(tmp_path) as client:
        client.start_workflow("impatient", {}, id="r")
        end = client.wait_for_run("impatient", "r", timeout=20)
        assert (end.state, end.error) == (RunState.FAILED, "Flow.NoEvent")
        client.start_workflow("order", {}, id="r")
        _wait_until(client, "order", lambda run: run.waits)
        client.cancel_run("order", "r")
        end = client.wait_for_run("order", "r", timeout=20)
        assert end.state is RunState.CANCELLED


def test_an_event_can_be_sent_without_blocking_the_loop(tmp_path: Path) -> None:
    """By the asynchronous client."""

    async def send() -> Json:
        local = Local(path=tmp_path / "data.db")
        for name in ("reserve", "ship", "work"):
            local.function(name)(lambda _: None)
        async with AsyncClient(local, workflows=[order]) as client:
            await client.start_workflow("order", {}, id="r")
            await client.send_event("order", "r", "paid", 1, id="e1")
            await client.send_event("order", "r", "paid", 2, id="e2")
            return (await client.wait_for_run("order", "r", timeout=20)).result

    assert asyncio.run(send()) == {"first": 1, "second": 2}


def test_a_function_may_send_an_event(tmp_path: Path) -> None:
    """To another run, as a part of its own work."""
    sent: list[str] = []
    with _client(tmp_path) as client:

        def work(_: object, context: Context) -> None:
            sent.append(client.send_event("order", "r", "paid", 1, id=context.call_id).id)

        client.start_workflow("order", {}, id="r")
        with _client(tmp_path, work=work) as other:
            other.invoke("work", {})
        assert sent == ["r"]
