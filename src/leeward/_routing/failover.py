"""FailoverDriver: a driver around drivers, which takes each call to a target that serves it.

Below it are its two runners, which carry out the core's decisions: for threads, and for event
loops. The first uses the caller's thread, and others only if several commands are in flight. The
second uses the caller's task, and others beside it. Both read the clock and hold the lock; the core
does neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, suppress
from functools import partial
from operator import itemgetter
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from leeward._routing import targets
from leeward._routing.attempts import Core
from leeward._routing.background import Prober, Shared
from leeward._routing.circuits import ProbeSchedule
from leeward._routing.commands import Command, Commands, Pause, explain
from leeward._routing.execution import Execution, Reply, execute
from leeward._routing.health import Health, TargetEvidence
from leeward._routing.outcomes import rules_of
from leeward._routing.policy import DEFAULT, RoutingPolicy
from leeward.adapter import Capability, Driver, Limits
from leeward.calls import ISOLATED, NO_PLACE, NO_THREAD, Call, Result, is_barred, time_after
from leeward.clock import Clock, SystemClock, running_loop
from leeward.entropy import random_unit
from leeward.entrypoints import import_spec
from leeward.errors import Attempt, ConfigError, Outcome, is_from_signal
from leeward.values import NOTHING, RoutingEvent

if TYPE_CHECKING:
    from asyncio import Future, Task


DATA = frozenset(
    {
        Capability.TABLES,
        Capability.CONDITIONS,
        Capability.EXPIRY,
        Capability.COMPOSITE_KEYS,
        Capability.SCAN,
        Capability.RANGES,
        Capability.OBJECTS,
        Capability.SETTLING,
    }
)
"""The capabilities that only the home of a table or bucket needs."""

NEEDS: Final[Mapping[str, tuple[Capability, ...]]] = {
    "invoke": (Capability.INVOKE,),
    "settle": (Capability.INVOKE,),
    "enqueue": (Capability.ENQUEUE,),
    "publish": (Capability.PUBLISH, Capability.ORDERING),
}
"""Verb to the capabilities that a target needs. A target without the first one is left out; all
targets that are left need the others."""

SHARING: Final = "leeward._routing.snapshot:share"
"""Returns a companion that exchanges data with other processes; loaded if configured."""

RUNS = frozenset({Capability.WORKFLOWS, Capability.SINGLE_STARTS})
"""The capabilities that only the target at which runs live needs."""


class FailoverDriver(Driver):
    """Try targets in order, and move on only where the outcome table allows it.

    It fulfils the driver protocol itself, but one call may make several attempts, which
    `Result.target` and `Result.attempts` show.

    Args:
        drivers: in order of preference; their target names differ.
        home: the target that owns the tables and buckets that have no home of their own. With one
            driver it is that one. With several and no home, a data call raises `ConfigError`.
        runs: the target at which runs of workflows live; by default the first one.
        groups: verb and name of a function or bus to the targets that serve it, if that is not the
            whole order.
        weights: target to the share of calls, in [0, 1], that it is asked for first although it is
            not the preferred one.
        fail_back: ``prefer_primary``, ``sticky`` or ``manual``; see
            `leeward._routing.targets.TargetGroup`.
        hedging: ask a second target when a harmless call takes long.
    """

    def __init__(
        self,
        drivers: Sequence[Driver],
        *,
        home: str | None = None,
        homes: Mapping[str, str] = NOTHING,
        bucket_homes: Mapping[str, str] = NOTHING,
        runs: str | None = None,
        groups: Mapping[tuple[str, str], targets.TargetGroup] = targets.NO_GROUPS,
        weights: Mapping[str, float] = NOTHING,
        fail_back: str = "prefer_primary",
        hedging: bool = False,
        policy: RoutingPolicy = DEFAULT,
        clock: Clock | None = None,
    ) -> None:
        if not drivers:
            raise ConfigError("a failover order needs at least one target")
        self._drivers = {driver.target: driver for driver in drivers}
        if len(self._drivers) < len(drivers):
            raise ConfigError("two targets of one order have the same name; name each only once")
        order = tuple(self._drivers)
        if home is None and len(order) == 1:
            home = order[0]
        self._targets = targets.Targets(
            order, home, homes, groups, weights, fail_back, bucket_homes, runs
        )
        able = {verb: able_of(drivers, verb) for verb in NEEDS}
        if any(names != order for names in able.values()):
            self._targets = targets.narrow_groups(self._targets, able)
        self.target = ",".join(order)
        self.capabilities = self._common_capabilities(able)
        self.limits = Limits.smallest([driver.limits for driver in drivers])
        probing = frozenset(
            target for target, driver in self._drivers.items() if driver.probe_fidelity is not None
        )
        health = Health(self._targets, random_unit, policy, probing)
        self._shared = Shared(Core(health, hedging), self._drivers, clock)

    def perform(self, call: Call, timeout: float, only: tuple[str, ...] = ()) -> Result[Any]:
        """Return the result of any call, after all its attempts, within `timeout` seconds.

        `only` narrows the targets for this call, and is their order.
        """
        shared = self._shared
        execution = execute(shared.core, call, shared.clock.monotonic(), timeout, only)
        outbox = shared.outbox
        try:
            with shared.lock:
                commands = next(execution)
            if outbox:
                shared.deliver()
            while len(commands) == 1:
                reply = _carry_out(shared, commands[0])
                with shared.lock:
                    commands = execution.send(reply)
                if outbox:
                    shared.deliver()
            return _run_side_by_side(shared, execution, commands)
        except StopIteration as end:
            result: Result[Any] = end.value
            return result
        except BaseException:  # an interrupt: nobody waits for what is in flight
            with shared.lock:
                execution.close()
            raise
        finally:
            if outbox:
                shared.deliver()

    async def perform_async(
        self, call: Call, timeout: float, only: tuple[str, ...] = ()
    ) -> Result[Any]:
        """Do the same without blocking the event loop."""
        shared = self._shared
        execution = execute(shared.core, call, shared.clock.monotonic(), timeout, only)
        outbox = shared.outbox
        try:
            with shared.lock:
                commands = next(execution)
            if outbox:
                _deliver(shared)
            while len(commands) == 1:
                reply = await _carry_out_async(shared, commands[0])
                with shared.lock:
                    commands = execution.send(reply)
                if outbox:
                    _deliver(shared)
            return await _run_side_by_side_async(shared, execution, commands)
        except StopIteration as end:
            result: Result[Any] = end.value
            return result
        except BaseException:  # a cancellation: nobody waits for what is in flight
            with shared.lock:
                execution.close()
            raise
        finally:
            if outbox:
                _deliver(shared)

    def evidence(self, target: str) -> TargetEvidence:
        """Return the attempts and circuits of `target`."""
        shared = self._shared
        with shared.lock:
            return shared.core.health.evidence(target, shared.clock.monotonic())

    def isolate(self, target: str) -> None:
        """Send nothing to `target` until it is restored."""
        with self._shared.lock:
            self._shared.core.health.circuits.isolate(target)
        self._shared.deliver()

    def restore(self, target: str) -> None:
        """Send calls to `target` again: a share first, then all."""
        shared = self._shared
        with shared.lock:
            shared.core.health.circuits.restore(target, shared.clock.monotonic())
        self._shared.deliver()

    def explain(self, call_id: int) -> str:
        """Return the decisions about a call and their reasons, in words."""
        with self._shared.lock:
            health = self._shared.core.health
            return explain(health.history, health.calls, call_id)

    def has_made(self, attempts: tuple[Attempt, ...]) -> bool:
        """Return whether these attempts belong to one of its last calls that did not go well."""
        with self._shared.lock:
            history = self._shared.core.health.history
            return any(record.attempts is attempts for record in history)

    def check_health(self, interval: float, failures: int, recoveries: int) -> None:
        """Probe every target, whether or not calls go there, until the order is closed."""
        schedule = ProbeSchedule(interval, failures, recoveries)
        self._shared.companions.append(Prober(self._shared, schedule))

    def share_health(self, table: str, key: str) -> None:
        """Share evidence and the isolations of operators with other processes, by a table."""
        self._shared.companions.extend(import_spec(SHARING)(self._shared, table, key))

    def listen(self, listener: Callable[[RoutingEvent], object]) -> None:
        """Call `listener` with every decision from now on."""
        self._shared.listeners.append(listener)

    def home_of(self, table: str) -> str:
        """Return the target that owns `table`; raise `ConfigError` if none was chosen."""
        return targets.home_of(self._targets, table)

    def candidates(self, call: Call) -> tuple[str, ...]:
        """Return the targets that may serve `call`, in order of preference."""
        return targets.candidates(self._targets, call, rules_of(call))

    def describe(self) -> Mapping[str, str]:
        """Return the order."""
        return {"order": self.target}

    def native(self, service: str) -> object:
        """Return the vendor's own client of the first target."""
        return self._drivers[self._targets.order[0]].native(service)

    def close(self) -> None:
        """Close every driver, even if closing another one raises."""
        self._shared.end()
        with ExitStack() as closing:
            for driver in self._drivers.values():
                closing.callback(driver.close)

    async def close_async(self) -> None:
        """Do the same without blocking the event loop."""
        self._shared.end()
        async with AsyncExitStack() as closing:
            for driver in self._drivers.values():
                closing.push_async_callback(driver.close_async)

    def _common_capabilities(self, able: Mapping[str, tuple[str, ...]]) -> frozenset[Capability]:
        """Return the common capabilities; for data and runs, of the targets that keep them."""
        everywhere = {
            capability
            for verb, capabilities in NEEDS.items()
            for capability in capabilities
            if all(capability in self._drivers[name].capabilities for name in able[verb])
        }
        homes = {
            self._targets.home,
            *self._targets.homes.values(),
            *self._targets.bucket_homes.values(),
        }
        owners = [driver.capabilities for name, driver in self._drivers.items() if name in homes]
        at_home = frozenset.intersection(*owners) if owners else frozenset[Capability]()
        runs = self._drivers[self._targets.runs or self._targets.order[0]].capabilities
        return (at_home & DATA) | (runs & RUNS) | everywhere


