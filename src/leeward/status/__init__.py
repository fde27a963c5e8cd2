"""How everything is right now: targets, queues, schedules, runs and unknown calls, as facts.

`read_status` asks every target at the same time, each for a bounded time, and changes nothing.
`leeward status` shows the facts, one sentence each; whoever shows them otherwise takes their
values. What a target does not tell is a fact, too: it says so. The other readers raise
`DatabaseFault` where a store cannot be read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, cast

from leeward._delivery.relay import OUTBOX, SPOOL
from leeward._delivery.schedules import series_of
from leeward._routing.fleet import Words, in_force, newest, read_copies
from leeward._routing.snapshot import read_open
from leeward.adapter import Capability, Driver
from leeward.app.idempotency.record import KeyState
from leeward.calls import Look, LookResult, Page, Result, Scan, Stored
from leeward.calls.looks import BACKLOG, TABLE
from leeward.cloudevents import from_json
from leeward.config import Config, TableConfig
from leeward.entropy import time_of_id
from leeward.errors import LeewardError, Outcome
from leeward.json_text import decode
from leeward.leases.faults import DatabaseFault
from leeward.records import NamedTuple
from leeward.status import facts
from leeward.status.facts import ORDER, Fact, QueueDepth, Subject, sort_facts, unknown_fact
from leeward.stores import QUEUED_CALL, SCHEDULE, Backlog, Recipient, is_taken
from leeward.values import NOTHING, TargetStatus

if TYPE_CHECKING:
    from leeward.app.app import App
    from leeward.workflow.embedded.journal import Journal

SECONDS: Final = 5.0  # for everything that is asked of one target
MOST_UNKNOWN: Final = 10_000  # unknown calls, and keys, that are read; more say the same.

ANYTHING: Final = Look("leeward-status", TABLE)
"""What is looked for at a target without a probe: that it is not there is an answer, too."""


class Sources(NamedTuple):
    """What a status is read from.

    Attributes:
        drivers: of the targets that could be opened, by name. Their owner closes them.
        statuses: of a client that makes calls: its circuits; empty for who only looks.
        app: whose schedules are meant; None where no app is known.
        journal: of the runs of this process, where a target's is in memory; else each is opened.
    """

    config: Config
    drivers: Mapping[str, Driver]
    statuses: Sequence[TargetStatus] = ()
    app: App | None = None
    journal: Journal | None = None


def read_status(sources: Sources, now: Callable[[], float], seconds: float = SECONDS) -> list[Fact]:
    """Return a fact for everything that can be known now, what is wrong first.

    A target that does not answer in time is a fact, and holds up nothing else.
    """
    until = monotonic() + seconds
    visits = [
        (driver, _Reader(partial(_visit, driver, sources, now, until), driver.target))
        for driver in sources.drivers.values()
    ]
    others = _Reader(lambda: _of_order(sources, now()), ORDER)
    found = others.wait(until)
    if not others.is_over:
        why = f"the shared table did not answer within {seconds:g} s"
        found.append(unknown_fact(Subject.TARGET, ORDER, "isolation", why))
    for driver, visit in visits:
        said = visit.wait(until)
        found += said
        if not visit.is_over and any(fact.kind is Subject.TARGET for fact in said):
            found.append(unknown_fact(Subject.QUEUE, driver.target, "", "it took too long"))
        elif not visit.is_over:
            late = Result[Any](Outcome.NOT_SENT, code=f"nothing within {seconds:g} s")
            found.append(facts.reachability(driver.target, late, seconds))
    return sort_facts(found)


class _Reader:
    """Facts that are read on a thread of their own, which nothing waits for longer than it may."""

    def __init__(self, read: Callable[[], Iterator[Fact]], name: str) -> None:
        self.is_over = False
        self._facts: list[Fact] = []
        self._read = read
        self._thread = threading.Thread(target=self._run, name=f"leeward-{name}", daemon=True)
        self._thread.start()

    def wait(self, until: float) -> list[Fact]:
        """Return what was read until everything is, or until then."""
        self._thread.join(max(0.0, until - monotonic()))
        return [*self._facts]

    def _run(self) -> None:
        for fact in self._read():
            self._facts.append(fact)
        self.is_over = True


Part = tuple[Subject, str, Callable[[], Iterator[Fact]]]  # what is asked, of what, and how


def _parts(driver: Driver, sources: Sources, now: Callable[[], float]) -> list[Part]:
    """Return what a target can be asked beside whether it answers."""
    stores, target, journal = driver.stores(), driver.target, sources.journal
    parts: list[Part] = [(Subject.QUEUE, "", lambda: _queues(driver, sources.config, now))]
    if stores is not None:
        parts.append((Subject.SCHEDULE, "", lambda: _schedules(driver, sources, now)))
        if stores.open_journal is not None:
            parts.append((Subject.RUNS, "", lambda: read_runs(driver, journal)))
    else:
        parts.append((Subject.SCHEDULE, "", lambda: _cloud_schedules(driver, sources.app)))
        has_runs = sources.config.workflows and Capability.WORKFLOWS in driver.capabilities
        if has_runs and sources.config.workflow_target in (None, target):
            why = "its engine lists runs in the cloud's own console"
            fact = unknown_fact(Subject.RUNS, target, "", why)
            parts.append((Subject.RUNS, "", lambda: iter([fact])))
    table = sources.config.unknowns
    if table is not None and _home_of(sources.config, table) == target:
        parts.append((Subject.UNKNOWN, table, lambda: _unknown_calls(driver, table, now())))
    handlers = () if sources.app is None else sources.app.handlers.values()
    for keys in dict.fromkeys(filter(None, (handler.record_table for handler in handlers))):
        if _home_of(sources.config, keys) == target:
            parts.append((Subject.KEYS, keys, partial(_keys, driver, keys, now())))
    return parts


def _visit(
    driver: Driver, sources: Sources, now: Callable[[], float], until: float
) -> Iterator[Fact]:
    """Yield what one target says."""
    reach = _reach(driver, until)
    yield reach
    if reach.values.get("reachable") is False:
        return  # nothing else there would answer
    for kind, name, read in _parts(driver, sources, now):
        try:
            yield from read()
        except (LeewardError, DatabaseFault) as error:
            yield unknown_fact(kind, driver.target, name, str(error))
        except Exception as error:  # noqa: BLE001 - an adapter's own mistake hides nothing else
            yield unknown_fact(kind, driver.target, name, type(error).__name__)


def _reach(driver: Driver, until: float) -> Fact:
    """Return whether a target answers: by its probe, or a look at what need not be there."""
    began = monotonic()
    left = max(0.1, until - began)
    try:
        if driver.probe_fidelity is not None:
            result = driver.probe(left)
        elif Capability.TABLES in driver.capabilities:
            result = driver.look(ANYTHING, left)
        else:
            return unknown_fact(Subject.TARGET, driver.target, "", "its adapter has no probe")
    except LeewardError as error:
        result = Result(Outcome.LOCAL, code=type(error).__name__)
    except Exception as error:  # noqa: BLE001 - an adapter's own mistake is a fact, too
        result = Result(Outcome.AMBIGUOUS, code=type(error).__name__)
    return facts.reachability(driver.target, result, monotonic() - began)


def _of_order(sources: Sources, now: float) -> Iterator[Fact]:
    """Yield what the shared snapshot, and the client that makes calls, know of the targets."""
    config = sources.config
    words = read_isolations(config, sources.drivers, now)
    known = {status.name: status for status in sources.statuses}
    for target in map(str, config.order):
        status = known.get(target, TargetStatus(target, frozenset(), NOTHING))
        if target in words:
            status = status._replace(state="isolated", isolation=words[target])
        yield from facts.routing(status, is_own=target in known)
    if config.snapshot is not None and not known:
        key = _key_of(config, config.snapshot)
        for target, until in read_open(sources.drivers, config.snapshot, key, now).items():
            yield facts.open_elsewhere(target, until)
    if config.unknowns is None:
        yield facts.kept_nowhere()


def read_isolations(config: Config, drivers: Mapping[str, Driver], now: float) -> Words:
    """Return which targets are isolated everywhere, by the table that processes share."""
    if config.snapshot is None:
        return {}
    key = _key_of(config, config.snapshot)
    return in_force(newest(read_copies(drivers, config.snapshot, key).values()), now)


def _key_of(config: Config, table: str) -> str:
    return (config.tables.get(table) or TableConfig()).key[0]


def read_queues(driver: Driver) -> list[QueueDepth]:
    """Return how much waits for each recipient of a target that keeps rows."""
    stores = driver.stores()
    if stores is None or not stores.has_rows():
        return []
    handlers = stores.read_handlers()
    return [_depth(driver.target, row, handlers) for row in stores.deliveries.measure(None)]


def _depth(target: str, row: Backlog, handlers: Mapping[Recipient, str]) -> QueueDepth:
    bus, name = row.recipient
    label = handlers.get(row.recipient, name)
    if bus == OUTBOX:
        label = f"outbox for {name or 'any target'}"
    elif bus == SPOOL:
        label = f"spool of {name}"
    elif bus != SCHEDULE and (bus or name != label):
        label = f"{label} of {bus or name}"
    since = _since(row) if row.waiting else None
    depth = QueueDepth(target, bus, label, row.waiting, row.dead, since)
    return depth._replace(is_taken=is_taken(row.recipient, handlers), approvals=row.approvals)


def _since(row: Backlog) -> float | None:
    """Return when what waits longest began to wait, by what it says itself; None if it does not.

    A call's key tells it, where leeward has made the key: a UUID of version 7.
    """
    if row.oldest is None:
        return None
    with suppress(Exception):  # another program may have written it
        document = decode(row.oldest.encode())
        if row.recipient.bus in (OUTBOX, SPOOL):
            return float(document["since"])
        if row.recipient.bus == SCHEDULE:
            return datetime.fromisoformat(document).timestamp()
        if row.recipient.bus == QUEUED_CALL:
            return time_of_id(row.key or "")
        event = from_json(document)
        return None if event.time is None else event.time.timestamp()
    return None


def _queues(driver: Driver, config: Config, now: Callable[[], float]) -> Iterator[Fact]:
    if driver.stores() is not None:
        depths = read_queues(driver)
        for depth in depths:
            yield facts.backlog(depth, now())
        if not depths:
            yield facts.nothing_waits(driver.target)
        return
    # The queues of a cloud have names of their own; whether this target has them, it says itself.
    queues = {name: False for name, each in config.functions.items() if each.queue}
    queues |= dict.fromkeys(config.dead_letters, True)
    for name, is_dead in queues.items():
        yield from _count(driver, name, now, is_dead=is_dead)


def _count(driver: Driver, name: str, now: Callable[[], float], *, is_dead: bool) -> Iterator[Fact]:
    """Yield how many messages a queue of a cloud has; nothing where it is another target's."""
    try:
        result = driver.look(Look(name, BACKLOG, is_queue=True), SECONDS)
    except LeewardError as error:  # such as a name that no queue there can have
        yield unknown_fact(Subject.QUEUE, driver.target, name, str(error))
        return
    seen = result.value if isinstance(result.value, LookResult) else LookResult(None)
    if result.outcome is Outcome.NOT_FOUND:
        return
    if result.outcome is not Outcome.OK or seen.waiting is None:
        why = seen.why or f"the queue was not counted ({result.code or result.outcome.value})"
        yield unknown_fact(Subject.QUEUE, driver.target, name, why)
        return
    depth = QueueDepth(driver.target, QUEUED_CALL, name, seen.waiting, None, None, is_dead)
    yield facts.backlog(depth, now())


