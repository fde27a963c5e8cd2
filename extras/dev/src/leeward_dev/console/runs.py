"""Runs of workflows: the picture of each as it goes, and what it did; cancelled by a click."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from leeward.errors import InvalidRequest, NotFound
from leeward.leases.faults import DatabaseFault
from leeward.values.runs import Run, RunState
from leeward.views.runs import list_runs, picture_of, show_run
from leeward.workflow.embedded.engine import Engine
from leeward.workflow.embedded.journal import Unreadable
from leeward.workflow.model import Definition
from leeward_dev.console.html import Content, Html, element, visible
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
)

MOST: Final = 2_000
"""Runs that can be paged through: a list begins at the newest run each time."""

PAGE_DIGITS: Final = 9
"""Of a number that is read."""

LONGEST_PICTURE: Final = 1_000_000
"""Characters of a picture that a page shows."""


def show(visit: Visit) -> Page:
    """Return a page of runs; or one run with its picture."""
    if "run" in visit.query:
        return _show_run(visit, visit.need("workflow"), visit.need("run"))
    workflow = visit.query.get("workflow") or None
    number = _page_number(visit.query.get("page", "1"))
    known = visit.sources.client.list_runs(workflow, limit=number * ROWS + 1)
    found = known[(number - 1) * ROWS : number * ROWS]
    names = sorted({each.name for each in visit.sources.definitions})
    links = choices(
        "runs", "workflow", {"": "all", **{each: each for each in names}}, workflow or ""
    )
    listed = show_parts(visit, list_runs(found, visit.now), id="runs")
    where = {} if workflow is None else {"workflow": workflow}
    is_more = len(known) > number * ROWS
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
    most = MOST // ROWS
    number = int(given) if given.isdecimal() and len(given) <= PAGE_DIGITS else 0
    if not 1 <= number <= most:
        raise InvalidRequest(f"page must be a number from 1 to {most}", field="page")
    return number


def _can_resume(visit: Visit) -> bool:
    """Return whether this process knows workflows, and with them the functions of their steps."""
    return bool(visit.sources.definitions) and visit.sources.app is not None


def _show_run(visit: Visit, workflow: str, id: str) -> Page:
    run = visit.sources.client.get_run(workflow, id)
    if run is None:
        raise NotFound(f"{workflow!r} has no run {id!r}")
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
            element("div", _picture(visit, run), id="picture", data_live=True),
            rest,
            element("p", link("All runs", "runs")),
        ],
        is_live=True,
    )


def _picture(visit: Visit, run: Run) -> Content:
    """Return the picture of a run, as of the definition with which it was started."""
    definition = _definition_of(visit, run)
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
    return next((each for each in visit.sources.definitions if each.name == run.workflow), None)


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
    if does not in questions:
        raise InvalidRequest("say what to do with the run", field="do")
    run = client.get_run(workflow, id)
    if run is None or run.ended is None:
        if not visit.is_sure:
            return confirmation(visit, *questions[does], address("runs", **back))
        run = (client.cancel_run if does == "cancel" else client.abort_run)(workflow, id)
    if run.state is not RunState.RUNNING:
        return Notice(f"The run is {run.state.value}.", back)
    return Notice("The run ends before its next step, and takes back what it did.", back)
