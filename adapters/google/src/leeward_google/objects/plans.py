"""Cloud Storage: put, get, head, list and delete objects, by its JSON API.

A put is one multipart upload: what is known of the object, the MD5 of its bytes among it, which the
service compares before it keeps anything, and the bytes. A revision is the generation.

Errors have no status word, as those of Google's other services do, but a reason:
``{"error": {"code": 412, "errors": [{"reason": "conditionNotMet"}]}}``. A download is refused with
a text, so there the status decides, if the answer bears the service's mark: the header with its id
of the request.

Source: `objects.insert`, `objects.get`, `objects.list` and `objects.delete` in the reference of the
JSON API; "Uploads and downloads", "Request preconditions", "Transcoding" and
"HTTP status and error codes for JSON".
"""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Mapping
from functools import partial
from hashlib import md5
from typing import Any, Final

from leeward import json_text
from leeward.adapter.classification import (
    AMBIGUOUS,
    AUTH,
    CALLER,
    CONFLICT,
    CONTENTION,
    NOT_FOUND,
    REJECTED,
    STALE,
    TOO_LARGE,
    Classification,
    by_code,
    by_code_or_status,
    code_in,
)
from leeward.adapter.objects import (
    ObjectService,
    another_object,
    checksum_in,
    metadata_in,
    range_header,
    revision_in,
)
from leeward.adapter.plans import Plan, Planner, View
from leeward.adapter.service import error_in, object_of, result_of_refusal
from leeward.adapter.wire import Request, Response
from leeward.calls import (
    DeleteObject,
    FoundObject,
    GetObject,
    HeadObject,
    Listing,
    ListObjects,
    PutObject,
    Result,
)
from leeward.errors import InvalidRequest, Outcome
from leeward.text import percent_encode
from leeward_google.errors import QUOTA, SUSPENDED
from leeward_google.service import GOOGLE
from leeward_google.settings.services import Objects

REQUEST_ID: Final = "x-guploader-uploadid"
"""The header with the service's id of a request."""

LOCKED: Final = "locked"
"""UNUSABLE: a hold, or a retention policy, keeps the object as it is."""
NO_OBJECT: Final = "notFound"
"""The code of a 404, be it of an object or of a bucket."""

REASONS: Final = by_code(
    {
        REJECTED: "rateLimitExceeded userRateLimitExceeded",
        CONTENTION: "conflict",
        CONFLICT: "conditionNotMet",
        NOT_FOUND: NO_OBJECT,
        STALE: "authError",
        AUTH: "forbidden insufficientPermissions",
        TOO_LARGE: "uploadTooLarge",
        Classification(Outcome.UNUSABLE, LOCKED): "objectUnderActiveHold retentionPolicyNotMet",
        Classification(Outcome.UNUSABLE, QUOTA): "dailyLimitExceeded quotaExceeded",
        Classification(Outcome.UNUSABLE, SUSPENDED): "accountDisabled",
        CALLER: """
            badRequest invalid invalidArgument invalidParameter parseError
            requestedRangeNotSatisfiable
            """,
        AMBIGUOUS: "backendError internalError",
    }
)

STATUSES: Final[Mapping[int, Classification]] = {
    400: CALLER,
    401: STALE,
    403: AUTH,
    404: NOT_FOUND,
    409: CONTENTION,
    412: CONFLICT,
    416: CALLER,
}
"""What a status means in an answer that bears the service's mark."""

_NO_BUCKET: Final = b"bucket does not exist"
"""How a missing bucket is told from a missing object: neither has a code of its own."""


