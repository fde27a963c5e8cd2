"""What Lambda functions have logged, read from CloudWatch Logs, for `leeward logs`.

A function writes into the log group of its name, unless its configuration names another one.

Sources: the API reference of `FilterLogEvents`, "Filter pattern syntax for metric filters", and
"Sending Lambda function logs to CloudWatch Logs". The rate of `FilterLogEvents` is a quota of
the account, so a page is as long as it may be.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from leeward.adapter.plans import Plan, Planner, View
from leeward.calls.looks import LogLine, LogPage, ReadLogs
from leeward_aws.service import Endpoint, endpoint_of
from leeward_aws.settings.options import Settings

MOST: Final = 10_000
"""Events of a page."""

ERRORS: Final = (
    '?ERROR ?CRITICAL ?FATAL ?Traceback ?Error ?Exception ?"Task timed out" ?"Runtime exited"'
)
"""One of these stands in every line of a failure: of leeward's own logs, of Python's, of Lambda's
runtime, and of Lambda itself."""


def logs(settings: Settings) -> dict[str, Planner]:
    """Return the planner of ``read_logs``."""
    return {"read_logs": partial(read, endpoint_of("logs", settings))}


def read(endpoint: Endpoint, call: ReadLogs, view: View) -> Plan:
    """Read a page of the log group of a function; takes the right ``logs:FilterLogEvents``."""
    body: dict[str, Any] = {
        "logGroupName": group_of(call.function),
        "startTime": int(call.since * 1000),
        "endTime": int(call.until * 1000) - 1,  # CloudWatch counts the end
        "limit": min(call.most, MOST),
    }
    if call.errors:
        body["filterPattern"] = ERRORS
    if call.cursor is not None:
        body["nextToken"] = call.cursor
    request = endpoint.request("FilterLogEvents", body)
    return (yield from endpoint.service.exchange_json(request, view, _page_in))


def group_of(function: str) -> str:
    """Return the log group of a function, given by its name, its ARN, or either with a version."""
    parts = function.split(":")
    name = parts[6] if function.startswith("arn:") and len(parts) > 6 else parts[0]
    return f"/aws/lambda/{name}"


def _page_in(document: dict[str, Any]) -> LogPage:
    lines = tuple(
        LogLine(event["eventId"], event["timestamp"] / 1000, event["message"].rstrip("\n"))
        for event in document.get("events") or ()
    )
    return LogPage(lines, document.get("nextToken"))