def able_of(drivers: Iterable[Driver], verb: str) -> tuple[str, ...]:
    """Return the targets for a verb of `NEEDS`, in order of preference.

    A target of a kind that never serves the verb is left out. A target that could serve it, but is
    not configured for it, stays, so that the call is refused and a forgotten setting is noticed. If
    none can serve it, all stay.
    """
    capability, *_ = NEEDS[verb]
    order = tuple(driver.target for driver in drivers)
    able = tuple(
        driver.target
        for driver in drivers
        if capability in driver.capabilities or capability in driver.missing
    )
    return able or order


def _carry_out(shared: Shared, command: Command) -> Reply:
    """Do what `command` says."""
    clock = shared.clock
    answer: object = None
    began = clock.monotonic()
    if isinstance(command, Pause):
        if command.places and isinstance(clock, SystemClock):
            answer = _wait_for_place(shared, command)
        else:
            clock.sleep(command.seconds)
    else:
        try:
            answer = shared.drivers[command.target].perform(command.call, command.timeout)
        except Exception as error:
            if is_from_signal(error):
                raise
            answer = error  # what it means is decided in one place
        finally:
            if shared.parked:
                _wake_first(shared, command.target, answer)
    return command, began, clock.monotonic(), answer


def _wait_for_place(shared: Shared, pause: Pause) -> str | None:
    """Return the target where an attempt has ended; None if the pause ended first."""
    woken: SimpleQueue[str] = SimpleQueue()
    shared.park(pause, woken.put)
    try:
        return woken.get(timeout=pause.seconds)
    except Empty:
        return None
    finally:
        shared.unpark(pause)


