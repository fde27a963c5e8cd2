"""Orchestrators on the backend of durabletask, and on the replay of azure-functions-durable.

``durable.py durabletask`` or ``durable.py replay``; one JSON object a line, as `step_functions`.
Run by the Python of ``.servers/engines``, with the sources of leeward on its path.
"""

from __future__ import annotations

import json
import logging
import socket
import sys
import threading
from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from typing import Any

from leeward.workflow import read_definition
from leeward.workflow.commands import StepFailure
from leeward.workflow.orchestration import ACTIVITY, ORCHESTRATOR, orchestrate
from leeward_azure.workflows.durable import WorkflowFailed, orchestrator

_lock = threading.Lock()
Run = Callable[[dict[str, Any]], dict[str, Any]]


def _ask(asked: dict[str, Any]) -> dict[str, Any]:
    with _lock:
        verb = "settle" if "settle" in asked else "call"
        question = {
            verb: asked["function"],
            "key": asked["key"],
            "payload": asked["payload"],
            "voids": asked.get("voids", 0),
        }
        sys.stdout.write(json.dumps(question) + "\n")
        sys.stdout.flush()
        answer: dict[str, Any] = json.loads(sys.stdin.readline())
    if "verdict" in answer:
        assert asked["sent"] > 0
        return answer
    if answer.get("error") == "RepeatRefused":  # as the client tells it
        answer["error"] = "Call.Unknown"
    if "error" in answer:
        answer["ambiguous"] = answer["error"] in ("Call.Timeout", "Call.Unknown")
    if asked["function"] == "hour":
        answer["hours"] = 1
    return answer


class _DurableTask:
    """What the orchestrator may ask of durabletask; time is made short."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._skipped = 0

    def now(self) -> float:
        found: datetime = self._context.current_utc_datetime
        return found.replace(tzinfo=UTC).timestamp() + self._skipped

    def call(self, request: Any) -> Any:
        return self._context.call_activity(ACTIVITY, input=request)

    def timer(self, due: float) -> Any:
        del due
        return self._context.create_timer(timedelta(milliseconds=1))

    def first(self, tasks: list[Any]) -> Any:
        from durabletask.task import when_any

        return when_any(tasks)

    def value_of(self, task: Any) -> Any:
        result = task.get_result()
        if isinstance(result, dict):
            self._skipped += 3600 * result.pop("hours", 0)
        return result


def _started(workflow: Any, port: int) -> Any:
    """Start a backend and a worker; return a client of both."""
    from durabletask.client import TaskHubGrpcClient
    from durabletask.testing import create_test_backend
    from durabletask.worker import TaskHubGrpcWorker

    def leeward_step(_: Any, asked: Any) -> Any:
        return _ask(asked)

    create_test_backend(port=port)
    worker = TaskHubGrpcWorker(host_address=f"127.0.0.1:{port}")
    worker.add_orchestrator(workflow)
    worker.add_activity(leeward_step)
    worker.start()
    return TaskHubGrpcClient(host_address=f"127.0.0.1:{port}")


def _held_port() -> socket.socket:
    """Return a socket whose port nobody else gets, and a server can listen on."""
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.bind(("127.0.0.1", 0))
    return found


def on_durabletask(port: int) -> Run:
    """Return what runs a definition on the backend in memory."""
    definitions: dict[str, Any] = {}

    def leeward_workflow(context: Any, given: Any) -> Generator[Any, Any, Any]:
        definition = definitions[given["digest"]]
        run = context.instance_id.partition(":")[2].partition("@")[0]
        host = _DurableTask(context)
        answer = yield from orchestrate(definition, run, given["input"], host)
        if isinstance(answer, StepFailure):
            raise WorkflowFailed(answer.name)
        return answer.value

    client = _started(leeward_workflow, port)
    numbers = iter(range(10**9))

    def run(task: dict[str, Any]) -> dict[str, Any]:
        definition = read_definition(json.loads(task["definition"]))
        definitions[definition.digest] = definition
        instance = f"{definition.name}:{task['run']}@{next(numbers)}"
        given = {"digest": definition.digest, "input": task["input"]}
        client.schedule_new_orchestration(ORCHESTRATOR, input=given, instance_id=instance)
        state = client.wait_for_orchestration_completion(instance, timeout=60)
        assert state is not None
        if state.runtime_status.name == "COMPLETED":
            output = state.serialized_output
            return {"status": "SUCCEEDED", "output": json.loads(output) if output else None}
        assert state.failure_details is not None
        return {"status": "FAILED", "error": state.failure_details.message}

    return run


def on_replay() -> Run:
    """Return what runs a definition on the replay of Microsoft's package, with a host of ours."""
    import azure.durable_functions as df

    def run(task: dict[str, Any]) -> dict[str, Any]:
        definition = read_definition(json.loads(task["definition"]))
        known = {definition.digest: definition}

        def leeward_workflow(context: Any) -> Generator[Any, Any, Any]:
            return (yield from orchestrator(context, known))

        handle = df.Orchestrator.create(leeward_workflow)
        given = json.dumps({"digest": definition.digest, "input": task["input"]})
        return _Host(handle, f"{definition.name}:{task['run']}", given).run()

    return run


