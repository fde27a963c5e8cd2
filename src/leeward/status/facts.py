"""What is said of a target, a queue, a schedule, runs and unknown calls. Nothing here asks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from math import isfinite
from typing import Any, Final

from leeward.app.handlers import Handler
from leeward.app.schedules import last_time, next_time
from leeward.calls import Result
from leeward.errors import Outcome
from leeward.json_text import encode
from leeward.records import NamedTuple
from leeward.stores import QUEUED_CALL, SCHEDULE
from leeward.values import NOTHING, TargetStatus
from leeward.values.runs import RunState
from leeward.views import Column, Format, Json, Link, Report, Table, moment, span
from leeward.workflow.embedded.journal import OpenWait, RunCount

ORDER: Final = "order"  # where a fact is not about one target

OLD: Final = 900.0
"""Seconds after which what waits is taken for forgotten: a handler that runs takes it sooner."""

LATE: Final = 120.0
"""Seconds after its time at which a schedule that has not begun is late: processes look twice a
second, and clocks differ."""

OVERDUE: Final = 60.0
"""Seconds after its time at which a run that nobody drives is stuck: twice a lease."""


class Level(Enum):
    """What a fact asks of its reader; the first comes first."""

    WRONG = "wrong"
    """A person has to do something."""
    WAITING = "waiting"
    """A person is asked: nothing has failed."""
    UNKNOWN = "unknown"
    """It cannot be asked here, or was not answered."""
    NOTE = "note"
    """Worth knowing."""
    OK = "ok"


class Subject(Enum):
    """What a fact is about."""

    TARGET = "target"
    QUEUE = "queue"
    SCHEDULE = "schedule"
    RUNS = "runs"
    UNKNOWN = "unknown"
    KEYS = "keys"


class Fact(NamedTuple):
    """One sentence of a status.

    Attributes:
        target: its name, or `ORDER`.
        name: of the queue, schedule or workflow; empty for the target as a whole.
        sentence: for a person; no payload and no secret.
    """

    kind: Subject
    target: str
    name: str
    level: Level
    sentence: str
    remedy: str = ""
    values: Mapping[str, Any] = NOTHING


class QueueDepth(NamedTuple):
    """How much waits for one recipient.

    Attributes:
        bus: of the events; `QUEUED_CALL` for queued calls and messages.
        dead: what was given up; None where it lies in a queue of its own.
        since: Unix seconds since when the oldest waits; None where nothing tells.
        is_dead_letters: it is a queue of dead letters.
        is_taken: some version of an app has a handler for it.
    """

    target: str
    bus: str
    name: str
    waiting: int
    dead: int | None
    since: float | None = None
    is_dead_letters: bool = False
    is_taken: bool = True
    approvals: int = 0


def sort_facts(facts: Iterable[Fact]) -> list[Fact]:
    """Return facts with what is wrong first, else in the order in which they came."""
    levels = list(Level)
    return sorted(facts, key=lambda fact: levels.index(fact.level))


_PAGES: Final = {
    "target": "targets",
    "queue": "queues",
    "schedule": "schedules",
    "runs": "runs",
    "unknown": "unknown",
    "keys": "keys",
}
"""Where the console says more of what a fact is about."""


def _page(row: Json) -> Link:
    if row["kind"] == Subject.QUEUE.value and row["values"].get("dead"):
        return "letters", {"target": row["target"]}
    if row["kind"] == Subject.KEYS.value:
        return "keys", {"table": row["name"], "state": row["values"]["state"]}
    is_workflow = row["kind"] == Subject.RUNS.value
    return _PAGES[row["kind"]], {"workflow": row["name"] or None} if is_workflow else {}


def _about(row: Json) -> str:
    name = row["name"] if row["kind"] != Subject.TARGET.value else ""
    what = {"runs": "runs of" if name else "runs", "unknown": "unknown calls", "target": ""}
    words = f"{what.get(row['kind'], row['kind'])} {name}".strip()
    place = "" if row["target"] == ORDER else row["target"]
    return ", ".join(filter(None, (place, words))) or "targets"


def _sentence(row: Json) -> str:
    return f"{row['sentence']}. To do: {row['remedy']}" if row["remedy"] else str(row["sentence"])


_FACTS: Final = (
    Column("Level", lambda row: row["level"].replace("wrong", "WRONG"), Format.STATE),
    Column("About", _about, is_name=True),
    Column("How it is", _sentence),
)


def report_of(facts: Iterable[Fact], now: float = 0.0) -> Report:
    """Return facts, one below the other, and how many need a person."""
    rows: list[Json] = [
        {
            **fact._asdict(),
            "kind": fact.kind.value,
            "level": fact.level.value,
            "values": dict(fact.values),
        }
        for fact in facts
    ]
    wrong = sum(row["level"] == Level.WRONG.value for row in rows)
    text = "Nothing needs a person."
    if wrong:
        text = f"{wrong} {'things need' if wrong > 1 else 'thing needs'} a person."
    elif any(row["level"] == Level.WAITING.value for row in rows):
        text = "Nothing is wrong. A person is asked."
    data = {"ok": not wrong, "wrong": wrong, "facts": rows}
    return Report(data, now, [Table(_FACTS, rows, "What is wrong comes first", "", _page), text])


def reachability(target: str, result: Result[Any], seconds: float) -> Fact:
    """Return whether a target answers, by the result of a probe or a look."""
    values = {"reachable": True, "seconds": round(seconds, 3), "outcome": result.outcome.value}
    if result.outcome is Outcome.AUTH:
        return Fact(
            *(Subject.TARGET, target, "", Level.WRONG),
            f"answers, and refuses the credentials ({result.code or result.outcome.value})",
            "give it credentials that may call it; leeward doctor says for what",
            values,
        )
    if result.outcome in (Outcome.OK, Outcome.NOT_FOUND, Outcome.CALLER, Outcome.CONFLICT):
        text = f"answers in {1000 * seconds:.0f} ms"
        return Fact(Subject.TARGET, target, "", Level.OK, text, "", values)
    why = result.code or result.outcome.value
    return Fact(
        *(Subject.TARGET, target, "", Level.WRONG),
        f"does not answer ({why})",
        "look at its endpoint and the network; leeward doctor says which service",
        {**values, "reachable": False},
    )


def routing(status: TargetStatus, *, is_own: bool) -> Iterator[Fact]:
    """Yield how calls are routed to a target; circuits only if it `is_own`."""
    word = status.isolation
    if word is not None:
        end = f"until {moment(word.until)}" if isfinite(word.until) else "until it is restored"
        yield Fact(
            *(Subject.TARGET, status.name, "isolation", Level.NOTE),
            f"is isolated everywhere by {word.by} {end}: {word.why}",
            f"leeward restore {status.name} --everywhere ends it",
            {
                "isolated": True,
                "by": word.by,
                "why": word.why,
                "since": word.since,
                "until": word.until if isfinite(word.until) else None,
            },
        )
    elif status.state == "isolated":
        yield Fact(
            *(Subject.TARGET, status.name, "isolation", Level.NOTE),
            "is isolated in this process",
            "",
            {"isolated": True},
        )
    for circuit in status.circuits if is_own else ():
        name = f"{circuit.verb} {circuit.resource}".strip()
        yield Fact(
            *(Subject.TARGET, status.name, name, Level.WRONG),
            f"the circuit of {name} is {circuit.state.replace('_', ' ')}: {circuit.reason}",
            "nothing, if it recovers; leeward doctor looks at what calls need",
            circuit._asdict(),
        )


def open_elsewhere(target: str, until: float) -> Fact:
    """Return that another process has found a target ill, as the shared snapshot says."""
    return Fact(
        *(Subject.TARGET, target, "snapshot", Level.WRONG),
        f"another process has opened a circuit, until {moment(until)}",
        "leeward doctor looks at what calls need",
        {"open_until": until},
    )


def backlog(depth: QueueDepth, now: float) -> Fact:
    """Return how much waits in a queue, for how long, and how much was given up."""
    oldest = None if depth.since is None else max(0.0, now - depth.since)
    values = {
        "bus": depth.bus or None,
        "waiting": depth.waiting,
        "oldest": None if oldest is None else round(oldest, 3),
        "dead": depth.waiting if depth.is_dead_letters else depth.dead,
        "approvals": depth.approvals,
        "taken": depth.is_taken,
    }
    about = Subject.QUEUE, depth.target, depth.name
    if depth.is_dead_letters:
        return _dead_queue(depth, values)
    what = {QUEUED_CALL: "call or message", SCHEDULE: "run of the schedule"}.get(depth.bus, "event")
    text = "nothing waits"
    if depth.waiting:
        text = f"{_count(depth.waiting, what)} {'wait' if depth.waiting > 1 else 'waits'}"
        if oldest is not None:
            text += f", the oldest for {span(oldest)}"
    if depth.approvals:
        text += f", {depth.approvals} of them for a person's approval"
    if depth.dead:
        text += f"; {_count(depth.dead, 'dead letter')}"
    level, remedy = Level.OK, ""
    if not depth.is_taken:
        text += "; no version of the app has a handler for it"
        level, remedy = Level.WRONG, "run a version that has one: leeward worker"
        remedy += f"; or leeward dlq redrive --to NAME --targets {depth.target}" * bool(depth.dead)
    elif depth.dead:
        level, remedy = Level.WRONG, f"leeward dlq list --targets {depth.target}"
    elif depth.approvals and depth.approvals == depth.waiting:
        level, remedy = Level.NOTE, "leeward keys list TABLE --state waiting"
    elif oldest is not None and oldest > OLD:
        level, remedy = Level.WRONG, "see whether a process runs its handler: leeward worker"
    return Fact(*about, level, text, remedy, values)


def _dead_queue(depth: QueueDepth, values: Mapping[str, Any]) -> Fact:
    about = Subject.QUEUE, depth.target, depth.name
    if not depth.waiting:
        return Fact(*about, Level.OK, "has no dead letters", "", values)
    text = f"has {_count(depth.waiting, 'dead letter')}"
    remedy = f"leeward dlq list {depth.name} --targets {depth.target}"
    return Fact(*about, Level.WRONG, text, remedy, values)


def nothing_waits(target: str) -> Fact:
    """Return that a target has no rows."""
    text = "nothing waits, and there are no dead letters"
    return Fact(Subject.QUEUE, target, "", Level.OK, text, "", {"waiting": 0, "dead": 0})


def schedules(
    target: str, moments: Mapping[str, float], handlers: Iterable[Handler] | None, now: float
) -> Iterator[Fact]:
    """Yield when each schedule of an app has begun last at a target, and when it is due next."""
    if handlers is None:
        for name, last in sorted(moments.items()):
            text = f"was last begun for {moment(last)}; name the app to see when it is due"
            yield Fact(Subject.SCHEDULE, target, name, Level.OK, text, "", {"last": last})
        return
    for handler in handlers:
        if handler.schedule is None:
            continue
        due = next_time(handler.schedule, _moment(now)).timestamp()
        begun = moments.get(handler.name)
        values = {"schedule": handler.schedule, "next": due, "last": begun, "late": False}
        about = Subject.SCHEDULE, target, handler.name
        if begun is None:
            text = f"has not begun here yet; due at {moment(due)}, if a process runs it"
            yield Fact(*about, Level.NOTE, text, "leeward worker", values)
            continue
        expected = last_time(handler.schedule, _moment(now - LATE)).timestamp()
        if expected > begun:
            text = f"is late: it was due at {moment(expected)}, and last begun for {moment(begun)}"
            remedy = "see whether a process runs it: leeward worker"
            yield Fact(*about, Level.WRONG, text, remedy, {**values, "late": True})
            continue
        text = f"was last begun for {moment(begun)}"
        if not is_time_of(handler.schedule, begun):
            text, values["last"] = f"has not come due since {moment(begun)}", None
        text += f", and is due at {moment(due)}"
        yield Fact(*about, Level.OK, text, "", values)


def is_time_of(schedule: str, last: float) -> bool:
    """Return whether a schedule was due at the last moment of its series.

    A series begins with the moment at which a process has first seen its schedule.
    """
    return last_time(schedule, _moment(last)).timestamp() == last


def runs(target: str, counts_: Sequence[RunCount]) -> Iterator[Fact]:
    """Yield how many runs of each workflow are under way, have failed, or are stuck."""
    for workflow in dict.fromkeys(count.workflow for count in counts_):
        of_flow = [count for count in counts_ if count.workflow == workflow]
        counts = {
            state: sum(count.runs for count in of_flow if count.state is state)
            for state in RunState
        }
        running, failed = counts[RunState.RUNNING], counts[RunState.FAILED]
        stuck = sum(count.overdue for count in of_flow if count.state is RunState.RUNNING)
        unreversed = sum(count.unreversed for count in of_flow)
        values = {state.value: count for state, count in counts.items()}
        values |= {"stuck": stuck, "unreversed": unreversed}
        text = f"{running} {'runs' if running == 1 else 'run'}, {failed} failed"
        remedy, level = "", Level.OK
        if counts[RunState.BROKEN]:
            text += f", {counts[RunState.BROKEN]} cannot be read by this version"
            remedy, level = "update leeward where it runs, or abort them", Level.WRONG
        if unreversed:
            text += f", {unreversed} ended with a step that could not be taken back"
            remedy, level = f"leeward workflow list {workflow}", Level.WRONG
        if stuck:
            text += f", {stuck} due for over a minute, and no process goes on with them"
            remedy, level = "leeward worker, or leeward workflow resume", Level.WRONG
        if failed and level is Level.OK:
            remedy, level = f"leeward workflow list {workflow}", Level.NOTE
        yield Fact(Subject.RUNS, target, workflow, level, text, remedy, values)


def questions(target: str, waits: Sequence[OpenWait]) -> Iterator[Fact]:
    """Yield what runs ask a person, the oldest question first."""
    requests = [wait for wait in waits if wait.question is not None]
    for workflow in dict.fromkeys(wait.key.workflow for wait in requests):
        first, *rest = [wait for wait in requests if wait.key.workflow == workflow]
        question = first.question
        if not isinstance(question, str):
            question = encode(question).decode()
        text = f"{_count(1 + len(rest), 'run')} waiting for approval: {question[:80]}"
        remedy = f"leeward workflow approve {workflow} {first.key.id}, or deny"
        values = {"waiting": 1 + len(rest)}
        yield Fact(Subject.RUNS, target, workflow, Level.WAITING, text, remedy, values)


def unknown_calls(target: str, table: str, count: int, since: float | None, now: float) -> Fact:
    """Return how many calls have an outcome that nobody knows."""
    oldest = None if since is None else max(0.0, now - since)
    values = {"open": count, "oldest": None if oldest is None else round(oldest, 3)}
    if not count:
        text = "no call has an unknown outcome"
        return Fact(Subject.UNKNOWN, target, table, Level.OK, text, "", values)
    text = f"{_count(count, 'call')} with an unknown outcome"
    if oldest is not None:
        text += f", the oldest {span(oldest)} ago"
    remedy = "leeward unknown list; leeward unknown settle --all"
    return Fact(Subject.UNKNOWN, target, table, Level.WRONG, text, remedy, values)


def keys(target: str, table: str, unknown: int, questions: Sequence[str]) -> Iterator[Fact]:
    """Yield how many keys of a table are unknown, and what waits for a person's word."""
    if unknown:
        values = {"state": "unknown", "count": unknown}
        text = f"{_count(unknown, 'key')} whose run may have had its effect"
        remedy = f"leeward keys list {table} --state unknown"
        yield Fact(Subject.KEYS, target, table, Level.WRONG, text, remedy, values)
    if questions:
        values = {"state": "waiting", "count": len(questions)}
        text = f"{_count(len(questions), 'call')} waiting for approval: {questions[0][:80]}"
        remedy = f"leeward keys list {table} --state waiting"
        yield Fact(Subject.KEYS, target, table, Level.WAITING, text, remedy, values)


def kept_nowhere() -> Fact:
    """Return that no table is configured for calls with an unknown outcome."""
    text = "calls with an unknown outcome are kept nowhere"
    remedy = 'name a table in leeward.toml: unknowns = "TABLE"'
    return Fact(Subject.UNKNOWN, ORDER, "", Level.NOTE, text, remedy)


def unknown_fact(kind: Subject, target: str, name: str, why: str) -> Fact:
    """Return that something cannot be asked, or was not answered."""
    return Fact(kind, target, name, Level.UNKNOWN, f"not known: {why}")


def _count(number: int, thing: str) -> str:
    if number == 1:
        return f"1 {thing}"
    first, _, rest = thing.partition(" ")
    plural = f"{first}s {rest}" if rest.startswith(("of ", "or ")) else f"{thing}s"
    return f"{number:,} {plural.replace(' or message', ' or messages')}"


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