def read_moments(driver: Driver, app: App | None = None) -> dict[str, float]:
    """Return the last moment of each schedule at a target, by the name of its recipient.

    Those of an app, if one is given, stand under the names of its handlers.
    """
    stores = driver.stores()
    if stores is None or not stores.has_rows():
        return {}
    prefix = series_of("")
    known = {
        name.removeprefix(prefix): last
        for name, last in stores.schedules.moments().items()
        if name.startswith(prefix)
    }
    owned = () if app is None else ((name, f"{app.name}/{name}") for name in app.handlers)
    return known | {name: known[own] for name, own in owned if own in known}


def _schedules(driver: Driver, sources: Sources, now: Callable[[], float]) -> Iterator[Fact]:
    handlers = None if sources.app is None else [*sources.app.handlers.values()]
    yield from facts.schedules(driver.target, read_moments(driver, sources.app), handlers, now())


def _cloud_schedules(driver: Driver, app: App | None) -> Iterator[Fact]:
    for handler in () if app is None else app.handlers.values():
        if handler.schedule is not None:
            why = "its cloud begins it, and shows that in its own console alone"
            yield unknown_fact(Subject.SCHEDULE, driver.target, handler.name, why)


def read_runs(driver: Driver, journal: Journal | None = None) -> Iterator[Fact]:
    """Yield how the runs of each workflow are; an open `journal` stays open."""
    if journal is not None:
        yield from _runs_in(driver.target, journal)
        return
    stores = driver.stores()
    if stores is None or stores.open_journal is None or not stores.has_runs():
        return
    opened = cast("Journal", stores.open_journal())
    try:
        yield from _runs_in(driver.target, opened)
    finally:
        opened.close()


