"""Targets: their circuits, and why a call went where it did; isolated or restored by a click."""

from __future__ import annotations

from math import inf
from typing import Final

from leeward._routing.fleet import write_copies
from leeward.cli.arguments import name_of_user
from leeward.cli.commands.fleet import snapshot_table
from leeward.cli.output.json_view import span
from leeward.errors import InvalidRequest, LeewardError
from leeward.status import read_isolations
from leeward.values import CircuitStatus, Isolation, TargetStatus
from leeward.workflow.retry import seconds_of
from leeward_dev.console.html import Content, element
from leeward_dev.console.layout import (
    GOOD,
    UNSURE,
    WRONG,
    Decision,
    Notice,
    Page,
    Visit,
    ago,
    button,
    check_known,
    confirmation,
    field,
    form,
    link,
    moment,
    pairs,
    payload_block,
    table,
    word,
)

CIRCUITS: Final = ("Circuit", "State", "Why", "Opens again in")

DECISIONS: Final = ("Time", "Decision", "Target", "About", "Why", "More")

STATES: Final = {"closed": GOOD, "open": WRONG, "isolated": UNSURE}

USUAL: Final = "4h"
"""How long an isolation lasts that is told to every process, if nobody says."""


def show(visit: Visit) -> Page:
    """Return every target with its circuits; or why a call went where it did."""
    if "call" in visit.query:
        return _explain(visit, visit.query["call"])
    sources = visit.sources
    everywhere = sources.config.snapshot is not None
    words = read_isolations(sources.config, visit.drivers, visit.now) if everywhere else {}
    body = [
        element(
            "section",
            element("h2", f"{number}. {status.name}"),
            _status(visit, _with_isolation(status, words.get(status.name))),
            id=f"target-{number}",
            data_live=not everywhere,
        )
        for number, status in enumerate(sources.client.targets(), 1)
    ]
    decisions = table(
        "The last decisions about targets and calls, the newest first",
        DECISIONS,
        map(_decision, reversed(visit.decisions)),
        id="decisions",
        empty="No call has needed a decision: each went well at once, at its first target.",
    )
    return Page("Targets", [body, element("h2", "Decisions"), decisions], is_live=not everywhere)


def _with_isolation(status: TargetStatus, isolation: Isolation | None) -> TargetStatus:
    if isolation is None:
        return status
    return status._replace(state="isolated", isolation=isolation)


def _status(visit: Visit, status: TargetStatus) -> Content:
    attempts: Content = "none by this process"
    if status.attempts:
        last = "-" if status.last_outcome is None else status.last_outcome.value
        attempts = f"{status.attempts:,}, {status.failures:,} failed, the last one {last}"
    facts: list[tuple[str, Content]] = [
        ("State", word(status.state.replace("_", " "), STATES.get(status.state, UNSURE))),
        ("Attempts", attempts),
        *status.settings.items(),
        ("Can", ", ".join(sorted(status.capabilities))),
    ]
    isolation = status.isolation
    if isolation is not None:
        end = "until it is restored" if isolation.until == inf else moment(isolation.until)
        said = [f"by {isolation.by}, ", ago(isolation.since, visit.now), ", until ", end, ": "]
        facts.insert(1, ("Isolated everywhere", [*said, isolation.why]))
    circuits = table("Circuits that are not closed", CIRCUITS, map(_circuit, status.circuits))
    return [pairs(facts), circuits if status.circuits else None, _actions(visit, status)]


def _circuit(circuit: CircuitStatus) -> list[Content]:
    return [
        f"{circuit.verb} {circuit.resource}".strip(),
        word(circuit.state.replace("_", " "), WRONG if circuit.state == "open" else UNSURE),
        circuit.reason,
        "-" if circuit.seconds is None else f"{circuit.seconds:.0f} s",
    ]


def _decision(decision: Decision) -> list[Content]:
    event = decision.event
    facts = ", ".join(f"{name} {value:g}" for name, value in event.facts.items())
    return [
        moment(decision.time),
        event.name,
        event.target or "-",
        f"{event.verb} {event.resource}".strip() or "-",
        event.reason or "-",
        [facts, " ", link("Why?", "targets", call=event.call_id) if event.call_id else None],
    ]


def _actions(visit: Visit, status: TargetStatus) -> Content:
    """Return the button that can work: for every process where they share a table, else for this.

    A process that makes no calls isolates nothing for itself.
    """
    everywhere = visit.sources.config.snapshot is not None
    if not everywhere and visit.sources.app is None:
        return None
    does = "restore" if status.state != "closed" else "isolate"
    name = f"{does.capitalize()} {'everywhere' if everywhere else 'in this process'}"
    reason = None
    if everywhere and does == "isolate":
        own = f"-{status.name}"
        reason = [
            field("Why", "why", hint="For people who look later.", required=True, within=own),
            field("For how long", "lasting", USUAL, hint="30m, 4h, or ever.", within=own),
        ]
    act = button(name, value=does, label=f"{name}: {status.name}")
    return form(visit, "targets", reason, element("p", act), target=status.name)


def _explain(visit: Visit, call: str) -> Page:
    if not call.isdecimal():
        raise InvalidRequest("call must be the number of a call", field="call")
    told = visit.sources.client.explain(int(call[:18]))
    back = element("p", link("Targets", "targets"))
    return Page(f"Call {call[:18]}", [payload_block(told, "What was decided"), back])


def act(visit: Visit) -> Notice | Page:
    """Isolate or restore a target: in this process, or in every one that shares the table."""
    client, config = visit.sources.client, visit.sources.config
    target, does = visit.field("target"), visit.field("do")
    check_known(target, (status.name for status in client.targets()), "target")
    if does not in ("isolate", "restore"):
        raise InvalidRequest("say whether to isolate or to restore the target", field="do")
    everywhere = config.snapshot is not None
    if does == "isolate" and not visit.is_sure:
        who = "Every process" if everywhere else "This process"
        seconds = _seconds(visit) if everywhere else inf
        end = "until it is restored" if seconds == inf else f"for {span(seconds)}"
        question = f"{who} sends nothing to {target} {end}."
        return confirmation(visit, question, "Isolate", "targets")
    if not everywhere:
        (client.isolate if does == "isolate" else client.restore)(target)
        done = "gets no call of this process" if does == "isolate" else "gets calls again"
        return Notice(f"{target} {done}.")
    return _tell_all(visit, target, is_over=does == "restore")


def _seconds(visit: Visit) -> float:
    """Return how long an isolation of every process lasts."""
    lasting = visit.field("lasting", USUAL)
    return inf if lasting == "ever" else float(seconds_of(lasting, "lasting"))


def _tell_all(visit: Visit, target: str, *, is_over: bool) -> Notice:
    """Write into the table that processes share what is said of a target.

    Raises:
        LeewardError: no copy of it could be written.
    """
    now = visit.now
    until = now if is_over else now + _seconds(visit)
    by = name_of_user() or "console"
    said = Isolation(target, by, visit.field("why"), now, until, over=is_over)
    table_name, key = snapshot_table(visit.sources.config)
    flaws = write_copies(visit.drivers, table_name, key, said)
    if all(flaws.values()):
        raise LeewardError("nothing was said: no copy of the shared table could be written")
    done = "is restored" if is_over else "is isolated"
    return Notice(f"{target} {done}, everywhere within 15 seconds.")
