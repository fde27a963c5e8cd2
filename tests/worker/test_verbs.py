"""What a handler may do in a worker: every verb of its client, on each target that keeps rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from leeward import Client
from leeward.app import App, Context
from leeward.config import Config, TableConfig
from leeward.worker import Worker
from leeward.workflow import Flow, Ref
from tests.worker.places import until
from tests.worker.test_versions import Open, opens, server

__all__ = ["opens", "server"]

OPERATORS = frozenset(
    "close explain isolate listen native probe restore resume_runs targets".split()
)
"""Methods that are no calls; and `resume_runs`, which a worker does by itself."""

VERBS: Final[dict[str, Callable[[Client], object]]] = {
    "invoke": lambda cloud: cloud.invoke("charge", 1),
    "settle": lambda cloud: cloud.settle("key-1", function="charge"),
    "enqueue": lambda cloud: [cloud.enqueue("receipt", 2), cloud.enqueue("parcels", 4)],
    "publish_event": lambda cloud: cloud.publish_event("bills", "made", {}),
    "publish_events": lambda cloud: cloud.publish_events("bills", []),
    "store_data": lambda cloud: cloud.store_data("t", {"id": "1"}),
    "load_data": lambda cloud: cloud.load_data("t", "1"),
    "list_data": lambda cloud: cloud.list_data("pairs", "p"),
    "delete_data": lambda cloud: cloud.delete_data("t", "1"),
    "put_object": lambda cloud: cloud.put_object("b", "o", b"1"),
    "get_object": lambda cloud: cloud.get_object("b", "o"),
    "head_object": lambda cloud: cloud.head_object("b", "o"),
    "list_objects": lambda cloud: list(cloud.list_objects("b")),
    "delete_object": lambda cloud: cloud.delete_object("b", "o"),
    "start_workflow": lambda cloud: cloud.start_workflow("flow", 3, id="1"),
    "send_event": lambda cloud: cloud.send_event("flow", "1", "go", id="1"),
    "wait_for_run": lambda cloud: cloud.wait_for_run("flow", "1", timeout=20),
    "rerun": lambda cloud: cloud.rerun("flow", "1", "charge", id="2"),
    "get_run": lambda cloud: cloud.get_run("flow", "1"),
    "list_runs": lambda cloud: cloud.list_runs("flow"),
    "cancel_run": lambda cloud: cloud.cancel_run("flow", "1"),
    "abort_run": lambda cloud: cloud.abort_run("flow", "1"),
}


def test_every_verb_works_in_a_handler(opens: Open) -> None:
    """A job may enqueue a job, by name of a function or a queue; and call one in its process."""
    app, failed, seen = App("shop"), dict[str, Any](), list[Any]()

    @app.function(effect="idempotent", queued=True)
    def charge(amount: int) -> int:
        seen.append(("charge", amount))
        return amount

    @app.function(queued=True)
    def receipt(order: int) -> None:
        seen.append(("receipt", order))

    @app.on_event("bills")
    def bill(_: Any) -> None:
        seen.append("bill")

    @app.on_message("parcels")
    def parcel(number: int) -> None:
        seen.append(("parcel", number))

    @app.function(queued=True)
    def all_verbs(_: Any, context: Context) -> None:
        cloud = context.client
        for name, call in VERBS.items():
            try:
                call(cloud)
            except Exception as error:  # noqa: BLE001 - shown below
                failed[name] = error
        seen.append("end")

    @app.workflow("flow")
    def flow(w: Flow, value: Ref) -> None:
        w.step("charge", value)
        w.event("go", timeout="5m")

    config = Config(tables={"pairs": TableConfig(key=("partition", "sort"))})
    calls = {name for name in dir(Client) if not name.startswith("_")}
    assert calls - OPERATORS == {*VERBS}, "a verb without a row"
    with Worker(app, opens(), config=config) as worker:
        until(lambda: worker.status().last_look is not None)
        worker.client.enqueue("all-verbs", None)
        until(lambda: "end" in seen)
        assert failed == {}
        wanted = [("charge", 1), ("receipt", 2), "bill", ("charge", 3), ("parcel", 4)]
        until(lambda: all(each in seen for each in wanted))
