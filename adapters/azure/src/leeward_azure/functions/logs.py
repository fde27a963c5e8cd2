"""What functions have logged, read from the workspace of Application Insights: `leeward logs`.

Traces and exceptions of a function stand in the tables ``AppTraces`` and ``AppExceptions``, under
its name as the operation. They arrive there some minutes after they were written. A page has no
token: the next one begins at the time of the last line, which comes again, with the same id.

Sources: "Azure Monitor Log Analytics API", "Request format" and "Response format"; the reference
of the tables `AppTraces` and `AppExceptions`; "String literals" in that of Kusto.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from leeward import json_text
from leeward.adapter.plans import Plan, Planner, View
from leeward.adapter.service import JSON, object_of
from leeward.adapter.wire import Request, Response
from leeward.calls.looks import LogLine, LogPage, ReadLogs
from leeward_azure.errors import judge_events
from leeward_azure.identity.credentials import ServiceCredential
from leeward_azure.service import service_of
from leeward_azure.settings.services import Logs

LOGS: Final = service_of(ServiceCredential("logs"), judge_events, "x-ms-request-id")
"""Log Analytics refuses as Event Grid does: by the status, with a code in the body."""

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
"""The words for `SeverityLevel`, from 0."""

MOST: Final = 10_000
"""Lines of a page; an answer has at most 500,000."""

_QUERY: Final = """union isfuzzy=true
(AppTraces | project TimeGenerated, OperationName, SeverityLevel, _ItemId, Text = Message),
(AppExceptions | project TimeGenerated, OperationName, SeverityLevel, _ItemId,
    Text = strcat(ExceptionType, ": ", OuterMessage, "\\n", tostring(Details)))
| where TimeGenerated >= datetime(%s) and TimeGenerated < datetime(%s)
| where OperationName =~ %s%s
| order by TimeGenerated asc, _ItemId asc
| take %d
| project TimeGenerated, _ItemId, SeverityLevel, Text"""


def logs(configured: Logs) -> dict[str, Planner]:
    """Return the planner of ``read_logs``."""
    return {"read_logs": partial(read, configured)}


def read(configured: Logs, call: ReadLogs, view: View) -> Plan:
    """Query a page of a function's traces; takes the role ``Log Analytics Reader``."""
    limit = min(call.most, MOST)
    since = call.since if call.cursor is None else float(call.cursor)
    # A Kusto string takes what JSON's takes.
    name, errors = json.dumps(call.function), " and SeverityLevel >= 3" if call.errors else ""
    query = _QUERY % (_time(since), _time(call.until), name, errors, limit)
    target = f"/v1/workspaces/{configured.workspace}/query"
    body = json_text.encode({"query": query})
    request = Request("POST", configured.origin, target, JSON, body)
    answer = yield from LOGS.exchange(request, view, authorize=_with_token)
    return LOGS.read_answer(answer, partial(_page_in, limit), status=200)


def _with_token(request: Request, bearer: Any, _now: float) -> Request:
    proof = ("Authorization", f"Bearer {bearer.token}")
    return request._replace(headers=(*request.headers, proof))


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")[:26] + "Z"


def _page_in(limit: int, response: Response) -> LogPage:
    (table, *_) = object_of(response)["tables"]
    lines = tuple(
        LogLine(id, datetime.fromisoformat(time).timestamp(), text, LEVELS[level or 0])
        for time, id, level, text in table["rows"]
    )
    is_full = len(lines) == limit and lines[0].time < lines[-1].time
    return LogPage(lines, repr(lines[-1].time) if is_full else None)
