"""Runs of workflows: the picture of each as it goes, and what it did; cancelled by a click."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from leeward.cli import item_json
from leeward.cli.output.json_view import span
from leeward.cli.output.picture import picture_of
from leeward.errors import InvalidRequest, NotFound
from leeward.leases.faults import DatabaseFault
from leeward.values.runs import Run, RunEvent, RunState
from leeward.workflow.embedded.engine import Engine
from leeward.workflow.embedded.journal import Unreadable
from leeward.workflow.model import Definition
from leeward_dev.console.html import Content, Html, element, visible
from leeward_dev.console.layout import (
    GOOD,
    ROWS,
    UNSURE,
    WRONG,
    Notice,
    Page,
    Visit,
    address,
    ago,
    button,
    confirmation,
    form,
    link,
    moment,
    pager,
    pairs,
    payload_block,
    table,
    word,
)

HEADER: Final = ("Workflow", "Run", "State", "Started", "Took", "Error")
STEPS: Final = ("After", "Took", "Step", "Attempt", "End")

MOST: Final = 2_000
"""Runs that can be paged through: a list begins at the newest run each time."""

PAGE_DIGITS: Final = 9
"""Of a number that is read."""

LONGEST_PICTURE: Final = 1_000_000
"""Characters of a picture that a page shows."""

LOOKS: Final = {
    RunState.RUNNING: "",
    RunState.SUCCEEDED: GOOD,
    RunState.FAILED: WRONG,
    RunState.CANCELLED: UNSURE,
    RunState.ABORTED: UNSURE,
    RunState.BROKEN: WRONG,
}


def show(visit: Visit) -> Page:
    """Return a page of runs; or one run with its picture."""
    if "run" in visit.query:
        return _show_run(visit, visit.need("workflow"), visit.need("run"))
    workflow = visit.query.get("workflow") or None
    number = _page_number(visit.query.get("page", "1"))
    known = visit.sources.client.list_runs(workflow, limit=number * ROWS + 1)
    found = known[(number - 1) * ROWS : number * ROWS]
    names = sorted({each.name for each in visit.sources.definitions})
    links = element(
        "ul",
        (
            element(
                "li",
                element(
                    "a",
                    each or "all",
                    href=address("runs", workflow=each or None),
                    aria_current="true" if each == (workflow or "") else None,
                ),
            )
            for each in ["", *names]
        ),
        class_="choices",
    )
    listed = table(
        "The last one first",
        HEADER,
        (_row(visit, run) for run in found),
        id="runs",
        empty="No runs.",
    )
    where = {} if workflow is None else {"workflow": workflow}
    is_more = len(known) > number * ROWS
    after = where | {"page": str(number + 1)} if is_more and number * ROWS < MOST else None
    resume = form(
        visit,
        address("runs"),
        element(
            "div", button("Resume runs that nobody works on", value="resume"), class_="actions"
        ),
    )
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


def _row(visit: Visit, run: Run) -> list[Content]:
    return [
        run.workflow,
        link(run.id, "runs", workflow=run.workflow, run=run.id),
        word(run.state.value, LOOKS[run.state]),
        ago(run.started, visit.now),
        "-" if run.ended is None else span(run.ended - run.started),
        run.error or "-",
    ]


def _show_run(visit: Visit, workflow: str, id: str) -> Page:
    run = visit.sources.client.get_run(workflow, id)
    if run is None:
        raise NotFound(f"{workflow!r} has no run {id!r}")
    here = {"workflow": workflow, "run": id}
    facts: list[tuple[str, Content]] = [
        ("Workflow", run.workflow),
        ("State", word(run.state.value, LOOKS[run.state])),
        ("Started", [moment(run.started), " (", ago(run.started, visit.now), ")"]),
        ("Took", "-" if run.ended is None else f"{run.ended - run.started:.3f} s"),
        ("Target", run.target),
        ("Error", run.error or "-"),
    ]
    if run.unreversed:
        facts.append(("Not taken back", ", ".join(run.unreversed)))
    result: Content = None
    if run.state is RunState.SUCCEEDED and run.result is not None:
        if visit.query.get("result"):
            shown = item_json.write(run.result, indent=2)
            result = payload_block(shown, "Result")
        else:
            result = element("p", link("Show the result", "runs", **here, result="yes"))
    buttons = [
        button("Cancel", value="cancel", kind="danger"),
        button("Abort", value="abort", kind="danger"),
    ]
    actions = element("div", form(visit, address("runs", **here), buttons), class_="actions")
    steps = [_step(event, run.started) for event in run.events]
    return Page(
        f"Run {id}",
        [
            element("div", pairs(facts), id="facts", data_live=True),
            element("div", actions if run.ended is None else None, id="actions", data_live=True),
            result,
            element("div", _picture(visit, run), id="picture", data_live=True),
            element("h2", "What it did"),
            table("In order", STEPS, steps, id="steps", empty="Nothing yet."),
            element("p", link("All runs", "runs")),
        ],
        is_live=True,
    )


def _step(event: RunEvent, started: float) -> list[Content]:
    end: Content = word("ok", GOOD)
    if event.ended is None:
        end = word("under way")
    elif event.error:
        told = f"{event.error} (may have run)" if event.ambiguous else event.error
        end = word(told, UNSURE if event.ambiguous else WRONG)
    return [
        f"{event.began - started:.3f} s",
        "-" if event.ended is None else f"{event.ended - event.began:.3f} s",
        event.path,
        event.attempt,
        end,
    ]


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