def _runs_in(target: str, journal: Journal) -> Iterator[Fact]:
    yield from facts.runs(target, journal.count_runs(journal.clock.now() - facts.OVERDUE))
    yield from facts.questions(target, journal.waits(MOST_UNKNOWN))


def _home_of(config: Config, table: str) -> str | None:
    own = config.tables.get(table)
    home = (own.home if own is not None else None) or config.data_target
    return str(config.order[0]) if home is None and len(config.order) == 1 else home


def _items(driver: Driver, table: str, now: float, most: int) -> Iterator[Stored]:
    """Yield the items of a table that have not expired, page by page, about `most` of them."""
    count, cursor = 0, None
    while True:
        result: Result[Any] = driver.perform(Scan(table, cursor), SECONDS)
        if result.outcome is Outcome.NOT_FOUND:
            raise LeewardError("there is no such table")
        if result.outcome is not Outcome.OK:
            raise LeewardError(f"it cannot be read ({result.code or result.outcome.value})")
        page = cast("Page", result.value)
        yield from (each for each in page.items if each.expires_at is None or each.expires_at > now)
        count, cursor = count + len(page.items), page.cursor
        if cursor is None or count >= most:
            return


def _unknown_calls(driver: Driver, table: str, now: float) -> Iterator[Fact]:
    """Yield how many calls stand in the table of unknown calls."""
    found = [*_items(driver, table, now, MOST_UNKNOWN)]
    times = [each.item["time"] / 1000 for each in found if isinstance(each.item.get("time"), int)]
    yield facts.unknown_calls(driver.target, table, len(found), min(times, default=None), now)


def _keys(driver: Driver, table: str, now: float) -> Iterator[Fact]:
    """Yield how many keys of a table need somebody: unknown ones, and calls to be approved."""
    most = MOST_UNKNOWN if driver.stores() is not None else 1  # a page: a cloud charges for it
    items = [each.item for each in _items(driver, table, now, most)]
    unknown = sum(item.get("state") == KeyState.UNKNOWN.value for item in items)
    waiting = [item for item in items if item.get("state") == KeyState.WAITING.value]
    questions = [dict(item.get("approval") or {}).get("question") for item in waiting]
    yield from facts.keys(driver.target, table, unknown, [str(each or "") for each in questions])
