"""Errors of Lambda, as Step Functions names them, and what a flow calls them.

Source: "Handling errors in Step Functions workflows", and the errors of Lambda's Invoke.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from leeward.workflow.kit import ANY, REFUSED, THROTTLED, TIMEOUT, UNKNOWN, Retry
from leeward_aws.workflows.jsonata import literal

NAMES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        THROTTLED: ("Lambda.TooManyRequestsException",),
        REFUSED: (
            "Lambda.ResourceNotFoundException",
            "Lambda.InvalidRequestContentException",
            "Lambda.RequestTooLargeException",
            "States.Permissions",
        ),
        TIMEOUT: ("States.Timeout", "Sandbox.Timedout"),
        UNKNOWN: (
            "Lambda.ServiceException",
            "Lambda.AWSLambdaException",
            "Lambda.SdkClientException",
            "Lambda.ClientExecutionTimeoutException",
            "Lambda.Unknown",
            "OutcomeUnknown",
            "PoisonSuspected",
        ),
    }
)
"""Of each error of a flow. Whatever else has a dot proves nothing; the rest are classes."""


def retriers(retry: Retry) -> list[dict[str, object]]:
    """Return the retriers of a task: one, or none."""
    names = ["States.ALL"] if ANY in retry.on else _names(retry)
    if retry.attempts == 1 or not names:
        return []
    pauses: dict[str, object] = {"IntervalSeconds": retry.first, "BackoffRate": float(retry.factor)}
    if retry.cap > retry.first:
        pauses["MaxDelaySeconds"] = retry.cap
    else:
        pauses = {"IntervalSeconds": retry.cap, "BackoffRate": 1.0}
    if retry.jitter == "full":
        pauses["JitterStrategy"] = "FULL"
    return [{"ErrorEquals": names, "MaxAttempts": retry.attempts - 1, **pauses}]


def _names(retry: Retry) -> list[str]:
    return [own for name in retry.on for own in NAMES.get(name, (name,)) if not _is_ours(name, own)]


def _is_ours(name: str, own: str) -> bool:
    """Return whether a name means nothing here: no such thing happens to a Lambda function."""
    return own == name and "." in name


def name_of_error() -> str:
    """Return an expression for what a flow calls the error that a task ended with."""
    known = {own: name for name, owns in NAMES.items() for own in owns}
    return (
        f"($n := $states.errorOutput.Error; $m := {literal(known)}; $exists($lookup($m, $n)) "
        f"? $lookup($m, $n) : $contains($n, '.') ? {literal(UNKNOWN)} : $n)"
    )
