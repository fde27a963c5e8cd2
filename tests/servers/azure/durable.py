"""The HTTP API of the Durable extension, as far as leeward needs it: a stub of ours.

It starts an instance anew whose earlier one has ended, as the extension does unless it is told
otherwise, and refuses a start of one that runs.

Source: "HTTP APIs in Durable Functions" in the documentation of Azure Functions.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote

from leeward.workflow import Definition
from tests.servers.answering import Answer
from tests.servers.workflows.executions import Execution, Executions

PATH: Final = "/runtime/webhooks/durabletask"
SYSTEM_KEY: Final = "durable-key-of-the-tests"

_STATES: Final = {
    "running": "Running",
    "succeeded": "Completed",
    "failed": "Failed",
    "aborted": "Terminated",
}
_JSON: Final = (("Content-Type", "application/json; charset=utf-8"),)


class DurableExtension:
    """The instances of one app, whose only orchestrator is that of workflows.

    Args:
        definition: the one that is packaged with it.

    Attributes:
        executions: the instances.
    """

    def __init__(self, definition: Definition) -> None:
        self.executions = Executions(definition)

    def answer(
        self, method: str, path: str, body: bytes, key: str, query: Mapping[str, str]
    ) -> Answer:
        """Answer a request to a path below `PATH`."""
        if not hmac.compare_digest(key, SYSTEM_KEY):
            return Answer(401)
        below = path.removeprefix(PATH)
        if found := re.fullmatch(r"/orchestrators/leeward_workflow/([^/]+)", below):
            return self._start(unquote(found[1]), body) if method == "POST" else Answer(405)
        if found := re.fullmatch(r"/orchestrators/([^/]+)(?:/[^/]*)?", below):
            told = (
                f"The function '{found[1]}' doesn't exist, is disabled, or is not an orchestrator"
            )
            return _answer(400, {"Message": told})
        if found := re.fullmatch(r"/instances/([^/]+)", below):
            return self._status(unquote(found[1]), query) if method == "GET" else Answer(405)
        if found := re.fullmatch(r"/instances/([^/]+)/terminate", below):
            return self._terminate(unquote(found[1])) if method == "POST" else Answer(405)
        return Answer(404)

    def _start(self, id: str, body: bytes) -> Answer:
        try:
            given = json.loads(body)
        except ValueError:
            return _answer(400, {"Message": "Invalid JSON content"})
        with self.executions.lock:
            there = self.executions.all.get(id)
            if there is not None and there.state == "running":
                return _answer(409, {"Message": f"An instance with ID '{id}' already exists."})
            begun = self.executions.start(id, body.decode(), given["input"])
        if given["digest"] != self.executions.definition.digest:
            begun.state, begun.error = "failed", "KeyError"
        return _answer(202, {"id": id, "statusQueryGetUri": f"http://host{PATH}/instances/{id}"})

    def _status(self, id: str, query: Mapping[str, str]) -> Answer:
        found = self.executions.all.get(id)
        if found is None:
            return Answer(404)
        told = _told(found)
        if query.get("showInput", "true") != "true":
            told["input"] = None
        return _answer(202 if found.state == "running" else 200, told)

    def _terminate(self, id: str) -> Answer:
        found = self.executions.all.get(id)
        if found is None:
            return Answer(404)
        if found.state != "running":
            return Answer(410)
        self.executions.abort(id)
        return Answer(202)


def _told(found: Execution) -> dict[str, Any]:
    output = found.result
    if found.error is not None:
        output = f"Orchestrator function 'leeward_workflow' failed: {found.error}"
    return {
        "name": "leeward_workflow",
        "instanceId": found.id,
        "runtimeStatus": _STATES[found.state],
        "input": json.loads(found.input),
        "customStatus": None,
        "output": output,
        "createdTime": _time(found.started),
        "lastUpdatedTime": _time(found.ended or found.started),
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _answer(status: int, document: dict[str, Any]) -> Answer:
    return Answer(status, _JSON, json.dumps(document).encode())
