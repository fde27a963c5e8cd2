"""What Azure would say, bytes in, bytes out. Nothing is checked, so that it costs little.

The headers are those that Cosmos DB's gateway sends and that a client looks at.
"""

from __future__ import annotations

import json
from typing import Any

from bench.work import ITEM, RECEIPT, TABLE, WRITE_ID
from leeward.calls import Key, Store
from leeward_azure.tables.documents import document_of

_RID = "AbcdAKq1wMo="
_ETAG = '"00000000-0000-0000-0000-000000000000"'
_SYSTEM = {
    "_rid": "AbcdAKq1wMoBAAAAAAAAAA==",
    "_self": "dbs/AbcdAA==/colls/AbcdAKq1wMo=/docs/AbcdAKq1wMoBAAAAAAAAAA==/",
    "_etag": _ETAG,
    "_attachments": "attachments/",
    "_ts": 1_767_225_600,
}

STORED: dict[str, Any] = document_of(
    Store(TABLE, Key(("id",), ("o-42",)), ITEM, WRITE_ID, now=1_767_225_600.0)
)
"""The item as Cosmos DB has it."""


def answer_to(head: bytes, body: bytes) -> bytes:
    """Return the whole answer to a request, by its first line."""
    del body
    method, target, _ = head.split(b" ", 2)
    path = target.partition(b"?")[0]
    if path.startswith(b"/api/"):
        return _INVOKED
    if path.endswith(b"/api/events"):
        return _PUBLISHED
    if method == b"POST":
        return _WRITTEN if b"\r\nPrefer: return=minimal\r\n" in head else _WRITTEN_IN_FULL
    if b"/docs/" in path:
        return _FOUND
    return _PARTITIONS if path.endswith(b"/pkranges") else _CONTAINER if path != b"/" else _ACCOUNT


def _answer(status: str, document: object, *headers: str) -> bytes:
    body = b"" if document is None else json.dumps(document).encode()
    lines = (
        f"HTTP/1.1 {status}",
        "Date: Tue, 15 Nov 1994 08:12:31 GMT",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
        "\r\n",
    )
    return "\r\n".join(lines).encode() + body


_COSMOS = (
    f"etag: {_ETAG}",
    "lsn: 42",
    "x-ms-activity-id: 6d1d9a3c-2ad5-4d3e-9d5c-0f6a3a2b8c11",
    f"x-ms-content-path: {_RID}",
    "x-ms-request-charge: 1",
    "x-ms-session-token: 0:-1#42",
    "x-ms-serviceversion: version=2.14.0.0",
    "x-ms-gatewayversion: version=2.14.0",
)

_INVOKED = _answer("200 OK", RECEIPT)
_PUBLISHED = _answer("200 OK", None, "x-ms-request-id: 6d1d9a3c-2ad5-4d3e-9d5c-0f6a3a2b8c11")
_WRITTEN = _answer("201 Created", None, *_COSMOS)
_WRITTEN_IN_FULL = _answer("201 Created", STORED | _SYSTEM, *_COSMOS)
_FOUND = _answer("200 OK", STORED | _SYSTEM, *_COSMOS)
_ACCOUNT = _answer(
    "200 OK",
    {
        "id": "shop",
        "_rid": "shop.documents.azure.com",
        "writableLocations": [],
        "readableLocations": [],
        "enableMultipleWriteLocations": False,
        "userConsistencyPolicy": {"defaultConsistencyLevel": "Session"},
    },
)
_CONTAINER = _answer(
    "200 OK",
    {"id": TABLE, "_rid": _RID, "partitionKey": {"paths": ["/id"], "kind": "Hash", "version": 2}},
    *_COSMOS,
)
_PARTITIONS = _answer(
    "200 OK",
    {
        "_rid": _RID,
        "PartitionKeyRanges": [
            {"id": "0", "minInclusive": "", "maxExclusive": "FF", "parents": [], **_SYSTEM}
        ],
        "_count": 1,
    },
    *_COSMOS,
)
