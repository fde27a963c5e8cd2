"""A call of a function as a task: by its own name, with the key where leeward's clients put it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from leeward.workflow.kit import Retry
from leeward_aws.workflows.errors import retriers
from leeward_aws.workflows.jsonata import literal, whole
from leeward_aws.workflows.variables import State


class Calls(NamedTuple):
    """Calls of one workflow.

    Attributes:
        workflow: its name.
        functions: own names of functions, by logical name.
    """

    workflow: str
    functions: Mapping[str, str]

    def task(self, function: str, payload: Any, path: str, timeout: int, retry: Retry) -> State:
        """Return a task, without what comes behind it.

        Args:
            function: its logical name.
            payload: as a field of a state.
            path: expression for the path of the step in the run.
            timeout: seconds of an attempt.
            retry: which failures are tried again.
        """
        custom = (
            f'{{"custom": {{"idempotency-key": {self.key(path)}, '
            f'"x-leeward-deadline-ms": "{timeout * 1000}"}}}}'
        )
        task: State = {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": {
                "FunctionName": self.functions.get(function, function),
                "ClientContext": whole(f"$base64encode($string({custom}))"),
                "Payload": payload,
            },
            "TimeoutSeconds": timeout,
        }
        found = retriers(retry)
        return {**task, "Retry": found} if found else task

    def key(self, path: str) -> str:
        """Return an expression for the idempotency key of a step."""
        prefix = literal(f"{self.workflow}/")
        return f'{prefix} & $states.context.Execution.Name & "/" & {path}'