def _wake_first(shared: Shared, target: str, answer: object) -> None:
    """Wake a call that waits for a place at a target, after an attempt there."""
    if not isinstance(answer, Result) or answer.reason != NO_PLACE:
        shared.wake_first(target)


def _run_side_by_side(shared: Shared, execution: Execution, commands: Commands) -> Result[Any]:
    """Run all commands at once; the first answer that decides ends the call.

    Attempts still in flight continue until their own time is over, because a thread cannot be
    stopped; nobody reads their answers. The caller's own thread waits for pauses, so a hedge that
    is not needed costs only one thread.
    """
    replies: SimpleQueue[Reply | BaseException] = SimpleQueue()
    pauses: list[tuple[float, Pause, float]] = []
    while True:
        for command in commands:
            if isinstance(command, Pause) and isinstance(shared.clock, SystemClock):
                began = monotonic()
                pauses.append((began + command.seconds, command, began))
                if command.places:
                    shared.park(command, partial(_put_woken, replies, command, began))
            else:
                _start(shared, command, replies)
        reply = _next(shared, replies, pauses)
        if isinstance(reply, BaseException):
            raise reply
        try:
            with shared.lock:
                commands = execution.send(reply)
        finally:
            if shared.outbox:
                shared.deliver()


def _put_woken(
    replies: SimpleQueue[Reply | BaseException], pause: Pause, began: float, target: str
) -> None:
    replies.put((pause, began, monotonic(), target))


