"""Blob storage: put, get, head, list and delete objects. A bucket is a container.

A put is one `Put Blob` of a block blob, with the MD5 of its body, which the service compares before
it keeps anything. A revision is the ETag, without quotes. Snapshots of a blob are deleted
with it.

Source: "Put Blob", "Get Blob", "Get Blob Properties", "List Blobs", "Delete Blob" and "Specifying
conditional headers" in the reference of Azure Storage.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from functools import partial
from hashlib import md5
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
from leeward.adapter.service import ServiceExchange, document_in
from leeward.adapter.wire import Request, Response
from leeward.calls import (
    DeleteObject,
    FoundObject,
    GetObject,
    HeadObject,
    Listing,
    ListObjects,
    PutObject,
)
from leeward.errors import InvalidRequest
from leeward.json_text import Undecodable
from leeward.text import percent_encode
from leeward_azure.errors import judge_blob
from leeward_azure.identity.credentials import ServiceCredential
from leeward_azure.identity.signing import signed_storage
from leeward_azure.service import service_of
from leeward_azure.settings.services import Blobs, is_queue_name

BLOB: Final = service_of(ServiceCredential("blob"), judge_blob, "x-ms-request-id", dated=True)

PAGE_OBJECTS: Final = 1000

METADATA: Final = "x-ms-meta-"
WRITE_ID: Final = f"{METADATA}leeward_write"
CHECKSUM: Final = f"{METADATA}leeward_sha256"

_ETAG: Final = re.compile(r"[!#-~]{1,200}")
_GONE: Final = "BlobNotFound"
_BEHIND: Final = "InvalidRange"

_ANSWERS: Final = ObjectService(
    BLOB,
    _ETAG,
    lambda _, refusal: refusal.code == _GONE,
    lambda _, refusal: refusal.code == _BEHIND,
)


def objects(configured: Blobs) -> dict[str, Planner]:
    """Return the planners of all calls of objects."""
    return {
        "put_object": partial(put, configured),
        "get_object": partial(get, configured),
        "head_object": partial(head, configured),
        "list_objects": partial(list_page, configured),
        "delete_object": partial(delete, configured),
    }


def put(configured: Blobs, call: PutObject, view: View) -> Plan:
    """Write an object; the value is its ETag."""
    if not _ANSWERS.may_have(call.if_revision):
        return another_object()
    checksum = md5(call.body, usedforsecurity=False).digest()
    headers: tuple[tuple[str, str], ...] = (
        ("Content-Type", "application/octet-stream"),
        ("Content-MD5", b2a_base64(checksum, newline=False).decode("ascii")),
        ("x-ms-blob-type", "BlockBlob"),
        (WRITE_ID, call.write_id),
        (CHECKSUM, call.checksum),
    )
    headers += tuple((f"{METADATA}{name}", value) for name, value in call.metadata.items())
    if call.if_absent:
        headers += (("If-None-Match", "*"),)
    elif call.if_revision is not None:
        headers += (("If-Match", f'"{call.if_revision}"'),)
    request = Request("PUT", configured.origin, _path(configured, call), headers, call.body)
    answer = yield from _exchange(configured, request, view)
    look = head(configured, HeadObject(call.bucket, call.name), view, effect=False)
    return (yield from _ANSWERS.finish_put(call, answer, _etag_of, look, status=201))


def get(configured: Blobs, call: GetObject, view: View) -> Plan:
    """Read a range."""
    if not _ANSWERS.may_have(call.if_revision):
        return another_object()
    # By this name, as the vendor's clients ask: it is signed among the service's own headers.
    headers: tuple[tuple[str, str], ...] = (("x-ms-range", range_header(call)[1]),)
    if call.if_revision is not None:
        headers += (("If-Match", f'"{call.if_revision}"'),)
    request = Request("GET", configured.origin, _path(configured, call), headers)
    answer = yield from _exchange(configured, request, view)
    return _ANSWERS.read_piece(call, answer, partial(_read_object, call.name, answer.response))


def list_page(configured: Blobs, call: ListObjects, view: View) -> Plan:
    """List one page; its cursor is the service's marker."""
    query = ["comp=list", f"maxresults={PAGE_OBJECTS}", "restype=container"]
    if call.cursor is not None:
        query.append(f"marker={percent_encode(call.cursor)}")
    if call.prefix:
        query.append(f"prefix={percent_encode(call.prefix)}")
    target = f"{configured.path}/{_container(call.bucket)}?{'&'.join(query)}"
    request = Request("GET", configured.origin, target)
    return BLOB.read_answer((yield from _exchange(configured, request, view)), _listing)


def delete(configured: Blobs, call: DeleteObject, view: View) -> Plan:
    """Delete an object, there or not."""
    headers = (("x-ms-delete-snapshots", "include"),)
    request = Request("DELETE", configured.origin, _path(configured, call), headers)
    answer = yield from _exchange(configured, request, view)
    return _ANSWERS.read_deletion(answer, status=202)


def head(configured: Blobs, call: HeadObject, view: View, *, effect: bool = True) -> Plan:
    """Look at an object."""
    request = Request("HEAD", configured.origin, _path(configured, call))
    answer = yield from _exchange(configured, request, view, effect=effect)
    return _ANSWERS.read_look(
        answer, lambda response: _read_object(call.name, response, whole_size(response))
    )


def _exchange(
    configured: Blobs, request: Request, view: View, *, effect: bool = True
) -> ServiceExchange:
    if configured.sas:
        sign = "&" if "?" in request.target else "?"
        request = request._replace(target=f"{request.target}{sign}{configured.sas}")
    proof = partial(signed_storage, configured.account)
    return (yield from BLOB.exchange(request, view, authorize=proof, effect=effect))


def _etag_of(response: Response) -> str:
    return revision_in(_ETAG, response.headers.get("etag", "").strip('"'))


def _read_object(name: str, response: Response, size: int) -> FoundObject:
    headers = response.headers
    checksum = checksum_in(headers.get(CHECKSUM))
    metadata = metadata_in(headers.items(), METADATA, (WRITE_ID, CHECKSUM))
    return FoundObject(name, size, _etag_of(response), headers.get(WRITE_ID), checksum, metadata)


def _listing(response: Response) -> Listing:
    from urllib.parse import unquote

    root = document_in(response.body)
    blobs = root.find("Blobs")
    if root.tag != "EnumerationResults" or blobs is None:
        raise Undecodable("the answer is not a list of blobs")
    objects = []
    for node in blobs.iterfind("Blob"):
        name = node.find("Name")
        text = "" if name is None else name.text or ""
        if name is not None and name.get("Encoded") == "true":
            text = unquote(text)
        size = int(node.findtext("Properties/Content-Length") or "")
        etag = (node.findtext("Properties/Etag") or "").strip('"')
        objects.append(FoundObject(text, size, etag))
    return Listing(tuple(objects), root.findtext("NextMarker") or None)


def _path(configured: Blobs, call: PutObject | GetObject | HeadObject | DeleteObject) -> str:
    name = percent_encode(call.name, "-._~/")
    return f"{configured.path}/{_container(call.bucket)}/{name}"


def _container(bucket: str) -> str:
    if not is_queue_name(bucket):
        raise InvalidRequest(
            f"bucket {bucket!r} cannot be the name of a container, which has 3 to 63 of a-z, 0-9 "
            "and single hyphens inside; map it in [buckets]",
            field="bucket",
        )
    return bucket
