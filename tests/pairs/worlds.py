"""A world of two targets and two versions of an app, in which one call is made, and its ledger."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from inspect import iscoroutinefunction
from pathlib import Path
from threading import Thread
from typing import Any, Final, NamedTuple

from leeward import App, AsyncClient, Client, Config, Event, ran
from leeward.app import Context, idempotent
from leeward.app.idempotency import CannotTell, Done, NotDone
from leeward.app.idempotency.record import KeyRecord, KeyState
from leeward.cli.key_records import approve_by_hand, change_key, list_keys, version_of
from leeward.config import BusConfig, FunctionConfig, TargetName
from leeward.config.model import SpoolConfig
from leeward.errors import LeewardError
from leeward.local import Local
from leeward.testing import Fault, FaultyDriver
from leeward.values import Effect
from leeward.values.runs import RunState
from leeward.values.settled import Verdict
from leeward.workflow import Flow, Ref

KEY: Final = "k1"
PAYLOAD: Final = {"n": 1}
TABLE: Final = "keys"
EFFECTS: Final = ("invoke", "enqueue", "publish", "start_run")
SECONDS: Final = 5.0
"""For a call. Nothing here waits for anything but threads of this process."""


class Declined(Exception):
    """Nothing has run, as the handler declares."""


class Broken(Exception):
    """Something has failed, and the handler declares nothing of it."""


class Plan(NamedTuple):
    """What happens in a world; each feature sets a few of these.

    Attributes:
        kind: of the call: ``keyed``, ``unsafe``, ``message``, ``event`` or ``run``.
        guard: its handler keeps records, with effects ``anywhere`` or ``marked``; empty for none.
        probe: what its probe says: the truth, or that it cannot tell; empty for none.
        approval: a person has to approve it, and does.
        principal: keys are kept apart by caller.
        reruns: a repeat may run though an earlier run may have had its effect.
        inner: it calls an idempotent function of its own first.
        thread: it has its effect in another thread.
        raises: ``before`` or ``after`` its effect, or ``declared``; empty for not at all.
        fault: what befalls its first request.
        targets: how many there are.
        isolated: the first is isolated.
        turned: its settling client has the order turned.
        hedge: harmless calls are hedged.
        spool: events wait in the spool.
        ordering: events have a key.
        awaited: the client is awaited.
        change: what another version of the app changes, which settles and repeats.
        settles: by the ``error`` or the ``key``; empty for not at all.
        repeats: the same call is made again.
        late: the lost request arrives at last.
        loud: each record of a log raises.
    """

    kind: str = "keyed"
    guard: str = ""
    probe: str = ""
    approval: bool = False
    principal: bool = False
    reruns: bool = False
    inner: bool = False
    thread: bool = False
    raises: str = ""
    fault: Fault | None = None
    targets: int = 1
    isolated: bool = False
    turned: bool = False
    hedge: bool = False
    spool: bool = False
    ordering: bool = False
    awaited: bool = False
    change: str = ""
    settles: str = ""
    repeats: bool = False
    late: bool = False
    loud: bool = False


class Ledger:
    """Outside of everything: how often an effect took place."""

    def __init__(self) -> None:
        self.effects: Counter[str] = Counter()

    def note(self, effect: str, *, in_thread: bool = False) -> None:
        """Have the effect."""
        if not in_thread:
            self.effects[effect] += 1
            return
        thread = Thread(target=self.note, args=(effect,))
        thread.start()
        thread.join()


class Loud(logging.Handler):
    """Fails at each record, as a full disk of logs makes it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Raise."""
        raise OSError("no space left for logs")


def app_of(plan: Plan, ledger: Ledger, *, is_new: bool = False) -> App:
    """Return a version of the app."""
    app = App("shop")
    change = plan.change if is_new else ""

    def probe(key: str, context: Context | None, notes: tuple[str, ...]) -> Any:
        if plan.probe == "cannot tell":
            return CannotTell()
        return Done(7) if ledger.effects["outer"] else NotDone()

    def act(order: dict[str, Any], context: Context) -> int:
        if plan.inner:
            context.client.invoke("inner", order, idempotency_key=f"{KEY}/inner", effect="keyed")
        if plan.raises == "before":
            raise Broken
        if plan.raises == "declared":
            raise Declined
        if plan.guard == "marked":
            context.effect()
        ledger.note("outer", in_thread=plan.thread)
        if plan.raises == "after":
            raise Broken
        return 7

    act.__module__ = "moved" if change == "module" else "shop"
    act.__qualname__ = act.__name__ = "renamed" if change == "function" else "act"
    is_guarded = plan.guard and (is_new or plan.change != "undecorated")
    handler = idempotent(**_guards(plan, change, probe))(act) if is_guarded else act
    _register(app, plan, handler)

    @app.function(effect="keyed")
    @idempotent(table=TABLE, principal=None)
    def inner(order: dict[str, Any], context: Context) -> int:
        ledger.note("inner")
        return 1

    return app


def _guards(plan: Plan, change: str, probe: Any) -> dict[str, Any]:
    """Return the arguments of `idempotent`, by the version."""
    has_principal = plan.principal != (change == "principal")
    return {
        "table": "others" if change == "table" else TABLE,
        "principal": (lambda _: "me") if has_principal else None,
        "failures": {Declined: "release"},
        "keep": 200_000.0 if change == "keep" else 86_400.0,
        "effects": plan.guard,
        "unknown": "run" if plan.reruns else "refuse",
        "probe": probe if plan.probe else None,
        "approval": plan.approval,
    }


def _register(app: App, plan: Plan, handler: Callable[..., Any]) -> None:
    """Make a handler of the app of what is called."""
    effect: Any = "keyed" if plan.guard or plan.kind == "keyed" else "unsafe"
    match plan.kind:
        case "message":
            app.on_message("outer", final=(Broken, Declined))(handler)
        case "event":

            @app.on_event("orders", "made", final=(Broken, Declined))
            def outer(event: Event, context: Context) -> Any:
                return handler(event.data, context)
        case _:
            app.function(effect=effect, name="outer")(handler)
    if plan.kind == "run":

        @app.workflow("outer-flow")
        def flow(w: Flow, order: Ref) -> None:
            w.stop(w.step("outer", order, effect=effect))


class Awaited:
    """An `AsyncClient` whose methods are awaited one by one."""

    def __init__(self, client: AsyncClient) -> None:
        self._client, self._loop = client, asyncio.new_event_loop()
        self._loop.run_until_complete(client.__aenter__())

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if not iscoroutinefunction(method):
            return method
        return lambda *given, **named: self._loop.run_until_complete(method(*given, **named))

    def close(self) -> None:
        """Close client and loop."""
        self._loop.run_until_complete(self._client.close())
        self._loop.close()


def local_of(driver: FaultyDriver) -> Local:
    """Return the embedded target that fails on demand."""
    local = driver._driver
    assert isinstance(local, Local)
    return local


class World:
    """The stores, clients over them, and what their callers were told.

    Attributes:
        ledger: of the effects.
        words: what callers were told, in order.
        error: that the call ended with, or None.
        receipt: of what was accepted; None if nothing was.
        before: effects that had taken place when the last call was made: its word is about itself,
            and that of settling is about all calls of the key.
        is_parked: a delivery waits for a person, or for another run of its key.
    """

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self._folder = plan, folder
        self.ledger = Ledger()
        self.words: list[str] = []
        self.error: LeewardError | None = None
        self.receipt: Any = None
        self.before = 0
        self.is_parked = False
        self._stack = ExitStack()
        self.client, self.drivers = self._open(is_new=False)
        self.later, self.later_drivers = self.client, self.drivers

    def redeploy(self) -> None:
        """Open a client of the new version over the same stores; the old one goes on."""
        self.later, self.later_drivers = self._open(is_new=True)

    def close(self) -> None:
        """Close all clients."""
        self._stack.close()

    def _open(self, *, is_new: bool) -> tuple[Any, list[FaultyDriver]]:
        plan = self.plan
        names = ["alpha", "beta"][: plan.targets]
        order = names[::-1] if plan.turned and is_new else names
        files = {name: self._folder / f"{name}.sqlite3" for name in order}
        drivers = [FaultyDriver(Local(name, path=path)) for name, path in files.items()]
        effect = Effect(plan.kind) if plan.kind in ("keyed", "unsafe") else None
        config = Config(
            order=tuple(TargetName(name) for name in order),
            data_target="alpha",
            workflow_target="alpha",
            hedge=plan.hedge,
            functions={"outer": FunctionConfig(effect=effect)},
            buses={"orders": BusConfig(on_all_down="spool" if plan.spool else None)},
            spool=SpoolConfig(path=str(self._folder / "spool.sqlite3")),
        )
        app = app_of(plan, self.ledger, is_new=is_new)
        client: Any
        if plan.awaited:
            client = Awaited(AsyncClient(drivers, config=config, app=app))
        else:
            client = Client(drivers, config=config, app=app)
        self._stack.callback(client.close)
        return client, drivers

    def call(self, client: Any) -> None:
        """Make the call; note what its caller is told."""
        plan, self.before = self.plan, self.ledger.effects["outer"]
        try:
            match plan.kind:
                case "keyed" | "unsafe":
                    key = KEY if plan.kind == "keyed" else None
                    client.invoke("outer", PAYLOAD, idempotency_key=key, timeout=SECONDS)
                    self.words.append("yes")
                    return
                case "message":
                    self.receipt = client.enqueue(
                        "outer", PAYLOAD, idempotency_key=KEY, timeout=SECONDS
                    )
                case "event":
                    key = "k" if plan.ordering else None
                    self.receipt = client.publish_event(
                        "orders", "made", PAYLOAD, id=KEY, ordering_key=key, timeout=SECONDS
                    )
                case "run":
                    self.receipt = client.start_workflow("outer-flow", PAYLOAD, id=KEY)
            self.words.append("accepted")
        except LeewardError as error:
            self.error = error
            self.words.append(ran(error))

    def settle(self, client: Any) -> None:
        """Ask what became of the call; note what its caller is told."""
        plan = self.plan
        try:
            if plan.settles == "error":
                settled = client.settle(self.error, timeout=SECONDS)
            else:
                settled = client.settle(
                    KEY, function="outer", payload=PAYLOAD, sent=time.time(), timeout=SECONDS
                )
        except LeewardError as error:
            self.words.append(f"settle {type(error).__name__}")
            return
        told = {Verdict.NOT_RUN: "no", Verdict.RAN: "yes"}.get(settled.verdict, "maybe")
        self.words.append(told)
        self.before = 0

    def approve(self) -> None:
        """Approve what waits, as a person does."""

        def approve(record: KeyRecord, now: float) -> KeyRecord | None:
            return approve_by_hand(record, "ann")

        store = Local("alpha", path=self._folder / "alpha.sqlite3")
        with Client(store, config=Config(data_target="alpha")) as client:
            for row in [*list_keys(client, TABLE)]:
                if row.record is not None and row.record.state is KeyState.WAITING:
                    change_key(client, TABLE, row.id, version_of(row), approve)

    def deliver_late(self) -> None:
        """Let the request that was lost arrive, at the target where it was lost."""
        driver = self.drivers[0]
        lost = next((each for each in driver.calls if each.verb in EFFECTS), None)
        if lost is not None:
            driver._driver.perform(lost, SECONDS)

    def is_given_up(self) -> bool:
        """Return whether what was accepted waits, or has failed where a person sees it."""
        if self.plan.kind == "run":
            return self.client.get_run("outer-flow", KEY).state is not RunState.SUCCEEDED
        drivers = {*self.drivers, *self.later_drivers}
        return self.is_parked or any(local_of(driver).dead_letters() for driver in drivers)

    def rest(self) -> None:
        """Wait until nothing is delivered any more."""
        for driver in {*self.drivers, *self.later_drivers}:
            driver.heal()
        until = time.monotonic() + SECONDS
        while not self._is_over and time.monotonic() < until:
            time.sleep(0.01)  # the spool is drained in the background, and runs go on there
        # What waits for a person, or behind a run of its key, is parked for longer than a test.
        seconds = 0.2 if self.plan.approval or self.plan.repeats else SECONDS
        for driver in {*self.drivers, *self.later_drivers}:
            try:
                local_of(driver).wait_idle(seconds)
            except TimeoutError:
                self.is_parked = True

    @property
    def _is_over(self) -> bool:
        if self.plan.kind == "run" and self.receipt is not None:
            return self.client.get_run("outer-flow", KEY).state is not RunState.RUNNING
        client = getattr(self.client, "_client", self.client)
        return not (self.plan.spool and client._operations.spool.count_waiting())
