"""A world of two targets and two versions of an app, in which one call is made, and its ledger.

On `local` a client runs the app. On PostgreSQL a function is called at `local` targets, with keys
and runs in PostgreSQL; messages and events wait in PostgreSQL for workers of each version.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from inspect import iscoroutinefunction
from threading import Thread
from typing import Any, Final, NamedTuple

from leeward import App, AsyncClient, Client, Config, Event, ran
from leeward.adapter import Driver
from leeward.app import Context, idempotent
from leeward.app.idempotency import CannotTell, Done, NotDone
from leeward.app.idempotency.record import KeyRecord, KeyState
from leeward.cli.dead_letters import MoveOptions, StoreLetters, redrive
from leeward.cli.key_records import approve_by_hand, change_key, list_keys
from leeward.clock import SystemClock
from leeward.config import BusConfig, FunctionConfig, TargetName
from leeward.config.model import GroupConfig, SpoolConfig
from leeward.errors import LeewardError
from leeward.local import Local
from leeward.testing import Fault, FaultyDriver
from leeward.values import Effect
from leeward.values.runs import RunState
from leeward.values.settled import Verdict
from leeward.views.calls import version_of
from leeward.worker import Worker
from leeward.workflow import Flow, Ref
from tests.pairs.places import NAMES, Files, Place

KEY: Final = "k1"
PAYLOAD: Final = {"n": 1}
TABLE: Final = "keys"
HOMES: Final = ("postgres:alpha", "local:alpha")
"""Of keys and runs: the first that is in the order."""
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
        batch: the event is one of three that are published together.
        resident: what is called stays at the first target.
        neighbour: another app has the same names, in the same stores, and uses the same key.
        cancels: the run is cancelled at once.
        redrives: what was given up is delivered again.
        ahead: the clock of who settles and repeats is most of an hour ahead.
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
    batch: bool = False
    resident: bool = False
    neighbour: bool = False
    cancels: bool = False
    redrives: bool = False
    ahead: bool = False
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


class Ahead(SystemClock):
    """A clock that is as much ahead as clocks may differ, and a minute less."""

    @staticmethod
    def now() -> float:
        """Return its time, in Unix seconds."""
        return time.time() + 3540.0


def _act_of(plan: Plan, ledger: Ledger, app: str) -> Callable[..., int]:
    """Return what the handler does."""
    inner = "inner" if app == "shop" else "inner-of-mail"
    effect = "outer" if app == "shop" else app

    def act(order: dict[str, Any], context: Context) -> int:
        if plan.inner:
            context.client.invoke(inner, order, idempotency_key=f"{KEY}/inner", effect="keyed")
        if plan.raises == "before":
            raise Broken
        if plan.raises == "declared":
            raise Declined
        if plan.guard == "marked":
            context.effect()
        ledger.note(effect if order == PAYLOAD else "others", in_thread=plan.thread)
        if plan.raises == "after":
            raise Broken
        return 7

    return act


def app_of(plan: Plan, ledger: Ledger, *, name: str = "shop", is_new: bool = False) -> App:
    """Return a version of the app, or of its neighbour."""
    app = App(name)
    change = plan.change if is_new else ""
    act = _act_of(plan, ledger, name)
    effect = "outer" if name == "shop" else name

    def probe(key: str, context: Context | None, notes: tuple[str, ...]) -> Any:
        if plan.probe == "cannot tell":
            return CannotTell()
        return Done(7) if ledger.effects[effect] else NotDone()

    def hear(event: Event, context: Context) -> int:
        return act(event.data, context)

    handler: Any = hear if plan.kind == "event" else act
    handler.__module__ = "moved" if change == "module" else "shop"
    handler.__qualname__ = handler.__name__ = "renamed" if change == "function" else "act"
    if plan.guard and (is_new or plan.change != "undecorated"):
        handler = idempotent(**_guards(plan, change, probe))(handler)
    _register(app, plan, handler)

    # A queued function of one name has one app, where workers work.
    @app.function(name="inner" if name == "shop" else "inner-of-mail", effect="keyed")
    @idempotent(table=TABLE, principal=None)
    def inner(order: dict[str, Any], context: Context) -> int:
        ledger.note("inner" if name == "shop" else f"inner of {name}")
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
            app.on_message("outer", name="outer", final=(Broken, Declined))(handler)
        case "event":
            app.on_event("orders", "made", name="outer", final=(Broken, Declined))(handler)
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
        is_cancelled: the run was cancelled before it had ended.
    """

    def __init__(self, plan: Plan, place: Place) -> None:
        self.plan, self._place = plan, place
        self.ledger = Ledger()
        self.words: list[str] = []
        self.error: LeewardError | None = None
        self.receipt: Any = None
        self.before = 0
        self.is_parked = False
        self.is_cancelled = False
        self._stack = ExitStack()
        self._workers: list[Worker] = []
        self._faulty: list[FaultyDriver] = []
        self._has_workers = not place.has_functions and plan.kind in ("message", "event")
        kind = "postgres" if self._has_workers else "local"
        self._names = [f"{kind}:{name}" for name in NAMES[: plan.targets]]
        self.client, self.drivers = self._open()
        if plan.neighbour:
            client, _ = self._open(name="mail")
            if plan.kind != "event":  # of which both apps get each
                self._try_to_send(client)
        self.later = self.client

    def redeploy(self) -> None:
        """Open a client of the new version over the same stores; the old one goes on."""
        self.later, _ = self._open(is_new=True)

    def close(self) -> None:
        """Close all clients, and workers."""
        self._stack.close()

    def _open(self, *, name: str = "shop", is_new: bool = False) -> tuple[Any, list[FaultyDriver]]:
        plan = self.plan
        names = self._names
        order = names[::-1] if plan.turned and is_new else names
        app: App | None = app_of(plan, self.ledger, name=name, is_new=is_new)
        clock = Ahead() if plan.ahead and is_new else None
        if self._has_workers:
            for target in order:
                self._work(app, order, target, clock)
            app = None
            faulty = [FaultyDriver(self._place.open_home(each)) for each in order]
            drivers: list[Driver] = [*faulty]
        else:
            files = Files(self._place.folder)
            faulty = [FaultyDriver(files.open_home(each)) for each in order]
            drivers = [*faulty]
            if not self._place.has_functions:
                drivers.append(self._place.open_home("postgres:alpha"))
        self._faulty += faulty
        config = self._config(*(each.target for each in drivers))
        client: Any
        if plan.awaited:
            client = Awaited(AsyncClient(drivers, config=config, app=app, clock=clock))
        else:
            client = Client(drivers, config=config, app=app, clock=clock)
        self._stack.callback(client.close)
        return client, faulty

    def _work(self, app: App | None, order: Sequence[str], target: str, clock: Any) -> None:
        """Let a worker of a version work at a target."""
        assert app is not None
        drivers = [self._place.open_home(each) for each in order]
        config = self._config(*order)
        worker = Worker(app, drivers, config=config, target=target, clock=clock)
        worker.start()
        self._stack.callback(worker.drain)
        self._workers.append(worker)

    def _config(self, *order: str) -> Config:
        plan = self.plan
        home = next(name for name in HOMES if name in order)
        effect = Effect(plan.kind) if plan.kind in ("keyed", "unsafe") else None
        group = GroupConfig(("outer",), ("orders",), residency=("here",))
        return Config(
            order=tuple(TargetName(*name.split(":")) for name in order),
            data_target=home,
            workflow_target=home,
            hedge=plan.hedge,
            functions={"outer": FunctionConfig(effect=effect)},
            buses={"orders": BusConfig(on_all_down="spool" if plan.spool else None)},
            spool=SpoolConfig(path=str(self._place.folder / "spool.sqlite3")),
            groups={"own": group} if plan.resident else {},
            residency={name: "there" if name.endswith("beta") else "here" for name in order},
        )

    def call(self, client: Any) -> None:
        """Make the call; note what its caller is told."""
        self.before = self.ledger.effects["outer"]
        try:
            self.words.append(self._send(client))
        except LeewardError as error:
            self.error = error
            self.words.append(ran(error))
        if self.plan.cancels and self.receipt is not None:
            self.is_cancelled = client.cancel_run("outer-flow", KEY).state is not RunState.SUCCEEDED
        self._wake()

    def _try_to_send(self, client: Any) -> None:
        with suppress(LeewardError):
            self._send(client)
        self.receipt = None

    def _send(self, client: Any) -> str:
        """Make the call; return what was promised."""
        plan = self.plan
        match plan.kind:
            case "message":
                self.receipt = client.enqueue(
                    "outer", PAYLOAD, idempotency_key=KEY, timeout=SECONDS
                )
            case "event" if plan.batch:
                key = "k" if plan.ordering else None
                events = [
                    Event("made", data, id=id, ordering_key=key)
                    for id, data in (("o1", {"n": 2}), (KEY, PAYLOAD), ("o2", {"n": 3}))
                ]
                report = client.publish_events("orders", events, timeout=SECONDS)
                report.raise_if_failed()
                self.receipt = report
            case "event":
                key = "k" if plan.ordering else None
                self.receipt = client.publish_event(
                    "orders", "made", PAYLOAD, id=KEY, ordering_key=key, timeout=SECONDS
                )
            case "run":
                self.receipt = client.start_workflow("outer-flow", PAYLOAD, id=KEY)
            case _:
                own = KEY if plan.kind == "keyed" else None
                client.invoke("outer", PAYLOAD, idempotency_key=own, timeout=SECONDS)
                return "yes"
        return "accepted"

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

        store = self._place.open_home(self._place.home)
        with Client(store, config=Config(data_target=store.target)) as client:
            for row in [*list_keys(client, TABLE)]:
                if row.record is not None and row.record.state is KeyState.WAITING:
                    change_key(client, TABLE, row.id, version_of(row), approve)

    def deliver_late(self) -> None:
        """Let the request that was lost arrive, at the target where it was lost."""
        driver = self.drivers[0]
        lost = next((each for each in driver.calls if each.verb in EFFECTS), None)
        if lost is not None:
            driver._driver.perform(lost, SECONDS)

    def redrive(self) -> None:
        """Deliver again what was given up, as a person does who has looked at it."""
        for name in self._names:
            with closing(self._place.open_home(name)) as home:
                stores = home.stores()
                assert stores is not None
                options = MoveOptions(force=True)
                letters = StoreLetters(stores, name)
                redrive(letters, options, 0.0, agree=bool, sleep=id, progress=id)
        self._wake()

    def is_given_up(self) -> bool:
        """Return whether what was accepted waits, or has failed where a person sees it."""
        if self.plan.kind == "run":
            return self.client.get_run("outer-flow", KEY).state is not RunState.SUCCEEDED
        return self.is_parked or self._count_spooled() > 0 or self._place.count_left() > 0

    def has_strayed(self) -> bool:
        """Return whether what has to stay at the first target was sent to another one."""
        calls = [
            each for driver in self._faulty for each in driver.calls if driver.target == "beta"
        ]
        return any(each.verb in EFFECTS and getattr(each, "function", "outer") != "inner"
                   for each in calls)  # fmt: skip

    def rest(self) -> None:
        """Wait until nothing is delivered any more."""
        for driver in self._faulty:
            driver.heal()
        # What waits for a person, or behind a run of its key, is parked for longer than a test.
        seconds = 0.2 if self.plan.approval or self.plan.repeats else SECONDS
        until = time.monotonic() + SECONDS
        while not self._is_over and time.monotonic() < until:
            time.sleep(0.01)  # the spool is drained in the background, and runs go on there
        if self._has_workers:
            until = time.monotonic() + SECONDS
            while not (is_idle := self._place.is_idle()) and time.monotonic() < until:
                self._wake()
                time.sleep(0.02)
            self.is_parked = not is_idle
            return
        for driver in self._faulty:
            local = driver._driver
            assert isinstance(local, Local)
            try:
                local.wait_idle(seconds)
            except TimeoutError:
                self.is_parked = True

    def _wake(self) -> None:
        """Let workers look at once, as they do each second."""
        for worker in self._workers:
            worker._runner.wake()

    @property
    def _is_over(self) -> bool:
        if self.plan.kind == "run" and self.receipt is not None:
            return self.client.get_run("outer-flow", KEY).state is not RunState.RUNNING
        return not self._count_spooled()

    def _count_spooled(self) -> int:
        """Return how many events wait in the spool, as for a target that is isolated."""
        client = getattr(self.client, "_client", self.client)
        return (client._operations.spool.count_waiting() or 0) if self.plan.spool else 0
