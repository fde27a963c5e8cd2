"""Durable Functions: one orchestrator and one activity for all workflows, which are data beside.

An activity runs at least once: after a crash of the host it is called again. So an unsafe step
leaves a mark in a table of leeward's before it is called; where the mark is there already, nobody
knows whether the step ran, and it is not called again.

Source: "Durable Functions: code constraints", and the package azure-functions-durable 1.7.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from leeward.errors import ConfigError, Conflict, LeewardError
from leeward.values import Json
from leeward.workflow.kit import (
    ACTIVITY,
    NOT_SENT,
    ORCHESTRATOR,
    UNKNOWN,
    Definition,
    Returned,
    StepClient,
    StepFailure,
    functions_called_by,
    orchestrate,
    perform_step,
    read_stored,
)

MARKS: Final = "workflow-steps"
"""The logical name of the table with the marks of unsafe steps."""
KEPT: Final = 30 * 24 * 3600
"""Seconds for which a mark is kept: far longer than a host takes to call an activity again."""


class WorkflowFailed(Exception):
    """A run has failed: its text is the name of the error."""


class DurableHost:
    """What the orchestrator may ask of Durable Functions.

    Args:
        context: a `DurableOrchestrationContext`.
    """

    def __init__(self, context: Any) -> None:
        self._context = context

    def now(self) -> float:
        """Return the time of the event that is replayed, in Unix seconds."""
        time: datetime = self._context.current_utc_datetime
        return time.replace(tzinfo=UTC).timestamp()

    def call(self, request: Json) -> Any:
        """Return a task that calls the activity."""
        return self._context.call_activity(ACTIVITY, request)

    def timer(self, due: float) -> Any:
        """Return a task that ends at a time."""
        return self._context.create_timer(datetime.fromtimestamp(due, UTC))

    def first(self, tasks: list[Any]) -> Any:
        """Return a task that ends with the first of several."""
        return self._context.task_any(tasks)

    def value_of(self, task: Any) -> Any:
        """Return the value of a task that has ended."""
        return task.result


def orchestrator(context: Any, definitions: Mapping[str, Definition]) -> Generator[Any, Any, Json]:
    """Run a workflow, as an orchestrator. Its input is ``{"digest", "input"}``.

    Raises:
        WorkflowFailed: the run has failed, which is so the state of the instance.
    """
    given = context.get_input()
    given = json.loads(given) if isinstance(given, str) else given
    definition = definitions[given["digest"]]
    run = context.instance_id.partition(":")[2]
    answer = yield from orchestrate(definition, run, given["input"], DurableHost(context))
    if isinstance(answer, StepFailure):
        raise WorkflowFailed(answer.name)
    assert isinstance(answer, Returned)
    return answer.value


def activity(client: StepClient, request: Json) -> Json:
    """Call a function, as an activity: an unsafe one at most once for each attempt.

    Or ask it what became of a step, as often as the engine likes.
    """
    request = json.loads(request) if isinstance(request, str) else request
    if request["effect"] == "unsafe" and "settle" not in request:
        mark = {"id": f"{request['key']}#{request['attempt']}"}
        try:
            client.store_data(MARKS, mark, if_absent=True, expires_in=KEPT)
        except Conflict:
            return {"error": UNKNOWN, "ambiguous": True}
        except LeewardError:  # whether the mark is there or not, the step was not called
            return {"error": NOT_SENT, "ambiguous": False}
    return perform_step(functions_called_by(client), request)


def definitions_in(folder: Path) -> dict[str, Definition]:
    """Return the definitions of a folder by their digests: of runs under way, the earlier ones too.

    Raises:
        ConfigError: there is none, or one cannot be read.
    """
    definitions = {}
    for path in sorted(folder.glob("*.json")):
        definition = read_stored(json.loads(path.read_text(encoding="utf-8")), str(path))
        definitions[definition.digest] = definition
    if not definitions:
        raise ConfigError(f"{folder} has no workflow; export one: leeward workflow export NAME")
    return definitions


def register(app: Any, folder: Path, client: StepClient) -> None:
    """Register the orchestrator and the activity on a `DFApp`.

    Runs are started, shown and ended by the HTTP API of the Durable extension itself, which wants
    its system key: ``POST /runtime/webhooks/durabletask/orchestrators/leeward_workflow/...``.

    Args:
        app: an `azure.durable_functions.DFApp`.
        folder: with the definitions.
        client: calls the steps' functions, and keeps the marks of unsafe steps.
    """
    definitions = definitions_in(folder)

    def leeward_workflow(context: Any) -> Generator[Any, Any, Json]:
        return (yield from orchestrator(context, definitions))

    def leeward_step(request: Any) -> Json:
        return activity(client, request)

    assert (leeward_workflow.__name__, leeward_step.__name__) == (ORCHESTRATOR, ACTIVITY)
    app.orchestration_trigger(context_name="context")(leeward_workflow)
    app.activity_trigger(input_name="request")(leeward_step)
