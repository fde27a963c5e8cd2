"""What Google would say to REST, bytes in, bytes out. Nothing is checked: it should cost little."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from bench.google.sides import PROJECT
from bench.work import ITEM, RECEIPT, TABLE, WRITE_ID
from leeward.adapter.items import encode
from leeward_google.tables.documents import FIRESTORE

DOCUMENT = f"projects/{PROJECT}/databases/(default)/documents/{TABLE}/o-42"

_TIME = "2026-01-01T00:00:00.000000Z"

STORED: dict[str, Any] = encode(ITEM, FIRESTORE, write_id=WRITE_ID, expires_at=None)
"""The fields of the item as Firestore has it."""

FOUND = {
    "found": {"name": DOCUMENT, "fields": STORED, "createTime": _TIME, "updateTime": _TIME},
    "readTime": _TIME,
}
WRITTEN = {"writeResults": [{"updateTime": _TIME}], "commitTime": _TIME}


def published(count: int) -> dict[str, Any]:
    """Return the answer to the publication of `count` messages."""
    return {"messageIds": [str(19_916_711_285_900_000 + index) for index in range(count)]}


def answer_to(head: bytes, body: bytes) -> bytes:
    """Return the whole answer to a request, by its target's method."""
    target = head.split(b" ", 2)[1]
    if target.endswith(b":publish"):
        return _published(body.count(b'"attributes"'))
    if target.endswith(b":commit"):
        return _WRITTEN
    return _FOUND if target.endswith(b":batchGet") else _INVOKED


def _answer(document: object) -> bytes:
    body = json.dumps(document).encode()
    head = (
        "HTTP/1.1 200 OK\r\n"
        "Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n"
        "Content-Type: application/json; charset=UTF-8\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Vary: Origin, X-Origin, Referer\r\n"
        "Server: ESF\r\n"
        "Cache-Control: private\r\n"
        "X-XSS-Protection: 0\r\n"
        "X-Frame-Options: SAMEORIGIN\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "\r\n"
    )
    return head.encode() + body


@lru_cache
def _published(count: int) -> bytes:
    return _answer(published(count))


_INVOKED = _answer(RECEIPT)
_WRITTEN = _answer(WRITTEN)
_FOUND = _answer([FOUND])
