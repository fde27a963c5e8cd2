"""Cloud Storage: put, get, head, list and delete objects, by its JSON API.

A put is one multipart upload: what is known of the object, the MD5 of its bytes among it, which the
service compares before it keeps anything, and the bytes. A revision is the generation.

Source: `objects.insert`, `objects.get`, `objects.list` and `objects.delete` in the reference of the
JSON API; "Uploads and downloads", "Request preconditions" and "Transcoding".
"""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, b2a_base64
from functools import partial
from hashlib import md5
from typing import Any, Final

from leeward.adapter import Result, json_text
from leeward.adapter.exchange import (
    UNDECODABLE,
    UNEXPECTED,
    ambiguous,
    exchange,
    misread,
    object_of,
)
from leeward.adapter.exchange import Service as Way
from leeward.adapter.json_text import Undecodable
from leeward.adapter.objects import (
    NOTHING_THERE,
    DeleteObject,
    FoundObject,
    GetObject,
    HeadObject,
    Listing,
    ListObjects,
    PutObject,
    another_object,
    kept_checksum,
    piece_of,
    range_header,
    settled,
)
from leeward.adapter.plans import Plan, Planner, View
from leeward.adapter.text import percent_encode
from leeward.adapter.wire import Request, Response
from leeward.errors import InvalidRequest, Outcome
from leeward_google.exchange import GOOGLE
from leeward_google.objects.errors import REQUEST_ID, is_absent, refusal
from leeward_google.settings.services import Objects

STORAGE: Final = GOOGLE._replace(refusal=refusal, request_id=REQUEST_ID)
EMULATED: Final = STORAGE._replace(need=None)

PAGE_OBJECTS: Final = 1000

WRITE_ID: Final = "leeward-write"
CHECKSUM: Final = "leeward-sha256"

_FIELDS: Final = "name,size,generation,md5Hash,metadata"
_GENERATION: Final = re.compile("[0-9]{1,20}")


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
    query = "uploadType=multipart&fields=generation"
    if call.if_absent:
        query += "&ifGenerationMatch=0"
    elif call.if_revision is not None:
        if not _GENERATION.fullmatch(call.if_revision):
            return another_object()
        query += f"&ifGenerationMatch={call.if_revision}"
    target = f"/upload/storage/v1/b/{_bucket(call.bucket)}/o?{query}"
    boundary, body = _multipart(call)
    headers = (("Content-Type", f"multipart/related; boundary={boundary}"),)
    request = Request("POST", configured.origin, target, headers, body)
    response, refused = yield from exchange(_way(configured), request, view)
    if refused is None:
        return _written(response)
    if call.if_revision is not None and is_absent(response, refused):
        refused = another_object(refused.request_id)
    if refused.outcome is Outcome.CONFLICT:
        look = _head(configured, HeadObject(call.bucket, call.name), view, effect=False)
        return (yield from settled(call, refused, look))
    return refused


def get(configured: Objects, call: GetObject, view: View) -> Plan:
    """Read a range, of the bytes as they are kept."""
    query = "alt=media"
    if call.if_revision is not None:
        if not _GENERATION.fullmatch(call.if_revision):
            return another_object()
        query += f"&ifGenerationMatch={call.if_revision}"
    headers = (range_header(call), ("Accept-Encoding", "gzip"))
    request = Request("GET", configured.origin, f"{_path(call)}?{query}", headers)
    response, refused = yield from exchange(_way(configured), request, view)
    if refused is not None:
        if response.status == 416 and refused.outcome is Outcome.CALLER:
            return Result.ok(NOTHING_THERE, request_id=refused.request_id)
        if not is_absent(response, refused):
            return refused
        if call.if_revision is not None:
            return another_object(refused.request_id)
        return Result.ok(None, request_id=refused.request_id)
    piece = piece_of(call, response, partial(_by_headers, call.name, response))
    if piece is None:
        return ambiguous(response, UNDECODABLE, request_id=REQUEST_ID)
    return Result.ok(piece, request_id=response.headers.get(REQUEST_ID))


def head(configured: Objects, call: HeadObject, view: View) -> Plan:
    """Look at an object."""
    return (yield from _head(configured, call, view, effect=True))