def refusal(response: Response, now: float) -> Result[Any]:
    """Return the result of a refusal."""
    error = error_in(response).get("error")
    errors = error.get("errors") if isinstance(error, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    reason = code_in(first.get("reason")) if isinstance(first, dict) else None
    marked = REQUEST_ID in response.headers
    meaning = by_code_or_status(reason, response.status, REASONS, STATUSES, marked=marked)
    return result_of_refusal(response, now, meaning, reason, REQUEST_ID)


def is_absent(response: Response, result: Result[Any]) -> bool:
    """Return whether a refusal says that the object is not there, and that the bucket is."""
    return result.outcome is Outcome.NOT_FOUND and _NO_BUCKET not in response.body


def is_behind(response: Response, result: Result[Any]) -> bool:
    """Return whether a refusal says that a range lies behind the end of the object."""
    return response.status == 416 and result.outcome is Outcome.CALLER


STORAGE: Final = GOOGLE._replace(refusal=refusal, request_id=REQUEST_ID)
EMULATED: Final = STORAGE._replace(need=None)

PAGE_OBJECTS: Final = 1000

WRITE_ID: Final = "leeward-write"
CHECKSUM: Final = "leeward-sha256"

_FIELDS: Final = "name,size,generation,md5Hash,metadata"
_GENERATION: Final = re.compile("[1-9][0-9]{0,19}")

_ANSWERS: Final = ObjectService(STORAGE, _GENERATION, is_absent, is_behind)
_EMULATED_ANSWERS: Final = _ANSWERS._replace(service=EMULATED)


def objects(configured: Objects) -> dict[str, Planner]:
    """Return the planners of all calls of objects."""
    return {
        "put_object": partial(put, configured),
        "get_object": partial(get, configured),
        "head_object": partial(head, configured),
        "list_objects": partial(list_page, configured),
        "delete_object": partial(delete, configured),
    }


def put(configured: Objects, call: PutObject, view: View) -> Plan:
    """Write an object; the value is its generation."""
    if not _ANSWERS.may_have(call.if_revision):
        return another_object()
    query = "uploadType=multipart&fields=generation"
    if call.if_absent:
        query += "&ifGenerationMatch=0"
    elif call.if_revision is not None:
        query += f"&ifGenerationMatch={call.if_revision}"
    target = f"/upload/storage/v1/b/{_bucket(call.bucket)}/o?{query}"
    boundary, body = _multipart(call)
    headers = (("Content-Type", f"multipart/related; boundary={boundary}"),)
    request = Request("POST", configured.origin, target, headers, body)
    store = _store(configured)
    answer = yield from store.service.exchange(request, view)
    look = head(configured, HeadObject(call.bucket, call.name), view, effect=False)
    return (yield from store.finish_put(call, answer, _read_revision, look))


def get(configured: Objects, call: GetObject, view: View) -> Plan:
    """Read a range, of the bytes as they are kept."""
    if not _ANSWERS.may_have(call.if_revision):
        return another_object()
    query = "alt=media"
    if call.if_revision is not None:
        query += f"&ifGenerationMatch={call.if_revision}"
    headers = (range_header(call), ("Accept-Encoding", "gzip"))
    request = Request("GET", configured.origin, f"{_path(call)}?{query}", headers)
    store = _store(configured)
    answer = yield from store.service.exchange(request, view)
    return store.read_piece(call, answer, partial(_by_headers, call.name, answer.response))


def list_page(configured: Objects, call: ListObjects, view: View) -> Plan:
    """List one page; its cursor is the service's page token."""
    query = [f"maxResults={PAGE_OBJECTS}", "fields=nextPageToken,items(name,size,generation)"]
    if call.cursor is not None:
        query.append(f"pageToken={percent_encode(call.cursor)}")
    if call.prefix:
        query.append(f"prefix={percent_encode(call.prefix)}")
    target = f"/storage/v1/b/{_bucket(call.bucket)}/o?{'&'.join(query)}"
    request = Request("GET", configured.origin, target)
    return (yield from _store(configured).service.exchange_json(request, view, _listing))


def delete(configured: Objects, call: DeleteObject, view: View) -> Plan:
    """Delete an object, there or not."""
    request = Request("DELETE", configured.origin, _path(call))
    store = _store(configured)
    answer = yield from store.service.exchange(request, view)
    return store.read_deletion(answer, status=204)


def head(configured: Objects, call: HeadObject, view: View, *, effect: bool = True) -> Plan:
    """Look at an object."""
    request = Request("GET", configured.origin, f"{_path(call)}?fields={_FIELDS}")
    store = _store(configured)
    answer = yield from store.service.exchange(request, view, effect=effect)
    return store.read_look(answer, lambda document: _by_document(object_of(document)))


def _store(configured: Objects) -> ObjectService:
    return _EMULATED_ANSWERS if configured.emulator else _ANSWERS


def _multipart(call: PutObject) -> tuple[str, bytes]:
    """Return the boundary and the body of an upload; the boundary does not occur in the bytes."""
    boundary = f"leeward-{call.write_id}"
    while boundary.encode() in call.body:
        boundary += "x"
    digest = md5(call.body, usedforsecurity=False).digest()
    document = {
        "name": call.name,
        "md5Hash": b2a_base64(digest, newline=False).decode("ascii"),
        "metadata": {**call.metadata, WRITE_ID: call.write_id, CHECKSUM: call.checksum},
    }
    head = (
        f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n".encode(),
        json_text.encode(document),
        f"\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\n\r\n".encode(),
    )
    return boundary, b"".join((*head, call.body, f"\r\n--{boundary}--\r\n".encode()))


def _read_revision(response: Response) -> str:
    return revision_in(_GENERATION, object_of(response)["generation"])


def _by_document(document: dict[str, Any]) -> FoundObject:
    metadata_fields = document.get("metadata") or {}
    checksum = checksum_in(metadata_fields.get(CHECKSUM)) or _md5(document.get("md5Hash"))
    size, generation = int(document["size"]), revision_in(_GENERATION, document["generation"])
    name, write_id = str(document["name"]), metadata_fields.get(WRITE_ID)
    metadata = metadata_in(metadata_fields.items(), names=(WRITE_ID, CHECKSUM))
    return FoundObject(name, size, generation, write_id, checksum, metadata)


def _by_headers(name: str, response: Response, size: int) -> FoundObject:
    generation = revision_in(_GENERATION, response.headers.get("x-goog-generation"))
    match = re.search("md5=([A-Za-z0-9+/=]+)", response.headers.get("x-goog-hash", ""))
    return FoundObject(name, size, generation, None, _md5(match and match[1]))


def _md5(text: str | None) -> str | None:
    """Return a checksum that was told in base64; None for none, as of composed objects."""
    try:
        return f"md5:{a2b_base64(text).hex()}" if text else None
    except Error:
        return None


def _listing(document: dict[str, Any]) -> Listing:
    items = document.get("items", [])
    objects = tuple(
        FoundObject(
            str(item["name"]), int(item["size"]), revision_in(_GENERATION, item["generation"])
        )
        for item in items
    )
    return Listing(objects, document.get("nextPageToken"))


def _path(call: GetObject | HeadObject | DeleteObject) -> str:
    return f"/storage/v1/b/{_bucket(call.bucket)}/o/{percent_encode(call.name)}"


def _bucket(bucket: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", bucket):
        raise InvalidRequest(
            f"bucket {bucket!r} cannot be the name of a bucket of Cloud Storage, which has 3 to 63 "
            "of a-z, 0-9, hyphens, dots and underscores; map it in [buckets]",
            field="bucket",
        )
    return bucket
