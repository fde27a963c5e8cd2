"""Firestore's own exports. Its backups are made by schedule, and cannot be asked for.

An export is consistent only with a time: the last whole minute but one. It holds the documents of
one collection, and is read by `importDocuments`, or by BigQuery, alone.

Source: `projects.databases.exportDocuments` and `projects.databases.operations.get` in the REST
reference of Firestore.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from leeward import json_text
from leeward.adapter.plans import Plan, Planner, View
from leeward.adapter.service import JSON, exchange_json
from leeward.adapter.wire import Request
from leeward.calls import LookNative, NativeJob, StartNative
from leeward.errors import Unsupported
from leeward_google.settings.services import Tables
from leeward_google.tables.documents import check_collection
from leeward_google.tables.plans import FirestoreEndpoint, endpoint_of

_MINUTE: Final = 60.0


def backups(settings: Tables, project: str) -> dict[str, Planner]:
    """Return the planners of the service's own exports."""
    endpoint = endpoint_of(settings, project)
    return {"start_native": partial(start, endpoint), "look_native": partial(look, endpoint)}


def start(endpoint: FirestoreEndpoint, call: StartNative, view: View) -> Plan:
    """Start an export.

    Raises:
        Unsupported: a backup is wanted.
    """
    if call.kind == "backup":
        raise Unsupported(
            "Firestore makes backups by schedule alone, of a whole database: gcloud firestore "
            "backups schedules create; or start an export, or a backup of leeward's own"
        )
    check_collection(call.table)
    minute = (view.now // _MINUTE - 1) * _MINUTE
    body = {
        "collectionIds": [call.table],
        "outputUriPrefix": f"gs://{call.bucket}/{call.prefix}".rstrip("/"),
        "snapshotTime": datetime.fromtimestamp(minute, UTC).isoformat().replace("+00:00", "Z"),
    }
    target = f"/v1/{endpoint.documents.rpartition('/')[0]}:exportDocuments"
    request = Request("POST", endpoint.origin, target, JSON, json_text.encode(body))
    return (yield from exchange_json(endpoint.service, request, view, _operation))


def look(endpoint: FirestoreEndpoint, call: LookNative, view: View) -> Plan:
    """Look how far it has come."""
    request = Request("GET", endpoint.origin, f"/v1/{call.id}")
    return (yield from exchange_json(endpoint.service, request, view, _operation))


def _operation(document: dict[str, Any]) -> NativeJob:
    known = document.get("metadata") or {}
    progress = known.get("progressDocuments") or {}
    done, total = (_count(progress.get(each)) for each in ("completedWork", "estimatedWork"))
    id = str(document["name"])
    if not document.get("done"):
        return NativeJob(id, "running", done, total)
    error = document.get("error")
    if error is not None:
        return NativeJob(id, "failed", done, total, str(error.get("message")))
    where = f"{known.get('outputUriPrefix', '')}; importDocuments, or BigQuery, reads it"
    return NativeJob(id, "done", done, total, where)


def _count(text: Any) -> int | None:
    return int(text) if isinstance(text, str) and text.isdecimal() else None