def _next(
    shared: Shared,
    replies: SimpleQueue[Reply | BaseException],
    pauses: list[tuple[float, Pause, float]],
) -> Reply | BaseException:
    """Return the first reply: an answer, or the end of a pause."""
    while True:
        pauses.sort(key=itemgetter(0))
        try:
            timeout = max(0.0, pauses[0][0] - monotonic()) if pauses else None
            reply = replies.get(timeout=timeout)
        except Empty:
            _, pause, began = pauses.pop(0)
            shared.unpark(pause)
            return pause, began, monotonic(), None
        if isinstance(reply, BaseException) or not isinstance(reply[0], Pause) or not reply[3]:
            return reply
        woken = [pause for pause in pauses if pause[1] is reply[0]]
        if woken:  # else its time was over before it was woken
            pauses.remove(woken[0])
            return reply


def _start(shared: Shared, command: Command, replies: SimpleQueue[Reply | BaseException]) -> None:
    """Run `command` on a thread of its own."""
    since = shared.clock.monotonic()

    def work() -> None:
        try:
            replies.put(_in_time(shared, command, since))
        except BaseException as error:  # noqa: BLE001 - raised again where the call is made
            replies.put(error)

    shared.threads.submit(work)


def _in_time(shared: Shared, command: Command, since: float) -> Reply:
    """Run a command that has waited for a thread, unless it has waited for too long.

    The reply has the command as given, and the wait counts like a wait for a place.
    """
    if isinstance(command, Pause):
        return _carry_out(shared, command)
    now = shared.clock.monotonic()
    waited = now - since
    late: Result[Any] | None = None
    if is_barred(command.timeout):
        late = Result(Outcome.LOCAL, code=ISOLATED, reason=ISOLATED, waited=waited)
    elif waited > getattr(command.timeout, "wait", command.timeout):
        late = Result(Outcome.LOCAL, code=NO_THREAD, reason=NO_PLACE, waited=waited)
    if late is not None:
        return command, since, now, late
    timeout = time_after(waited, command.timeout)
    _, began, now, answer = _carry_out(shared, command._replace(timeout=timeout))
    if isinstance(answer, Result):
        answer = answer._replace(waited=answer.waited + began - since)
    return command, since, now, answer


def _deliver(shared: Shared) -> None:
    shared.deliver(running_loop())


async def _run_side_by_side_async(
    shared: Shared, execution: Execution, commands: Commands
) -> Result[Any]:
    """Run all commands at once; the first answer that decides ends the call.

    What is still in flight then is cancelled.
    """
    from asyncio import FIRST_COMPLETED, create_task, wait

    in_flight: set[Task[Reply]] = set()
    try:
        while True:
            in_flight |= {create_task(_carry_out_async(shared, command)) for command in commands}
            done, in_flight = await wait(in_flight, return_when=FIRST_COMPLETED)
            commands = ()
            for task in done:
                with shared.lock:
                    commands += execution.send(task.result())
            if shared.outbox:
                _deliver(shared)
    except StopIteration as end:
        result: Result[Any] = end.value
        return result
    finally:
        for task in in_flight:
            task.cancel()


async def _wait_for_place_async(shared: Shared, pause: Pause) -> str | None:
    """Return the same without blocking the event loop."""
    loop = running_loop()
    woken: Future[str | None] = loop.create_future()

    def end(target: str | None) -> None:
        if not woken.done():
            woken.set_result(target)

    def wake(target: str) -> None:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(end, target)

    timer = loop.call_later(pause.seconds, end, None)
    shared.park(pause, wake)
    try:
        return await woken
    finally:
        timer.cancel()
        shared.unpark(pause)


async def _carry_out_async(shared: Shared, command: Command) -> Reply:
    """Do what `command` says."""
    clock = shared.clock
    answer: object = None
    began = clock.monotonic()
    if isinstance(command, Pause):
        if command.places and isinstance(clock, SystemClock):
            answer = await _wait_for_place_async(shared, command)
        else:
            await clock.sleep_async(command.seconds)
    else:
        try:
            driver = shared.drivers[command.target]
            answer = await driver.perform_async(command.call, command.timeout)
        except Exception as error:
            if is_from_signal(error):
                raise
            answer = error  # what it means is decided in one place
        finally:
            if shared.parked:
                _wake_first(shared, command.target, answer)
    return command, began, clock.monotonic(), answer
