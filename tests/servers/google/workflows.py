"""The Workflow Executions API, as far as leeward needs it, strict in what it takes.

It is a stub of ours, written after the API's discovery document: every start makes an execution,
whatever has been started before. A field or parameter that the API does not have is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from leeward.workflow import Definition
from tests.servers.answering import Answer
from tests.servers.google.api import Asked, GoogleApi, Route
from tests.servers.google.refused import JSON, Refused
from tests.servers.google.tokens import CLOUD_PLATFORM
from tests.servers.workflows.executions import Execution, Executions

_STATES: Final = {
    "running": "ACTIVE",
    "succeeded": "SUCCEEDED",
    "failed": "FAILED",
    "aborted": "CANCELLED",
}
_PATH: Final = (
    "/v1/projects/(?P<project>[^/]+)/locations/(?P<region>[^/]+)/workflows/(?P<workflow>[^/]+)"
    "/executions"
)
_LABEL: Final = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE: Final = re.compile(r"[a-z0-9_-]{0,63}")
_FILTER: Final = re.compile(r'labels\.([a-z0-9_-]+)="([a-z0-9_-]+)"')
ARGUMENT_BYTES: Final = 32 * 1024


class WorkflowExecutions(GoogleApi):
    """The executions of one workflow.

    Attributes:
        executions: of it.
    """

    SERVICE = "workflowexecutions.googleapis.com"
    SCOPES = frozenset({CLOUD_PLATFORM})

    def __init__(self, project: str, region: str, definition: Definition) -> None:
        self.executions = Executions(definition)
        self._region = region
        super().__init__(project)

    def _routes(self) -> Sequence[Route]:
        return (
            Route("POST", _PATH, self._create),
            Route("GET", _PATH, self._list),
            Route("POST", rf"{_PATH}/(?P<execution>[^/:]+):cancel", self._cancel),
        )

    def _create(self, asked: Asked) -> Answer:
        self._check(asked)
        document = json.loads(asked.body)
        if unknown := set(document) - {"argument", "labels"}:
            raise Refused("INVALID_ARGUMENT", f"unknown fields {unknown}")
        labels, argument = document.get("labels", {}), document.get("argument", "null")
        for name, value in labels.items():
            if not _LABEL.fullmatch(name) or not _LABEL_VALUE.fullmatch(value):
                raise Refused("INVALID_ARGUMENT", f"label {name} is not valid")
        if len(argument.encode()) > ARGUMENT_BYTES:
            raise Refused("INVALID_ARGUMENT", "argument is too large")
        value = json.loads(argument).get("input")
        begun = self.executions.start(str(uuid4()), argument, value, labels)
        # The state is that of the moment, before anything has run.
        return _json({**self._told(begun), "state": "ACTIVE"}, drop=("endTime", "result", "error"))

    def _list(self, asked: Asked) -> Answer:
        self._check(asked)
        query = dict(asked.query)
        if unknown := set(query) - {"view", "filter", "pageSize", "pageToken", "orderBy"}:
            raise Refused("INVALID_ARGUMENT", f"unknown parameters {unknown}")
        wanted = _FILTER.fullmatch(query.get("filter", ""))
        if wanted is None:
            raise Refused("INVALID_ARGUMENT", "the filter is not valid")
        with self.executions.lock:
            found = list(self.executions.all.values())
        matching = [self._told(each) for each in found if each.labels.get(wanted[1]) == wanted[2]]
        if query.get("view") != "FULL":
            basic = ("name", "state", "startTime", "endTime")
            matching = [{name: each[name] for name in basic if name in each} for each in matching]
        # A filter is applied page by page: the first one may be empty.
        if "pageToken" not in query:
            return _json({"executions": [], "nextPageToken": "second/page"})
        return _json({"executions": matching[::-1]} if matching else {})

    def _cancel(self, asked: Asked) -> Answer:
        self._check(asked)
        found = self.executions.all.get(asked.names["execution"])
        if found is None:
            raise Refused("NOT_FOUND", "execution not found")
        if found.state != "running":
            raise Refused("FAILED_PRECONDITION", "execution is not running")
        self.executions.abort(found.id)
        return _json(self._told(found))

    def _check(self, asked: Asked) -> None:
        here = (self._region, self.executions.definition.name)
        if (asked.names["region"], asked.names["workflow"]) != here:
            raise Refused("NOT_FOUND", "workflow not found")

    def _told(self, found: Execution) -> dict[str, Any]:
        name = self.executions.definition.name
        told = {
            "name": f"projects/{self.project}/locations/{self._region}/workflows/{name}"
            f"/executions/{found.id}",
            "state": _STATES[found.state],
            "argument": found.input,
            "labels": dict(found.labels),
            "createTime": _time(found.started),
            "startTime": _time(found.started),
            "workflowRevisionId": "000001-a1b",
        }
        if found.ended is not None:
            told["endTime"] = _time(found.ended)
        if found.state == "succeeded":
            told["result"] = json.dumps(found.result)
        if found.error is not None:
            error = {"name": found.error, "ambiguous": False, "steps": [], "final": False}
            told["error"] = {"payload": json.dumps(error), "context": "in step"}
        return told


def _time(seconds: float) -> str:
    """Return a time as Google tells it, with nanoseconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f789Z")


def _json(document: dict[str, Any], drop: Sequence[str] = ()) -> Answer:
    kept = {name: value for name, value in document.items() if name not in drop}
    return Answer(200, (JSON,), json.dumps(kept).encode())
