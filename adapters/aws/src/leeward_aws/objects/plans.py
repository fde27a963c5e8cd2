"""S3: put, get, head, list and delete objects.

A bucket is named in the path, so that one origin serves them all, and a name with dots meets no
certificate. Who may not list a bucket is told 403 of an object that is not there, and not 404.

A revision is the ETag. It is the same for the same bytes, so a condition on it does not notice that
an object was replaced by its like.

Source: the API references of `PutObject`, `GetObject`, `HeadObject`, `ListObjectsV2` and
`DeleteObject`; "Checking object integrity" and "Conditional writes" in the user guide.
"""

from __future__ import annotations

import re
from binascii import a2b_hex, b2a_base64
from collections.abc import Generator
from functools import partial
from typing import Any, Final

from leeward.adapter import Result
from leeward.adapter.exchange import (
    UNDECODABLE,
    UNEXPECTED,
    ambiguous,
    exchange,
    misread,
)
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
    whole_size,
)
from leeward.adapter.plans import Plan, Planner, Step, View
from leeward.adapter.text import percent_encode
from leeward.adapter.wire import Request, Response
from leeward.adapter.xml_text import document_in
from leeward.errors import InvalidRequest, Outcome
from leeward_aws.exchange import S3_REQUEST_ID, Endpoint, endpoint_of
from leeward_aws.settings.options import Settings

PAGE_OBJECTS: Final = 1000

WRITE_ID: Final = "x-amz-meta-leeward-write"
CHECKSUM: Final = "x-amz-meta-leeward-sha256"

_ETAG: Final = re.compile(r'"[!#-~]{1,200}"')
_NO_BODY: Final = (
    "X-Amz-Content-Sha256",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
)
"""The hash of nothing."""

_GONE: Final = "NoSuchKey"
_BEHIND: Final = "InvalidRange"


def objects(settings: Settings) -> dict[str, Planner]:
    """Return the planners of all calls of objects."""
    endpoint = endpoint_of("s3", settings)
    return {
        "put_object": partial(put, endpoint),
        "get_object": partial(get, endpoint),
        "head_object": partial(head, endpoint),
        "list_objects": partial(list_page, endpoint),
        "delete_object": partial(delete, endpoint),
    }


def put(endpoint: Endpoint, call: PutObject, view: View) -> Plan:
    """Write an object; the value is its ETag. S3 compares the checksum before it keeps anything."""
    headers: tuple[tuple[str, str], ...] = (
        ("Content-Type", "application/octet-stream"),
        ("X-Amz-Content-Sha256", call.checksum),
        ("X-Amz-Checksum-Sha256", b2a_base64(a2b_hex(call.checksum), newline=False).decode()),
        (WRITE_ID, call.write_id),
        (CHECKSUM, call.checksum),
    )
    if call.if_absent:
        headers += (("If-None-Match", "*"),)
    elif call.if_revision is not None:
        if not _ETAG.fullmatch(call.if_revision):
            return another_object()
        headers += (("If-Match", call.if_revision),)
    target = _path(call.bucket, call.name)
    request = Request("PUT", endpoint.origin, target, headers, call.body)
    response, refusal = yield from exchange(endpoint.service, request, view)
    if refusal is None:
        etag = response.headers.get("etag", "")
        if not _ETAG.fullmatch(etag):
            return ambiguous(response, UNDECODABLE, request_id=S3_REQUEST_ID)
        return Result.ok(etag, request_id=response.headers.get(S3_REQUEST_ID))
    if call.if_revision is not None and refusal.code == _GONE:
        refusal = another_object(refusal.request_id)
    if refusal.outcome is Outcome.CONFLICT:
        look = _head(endpoint, HeadObject(call.bucket, call.name), view, effect=False)
        return (yield from settled(call, refusal, look))
    return refusal


def get(endpoint: Endpoint, call: GetObject, view: View) -> Plan:
    """Read a range."""
    headers: tuple[tuple[str, str], ...] = (_NO_BODY, range_header(call))
    if call.if_revision is not None:
        if not _ETAG.fullmatch(call.if_revision):
            return another_object()
        headers += (("If-Match", call.if_revision),)
    request = Request("GET", endpoint.origin, _path(call.bucket, call.name), headers)
    response, refusal = yield from exchange(endpoint.service, request, view)
    if refusal is not None:
        if refusal.code == _BEHIND:
            return Result.ok(NOTHING_THERE, request_id=refusal.request_id)
        if refusal.code == _GONE:
            return _absent(call.if_revision, refusal)
        return refusal
    piece = piece_of(call, response, partial(_found, call.name, response))
    if piece is None:
        return ambiguous(response, UNDECODABLE, request_id=S3_REQUEST_ID)
    return Result.ok(piece, request_id=response.headers.get(S3_REQUEST_ID))


