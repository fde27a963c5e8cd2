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
from functools import partial
from typing import Final

from leeward.adapter.objects import (
    ObjectService,
    another_object,
    checksum_in,
    metadata_in,
    range_header,
    revision_in,
    whole_size,
)
from leeward.adapter.plans import Plan, Planner, View
from leeward.adapter.service import document_in
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
from leeward.errors import InvalidRequest
from leeward.json_text import Undecodable
from leeward.records import NamedTuple
from leeward.text import percent_encode
from leeward_aws.service import endpoint_of
from leeward_aws.settings.options import Settings

PAGE_OBJECTS: Final = 1000

METADATA: Final = "x-amz-meta-"
WRITE_ID: Final = f"{METADATA}leeward-write"
CHECKSUM: Final = f"{METADATA}leeward-sha256"

_ETAG: Final = re.compile(r'"[!#-~]{1,200}"')
NO_BODY: Final = (
    "X-Amz-Content-Sha256",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
)
"""The hash of nothing."""

_GONE: Final = "NoSuchKey"
_BEHIND: Final = "InvalidRange"
_ARCHIVED: Final = "InvalidObjectState"


class Store(NamedTuple):
    """Where the objects of one target are asked for, and how.

    Attributes:
        origin: ``https://host``.
        objects: how it answers.
    """

    origin: str
    objects: ObjectService


def objects(settings: Settings) -> dict[str, Planner]:
    """Return the planners of all calls of objects."""
    store = store_of(settings)
    return {
        "put_object": partial(put, store),
        "get_object": partial(get, store),
        "head_object": partial(head, store),
        "list_objects": partial(list_page, store),
        "delete_object": partial(delete, store),
    }


def store_of(settings: Settings) -> Store:
    """Return where the objects of a target with these settings are."""
    endpoint = endpoint_of("s3", settings)
    return Store(
        endpoint.origin,
        ObjectService(
            endpoint.service,
            _ETAG,
            lambda _, refusal: refusal.code == _GONE,
            lambda _, refusal: refusal.code == _BEHIND,
        ),
    )


def put(store: Store, call: PutObject, view: View) -> Plan:
    """Write an object; the value is its ETag. S3 compares the checksum before it keeps anything."""
    if not store.objects.may_have(call.if_revision):
        return another_object()
    headers: tuple[tuple[str, str], ...] = (
        ("Content-Type", "application/octet-stream"),
        ("X-Amz-Content-Sha256", call.checksum),
        ("X-Amz-Checksum-Sha256", b2a_base64(a2b_hex(call.checksum), newline=False).decode()),
        (WRITE_ID, call.write_id),
        (CHECKSUM, call.checksum),
    )
    headers += tuple((f"{METADATA}{name}", value) for name, value in call.metadata.items())
    if call.if_absent:
        headers += (("If-None-Match", "*"),)
    elif call.if_revision is not None:
        headers += (("If-Match", call.if_revision),)
    target = _path(call.bucket, call.name)
    request = Request("PUT", store.origin, target, headers, call.body)
    answer = yield from store.objects.service.exchange(request, view)
    look = head(store, HeadObject(call.bucket, call.name), view, effect=False)
    return (yield from store.objects.finish_put(call, answer, _etag_of, look))


def get(store: Store, call: GetObject, view: View) -> Plan:
    """Read a range."""
    if not store.objects.may_have(call.if_revision):
        return another_object()
    headers: tuple[tuple[str, str], ...] = (NO_BODY, range_header(call))
    if call.if_revision is not None:
        headers += (("If-Match", call.if_revision),)
    request = Request("GET", store.origin, _path(call.bucket, call.name), headers)
    answer = yield from store.objects.service.exchange(request, view)
    return store.objects.read_piece(call, answer, partial(_read_object, call.name, answer.response))


def list_page(store: Store, call: ListObjects, view: View) -> Plan:
    """List one page; its cursor is S3's continuation token."""
    query = ["encoding-type=url", "list-type=2", f"max-keys={PAGE_OBJECTS}"]
    if call.cursor is not None:
        query.append(f"continuation-token={percent_encode(call.cursor)}")
    if call.prefix:
        query.append(f"prefix={percent_encode(call.prefix)}")
    target = f"/{_bucket(call.bucket)}?{'&'.join(query)}"
    request = Request("GET", store.origin, target, (NO_BODY,))
    service = store.objects.service
    return service.read_answer((yield from service.exchange(request, view)), _listing)


def delete(store: Store, call: DeleteObject, view: View) -> Plan:
    """Delete an object, there or not."""
    request = Request("DELETE", store.origin, _path(call.bucket, call.name), (NO_BODY,))
    answer = yield from store.objects.service.exchange(request, view)
    return store.objects.read_deletion(answer, status=204)


def head(store: Store, call: HeadObject, view: View, *, effect: bool = True) -> Plan:
    """Look at an object by its first byte: an answer to HEAD does not say why there is none.

    An object without a byte has no first one, and one in an archive gives none. Then HEAD tells the
    rest.
    """
    service, target = store.objects.service, _path(call.bucket, call.name)
    request = Request("GET", store.origin, target, (NO_BODY, ("Range", "bytes=0-0")))
    answer = yield from service.exchange(request, view, effect=effect)
    if answer.refusal is not None and answer.refusal.code in (_BEHIND, _ARCHIVED):
        request = Request("HEAD", store.origin, target, (NO_BODY,))
        answer = yield from service.exchange(request, view, effect=False)
        if answer.refusal is not None and answer.response.status == 404:
            return Result.ok(None)  # deleted in between
    return store.objects.read_look(
        answer, lambda head: _read_object(call.name, head, whole_size(head))
    )


def _etag_of(response: Response) -> str:
    return revision_in(_ETAG, response.headers.get("etag"))


def _read_object(name: str, response: Response, size: int) -> FoundObject:
    headers = response.headers
    checksum = checksum_in(headers.get(CHECKSUM))
    metadata = metadata_in(headers.items(), METADATA, (WRITE_ID, CHECKSUM))
    return FoundObject(name, size, _etag_of(response), headers.get(WRITE_ID), checksum, metadata)


def _listing(response: Response) -> Listing:
    from urllib.parse import unquote_plus

    root = document_in(response.body)
    if root.tag != "ListBucketResult":
        raise Undecodable("the answer is not a list of objects")
    encoded = root.findtext("EncodingType") == "url"
    objects = []
    for node in root.iterfind("Contents"):
        name, etag = node.findtext("Key") or "", node.findtext("ETag") or ""
        size = int(node.findtext("Size") or "")
        objects.append(FoundObject(unquote_plus(name) if encoded else name, size, etag))
    more = root.findtext("IsTruncated") == "true"
    cursor = root.findtext("NextContinuationToken") if more else None
    if more and not cursor:
        raise Undecodable("the list goes on, and does not say where")
    return Listing(tuple(objects), cursor)


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
