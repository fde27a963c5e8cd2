"""Logs as JSON: one line for each record, with one schema on every cloud.

``App(json_logs=True)`` switches it on in a cloud's runtime. The handlers that the runtime has put
on the root logger stay, with another formatter, because their lines carry more than text; without
any, lines go to the standard output.

No line has the text of an exception: of an error that is logged along, it has the class and the
places in the code.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from leeward.app.context import Context, current
from leeward.app.triggers import LogStyle
from leeward.otel import ATTEMPT, CLOUD_REGION, FAAS_COLD, FAAS_ID, FAAS_NAME, SERVICE
from leeward.traces import trace_ids

LONGEST_TRACE: Final = 50
"""Places in the code, the innermost ones."""


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON.

    Args:
        service: the name of the app.
        style: of the cloud.
    """

    def __init__(self, service: str, style: LogStyle) -> None:
        super().__init__()
        self._service = service
        self._logs = style

    def format(self, record: logging.LogRecord) -> str:
        """Write a record. What JSON does not have is written as its class alone."""
        line: dict[str, Any] = {
            "severity": record.levelname,
            "level": record.levelname,
            "message": _message(record),
            self._logs.time: _time(record.created),
            "logger": record.name,
            SERVICE: self._service,
        }
        context = current()
        if context is not None:
            line |= _of_call(context)
            line |= self._logs.fields(context)
        if isinstance(record.args, Mapping):
            line |= {f"leeward.{name}": _plain(value) for name, value in record.args.items()}
        for name, value in vars(record).items():
            if name not in _RECORD:  # the `extra` of whoever has logged it
                line[f"extra.{name}" if name in line else name] = _plain(value)
        if record.exc_info and record.exc_info[0] is not None:
            line["exception.type"] = record.exc_info[0].__name__
            line["exception.stacktrace"] = _places(record.exc_info[2])
        return json.dumps(line, ensure_ascii=False, default=_class_of, allow_nan=False)


_RECORD: Final = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}
"""What every record has."""


def set_up(service: str, style: LogStyle) -> None:
    """Let the root logger write JSON; records of INFO and above, unless it says otherwise."""
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler(sys.stdout))
    formatter = JsonFormatter(service, style)
    for handler in root.handlers:
        handler.setFormatter(formatter)
    if root.level in (logging.NOTSET, logging.WARNING):
        root.setLevel(logging.INFO)


def _of_call(context: Context) -> Mapping[str, Any]:
    found: dict[str, Any] = {
        FAAS_NAME: context.function,
        FAAS_ID: context.call_id,
        FAAS_COLD: context.cold_start,
        CLOUD_REGION: context.region,
    }
    if context.attempt is not None:
        found[ATTEMPT] = context.attempt
    ids = trace_ids(context.trace)
    if ids is not None:
        found |= {"trace_id": ids[0], "span_id": ids[1]}
    return found


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # arguments that do not fit; the text alone does
        return str(record.msg)


def _time(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _places(trace: Any) -> list[str]:
    """Return where an error came from, the outermost place first; no text, and no line of code."""
    found: list[str] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        found.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_qualname}")
        trace = trace.tb_next
    return found[-LONGEST_TRACE:]


def _plain(value: object) -> object:
    """Return what JSON can have of a value: all of it, or the name of its class."""
    try:
        return json.loads(json.dumps(value, default=_class_of, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return _class_of(value)


def _class_of(value: object) -> str:
    return f"<{type(value).__name__}>"
