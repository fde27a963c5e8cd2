"""What flows that wait do in every store of runs: tests for whoever opens clients on one.

Whoever derives from `WaitingContract` has a fixture `shop`, on an empty store.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from leeward import Client
from leeward.adapter import Driver
from leeward.config import Config
from leeward.errors import ConfigError, Conflict, InvalidRequest, LeewardError, NotFound
from leeward.local import Local
from leeward.values.runs import Run, RunState
from leeward.workflow import Flow, Ref, workflow
from leeward.workflow.checks import check_portable
from leeward.workflow.model import Definition, functions_of
from tests.house.workspace import ROOT

Function = Callable[[Any], Any]


class Shop:
    """Clients on one store, and what their functions were called with.

    Args:
        target: where the runs are.
        path: of the store, if it is a file.
        stores: opens the store for a client, if it is another one.

    Attributes:
        calls: the functions that were called, in order.
    """

    def __init__(
        self, target: str, path: Path | None = None, stores: Callable[[], list[Driver]] = list
    ) -> None:
        self._target, self._path, self._stores = target, path, stores
        self.calls: list[str] = []

    @contextmanager
    def open(self, *definitions: Definition, **functions: Function) -> Iterator[Client]:
        """Open a client with workflows; a function that is not given returns null."""
        local = Local() if self._path is None else Local(path=self._path)
        for name in {name for definition in definitions for name in functions_of(definition)}:
            function = functions.get(name.replace("-", "_"), lambda _: None)
            local.function(name)(partial(self._call, name, function))
        config = Config(workflow_target=self._target)
        drivers = [*self._stores(), local]
        with Client(drivers, workflows=definitions, config=config) as client:
            yield client

    def _call(self, name: str, function: Function, payload: object) -> object:
        self.calls.append(name)
        return function(payload)


def wait_until(client: Client, workflow: str, id: str, is_so: Callable[[Run], object]) -> Run:
    """Return a run as soon as something holds of it."""
    until = time.monotonic() + 30
    while True:
        run = client.get_run(workflow, id)
        if run is not None and is_so(run):
            return run
        assert time.monotonic() < until, run
        time.sleep(0.01)


class Refused(Exception):
    """What a function raises that does nothing."""


def refuse(_: object) -> None:
    """Raise."""
    raise Refused


@workflow("charge")
def charge(w: Flow, order: Ref) -> None:
    with w.saga("paying"):
        w.step("hold-money", order, undo="free-money")
        word = w.event("bank", timeout="1h")
        w.step("take-money", word)
    w.stop({"order": order["id"], "word": word})


@workflow("order")
def order_flow(w: Flow, order: Ref) -> None:
    with w.saga("all"):
        w.step("reserve", order, undo="restore")
        paid = w.run(charge, order, undo="refund")
        w.step("ship", paid)
    w.stop(paid)


@workflow("brief", timeout="1s")
def brief(w: Flow, order: Ref) -> None:
    with w.saga("all"):
        w.step("reserve", order, undo="restore")
        w.run("charge", order)


@workflow("deep")
def deep(w: Flow, level: Ref) -> None:
    w.step("dig", level)
    w.run("deep", level)


@workflow("fan")
def fan(w: Flow, order: Ref) -> None:
    with w.each(order["lines"], "line", at_once=3) as line:
        word = w.run("part", line)
        words = w.collect(word)
    w.stop(words)


@workflow("part")
def part(w: Flow, line: Ref) -> None:
    w.stop(w.step("make", line))


@workflow("parcel")
def parcel(w: Flow, order: Ref) -> None:
    price = w.step("weigh", order)
    w.step("frank", price, effect="keyed")


@workflow("parcel")
def parcel_other(w: Flow, order: Ref) -> None:
    w.step("weigh", order["lines"])
    w.step("frank", order)


@workflow("parcel")
def parcel_longer(w: Flow, order: Ref) -> None:
    w.step("measure", order)
    price = w.step("weigh", order)
    w.step("frank", price, effect="keyed")


@workflow("letter")
def letter(w: Flow, order: Ref) -> None:
    text = w.step("write", order)
    with w.saga("posting"):
        paid = w.step("pay", order, undo="unpay", effect="keyed")
        w.step("post", {"text": text, "paid": paid})
    w.stop(text)


@workflow("sending")
def sending(w: Flow, order: Ref) -> None:
    with w.saga("all"):
        w.step("pay", order, undo="unpay", effect="keyed")
        with w.attempt("sends") as sends:
            w.step("send", order)
        with sends.on("Refused"):
            w.event("found")


@workflow("letter")
def letter_mended(w: Flow, order: Ref) -> None:
    text = w.step("write", order)
    with w.saga("posting"):
        paid = w.step("pay", order, undo="unpay", effect="keyed")
        w.step("post", {"paper": text, "paid": paid})
    w.stop(text)


def flows_of_the_page() -> dict[str, Definition]:
    """Return the ten flows of `docs/workflows.md`, and the one that one of them runs, by name."""
    text = (ROOT / "docs/workflows.md").read_text("utf-8").partition("## Ten usual flows")[2]
    names: dict[str, Any] = {"workflow": workflow, "Flow": Flow, "Ref": Ref}
    exec(text.partition("```python\n")[2].partition("```")[0], names)
    return {each.name: each for each in names.values() if isinstance(each, Definition)}


CHILD = "order.o1.charge"
"""The id of the run that the run `o1` starts."""


class WaitingContract:
    """What every store of runs does with flows that wait."""

    def test_a_flow_waits_for_another_one(self, shop: Shop) -> None:
        """Its result is a step's result; each shows the other; another process may run it."""
        with shop.open(order_flow, charge) as client, shop.open(charge, order_flow) as other:
            client.start_workflow("order", {"id": 7}, id="o1")
            child = wait_until(client, "charge", CHILD, lambda run: run.waits)
            assert child.parent == "order/o1"
            assert child.input == {"id": 7}
            parent = client.get_run("order", "o1")
            assert parent is not None
            assert parent.parent is None
            assert {event.path: event.child for event in parent.events} == {
                "reserve": None,
                "charge": f"charge/{CHILD}",
            }
            other.send_event("charge", CHILD, "bank", "yes", id="b1")
            end = client.wait_for_run("order", "o1", timeout=20)
            assert end.result == {"order": 7, "word": "yes"}
            assert shop.calls == ["reserve", "hold-money", "take-money", "ship"]
            parent = client.get_run("order", "o1")
            assert parent is not None
            assert [event.child for event in parent.events if event.child] == [f"charge/{CHILD}"]

    def test_a_run_of_a_flow_fails_as_a_step_fails(self, shop: Shop) -> None:
        """What it has done it takes back itself; who waits for it undoes what was before."""
        with shop.open(order_flow, charge, take_money=refuse) as client:
            client.start_workflow("order", {"id": 7}, id="o1")
            wait_until(client, "charge", CHILD, lambda run: run.waits)
            client.send_event("charge", CHILD, "bank", "yes", id="b1")
            end = client.wait_for_run("order", "o1", timeout=20)
            assert (end.state, end.error) == (RunState.FAILED, "Refused")
            assert shop.calls[-2:] == ["free-money", "restore"]
            assert "refund" not in shop.calls

    def test_a_run_that_has_ended_well_is_undone_as_a_whole(self, shop: Shop) -> None:
        """By the function that is named; and so is one that was aborted, of which much is left."""
        with shop.open(order_flow, charge, ship=refuse) as client:
            for id in ("o1", "o2"):
                client.start_workflow("order", {"id": 7}, id=id)
                child = f"order.{id}.charge"
                wait_until(client, "charge", child, lambda run: run.waits)
                shop.calls.clear()
                if id == "o1":
                    client.send_event("charge", child, "bank", "yes", id="b1")
                else:
                    client.abort_run("charge", child)
                end = client.wait_for_run("order", id, timeout=20)
                assert end.error == ("Refused" if id == "o1" else "Call.Unknown")
                assert shop.calls[-2:] == ["refund", "restore"]

    def test_a_cancel_and_a_deadline_reach_the_run_of_a_flow(self, shop: Shop) -> None:
        """It has taken back what it did, before who waits for it takes back what was before."""
        with shop.open(order_flow, brief, charge) as client:
            for name, state, error in (
                ("order", RunState.CANCELLED, "Flow.Cancelled"),
                ("brief", RunState.FAILED, "Flow.Deadline"),
            ):
                shop.calls.clear()
                client.start_workflow(name, {"id": 7}, id="o1")
                child = f"{name}.o1.charge"
                wait_until(client, "charge", child, lambda run: run.waits)
                if name == "order":
                    client.cancel_run(name, "o1")
                end = client.wait_for_run(name, "o1", timeout=20)
                assert (end.state, end.error) == (state, error)
                inner = client.get_run("charge", child)
                assert inner is not None
                assert inner.state is RunState.CANCELLED
                assert shop.calls == ["reserve", "hold-money", "free-money", "restore"]

    def test_an_abort_ends_the_run_of_a_flow_too(self, shop: Shop) -> None:
        """Nothing is compensated, and nobody waits for it any more."""
        with shop.open(order_flow, charge) as client:
            client.start_workflow("order", {"id": 7}, id="o1")
            wait_until(client, "charge", CHILD, lambda run: run.waits)
            client.abort_run("order", "o1")
            child = client.get_run("charge", CHILD)
            assert child is not None
            assert child.state is RunState.ABORTED

    def test_a_flow_that_runs_itself_for_ever_is_ended_by_name(self, shop: Shop) -> None:
        """At the fifth level; each level above fails as the one below."""
        with shop.open(deep) as client:
            client.start_workflow("deep", 1, id="d1")
            end = client.wait_for_run("deep", "d1", timeout=20)
            assert (end.error, shop.calls) == ("Flow.TooDeep", ["dig"] * 6)

    def test_a_flow_that_is_not_known_is_refused_at_the_start(self, shop: Shop) -> None:
        """Nothing is started: whoever starts a flow knows those that it runs."""
        with shop.open(order_flow) as client:
            with pytest.raises(NotFound, match="no workflow 'charge' is known here"):
                client.start_workflow("order", {}, id="o1")
            assert client.get_run("order", "o1") is None

    def test_flows_run_beside_each_other(self, shop: Shop) -> None:
        """Each element has a run of its own, and their results come in the order of the list."""
        with shop.open(fan, part, make=lambda line: line * 2) as client:
            client.start_workflow("fan", {"lines": [1, 2, 3, 4]}, id="f1")
            assert client.wait_for_run("fan", "f1", timeout=20).result == [2, 4, 6, 8]
            assert {run.id for run in client.list_runs("part")} == {
                f"fan.f1.part_{at}" for at in range(4)
            }

    def test_a_run_goes_on_where_it_failed(self, shop: Shop) -> None:
        """With the results that are there, under the definition of now; the same id is one run."""
        with shop.open(letter, write=lambda _: "text", post=refuse) as client:
            client.start_workflow("letter", {"id": 1}, id="l1")
            assert client.wait_for_run("letter", "l1", timeout=20).error == "Refused"
            assert shop.calls == ["write", "pay", "post", "unpay"]
        shop.calls.clear()
        with shop.open(letter_mended, post=lambda letter: letter["paper"]) as client:
            with pytest.raises(Conflict, match="'pay' of the run 'l1' was undone"):
                client.rerun("letter", "l1", "post", id="l2")
            for _ in range(2):
                client.rerun("letter", "l1", "pay", id="l2")
            end = client.wait_for_run("letter", "l2", timeout=20)
            assert (end.state, end.result) == (RunState.SUCCEEDED, "text")
            assert shop.calls == ["pay", "post"]
            run = client.get_run("letter", "l2")
            assert run is not None
            assert run.input == {"id": 1}
            assert [event.path for event in run.events] == ["write", "/rerun", "pay", "post"]
            with pytest.raises(Conflict, match="another run 'l2'"):
                client.rerun("letter", "l1", "write", id="l2")
            with pytest.raises(InvalidRequest, match="has not come to the step 'send'"):
                client.rerun("letter", "l1", "send", id="l3")
            with pytest.raises(NotFound):
                client.rerun("letter", "l9", "pay", id="l3")

    def test_a_step_that_was_kept_is_undone_with_the_key_that_it_had(self, shop: Shop) -> None:
        """However often the run was run again since."""
        keys: list[str] = []

        def unpay(undo: Any) -> None:
            keys.append(undo["key"])

        with shop.open(letter, post=refuse, unpay=unpay) as client:
            client.start_workflow("letter", {"id": 1}, id="l1")
            client.wait_for_run("letter", "l1", timeout=20)
            client.rerun("letter", "l1", "pay", id="l2")
            client.wait_for_run("letter", "l2", timeout=20)
        with shop.open(sending, send=refuse, unpay=unpay) as client:
            client.start_workflow("sending", {"id": 1}, id="s1")
            for id, after in (("s1", "s2"), ("s2", "s3")):
                wait_until(client, "sending", id, lambda run: run.waits)
                client.abort_run("sending", id)
                client.rerun("sending", id, "send", id=after)
            client.cancel_run("sending", "s3")
            client.wait_for_run("sending", "s3", timeout=20)
        assert keys == ["letter/l1/pay", "letter/l2/pay", "sending/s1/pay"]

    def test_what_was_done_before_is_not_done_otherwise(self, shop: Shop) -> None:
        """A step that is another one by now, or is not reached, is named; nothing is started."""
        with shop.open(parcel, frank=refuse) as client:
            client.start_workflow("parcel", {"lines": [1, 2]}, id="p1")
            client.wait_for_run("parcel", "p1", timeout=20)
        for definition, step, flaw in (
            (parcel_other, "frank", "'weigh' of the run 'p1' is called otherwise"),
            (parcel_longer, "frank", "has not come to the step 'frank'"),
            (parcel_longer, "measure", "'weigh' of the run 'p1' is not reached"),
        ):
            with shop.open(definition) as client, pytest.raises(LeewardError, match=flaw):
                client.rerun("parcel", "p1", step, id="p2")
        with shop.open(order_flow, charge) as client:
            client.start_workflow("order", {}, id="o1")
            with pytest.raises(Conflict, match="is running; wait for it"):
                client.rerun("order", "o1", "reserve", id="o2")

    def test_ten_usual_flows_are_a_few_lines_each(self, shop: Shop) -> None:
        """As the page on workflows has them; the cloud's engines refuse all but the first."""
        flows = flows_of_the_page()
        assert len(flows) == 11
        for name, flow in flows.items():
            if name not in ("trip", "ship", "publish"):
                with pytest.raises(ConfigError, match="cannot be exported: its"):
                    check_portable(flow)
        looks = iter([{"done": False, "again_in": 0.01}, {"done": True, "again_in": 0}])
        uploads = iter([Refused])

        def upload(_: object) -> None:
            for error in uploads:
                raise error

        functions: dict[str, Function] = {
            "book_hotel": refuse,
            "look_at_import": lambda _: next(looks),
            "sum_up": len,
            "join": sum,
            "send": refuse,
            "upload": upload,
        }
        soon = time.time() + 0.2
        cases: list[tuple[str, Any, list[tuple[str, Any]], Any, list[str]]] = [
            ("trip", 1, [], "Refused", ["book-flight", "book-hotel", "cancel-flight"]),
            ("checkout", 1, [("charge.succeeded", "ch")], "ch", ["create-charge"]),
            ("expense", {"amount": 5}, [("may-pay", {"approved": True})], None, ["pay"]),
            ("delivery", 1, [("returned", 1)], "returned", ["refund"]),
            ("import", 1, [], None, ["begin-import", "look-at-import", "look-at-import"]),
            ("totals", {"regions": ["a", "bc"]}, [], 3, ["sum-up", "sum-up", "join"]),
            ("sell", 1, [], "Refused", ["charge", "pack", "send", "give-back"]),
            ("reminder", {"starts": soon}, [], None, ["remind"]),
            ("ticket", {"patience": 0.1}, [], None, ["escalate"]),
            ("publish", "text", [], "Refused", ["render", "upload"]),
        ]
        assert {name for name, *_ in cases} == {*flows} - {"ship"}
        with shop.open(*flows.values(), **functions) as client:
            for name, value, events, result, calls in cases:
                shop.calls.clear()
                client.start_workflow(name, value, id="r1")
                for event, sent in events:
                    client.send_event(name, "r1", event, sent, id="e1")
                end = client.wait_for_run(name, "r1", timeout=20)
                assert (name, end.error or end.result) == (name, result)
                assert shop.calls == calls
            client.rerun("publish", "r1", "upload", id="r2")
            end = client.wait_for_run("publish", "r2", timeout=20)
            assert (end.error, shop.calls) == (None, ["render", "upload", "upload"])
