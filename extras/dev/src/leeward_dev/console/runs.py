"""Runs of workflows: the picture of each as it goes, and what it did; cancelled by a click."""

from __future__ import annotations

from collections.abc import Container, Sequence
from contextlib import suppress
from itertools import islice
from typing import Final

from leeward.errors import InvalidRequest, NotFound
from leeward.leases.faults import DatabaseFault
from leeward.values.runs import Run, RunEvent, RunState
from leeward.views import Format, in_words, severity_of
from leeward.views.runs import answer_question, end_of, list_runs, picture_of, show_run
from leeward.workflow.embedded.engine import Engine
from leeward.workflow.embedded.journal import Unreadable
from leeward.workflow.model import Definition, EventNode, Wait, nodes
from leeward_dev.console.html import Content, Html, element, visible
from leeward_dev.console.keys import DECIDER
from leeward_dev.console.layout import (
    ROWS,
    Notice,
    Page,
    Visit,
    address,
    button,
    choices,
    confirmation,
    form,
    link,
    pager,
    show_action,
    show_parts,
    show_value,
)

MOST: Final = 2_000
"""Runs that can be paged through: a list begins at the newest run each time."""

PAGE_DIGITS: Final = 9
"""Of a number that is read."""

LONGEST_PICTURE: Final = 1_000_000
"""Characters of a picture that a page shows."""

BARS: Final = 200
"""Steps of a run that its timeline shows."""

WIDTH: Final = 1_000
"""Of the whole run, in units of its timeline."""


def show(visit: Visit) -> Page:
    """Return a page of runs; or one run with its picture."""
    if "run" in visit.query:
        return _show_run(visit, visit.need("workflow"), visit.need("run"))
    workflow = visit.query.get("workflow") or None
    number = _page_number(visit.query.get("page", "1"))
    runs_ = visit.sources.client.list_runs(workflow, limit=number * ROWS + 1)
    page = runs_[(number - 1) * ROWS : number * ROWS]
    names = sorted({definition.name for definition in visit.sources.definitions})
    links = choices(
        "runs", "workflow", {"": "all", **{name: name for name in names}}, workflow or ""
    )
    listed = show_parts(visit, list_runs(page, visit.now), id="runs")
    where = {} if workflow is None else {"workflow": workflow}
    is_more = len(runs_) > number * ROWS
    after = where | {"page": str(number + 1)} if is_more and number * ROWS < MOST else None
    again = button("Resume runs that nobody works on", value="resume")
    resume = form(visit, address("runs"), element("div", again, class_="actions"))
    return Page(
        "Runs",
        [
            links if names else None,
            listed,
            pager(visit, first=where if number > 1 else None, after=after),
            resume if _can_resume(visit) else None,
        ],
        is_live=True,
    )


def _page_number(given: str) -> int:
    limit = MOST // ROWS
    number = int(given) if given.isdecimal() and len(given) <= PAGE_DIGITS else 0
    if not 1 <= number <= limit:
        raise InvalidRequest(f"page must be a number from 1 to {limit}", field="page")
    return number


def _can_resume(visit: Visit) -> bool:
    """Return whether this process knows workflows, and with them the functions of their steps."""
    return bool(visit.sources.definitions) and visit.sources.app is not None


def _show_run(visit: Visit, workflow: str, id: str) -> Page:
    run = visit.sources.client.get_run(workflow, id)
    if run is None:
        raise NotFound(f"{workflow!r} has no run {id!r}")
    definition = _definition_of(visit, run)
    here = {"workflow": workflow, "run": id}
    with_result = bool(visit.query.get("result"))
    report = show_run(run, visit.now, with_result=with_result)
    is_hidden = run.state is RunState.SUCCEEDED and run.result is not None and not with_result
    buttons = element("div", map(show_action, report.actions), class_="actions")
    actions = form(visit, address("runs", **here), buttons)
    details, *rest = show_parts(visit, report, id="run")
    return Page(
        f"Run {id}",
        [
            details,
            element("div", actions if report.actions else None, id="actions", data_live=True),
            element("p", link("Show the result", "runs", **here, result="yes"))
            if is_hidden
            else None,
            element("div", _show_timeline(run, definition, visit.now), id="when", data_live=True),
            element("div", _picture(definition, run), id="picture", data_live=True),
            element("details", element("summary", "Every attempt, in order"), rest[-1:]),
            rest[:-1],
            element("p", link("All runs", "runs")),
        ],
        is_live=True,
    )


