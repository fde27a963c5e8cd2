"""Exports of DynamoDB to S3, as `ExportTableToPointInTime` writes them in DynamoDB JSON.

::

    AWSDynamoDB/<export id>/manifest-summary.json
    AWSDynamoDB/<export id>/manifest-files.json      one line for each file
    AWSDynamoDB/<export id>/data/<name>.json.gz      one line for each item: {"Item": {...}}

Names of objects are told from the root of the bucket; here they are below the export's folder, so
that an export that was copied elsewhere can be read.

Source: "DynamoDB table export output format" in the developer guide.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from leeward.adapter.exchange import UNREADABLE
from leeward.adapter.plans import Plan, Planner, View
from leeward.calls import ExportFile, ExportSummary, ReadExport, Result, Stored, UnreadableItem
from leeward.errors import Outcome
from leeward.json_text import Undecodable, decode
from leeward_aws.settings.options import Settings
from leeward_aws.tables.plans import DEEPEST, stored_of

SUMMARY: Final = "manifest-summary.json"


def exports(_: Settings) -> dict[str, Planner]:
    """Return the planner that reads exports."""
    return {"read_export": read_export}


def read_export(call: ReadExport, view: View) -> Plan:
    """Read a part of an export; nothing is sent."""
    del view
    yield from ()
    try:
        return Result.ok(_READERS[call.part](call.data))
    except (UnreadableItem, ValueError, TypeError, KeyError) as error:
        message = f"the {call.part} of the export cannot be read: {type(error).__name__}"
        return Result(Outcome.UNUSABLE, reason=UNREADABLE, message=message, cause=error)


def _summary(data: bytes) -> ExportSummary:
    told: Any = decode(data)
    kind, form = told["exportType"], told["outputFormat"]
    if (kind, form) != ("FULL_EXPORT", "DYNAMODB_JSON"):
        raise Undecodable("only a full export in DynamoDB JSON can be read")
    time = datetime.fromisoformat(told["exportTime"]).timestamp()
    files = str(told["manifestFilesS3Key"]).rpartition("/")[2]
    return ExportSummary(str(told["exportArn"]), time, int(told["itemCount"]), files)


def _files(data: bytes) -> tuple[ExportFile, ...]:
    lines: list[Any] = [decode(line) for line in data.splitlines() if line.strip()]
    return tuple(
        ExportFile("/".join(str(each["dataFileS3Key"]).split("/")[-2:]), int(each["itemCount"]))
        for each in lines
    )


def _items(data: bytes) -> tuple[Stored, ...]:
    lines: list[Any] = [decode(line, deepest=DEEPEST) for line in data.splitlines()]
    return tuple(stored_of(each["Item"], exact=True) for each in lines)


def _begin(_: bytes) -> str:
    return SUMMARY


_READERS: Final[dict[str, Callable[[bytes], Any]]] = {
    "begin": _begin,
    "summary": _summary,
    "files": _files,
    "items": _items,
}
