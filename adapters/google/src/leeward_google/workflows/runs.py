"""Google Cloud Workflows: start an execution, look at it, cancel it.

A run is an execution, whose id Workflows itself makes up. So an execution carries a label made of
the run's id, by which it is found, and the id itself in its argument. Nothing keeps two starts of
one id from each other here: that is the client's part. Whoever starts looks first.

Source: `projects.locations.workflows.executions` in the reference of the Workflow Executions API,
and its discovery document.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from leeward import json_text
from leeward.adapter.plans import Plan, Planner, Step, View, planners_of
from leeward.adapter.runs import already_there
from leeward.adapter.service import JSON, misread, object_of
from leeward.adapter.wire import Request
from leeward.calls import AbortRun, FoundRun, GetRun, Result, StartRun
from leeward.errors import InvalidRequest
from leeward.records import NamedTuple
from leeward.text import percent_encode
from leeward.workflow.kit import UNKNOWN
from leeward_google.errors import FAILED_PRECONDITION
from leeward_google.service import GOOGLE
from leeward_google.settings.services import Workflows

LABEL: Final = "leeward-run"

_STATES: Final = {
    "ACTIVE": "running",
    "QUEUED": "running",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "CANCELLED": "aborted",
}
_WORKFLOW: Final = r"projects/[a-z0-9.:-]+/locations/[a-z0-9-]+/workflows/[A-Za-z0-9_-]+"


class _Execution(NamedTuple):
    """An execution of a run: its whole name, and the run as it is told."""

    name: str
    run: FoundRun


def runs(configured: Workflows, project: str) -> dict[str, Planner]:
    """Return the planners of runs."""
    return planners_of(configured, project, start_run=start, get_run=get, abort_run=abort)


def start(configured: Workflows, project: str, call: StartRun, view: View) -> Plan:
    """Start an execution, unless there is one of this run.

    Raises:
        InvalidRequest: the name cannot be a workflow's; before anything is sent.
    """
    parent = _parent(configured, project, call.workflow)
    execution = yield from _look(configured, parent, call.run, view, first=True)
    if isinstance(execution, Result):
        return execution
    if execution is not None:
        return already_there(call, Result.ok(execution.run))
    argument = f'{{"run":"{call.run}","input":{call.input.decode()}}}'
    document = {"argument": argument, "labels": {LABEL: label_of(call.run)}}
    target, body = f"/v1/{parent}/executions", json_text.encode(document)
    request = Request("POST", configured.origin, target, JSON, body)
    return (yield from GOOGLE.exchange_json(request, view, lambda raw: _execution(raw).run))


def get(configured: Workflows, project: str, call: GetRun, view: View) -> Plan:
    """Look at the execution of a run."""
    parent = _parent(configured, project, call.workflow)
    execution = yield from _look(configured, parent, call.run, view)
    if isinstance(execution, Result):
        return execution
    return Result.ok(None if execution is None else execution.run)


def abort(configured: Workflows, project: str, call: AbortRun, view: View) -> Plan:
    """Cancel the execution of a run; one that has ended stays as it is."""
    parent = _parent(configured, project, call.workflow)
    execution = yield from _look(configured, parent, call.run, view, first=True)
    if isinstance(execution, Result):
        return execution
    if execution is None or execution.run.state != "running":
        return Result.ok(None if execution is None else True)
    request = Request("POST", configured.origin, f"/v1/{execution.name}:cancel", JSON, b"{}")
    _, refusal = yield from GOOGLE.exchange(request, view)
    if refusal is not None and refusal.reason != FAILED_PRECONDITION:  # it has ended meanwhile
        return refusal
    return Result.ok(True)


def label_of(run: str) -> str:
    """Return the value of the label: ids have capital letters, which labels have not."""
    return sha256(run.encode()).hexdigest()[:40]


def _look(
    configured: Workflows, parent: str, run: str, view: View, *, first: bool = False
) -> Generator[Step, Any, _Execution | Result[Any] | None]:
    """Return the first execution of a run, None for none, or how looking for it has ended.

    Where the look comes `first`, before the request that counts, its failure proves that nothing
    was done.
    """
    wanted = percent_encode(f'labels.{LABEL}="{label_of(run)}"')
    query = f"view=FULL&filter={wanted}"
    executions: list[_Execution] = []
    token = ""
    while True:
        target = f"/v1/{parent}/executions?{query}{token}"
        request = Request("GET", configured.origin, target)
        answer = yield from GOOGLE.exchange(request, view, effect=False)
        response, refusal = answer.as_look_up() if first else answer
        if refusal is not None:
            return refusal
        try:
            page = object_of(response)
            execution: Mapping[str, Any]
            for execution in page.get("executions", []):
                if execution.get("labels", {}).get(LABEL) == label_of(run):
                    executions.append(_execution(execution))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return misread(response, error)
        following = page.get("nextPageToken")
        if not isinstance(following, str) or not following:
            return min(executions, key=lambda one: one.run.started, default=None)
        token = f"&pageToken={percent_encode(following)}"


def _execution(document: Mapping[str, Any]) -> _Execution:
    name, state = document["name"], document["state"]
    if not isinstance(name, str) or not re.fullmatch(rf"{_WORKFLOW}/executions/[\w-]+", name):
        raise ValueError("the name of an execution is another one's")
    run_state: Any = _STATES[state]
    began, ended = document.get("startTime") or document["createTime"], document.get("endTime")
    argument, result = document.get("argument"), document.get("result")
    error, steps = _error(document) if run_state == "failed" else (None, ())
    given = None if argument is None else json_text.decode(str(argument).encode())
    return _Execution(
        name,
        FoundRun(
            run_state,
            None if given is None else json_text.encode(given.get("input")),
            _seconds(began),
            None if ended is None else _seconds(ended),
            None if result is None else json_text.decode(str(result).encode()),
            error,
            steps,
        ),
    )


def _error(document: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Return the name of an error, and the steps that could not be taken back."""
    payload = json_text.decode(str(document["error"]["payload"]).encode())
    if not isinstance(payload, dict):
        return UNKNOWN, ()
    tags = payload.get("tags") or [UNKNOWN]
    return str(payload.get("name") or tags[0]), tuple(map(str, payload.get("steps", ())))


def _seconds(text: Any) -> float:
    """Read a time of Google's, which may have nanoseconds, as Unix seconds."""
    short = re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", str(text))
    return datetime.fromisoformat(short).timestamp()


def _parent(configured: Workflows, project: str, workflow: str) -> str:
    if re.fullmatch(_WORKFLOW, workflow):
        return workflow
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", workflow):
        raise InvalidRequest(
            f"workflow {workflow!r} cannot be the name of a workflow of Google Cloud, which has up "
            "to 64 letters, digits, hyphens and underscores; map it in [workflows]",
            field="workflow",
        )
    return f"projects/{project}/locations/{configured.region}/workflows/{workflow}"