def _show_timeline(run: Run, definition: Definition | None, now: float) -> Content:
    """Return what a run did, to scale: a line for each step, a bar for each attempt and pause."""
    if not run.events:
        return None
    body = () if definition is None else definition.body
    waits = {node.id for node in nodes(body) if isinstance(node, Wait | EventNode)}
    end = max(run.ended or now, *(event.ended or event.began for event in run.events))
    whole = max(end - run.started, 1e-3)
    steps: dict[str, list[RunEvent]] = {}
    for event in run.events:
        step = event.path.removesuffix("/pause").removesuffix("/settle")
        steps.setdefault(step, []).append(event)
    lines = (_show_step(*step, run.started, whole, waits) for step in islice(steps.items(), BARS))
    title = f"To scale: {in_words(whole, Format.SECONDS, 0)} from left to right"
    more = f" The first {BARS} of {len(steps):,} steps." if len(steps) > BARS else ""
    head = (element("th", name, scope="col") for name in ("Step", "When", "Attempts", "End"))
    return element(
        "table",
        element("caption", title, more),
        element("thead", element("tr", head)),
        element("tbody", lines),
        class_="gantt",
    )


def _show_step(
    path: str, events: Sequence[RunEvent], started: float, whole: float, waits: Container[str]
) -> Html:
    unit, words, bars = WIDTH / whole, [], []
    for event in events:
        is_pause = event.path != path or path.partition("/")[0] in waits
        end = started + whole if event.ended is None else event.ended
        state = "waiting" if is_pause and event.error is None else end_of(event._asdict())
        took = in_words(end - event.began, Format.SECONDS, 0)
        after = in_words(event.began - started, Format.SECONDS, 0)
        words.append(f"{state}, after {after}, for {took}")
        x, width = unit * (event.began - started), max(unit * (end - event.began), 6)
        kind = severity_of(state).name.lower()
        y, height = (35, 30) if is_pause else (10, 80)
        shape = f"M{min(x, WIDTH - width):.1f} {y}h{width:.1f}v{height}h-{width:.1f}z"
        bars.append(element("path", element("title", visible(words[-1])), d=shape, class_=kind))
    label = visible(f"{path}: {'; '.join(words)}")
    chart = element(
        "svg",
        bars,
        viewBox=f"0 0 {WIDTH} 100",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
    )
    calls = [event for event in events if event.path == path]
    last = calls[-1] if calls else events[-1]
    is_waiting = last.ended is None and path.partition("/")[0] in waits
    state = "waiting" if is_waiting else end_of(last._asdict())
    cells = (
        ("Step", show_value(path, Format.TEXT, 0)),
        ("When", chart),
        ("Attempts", len(calls)),
        ("End", show_value(state, Format.STATE, 0)),
    )
    return element("tr", (element("td", cell, data_name=name) for name, cell in cells))


def _picture(definition: Definition | None, run: Run) -> Content:
    """Return the picture of a run, as of the definition with which it was started."""
    if definition is None:
        return element("p", "There is no picture: the workflow's definition is not known here.")
    svg = picture_of(definition, run)
    if len(svg) > LONGEST_PICTURE:
        return element("p", "The workflow is too large for a picture in this page.")
    label = f"Picture of the run {run.id} of {run.workflow}"
    # What is drawn there was escaped; what cannot be seen is spelled out here, as in other texts.
    image = Html(visible(svg))
    return element("div", image, class_="picture", tabindex=0, role="region", aria_label=label)


def _definition_of(visit: Visit, run: Run) -> Definition | None:
    """Return the definition of a run: the journal has it; else the one known by its name."""
    engine = visit.sources.client._operations.runs.at_home  # noqa: SLF001 - no method has it
    if isinstance(engine, Engine) and run.digest is not None:
        with suppress(Unreadable, DatabaseFault):
            return engine.journal.definition(run.digest)
    known = visit.sources.definitions
    return next((each for each in known if each.name == run.workflow), None)


def act(visit: Visit) -> Notice | Page:
    """Cancel, abort or resume; ask first where nothing brings it back."""
    client = visit.sources.client
    does = visit.field("do")
    if does == "resume":
        client.resume_runs()
        return Notice("Runs whose process is gone continue here, in the background.")
    workflow, id = visit.need("workflow"), visit.need("run")
    back = {"workflow": workflow, "run": id}
    questions = {
        "cancel": ("Before its next step it ends, and takes back what it did.", "Cancel the run"),
        "abort": ("It ends at once, and nothing is taken back.", "Abort the run"),
    }
    run = client.get_run(workflow, id)
    answer, _, node = does.partition(" ")
    if run is not None and answer in ("approve", "deny"):
        value = {"approved": answer == "approve", "note": "", "by": DECIDER}
        answer_question(client, run, node, value)
        return Notice("The answer is sent, and the run continues.", back)
    if does not in questions:
        raise InvalidRequest("say what to do with the run", field="do")
    if run is None or run.ended is None:
        if not visit.is_sure:
            return confirmation(visit, *questions[does], address("runs", **back))
        run = (client.cancel_run if does == "cancel" else client.abort_run)(workflow, id)
    if run.state is not RunState.RUNNING:
        return Notice(f"The run is {run.state.value}.", back)
    return Notice("The run ends before its next step, and takes back what it did.", back)
