"""Step Functions: start an execution, look at it, stop it.

A run is an execution, and its id is the execution's name. Step Functions itself keeps one of each
name: a second start with the same input is the first one's answer while that runs; afterwards, and
with another input, it is refused. The refusal tells not which, so the execution is looked at.

A state machine is named by its ARN, or by its name, which is looked up once.

Source: the API references of `StartExecution`, `DescribeExecution`, `StopExecution` and
`ListStateMachines`; the service's model as botocore has it.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any, Final

from leeward import json_text
from leeward.adapter.plans import Learn, Plan, Planner, Step, View, planners_of
from leeward.adapter.runs import already_there
from leeward.adapter.service import ServiceAnswer, object_of
from leeward.adapter.wire import Response
from leeward.calls import AbortRun, FoundRun, GetRun, Result, StartRun
from leeward.errors import Outcome
from leeward_aws.service import Endpoint, endpoint_of
from leeward_aws.settings.options import Settings

TAKEN: Final = "ExecutionAlreadyExists"
ABSENT: Final = "ExecutionDoesNotExist"

LATE: Final = "Flow.Deadline"
"""What a flow calls the end of an execution that took longer than the machine allows."""

_STATES: Final = {
    "RUNNING": "running",
    "PENDING_REDRIVE": "running",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "TIMED_OUT": "failed",
    "ABORTED": "aborted",
}


def runs(settings: Settings) -> dict[str, Planner]:
    """Return the planners of runs."""
    endpoint = endpoint_of("states", settings)
    return planners_of(endpoint, start_run=start, get_run=get, abort_run=abort)


def start(endpoint: Endpoint, call: StartRun, view: View) -> Plan:
    """Start an execution."""
    machine = yield from machine_arn(endpoint, call.workflow, view)
    if isinstance(machine, Result):
        return machine
    document = {"stateMachineArn": machine, "name": call.run, "input": call.input.decode()}
    request = endpoint.request("StartExecution", document)
    started = yield from endpoint.service.exchange_json(
        request,
        view,
        lambda response: FoundRun("running", None, float(response["startDate"])),
    )
    if started.code != TAKEN:
        return started
    looked = yield from _look(endpoint, machine, call.run, view, effect=False)
    return already_there(call, looked)


def get(endpoint: Endpoint, call: GetRun, view: View) -> Plan:
    """Look at an execution."""
    machine = yield from machine_arn(endpoint, call.workflow, view)
    if isinstance(machine, Result):
        return machine
    return (yield from _look(endpoint, machine, call.run, view, effect=True))


def abort(endpoint: Endpoint, call: AbortRun, view: View) -> Plan:
    """Stop an execution; one that has ended stays as it is."""
    machine = yield from machine_arn(endpoint, call.workflow, view)
    if isinstance(machine, Result):
        return machine
    document = {"executionArn": _execution(machine, call.run), "error": "Aborted"}
    request = endpoint.request("StopExecution", document)
    answer = yield from endpoint.service.exchange(request, view)
    return _absent(endpoint.service.read_answer(answer, lambda _: True))


def _look(endpoint: Endpoint, machine: str, run: str, view: View, *, effect: bool) -> Plan:
    document = {"executionArn": _execution(machine, run)}
    request = endpoint.request("DescribeExecution", document)
    answer = yield from endpoint.service.exchange(request, view, effect=effect)
    return _absent(endpoint.service.read_answer(answer, _read_run))


def _absent(result: Result[Any]) -> Result[Any]:
    """Return None for an execution that is not there."""
    return Result.ok(None, request_id=result.request_id) if result.code == ABSENT else result


def machine_arn(
    endpoint: Endpoint, name: str, view: View
) -> Generator[Step, Any, str | Result[Any]]:
    """Return the ARN of a state machine, or how looking for it has ended."""
    if name.startswith("arn:"):
        return name
    arn: str | None = view.learnt.get(f"machine:{name}")
    token: str | None = None
    while arn is None:
        document: dict[str, Any] = {"maxResults": 1000}
        if token is not None:
            document["nextToken"] = token
        request = endpoint.request("ListStateMachines", document)
        looking = endpoint.service.exchange(request, view, effect=False)
        answer: ServiceAnswer = (yield from looking).as_look_up()
        if answer.refusal is not None:
            return answer.refusal
        try:
            page = object_of(answer.response)
            arns = {
                str(machine["name"]): str(machine["stateMachineArn"])
                for machine in page["stateMachines"]
            }
        except (ValueError, TypeError, KeyError) as error:
            problem = "Step Functions did not tell its state machines"
            return Result(Outcome.NOT_SENT, message=problem, cause=error)
        arn, token = arns.get(name), page.get("nextToken")
        if arn is None and not isinstance(token, str):
            return Result(Outcome.NOT_FOUND, message=f"no state machine is named {name!r}")
    yield Learn(f"machine:{name}", arn)
    return arn


def _execution(machine: str, run: str) -> str:
    return f"{machine.replace(':stateMachine:', ':execution:', 1)}:{run}"


def _read_run(response: Response) -> FoundRun:
    document = object_of(response)
    status, text, output = document["status"], document.get("input"), document.get("output")
    state: Any = _STATES[status]
    failed = state == "failed"
    error = str(document.get("error", "")) if failed else None
    ended = document.get("stopDate")
    return FoundRun(
        state,
        None if text is None else str(text).encode(),
        float(document["startDate"]),
        None if ended is None else float(ended),
        None if output is None or state != "succeeded" else json_text.decode(output.encode()),
        LATE if status == "TIMED_OUT" else error,
        _read_unreversed(document.get("cause")) if failed else (),
    )


def _read_unreversed(cause: Any) -> tuple[str, ...]:
    """Return the steps that the exported machine tells in its cause; none of another cause."""
    try:
        steps = json.loads(cause)["steps"]
    except (TypeError, ValueError, KeyError):
        return ()
    return tuple(map(str, steps)) if isinstance(steps, list) else ()
