"""DynamoDB's own backups, and its exports to S3.

A backup stays in DynamoDB; it holds the table to within a minute, and is restored into a new table
alone. An export needs point-in-time recovery, and a repeated call with its token starts no second.

Source: the API references of `CreateBackup`, `DescribeBackup`, `DescribeTable`,
`ExportTableToPointInTime` and `DescribeExport`.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from leeward.adapter.exchange import (
    ServiceAnswer,
    as_look_up,
    exchange,
    exchange_json,
    misread,
    object_of,
)
from leeward.adapter.plans import Plan, Planner, View
from leeward.calls import LookNative, NativeJob, StartNative
from leeward_aws.exchange import REQUEST_ID, Endpoint, endpoint_of
from leeward_aws.settings.options import Settings
from leeward_aws.tables.plans import headers_of, request_of

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
        request = request_of(endpoint, headers_of("CreateBackup"), body)
        return (yield from exchange_json(endpoint.service, request, view, _backup))
    described = request_of(endpoint, headers_of("DescribeTable"), {"TableName": call.table})
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
    request = request_of(endpoint, headers_of("ExportTableToPointInTime"), body)
    return (yield from exchange_json(endpoint.service, request, view, _export))


def look(endpoint: Endpoint, call: LookNative, view: View) -> Plan:
    """Look how far it has come."""
    is_backup = "/backup/" in call.id
    operation, field, read = (
        ("DescribeBackup", "BackupArn", _described_backup)
        if is_backup
        else ("DescribeExport", "ExportArn", _export)
    )
    request = request_of(endpoint, headers_of(operation), {field: call.id})
    return (yield from exchange_json(endpoint.service, request, view, read))


def _described_backup(document: dict[str, Any]) -> NativeJob:
    return _backup(document["BackupDescription"])


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