def list_page(configured: Objects, call: ListObjects, view: View) -> Plan:
    """List one page; its cursor is the service's page token."""
    query = [f"maxResults={PAGE_OBJECTS}", "fields=nextPageToken,items(name,size,generation)"]
    if call.cursor is not None:
        query.append(f"pageToken={percent_encode(call.cursor)}")
    if call.prefix:
        query.append(f"prefix={percent_encode(call.prefix)}")
    target = f"/storage/v1/b/{_bucket(call.bucket)}/o?{'&'.join(query)}"
    request = Request("GET", configured.origin, target)
    response, refused = yield from exchange(_way(configured), request, view)
    if refused is not None:
        return refused
    try:
        listing = _listing(object_of(response))
    except (Undecodable, ValueError, TypeError, KeyError) as error:
        return misread(response, error, request_id=REQUEST_ID)
    return Result.ok(listing, request_id=response.headers.get(REQUEST_ID))


def delete(configured: Objects, call: DeleteObject, view: View) -> Plan:
    """Delete an object, there or not."""
    request = Request("DELETE", configured.origin, _path(call))
    response, refused = yield from exchange(_way(configured), request, view)
    if refused is not None:
        gone = is_absent(response, refused)
        return Result.ok(None, request_id=refused.request_id) if gone else refused
    if response.status != 204:
        return ambiguous(response, UNEXPECTED, request_id=REQUEST_ID)
    return Result.ok(None, request_id=response.headers.get(REQUEST_ID))


def _head(configured: Objects, call: HeadObject, view: View, *, effect: bool) -> Plan:
    request = Request("GET", configured.origin, f"{_path(call)}?fields={_FIELDS}")
    response, refused = yield from exchange(_way(configured), request, view, effect=effect)
    if refused is not None:
        gone = is_absent(response, refused)
        return Result.ok(None, request_id=refused.request_id) if gone else refused
    try:
        found = _by_document(object_of(response))
    except (Undecodable, ValueError, TypeError, KeyError) as error:
        return misread(response, error, request_id=REQUEST_ID)
    return Result.ok(found, request_id=response.headers.get(REQUEST_ID))


def _way(configured: Objects) -> Way:
    return EMULATED if configured.emulator else STORAGE


def _multipart(call: PutObject) -> tuple[str, bytes]:
    """Return the boundary and the body of an upload; the boundary does not occur in the bytes."""
    boundary = f"leeward-{call.write_id}"
    while boundary.encode() in call.body:
        boundary += "x"
    digest = md5(call.body, usedforsecurity=False).digest()
    document = {
        "name": call.name,
        "md5Hash": b2a_base64(digest, newline=False).decode("ascii"),
        "metadata": {WRITE_ID: call.write_id, CHECKSUM: call.checksum},
    }
    head = (
        f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n".encode(),
        json_text.encode(document),
        f"\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\n\r\n".encode(),
    )
    return boundary, b"".join((*head, call.body, f"\r\n--{boundary}--\r\n".encode()))


def _written(response: Response) -> Result[Any]:
    try:
        generation = _generation(object_of(response)["generation"])
    except (Undecodable, ValueError, KeyError) as error:
        return misread(response, error, request_id=REQUEST_ID)
    return Result.ok(generation, request_id=response.headers.get(REQUEST_ID))


def _generation(text: Any) -> str:
    if not isinstance(text, str) or not _GENERATION.fullmatch(text):
        raise ValueError("the generation is not a number")
    return text


def _by_document(document: dict[str, Any]) -> FoundObject:
    known = document.get("metadata") or {}
    checksum = kept_checksum(known.get(CHECKSUM)) or _md5(document.get("md5Hash"))
    size, generation = int(document["size"]), _generation(document["generation"])
    return FoundObject(str(document["name"]), size, generation, known.get(WRITE_ID), checksum)


def _by_headers(name: str, response: Response, size: int) -> FoundObject | None:
    generation = response.headers.get("x-goog-generation", "")
    if not _GENERATION.fullmatch(generation):
        return None
    told = re.search("md5=([A-Za-z0-9+/=]+)", response.headers.get("x-goog-hash", ""))
    return FoundObject(name, size, generation, None, _md5(told and told[1]))


def _md5(text: str | None) -> str | None:
    """Return a checksum that was told in base64; None for none, as of composed objects."""
    try:
        return f"md5:{a2b_base64(text).hex()}" if text else None
    except Error:
        return None


def _listing(document: dict[str, Any]) -> Listing:
    items = document.get("items", [])
    found = tuple(
        FoundObject(str(each["name"]), int(each["size"]), _generation(each["generation"]))
        for each in items
    )
    return Listing(found, document.get("nextPageToken"))


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
