"""A worker: a process that runs the handlers of an app for a target that keeps rows.

```python
from leeward.worker import Worker
from shop import app

Worker(app, "postgres", queues={"parcels": 4}).run()
```

Any number of workers on any number of machines share the work: whoever has time takes a row, under
a lease. ``leeward worker`` is the same from a shell.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import inf
from threading import Thread, current_thread, main_thread
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Self, cast

from leeward._delivery.depths import DepthGauges
from leeward._delivery.relay import Relay, open_outboxes
from leeward._delivery.runner import AppRunner, Shares
from leeward.adapter import Driver
from leeward.app.app import App
from leeward.app.serving import FunctionServer, serve_functions
from leeward.app.triggers import Platform
from leeward.client import Client
from leeward.clock import Clock, SystemClock
from leeward.config import Config, LimitConfig
from leeward.config.sections import read_attempts, read_seconds
from leeward.errors import ConfigError, TargetUnavailable
from leeward.leases.faults import DatabaseFault
from leeward.leases.rules import Room
from leeward.leases.threads import LONGEST_PAUSE, LOOK_AGAIN
from leeward.logs import Fact, log_event
from leeward.records import NamedTuple
from leeward.stores import Owner, Stores
from leeward.version import __version__
from leeward.worker.health import HealthServer
from leeward.worker.opening import (
    WorkedTarget,
    WorkerFunctions,
    check_limits,
    check_names,
    check_queues,
    configuration_of,
    index_of,
    open_drivers,
    with_own_functions,
)
from leeward.workflow.checks import by_name
from leeward.workflow.embedded.engine import Engine
from leeward.workflow.model import Definition
from leeward.workflow.opening import WORKERS, check_runs, load_definitions
from leeward.workflow.steps import functions_called_by

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Worker", "WorkerStatus"]

LOGGER = "leeward.worker"

AWAY: Final = 30.0
"""Seconds for which a store may be away before a worker that works once ends; a failover of a
database takes about as long."""

TICK: Final = 0.1  # seconds between two looks whether a signal has come, or whether all is done

LOST: Final = 15.0
"""Seconds since the last good look at the store after which it counts as away: a look that hangs
does not fail. A worker looks each second, and a store has 10 seconds for an answer."""

CALLERS: Final = "LEEWARD_WORKER_TOKEN"
"""The variable with the token that callers of its functions have to send."""


class WorkerStatus(NamedTuple):
    """How a worker is.

    Attributes:
        state: ``starting``, ``ready``, ``store_away``, ``draining`` or ``stopped``.
        under_way: attempts that have begun and not ended.
        dead_letters: rows that it has given up.
        last_look: seconds since it last looked at the store and saw what is due; None for never.
    """

    state: str
    under_way: int
    dead_letters: int
    last_look: float | None


class Worker:
    """Runs an app for one target: messages, queued calls, events, schedules and workflow runs.

    Args:
        app: whose handlers run.
        targets: the order, as in ``CLOUD_PROVIDER``; or open drivers, which then belong to it.
            Handlers get a client of the whole order.
        config: path of a ``leeward.toml``, or a `Config`; its ``[worker]`` counts where an argument
            is None.
        target: that it works for; by default the first of the order that keeps rows for workers.
        concurrency: attempts at one time in this process, of all handlers whose queue is not in
            `queues`.
        queues: the same for each queue by itself; the name of a bus is for all of its subscribers.
        limits: further limits, by the name of a handler, or of a limit in ``[worker.limits]``.
        drain: seconds that attempts have to end in.
        health: the address at which it says how it is: ``PORT``, or ``HOST:PORT``.
        http: the address at which it serves the functions of the app over HTTP.
        trust_env: as of `leeward.Client`.
        clock: for tests.

    Attributes:
        client: that handlers share; it is closed with the worker.
        stores: of the target that it works for.

    Raises:
        ConfigError: something is wrong; the message names it and the remedy.
    """

    def __init__(
        self,
        app: App,
        targets: str | Driver | Sequence[Driver] | None = None,
        *,
        config: str | Path | Config | None = None,
        target: str | None = None,
        concurrency: int | None = None,
        queues: Mapping[str, int] | None = None,
        limits: Mapping[str, int] | None = None,
        drain: float | None = None,
        health: str | None = None,
        http: str | None = None,
        trust_env: bool = True,
        clock: Clock | None = None,
    ) -> None:
        if not isinstance(app, App):
            raise ConfigError(f"a worker runs a leeward.App, not a {type(app).__name__}")
        self._config = config = configuration_of(targets, config, trust_env=trust_env)
        configured = config.worker
        merged = dict(configured.limits)
        merged |= {
            name: configured.limits.get(name, LimitConfig(limit))._replace(most=limit)
            for name, limit in (limits or {}).items()
        }
        self.settings = configured._replace(
            target=target or configured.target,
            concurrency=configured.concurrency if concurrency is None else concurrency,
            queues={**configured.queues, **(queues or {})},
            limits=merged,
            drain=configured.drain if drain is None else read_seconds(drain, "drain"),
            health=health or configured.health,
            http=http or configured.http,
            token=configured.token or (os.environ.get(CALLERS) if config.trust_env else None),
        )
        self.app = app
        self._clock = clock or SystemClock()
        self._state = "starting"
        self._signals = 0
        self._health: HealthServer | None = None
        self._http: FunctionServer | None = None
        self._engine: Engine | None = None
        self._outboxes: list[Relay] = []
        self._gauges: DepthGauges | None = None
        self._fault: DatabaseFault | None = None
        self._looks: list[int] = []
        limit = self.settings.concurrency
        shares = Shares(
            None if limit is None else read_attempts(limit, "concurrency"),
            check_queues(app, self.settings.queues),
            check_limits(app, merged),
        )
        drivers = open_drivers(targets, config)
        try:
            self.client = self._open_client(drivers, shares, clock)
            self._definitions = by_name([*app.workflows, *load_definitions(config)])
            self._check_steps()
        except BaseException:
            for driver in drivers:
                driver.close()
            raise

    def __repr__(self) -> str:
        """Show the app and the target."""
        return f"<Worker of {self.app.name!r} at {self.target}>"

    def __enter__(self) -> Self:
        """Start, and return the worker itself."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Drain, and close."""
        self.drain()

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """The workflows of the app and of the configuration."""
        return (*self._definitions.values(),)

    @property
    def health_address(self) -> str | None:
        """Where it says how it is, once it has started; None for nowhere."""
        return None if self._health is None else self._health.address

    @property
    def http_address(self) -> str | None:
        """Where it serves functions, once it has started; None for nowhere."""
        return None if self._http is None else self._http.address

    def run(self, *, once: bool = False) -> int:
        """Work until the process is asked to end, then let attempts end.

        SIGTERM and SIGINT ask; a second one ends the process at once. Off the main thread, Python
        passes no signals: use `start` and `drain` there.

        Args:
            once: end when nothing is due, and nothing becomes due within a second.

        Returns:
            How many rows it has given up as dead letters.

        Raises:
            ConfigError: the store refuses what it is asked, or an address cannot be listened at.
            TargetUnavailable: with `once`, the store was away for `AWAY` seconds on end.
        """
        patience = AWAY if once else inf
        with self._count_signals():
            try:
                self._start(patience)
                answered = monotonic()
                while not self._signals and not (once and self._is_done()):
                    time.sleep(TICK)
                    if self.status().state != "store_away":
                        answered = monotonic()
                    elif monotonic() - answered > patience:
                        raise self._absence_of_store()
            finally:
                self.drain()
        return self.status().dead_letters

    def start(self) -> None:
        """Register the subscriptions of the app, and take what is due from now on.

        As long as the store is away, this waits for it; functions are served meanwhile.

        Raises:
            ConfigError: an address cannot be listened at.
        """
        self._start(inf)

    def _start(self, patience: float) -> None:
        """Start, or raise `TargetUnavailable` when the store was away for so many seconds."""
        settings = self.settings
        if settings.health is not None and self._health is None:
            self._health = HealthServer(settings.health, self._report).start()
        if settings.http is not None and self._http is None:
            send = self.client._operations.runs.send  # noqa: SLF001 - of one package
            token = settings.token or ()
            self._http = serve_functions(self.app, settings.http, token=token, send=send).start()
        self._reach_store(patience)
        if self._state != "starting" or self._signals:
            return
        self._state = "ready"
        self._runner.resume()
        if self.stores.presence is not None:
            self.stores.presence.hold(self.app.name)
        if self.app.otel:
            rows = self.stores.deliveries
            self._gauges = DepthGauges(self.target, rows, self._runner.handlers, self._clock)
            self._gauges.refresh()
        self._wake_runs()
        if self.stores.listen is not None:
            self.stores.listen(self._runner.wake, self._wake_runs)
        self._outboxes = open_outboxes(self.client._operations)  # noqa: SLF001 - of one package
        for outbox in self._outboxes:
            outbox.wake()
        log_event(LOGGER, "info", "worker_started", **self._facts())

    def _wake_runs(self) -> None:
        if self._engine is not None:
            self._engine.wake()

    def drain(self, timeout: float | None = None) -> bool:
        """Stop taking rows, wait for attempts and steps, hand back the rest, and close.

        Args:
            timeout: seconds; None for the setting.

        Returns:
            Whether all have ended. The leases of those that have not run out by themselves.
        """
        if self._state == "stopped":
            return True
        self._state = "draining"
        if self.stores.presence is not None:
            self.stores.presence.release()
        until = monotonic() + (self.settings.drain if timeout is None else timeout)
        self._runner.pause()
        self._runner.schedules.close()
        steps = Thread(target=self._close_engine, args=(until,), name="leeward-drain", daemon=True)
        outboxes = [
            Thread(target=outbox.close, name="leeward-outbox", daemon=True)
            for outbox in self._outboxes
        ]
        for beside in (steps, *outboxes):
            beside.start()
        calls_ended = self._http is None or self._http.drain(max(0.0, until - monotonic()))
        left = self._runner.drain(max(0.0, until - monotonic()))
        for beside in (steps, *outboxes):
            beside.join(max(0.0, until - monotonic()) + TICK)
        is_whole = calls_ended and not left and not steps.is_alive()
        facts: dict[str, Fact] = {"attempts_left": left, "dead_letters": self.status().dead_letters}
        log_event(LOGGER, "info", "worker_drained", **facts)
        if self._http is not None:
            self._http.close()
        if self._gauges is not None:
            self._gauges.close()
        self._runner.close()
        self.client.close(0.0)
        self._state = "stopped"
        if self._health is not None:
            self._health.close()
        return is_whole

    def status(self) -> WorkerStatus:
        """Return how it is."""
        dispatchers = self._runner.status()
        looks = [dispatcher.looked_at for dispatcher in dispatchers]
        oldest = min((at for at in looks if at is not None), default=None)
        last = None if oldest is None or None in looks else monotonic() - oldest
        failures = any(dispatcher.failures for dispatcher in dispatchers)
        state = self._state
        is_late = last is not None and last > LOST
        if state in ("starting", "ready") and (failures or is_late or self._fault is not None):
            state = "store_away"
        return WorkerStatus(
            state,
            sum(dispatcher.under_way for dispatcher in dispatchers),
            sum(dispatcher.dead for dispatcher in dispatchers),
            last,
        )

    def _open_client(self, drivers: list[Driver], shares: Shares, clock: Clock | None) -> Client:
        """Open the client that handlers share, and what runs the app over the target's rows."""
        at = index_of(drivers, self.settings.target)
        driver, config = drivers[at], self._config
        self.target = driver.target
        self.stores = stores = cast("Stores", driver.stores())
        if stores.runner is not None:
            self._runner = cast("AppRunner", stores.runner)
        else:
            provider = self.target.partition(":")[0]
            check_names(self.app, config, self.target)
            platform = Platform(provider, None, self._clock, driver.limits.payload_bytes)
            self._runner = AppRunner(stores, platform)
            config = with_own_functions(config, self.app, drivers, self.target)
            drivers[at] = WorkedTarget(driver, self._runner)
            drivers.append(WorkerFunctions(self._runner.functions, driver.limits))
        self._runner.share_out(shares)
        return Client(drivers, config=config, app=self.app, clock=clock, otel=self.app.otel)

    def _check_steps(self) -> None:
        """Refuse a workflow with a step that nobody could call."""
        target = self._config.workflow_target or self.target
        check_runs(self._config, target, self._definitions.values())
        for definition in self._definitions.values():
            if missing := functions_called_by(self.client).list_absent(definition):
                raise ConfigError(
                    f"the workflow {definition.name!r} calls {', '.join(missing)}, which is "
                    f"neither in the app {self.app.name!r} nor at another target; add it to the app"
                )

    def _reach_store(self, patience: float) -> None:
        """Register the subscriptions, open the runs, and make up for schedules; wait for the store.

        It is logged once that it is away.

        Raises:
            TargetUnavailable: it has been away for `patience` seconds.
        """
        pause, since = LOOK_AGAIN, monotonic()
        while self._state == "starting" and not self._signals:
            try:
                self._runner.claim()
                self._open_engine()
                self._runner.schedules.make_up()
            except DatabaseFault as fault:
                if self._fault is None:
                    facts: dict[str, Fact] = {"reason": fault.reason, "text": str(fault)}
                    log_event(LOGGER, "warning", "store_away", target=self.target, **facts)
                self._fault = fault
                if monotonic() - since > patience:
                    raise self._absence_of_store() from fault
            else:
                self._fault = None
                return
            until = monotonic() + pause
            while monotonic() < until and self._state == "starting" and not self._signals:
                time.sleep(TICK)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _absence_of_store(self) -> TargetUnavailable:
        """Return that the store is away, with its own reason where it gives one."""
        fault = self._fault
        try:
            self.stores.deliveries.take([], self._clock.now, Room(0, 0))  # as who works, of nobody
        except DatabaseFault as error:
            fault = error
        text = f"{self.target} has not answered for {AWAY:.0f} seconds"
        return TargetUnavailable(f"{text}: {fault}" if fault else text, target=self.target)

    def _open_engine(self) -> None:
        """Open the engine, if there are workflows whose runs live at this target."""
        target = self._config.workflow_target or self.target
        open_journal = self.stores.open_journal
        if self._definitions and target != self.target and self._fault is None:
            names = " ".join(self._definitions)
            log_event(LOGGER, "warning", "runs_elsewhere", workflows=names, target=target)
        if self._engine is not None or open_journal is None or target != self.target:
            return
        if self._definitions:
            operations = self.client._operations  # noqa: SLF001 - of one package
            functions = functions_called_by(self.client)
            self._engine = Engine(
                functions,
                self._definitions.values(),
                cast("Any", open_journal()),
                workers=WORKERS,
                absent=functions.list_absent,
                target=self.target,
                owner=Owner(*operations.owner),
            )
            operations.runs.use(self._engine)

    def _close_engine(self, until: float) -> None:
        if self._engine is not None:
            self._engine.close(max(0.0, until - monotonic()))

    def _is_done(self) -> bool:
        """Return whether nothing is due: all have looked again since all had nothing to do."""
        activities = [*self._runner.status(), *(outbox.activity() for outbox in self._outboxes)]
        looks = [activity.looks for activity in activities]
        is_idle = all(activity.is_idle for activity in activities)
        if self._engine is not None:
            looks.append(self._engine.looks)
            is_idle = is_idle and self._engine.is_idle
        if not is_idle or not self._looks:
            self._looks = looks if is_idle else []
            self._runner.wake()
            for outbox in self._outboxes:
                outbox.wake()
            if self._engine is not None:
                self._engine.wake()
            return False
        return all(now > before for now, before in zip(looks, self._looks, strict=True))

    def _report(self) -> tuple[bool, Mapping[str, Any]]:
        """Return whether it is ready, and what the health address says."""
        status, settings = self.status(), self.settings
        facts = {
            "status": status.state,
            "app": self.app.name,
            "target": self.target,
            "version": __version__,
            "handlers": [*self.app.handlers],
            "workflows": {name: each.digest for name, each in self._definitions.items()},
            "concurrency": settings.concurrency or self.stores.deliveries.policy.concurrency,
            "queues": {**settings.queues},
            "limits": {name: limit.most for name, limit in settings.limits.items()},
            "under_way": status.under_way,
            "dead_letters": status.dead_letters,
            "last_look": None if status.last_look is None else round(status.last_look, 3),
        }
        if self._fault is not None:
            facts["reason"] = self._fault.reason
        return status.state == "ready", facts

    def _facts(self) -> dict[str, Fact]:
        """Return what a log says of it."""
        _, report = self._report()
        words: dict[str, Fact] = {
            name: " ".join(f"{key}={value}" for key, value in report[name].items()) or None
            for name in ("queues", "limits", *["workflows"] * (self._engine is not None))
        }
        words |= {name: report[name] for name in ("app", "target", "version", "concurrency")}
        addresses = {"health": self.health_address, "http": self.http_address}
        drain, handlers = self.settings.drain, " ".join(report["handlers"])
        return {**words, "handlers": handlers, "drain": drain, **addresses}

    @contextmanager
    def _count_signals(self) -> Iterator[None]:
        """Count requests to end; a second one ends the process at once."""
        if current_thread() is not main_thread():
            yield
            return

        def count(number: int, _: object) -> None:
            self._signals += 1
            if self._signals > 1:
                os._exit(128 + number)

        before = {each: signal.signal(each, count) for each in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
