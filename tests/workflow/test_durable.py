"""The activity and the registration of Durable Functions; the replay is in `test_engines`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leeward import Client, ConfigError
from leeward.local import Local
from leeward.testing import Fault, FaultyDriver
from leeward.values import Json
from leeward.workflow import Definition, Flow, Ref, workflow
from leeward.workflow.commands import Answer, Returned, StepFailure
from leeward.workflow.orchestration import ACTIVITY, ORCHESTRATOR, orchestrate
from leeward_azure.workflows.durable import activity, definitions_in, register
from leeward_deploy.azure.flows import export
from tests.workflow.flows import everything, order_flow

REQUEST: Json = {
    "path": "pay",
    "attempt": 1,
    "function": "pay",
    "payload": {"order": "42"},
    "key": "order/order-42/pay",
    "effect": "unsafe",
    "timeout": 30,
}


def test_an_unsafe_step_is_called_once_however_often_the_activity_is() -> None:
    """A host that crashes calls it again; then nobody knows whether it ran. A new attempt may."""
    paid: list[Json] = []
    local = Local()

    @local.function("pay")
    def pay(payload: Json) -> str:
        paid.append(payload)
        return "paid"

    with Client(local) as client:
        assert activity(client, REQUEST) == {"value": "paid"}
        again = activity(client, json.dumps(REQUEST))
        assert again == {"error": "Call.Unknown", "ambiguous": True}
        assert activity(client, {**REQUEST, "attempt": 2}) == {"value": "paid"}
        keyed = {**REQUEST, "effect": "keyed"}
        assert activity(client, keyed) == activity(client, keyed) == {"value": "paid"}
    assert len(paid) == 4


def test_an_activity_never_raises_for_a_failure_of_the_step() -> None:
    """The engine would lose the class of the error, so a value tells of it."""

    class Declined(Exception): ...

    def pay(_: Json) -> None:
        raise Declined("4711")

    local = Local()
    local.function("pay")(pay)
    faulty = FaultyDriver(local)
    with Client(faulty) as client:
        told = activity(client, REQUEST)
        assert (told["error"], told["ambiguous"]) == ("Declined", False)
        faulty.fail(Fault.LOSE_ANSWER, verb="invoke")
        lost = activity(client, {**REQUEST, "attempt": 2})
        assert lost == {"error": "Call.Unknown", "ambiguous": True}


def test_a_step_that_could_not_be_marked_was_not_called() -> None:
    """The table of the marks is away: a value says so, for an exception would end the run."""
    local = Local()
    local.function("pay")(lambda _: pytest.fail("it was called"))
    faulty = FaultyDriver(local)
    with Client(faulty) as client:
        faulty.fail(Fault.REFUSE, verb="store")
        assert activity(client, REQUEST) == {"error": "Call.NotSent", "ambiguous": False}


class _Host:
    """Tasks are requests and times; an activity fails where its function is `lost`."""

    def __init__(self, lost: str) -> None:
        self._lost = lost
        self.calls: list[str] = []
        self.requests: list[Json] = []

    def now(self) -> float:
        return 0.0

    def call(self, request: Json) -> Any:
        self.calls.append(request["function"])
        self.requests.append(request)
        return [request["function"]]

    def timer(self, due: float) -> Any:
        return [due]

    def first(self, tasks: list[Any]) -> Any:
        return tasks

    def value_of(self, task: Any) -> Any:
        return RuntimeError("the host") if task[0] == self._lost else {"value": None}


def _orchestrated(definition: Definition, host: _Host) -> Answer:
    """Be an engine: throw the error of a task that is waited for alone, as Durable Functions do."""
    running = orchestrate(definition, "r", None, host)
    task = next(running)
    while True:
        try:
            if isinstance(task[0], list):
                task = running.send(task[0])
            elif isinstance(host.value_of(task), Exception):
                task = running.throw(host.value_of(task))
            else:
                task = running.send(None)
        except StopIteration as ended:
            answer: Answer = ended.value
            return answer


def test_an_activity_that_failed_itself_is_taken_back() -> None:
    """The host may have died in it: nobody knows whether the step ran, alone or beside another."""

    @workflow("booking")
    def booking(w: Flow, _: Ref) -> None:
        with w.saga("s"):
            w.step("book", undo="unbook")
            with w.parallel("p") as p:
                with p.branch("a"):
                    w.step("pay", undo="refund")
                with p.branch("b"):
                    w.step("tell")
            w.step("ship", undo="unship")

    for lost, calls in (
        ("pay", ["book", "pay", "tell", "refund", "unbook"]),
        ("ship", ["book", "pay", "tell", "ship", "unship", "refund", "unbook"]),
    ):
        host = _Host(lost)
        assert _orchestrated(booking, host) == StepFailure("Call.Unknown", ambiguous=True)
        assert host.calls == calls


def test_a_question_whose_host_died_is_asked_again() -> None:
    """Nobody has answered it; the others are about the void that the answer tells of."""

    @workflow("paying")
    def paying(w: Flow, _: Ref) -> None:
        w.step("pay", effect="keyed", timeout=5)

    class Asking(_Host):
        def value_of(self, task: Any) -> Any:
            number = len(self.requests)
            if not isinstance(task[0], str):
                return None
            if number == 1:
                return {"error": "Call.Unknown", "ambiguous": True}
            if number == 2:
                return RuntimeError("the host")
            return {"verdict": "not_run", "voids": 2} if number == 3 else {"value": "paid"}

    host = Asking("nothing")
    assert _orchestrated(paying, host) == Returned()
    kinds = ["settle" in request for request in host.requests]
    assert kinds == [False, True, True, False]
    assert [request.get("voids", 0) for request in host.requests] == [0, 0, 0, 2]


class App:
    """Stands for a `DFApp`: it keeps what is registered."""

    def __init__(self) -> None:
        self.orchestrators: dict[str, Any] = {}
        self.activities: dict[str, Any] = {}

    def orchestration_trigger(self, context_name: str) -> Callable[[Any], Any]:
        """Keep an orchestrator whose parameter has this name."""
        return lambda function: self._kept(self.orchestrators, function, context_name)

    def activity_trigger(self, input_name: str) -> Callable[[Any], Any]:
        """Keep an activity whose parameter has this name."""
        return lambda function: self._kept(self.activities, function, input_name)

    def _kept(self, into: dict[str, Any], function: Any, parameter: str) -> Any:
        assert function.__code__.co_varnames[0] == parameter
        into[function.__name__] = function
        return function


def test_the_export_is_an_app_that_registers_both(tmp_path: Path) -> None:
    """Definitions lie beside it, each under its digest: those of runs under way may stay."""
    for definition in (order_flow, everything):
        for path, text in export(definition, {}).files.items():
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text(text)
    compile((tmp_path / "function_app.py").read_text(), "function_app.py", "exec")
    assert set(definitions_in(tmp_path / "workflows")) == {order_flow.digest, everything.digest}
    app = App()
    with Client(Local()) as client:
        register(app, tmp_path / "workflows", client)
        assert set(app.orchestrators) == {ORCHESTRATOR}
        refused = app.activities[ACTIVITY]({**REQUEST, "effect": "keyed"})
        assert refused == {"error": "Call.Refused", "ambiguous": False}
    with pytest.raises(ConfigError, match="has no workflow; export one"):
        definitions_in(tmp_path / "nothing")
