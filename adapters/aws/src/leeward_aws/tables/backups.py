"""DynamoDB's own backups, and its exports to S3.

A backup stays in DynamoDB; it holds the table to within a minute, and is restored into a new table
alone. An export needs point-in-time recovery, and a repeated call with its token starts no second.

An export is written in DynamoDB JSON::

    AWSDynamoDB/<export id>/manifest-summary.json
    AWSDynamoDB/<export id>/manifest-files.json      one line for each file
    AWSDynamoDB/<export id>/data/<name>.json.gz      one line for each item: {"Item": {...}}

The manifest names objects from the root of the bucket. Here they are below the export's folder, so
that an export that was copied elsewhere can be read.

Sources: the API references of `CreateBackup`, `DescribeBackup`, `DescribeTable`,
`ExportTableToPointInTime` and `DescribeExport`; "DynamoDB table export
output format" in the developer guide.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, Final

from leeward.adapter.plans import Plan, Planner, View
from leeward.adapter.service import (
    UNREADABLE,
    ServiceAnswer,
    as_look_up,
    exchange,
    exchange_json,
    misread,
    object_of,
)
from leeward.calls import (
    ExportFile,
    ExportSummary,
    LookNative,
    NativeJob,
    ReadExport,
    Result,
    StartNative,
    Stored,
    UnreadableItem,
)
from leeward.errors import Outcome
from leeward.json_text import Undecodable, decode
from leeward_aws.service import REQUEST_ID, Endpoint, endpoint_of
from leeward_aws.settings.options import Settings
from leeward_aws.tables.plans import DEEPEST, stored_of

_NEW_TABLE: Final = "restore it into a new table with RestoreTableFromBackup; leeward cannot"

_STATES: Final = {"AVAILABLE": "done", "COMPLETED": "done", "DELETED": "failed", "FAILED": "failed"}


def backups(settings: Settings) -> dict[str, Planner]:
    """Return the planners of the service's own backups and exports."""
    endpoint = endpoint_of("dynamodb", settings)
    return {"start_native": partial(start, endpoint), "look_native": partial(look, endpoint)}


def start(endpoint: Endpoint, call: StartNative, view: View) -> Plan:
    """Start a backup, or an export."""
    if call.kind == "backup":
        body = {"TableName": call.table, "BackupName": call.name}
        request = endpoint.request("CreateBackup", body)
        return (yield from exchange_json(endpoint.service, request, view, _backup))
    described = endpoint.request("DescribeTable", {"TableName": call.table})
    answer = yield from exchange(endpoint.service, described, view, effect=False)
    response, refusal = as_look_up(answer)
    if refusal is not None:
        return refusal
    try:
        arn = object_of(response)["Table"]["TableArn"]
    except (ValueError, TypeError, KeyError) as error:
        unread = misread(response, error, request_id=REQUEST_ID)
        return as_look_up(ServiceAnswer(response, unread)).refusal or unread
    body = {
        "TableArn": arn,
        "S3Bucket": call.bucket,
        "ExportFormat": "DYNAMODB_JSON",
        "ExportType": "FULL_EXPORT",
        "ClientToken": call.name,
        **({"S3Prefix": call.prefix} if call.prefix else {}),
    }
    request = endpoint.request("ExportTableToPointInTime", body)
    return (yield from exchange_json(endpoint.service, request, view, _export))


def look(endpoint: Endpoint, call: LookNative, view: View) -> Plan:
    """Look how far it has come."""
    is_backup = "/backup/" in call.id
    operation, field, read = (
        ("DescribeBackup", "BackupArn", lambda document: _backup(document["BackupDescription"]))
        if is_backup
        else ("DescribeExport", "ExportArn", _export)
    )
    request = endpoint.request(operation, {field: call.id})
    return (yield from exchange_json(endpoint.service, request, view, read))


def _backup(document: dict[str, Any]) -> NativeJob:
    details = document["BackupDetails"]
    return NativeJob(str(details["BackupArn"]), _state(details["BackupStatus"]), told=_NEW_TABLE)


def _export(document: dict[str, Any]) -> NativeJob:
    told = document["ExportDescription"]
    state = _state(told["ExportStatus"])
    folder = str(told.get("ExportManifest") or "").rpartition("/")[0]
    where = f"leeward backup create --export {told.get('S3Bucket')}/{folder}" if folder else ""
    why = " ".join(filter(None, map(told.get, ("FailureCode", "FailureMessage"))))
    items = told.get("ItemCount") if state == "done" else None
    return NativeJob(
        str(told["ExportArn"]), state, items, items, why if state == "failed" else where
    )


def _state(status: str) -> Any:
    return _STATES.get(status, "running")


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


_READERS: Final[dict[str, Callable[[bytes], Any]]] = {
    "begin": lambda _: SUMMARY,
    "summary": _summary,
    "files": _files,
    "items": _items,
}