def head(endpoint: Endpoint, call: HeadObject, view: View) -> Plan:
    """Look at an object."""
    return (yield from _head(endpoint, call, view, effect=True))


def list_page(endpoint: Endpoint, call: ListObjects, view: View) -> Plan:
    """List one page; its cursor is S3's continuation token."""
    query = ["encoding-type=url", "list-type=2", f"max-keys={PAGE_OBJECTS}"]
    if call.cursor is not None:
        query.append(f"continuation-token={percent_encode(call.cursor)}")
    if call.prefix:
        query.append(f"prefix={percent_encode(call.prefix)}")
    target = f"/{_bucket(call.bucket)}?{'&'.join(query)}"
    request = Request("GET", endpoint.origin, target, (_NO_BODY,))
    response, refusal = yield from exchange(endpoint.service, request, view)
    if refusal is not None:
        return refusal
    try:
        listing = _listing(response.body)
    except (Undecodable, ValueError) as error:
        return misread(response, error, request_id=S3_REQUEST_ID)
    return Result.ok(listing, request_id=response.headers.get(S3_REQUEST_ID))


def delete(endpoint: Endpoint, call: DeleteObject, view: View) -> Plan:
    """Delete an object, there or not."""
    request = Request("DELETE", endpoint.origin, _path(call.bucket, call.name), (_NO_BODY,))
    response, refusal = yield from exchange(endpoint.service, request, view)
    if refusal is not None:
        return Result.ok(None, request_id=refusal.request_id) if refusal.code == _GONE else refusal
    if response.status != 204:
        return ambiguous(response, UNEXPECTED, request_id=S3_REQUEST_ID)
    return Result.ok(None, request_id=response.headers.get(S3_REQUEST_ID))


def _head(
    endpoint: Endpoint, call: HeadObject, view: View, *, effect: bool
) -> Generator[Step, Any, Result[Any]]:
    """Look at an object by its first byte: an answer to HEAD does not say why there is none.

    An object without a byte has no first one. Then HEAD tells the rest.
    """
    target = _path(call.bucket, call.name)
    headers = (_NO_BODY, ("Range", "bytes=0-0"))
    request = Request("GET", endpoint.origin, target, headers)
    answer = yield from exchange(endpoint.service, request, view, effect=effect)
    response, refusal = answer
    if refusal is not None and refusal.code == _BEHIND:
        request = Request("HEAD", endpoint.origin, target, (_NO_BODY,))
        response, refusal = yield from exchange(endpoint.service, request, view, effect=False)
        if refusal is not None and response.status == 404:
            return Result.ok(None)  # deleted in between
    if refusal is not None:
        return Result.ok(None, request_id=refusal.request_id) if refusal.code == _GONE else refusal
    size = whole_size(response)
    found = None if size is None else _found(call.name, response, size)
    if found is None:
        return ambiguous(response, UNDECODABLE, request_id=S3_REQUEST_ID)
    return Result.ok(found, request_id=response.headers.get(S3_REQUEST_ID))


def _absent(if_revision: str | None, refusal: Result[Any]) -> Result[Any]:
    if if_revision is not None:
        return another_object(refusal.request_id)
    return Result.ok(None, request_id=refusal.request_id)


def _found(name: str, response: Response, size: int) -> FoundObject | None:
    headers = response.headers
    etag = headers.get("etag", "")
    if not _ETAG.fullmatch(etag):
        return None
    checksum = kept_checksum(headers.get(CHECKSUM))
    return FoundObject(name, size, etag, headers.get(WRITE_ID), checksum)


def _listing(body: bytes) -> Listing:
    from urllib.parse import unquote_plus

    root = document_in(body)
    if root.tag != "ListBucketResult":
        raise Undecodable("the answer is not a list of objects")
    encoded = root.findtext("EncodingType") == "url"
    found = []
    for each in root.iterfind("Contents"):
        name, etag = each.findtext("Key") or "", each.findtext("ETag") or ""
        size = int(each.findtext("Size") or "")
        found.append(FoundObject(unquote_plus(name) if encoded else name, size, etag))
    more = root.findtext("IsTruncated") == "true"
    cursor = root.findtext("NextContinuationToken") if more else None
    if more and not cursor:
        raise Undecodable("the list goes on, and does not say where")
    return Listing(tuple(found), cursor)


def _path(bucket: str, name: str) -> str:
    return f"/{_bucket(bucket)}/{percent_encode(name, '-._~/')}"


def _bucket(bucket: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]", bucket):
        raise InvalidRequest(
            f"bucket {bucket!r} cannot be the name of an S3 bucket: use 3 to 63 of a-z, 0-9, "
            "hyphens and dots; or map it in [buckets]",
            field="bucket",
        )
    return bucket
