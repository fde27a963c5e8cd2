"""What functions have logged, read from Cloud Logging, for `leeward logs`.

A function of the second generation is a service of Cloud Run; one of the first has a resource of
its own. Both are asked for, by the name of the function.

Sources: `entries.list` and `LogEntry` in the REST reference of Cloud Logging, "Logging query
language", and the list of monitored resources.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from leeward import json_text
from leeward.adapter.plans import Plan, Planner, View
from leeward.adapter.service import JSON
from leeward.adapter.wire import Request
from leeward.calls.looks import LogLine, LogPage, ReadLogs
from leeward_google.service import GOOGLE

MOST: Final = 1000
"""Entries of a page."""


def logs(origin: str, project: str) -> dict[str, Planner]:
    """Return the planner of ``read_logs``, with the entries of `project`."""
    return {"read_logs": partial(read, origin, project)}


def read(origin: str, project: str, call: ReadLogs, view: View) -> Plan:
    """List a page of a function's entries; takes the right ``logging.logEntries.list``."""
    name = json.dumps(call.function)  # a string of the query language takes what JSON's takes
    of_function = (
        f'(resource.type="cloud_run_revision" AND resource.labels.service_name={name}) OR '
        f'(resource.type="cloud_function" AND resource.labels.function_name={name})'
    )
    clauses = [
        f'timestamp>="{_time(call.since)}"',
        f'timestamp<"{_time(call.until)}"',
        f"({of_function})",
        *["severity>=ERROR"] * call.errors,
    ]
    body: dict[str, Any] = {
        "resourceNames": [f"projects/{project}"],
        "filter": " AND ".join(clauses),
        "orderBy": "timestamp asc",
        "pageSize": min(call.most, MOST),
    }
    if call.cursor is not None:
        body["pageToken"] = call.cursor
    request = Request("POST", origin, "/v2/entries:list", JSON, json_text.encode(body))
    return (yield from GOOGLE.exchange_json(request, view, _page_in))


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")[:26] + "Z"


def _page_in(document: dict[str, Any]) -> LogPage:
    lines = tuple(map(_line_of, document.get("entries") or ()))
    return LogPage(lines, document.get("nextPageToken") or None)


def _line_of(entry: dict[str, Any]) -> LogLine:
    text = entry.get("textPayload")
    if text is None:
        payload = entry.get("jsonPayload") or entry.get("protoPayload") or entry.get("httpRequest")
        text = json_text.encode(payload or {}).decode()
    whole, dot, rest = entry["timestamp"].removesuffix("Z").partition(".")
    # Google writes nine digits of a second, and Python reads six.
    time = datetime.fromisoformat(f"{whole}{dot}{rest[:6]}+00:00").timestamp()
    level = entry.get("severity", "")
    return LogLine(entry["insertId"], time, text, "" if level == "DEFAULT" else level)
