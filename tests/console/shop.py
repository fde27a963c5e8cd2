"""An app with one of everything, run as `leeward dev` runs one, with a console over it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Event as Flag
from typing import Any

from leeward import App, Client, Context, Event
from leeward.app import Problem, idempotent
from leeward.app.answers import Answer
from leeward.app.by_hand import run_by_hand
from leeward.app.triggers import ObjectEvent, Platform
from leeward.clock import SystemClock
from leeward.config import Config, TableConfig, TargetName
from leeward.local import Local
from leeward.workflow import Flow, Ref, Retry
from leeward_dev.feed import Feed
from leeward_dev.observing import ObservedDriver, observe_runs
from leeward_dev.sources import Sources

CONFIG = Config(
    order=(TargetName("local", None),),
    tables={"keys": TableConfig(), "orders": TableConfig()},
    unknowns="open",
    unknowns_payload=True,
)


class Shop:
    """The app, its target, and what it has done.

    Args:
        path: of the target's file; None for memory.

    Attributes:
        app: with the handlers.
        client: that runs it.
        feed: what has passed.
        done: names of what has run to its end.
        packed: how often a parcel was; the third time goes well.
        is_well: set it, and what fails goes well.
        goes_on: set it, and a step that waits ends.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.done: list[str] = []
        self.is_well = False
        self.packed = 0
        self.goes_on = Flag()
        self.feed = Feed()
        self.app = self._app()
        observe_runs(self.app, self.feed)
        self.local = Local() if path is None else Local(path=path)
        driver = ObservedDriver(self.local, self.feed)
        self.client = Client(driver, app=self.app, config=CONFIG)

    def sources(self, *, can_write: bool = True) -> Sources:
        """Return what a console over it shows."""
        return Sources(
            self.client,
            CONFIG,
            self.feed,
            app=self.app,
            target="local",
            definitions=tuple(self.app.workflows),
            can_write=can_write,
            run_handler=partial(_run, self.app),
        )

    def fail_letter(self, *ids: str) -> None:
        """Leave a dead letter for each id: one that did not run, as its handler says."""
        for id in ids:
            self.client.enqueue("orders", {"id": id})
        self.local.wait_idle(30)

    def fail_event(self, id: str) -> None:
        """Leave a dead letter that may have run."""
        self.client.publish_event("orders", "order.created", {"id": id}, id=id)
        self.local.wait_idle(30)

    def leave_unknown(self, id: str) -> None:
        """Leave the record of a charge of which nobody knows whether it was made."""
        with suppress(Exception):
            self.client.invoke("charge", {"id": id})

    def _app(self) -> App:
        app = App("shop")

        @app.function(effect="read_only")
        def echo(value: Any) -> Any:
            self.done.append("echo")
            return value

        @app.function(effect="idempotent", timeout=60)
        def reserve(order: Any) -> Any:
            self.goes_on.wait(30)
            self.done.append("reserve")
            return order

        @app.function(effect="idempotent")
        def release(order: Any) -> None:
            self.done.append("release")

        @app.function(effect="keyed")
        @idempotent(table="keys", key="order.id", principal=None, name="charge")
        def charge(order: dict[str, str]) -> str:
            if not self.is_well:
                raise ConnectionError("canary")
            self.done.append("charge")
            return f"charged {order['id']}"

        @app.function(effect="keyed")
        @idempotent(
            table="keys", key="order.id", principal=None, name="refund",
            approval=lambda order: f"Refund order {order['id']}?",
        )  # fmt: skip
        def refund(order: dict[str, str]) -> None:
            self.done.append("refund")

        self._add_subscribers(app)
        self._add_parcel(app, echo, reserve)

        @app.workflow("order")
        def order(w: Flow, order: Ref) -> None:
            with w.saga("booking"):
                w.step(reserve, order, undo="release", timeout=60)
                w.step(echo, order)

        return app

    def _add_parcel(self, app: App, echo: Any, reserve: Any) -> None:
        @app.function(effect="idempotent")
        def pack(order: Any) -> None:
            self.packed += 1
            if self.packed < 3:
                raise Nothing("the press is cold")

        @app.workflow("parcel")
        def parcel(w: Flow, order: Ref) -> None:
            w.step(echo, order)
            w.step(pack, order, retry=Retry(on=("Nothing",), attempts=3, first=1, factor=1))
            w.wait(1)
            w.step(reserve, order, timeout=60)

        @app.workflow("gift")
        def gift(w: Flow, order: Ref) -> None:
            w.step(echo, order)
            answer = w.approval({"ask": "Wrap it?", "order": order}, id="may-wrap")
            w.stop(answer)

    def _add_subscribers(self, app: App) -> None:
        @app.on_message("orders")
        @idempotent(table="orders-taken", key="order.id", failures={Nothing: "release"})
        def take_order(order: Any) -> None:
            if not self.is_well:
                raise Nothing(f"no such order {order['id']}")
            self.done.append(f"take-order {order['id']}")

        @app.on_event("orders", "order.created", retries=0)
        def remember(event: Event) -> None:
            if not self.is_well:
                raise ValueError(f"canary of {event.id}")
            self.done.append("remember")

        @app.on_schedule("0 6 * * *")
        def report(at: Any, context: Context) -> None:
            self.done.append("report")

        @app.on_object("inbox")
        def read_inbox(event: ObjectEvent) -> None:
            self.done.append(f"read-inbox {event.key}")


class Nothing(Problem):
    """There was nothing to do, and nothing was done."""

    def __init__(self, text: str) -> None:
        super().__init__(text, reason="absent")


def _run(app: App, name: str, document: bytes) -> Answer:
    platform = Platform("local", None, SystemClock(), 262_144)
    return run_by_hand(app, name, document, platform)


@contextmanager
def opened(path: Path | None = None) -> Iterator[Shop]:
    """Open the shop, and close it."""
    shop = Shop(path)
    with shop.client:
        try:
            yield shop
        finally:
            shop.goes_on.set()
