"""The fixed answers of a cloud that has nothing to do: what AWS would say, bytes in, bytes out.

Nothing is checked, so that the server costs as little as it can beside whoever is measured.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from zlib import crc32

from bench.work import ITEM, RECEIPT, WRITE_ID
from leeward.adapter.items import encode
from leeward_aws.tables.profile import DYNAMODB

_TARGET = re.compile(rb"^x-amz-target: *([A-Za-z0-9_.]+)", re.IGNORECASE | re.MULTILINE)

_JSON = "application/json"
_JSON_1_0 = "application/x-amz-json-1.0"
_JSON_1_1 = "application/x-amz-json-1.1"

STORED = encode(ITEM, DYNAMODB, write_id=WRITE_ID, expires_at=None)
"""The item as DynamoDB has it."""


def answer_to(head: bytes, body: bytes) -> bytes:
    """Return the whole answer to a request; one to Lambda names no target in its headers."""
    found = _TARGET.search(head)
    if found is None:
        return _INVOKED
    if found[1] == b"AWSEvents.PutEvents":
        return _published(body.count(b'"EventBusName"'))  # inside a Detail the quotes are escaped
    return _FIXED[found[1]]


def _answer(content_type: str, document: object) -> bytes:
    body = json.dumps(document).encode()
    head = (
        "HTTP/1.1 200 OK\r\n"
        "Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n"
        f"Content-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n"
        "x-amzn-RequestId: 6d1d9a3c-2ad5-4d3e-9d5c-0f6a3a2b8c11\r\n"
        f"x-amz-crc32: {crc32(body)}\r\n"
        "\r\n"
    )
    return head.encode() + body


@lru_cache
def _published(count: int) -> bytes:
    entries = [{"EventId": f"00000000-0000-4000-8000-{index:012x}"} for index in range(count)]
    return _answer(_JSON_1_1, {"FailedEntryCount": 0, "Entries": entries})


_INVOKED = _answer(_JSON, RECEIPT)

_FIXED = {
    b"AWSEvents.DescribeEventBus": _answer(_JSON_1_1, {"Name": "orders"}),
    b"DynamoDB_20120810.PutItem": _answer(_JSON_1_0, {}),
    b"DynamoDB_20120810.GetItem": _answer(_JSON_1_0, {"Item": STORED}),
}