class _Host:
    """Plays the Durable extension: it keeps the history, and replays it after each event."""

    def __init__(self, handle: Callable[[str], str], instance: str, given: str) -> None:
        self._handle = handle
        self._instance = instance
        self._given = given
        self._now = datetime(2026, 11, 27, tzinfo=UTC)
        self._history: list[dict[str, Any]] = []
        self._pending: dict[int, dict[str, Any]] = {}
        self._known = 0

    def run(self) -> dict[str, Any]:
        self._event(12)
        self._event(0, Name=ORCHESTRATOR, Input=self._given, Version="")
        while True:
            try:
                state = json.loads(self._handle(self._body()))
            except Exception as error:  # noqa: BLE001 - so the package tells of a failure
                state = json.loads(str(error).partition("$OutOfProcData$:")[2])
                return {"status": "FAILED", "error": state["error"]}
            if state["isDone"]:
                return {"status": "SUCCEEDED", "output": state.get("output")}
            self._schedule(state["actions"])
            self._complete_one()

    def _body(self) -> str:
        return json.dumps(
            {
                "history": self._history,
                "input": self._given,
                "instanceId": self._instance,
                "isReplaying": False,
                "parentInstanceId": None,
                "upperSchemaVersion": 1,
            }
        )

    def _schedule(self, actions: list[Any]) -> None:
        found = list(_flat(actions))
        for number in range(self._known, len(found)):
            action = found[number]
            self._pending[number] = action
            if action["actionType"] == 0:
                self._event(4, number, Name=ACTIVITY, Input=action["input"])
            else:
                self._event(10, number, FireAt=action["fireAt"])
        self._known = len(found)

    def _complete_one(self) -> None:
        calls = [number for number, each in self._pending.items() if each["actionType"] == 0]
        if calls:
            action = self._pending.pop(calls[0])
            answer = _ask(json.loads(action["input"]))
            self._now += timedelta(seconds=1, hours=answer.pop("hours", 0))
            self._event(12)
            self._event(5, -1, TaskScheduledId=calls[0], Result=json.dumps(answer))
            return
        number = min(self._pending, key=lambda each: str(self._pending[each]["fireAt"]))
        action = self._pending.pop(number)
        due = datetime.fromisoformat(action["fireAt"])
        self._now = max(self._now, due)
        self._event(12)
        self._event(11, -1, TimerId=number, FireAt=action["fireAt"])

    def _event(self, kind: int, number: int = -1, **fields: Any) -> None:
        stamp = self._now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        event = {"EventType": kind, "EventId": number, "IsPlayed": False, "Timestamp": stamp}
        self._history.append({**event, **fields})


def _flat(actions: list[Any]) -> Generator[dict[str, Any], None, None]:
    for action in actions:
        if isinstance(action, list):
            yield from _flat(action)
        elif "compoundActions" in action:
            yield from _flat(action["compoundActions"])
        else:
            yield action


def main() -> None:
    """Run what comes, until the input ends."""
    logging.disable()
    held = _held_port()
    run = on_durabletask(held.getsockname()[1]) if sys.argv[1] == "durabletask" else on_replay()
    for line in sys.stdin:
        answer = json.dumps({"done": run(json.loads(line))})
        with _lock:
            sys.stdout.write(answer + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
