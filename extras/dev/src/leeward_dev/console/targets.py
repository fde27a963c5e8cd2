"""Targets: their circuits, and why a call went where it did; isolated or restored by a click."""

from __future__ import annotations

from math import inf
from typing import Final

from leeward._routing.fleet import write_copies
from leeward.cli.arguments import name_of_user
from leeward.cli.commands.targets import snapshot_table
from leeward.errors import InvalidRequest, LeewardError
from leeward.status import read_isolations
from leeward.values import Isolation, TargetStatus
from leeward.views import Column, Format, Json, Report, Table, span
from leeward.views.targets import isolate, row_of, show_target
from leeward.workflow.retry import seconds_of
from leeward_dev.console.html import Content, element
from leeward_dev.console.layout import (
    Decision,
    Notice,
    Page,
    Visit,
    button,
    check_known,
    confirmation,
    field,
    form,
    link,
    payload_block,
    show_parts,
)

DECISIONS: Final = (
    Column("Time", "time", Format.MOMENT),
    Column("Decision", "name"),
    Column("Target", "target"),
    Column("About", "about"),
    Column("Why", "reason"),
    Column("More", "more"),
    Column("Call", lambda row: "Why?" if row["call"] else None, is_name=True),
)

USUAL: Final = "4h"
"""How long an isolation lasts that is told to every process, if nobody says."""


def show(visit: Visit) -> Page:
    """Return every target with its circuits; or why a call went where it did."""
    if "call" in visit.query:
        return _explain(visit, visit.query["call"])
    sources = visit.sources
    everywhere = sources.config.snapshot is not None
    words = read_isolations(sources.config, visit.drivers, visit.now) if everywhere else {}
    body = []
    for number, status in enumerate(sources.client.targets(), 1):
        row = isolate(status, words.get(status.name))
        parts = show_parts(visit, Report({}, visit.now, [*show_target(row_of(row), number)]))
        actions = _actions(visit, row)
        body.append(
            element("section", parts, actions, id=f"target-{number}", data_live=not everywhere)
        )
    decisions = Table(
        *(DECISIONS, [_row(decision) for decision in reversed(visit.decisions)]),
        "The last decisions about targets and calls, the newest first",
        "No call has needed a decision: each went well at once, at its first target.",
        lambda row: ("targets", {"call": row["call"]}) if row["call"] else None,
    )
    shown = show_parts(visit, Report({}, visit.now, [decisions]), id="decisions")
    return Page("Targets", [body, element("h2", "Decisions"), shown], is_live=not everywhere)


def _row(decision: Decision) -> Json:
    event = decision.event
    facts = ", ".join(f"{name} {value:g}" for name, value in event.facts.items())
    about = f"{event.verb} {event.resource}".strip()
    call = str(event.call_id) if event.call_id else ""
    return event._asdict() | {"time": decision.time, "about": about, "more": facts, "call": call}


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
        suffix = f"-{status.name}"
        reason = [
            field("Why", "why", hint="For people who look later.", required=True, within=suffix),
            field("For how long", "lasting", USUAL, hint="30m, 4h, or ever.", within=suffix),
        ]
    act = button(name, value=does, label=f"{name}: {status.name}")
    return form(visit, "targets", reason, element("p", act), target=status.name)


def _explain(visit: Visit, call: str) -> Page:
    if not call.isdecimal():
        raise InvalidRequest("call must be the number of a call", field="call")
    explanation = visit.sources.client.explain(int(call[:18]))
    back = element("p", link("Targets", "targets"))
    return Page(f"Call {call[:18]}", [payload_block(explanation, "What was decided"), back])


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
