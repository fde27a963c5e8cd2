"""What Firestore answers, written by the classes of messages that the service is made of."""

from __future__ import annotations

from typing import Any

from leeward._http.messages import Request, Response
from tests.google import oracle
from tests.google.playing import answer

TYPES = "google.cloud.firestore_v1.types"

DOCUMENTS = "projects/shop/databases/(default)/documents"

UPDATED = "2026-01-01T00:00:00.123456Z"


def committed(time: str | None = UPDATED) -> Response:
    """Return that one write was carried out; a delete has no time of its own."""
    kind = oracle.message_class(TYPES, "CommitResponse")
    body = {"writeResults": [{"updateTime": time} if time else {}], "commitTime": UPDATED}
    return answer(oracle.spelled(oracle.message(kind, body)))


def there(fields: Any, *, name: str = "orders/42", time: str = UPDATED) -> Response:
    """Give the document with these fields."""
    found = {"name": f"{DOCUMENTS}/{name}", "fields": fields, "createTime": UPDATED}
    return _read({"found": found | {"updateTime": time}, "readTime": UPDATED})


def absent(name: str = "orders/42") -> Response:
    """Return that no document is there."""
    return _read({"missing": f"{DOCUMENTS}/{name}", "readTime": UPDATED})


def page(*documents: tuple[str, Any], time: str = UPDATED) -> Response:
    """Give documents by name and fields, as a query finds them."""
    kind = oracle.message_class(TYPES, "RunQueryResponse")
    found = [
        {"name": f"{DOCUMENTS}/{name}", "fields": fields, "updateTime": time}
        for name, fields in documents
    ]
    elements = [{"document": each, "readTime": UPDATED} for each in found]
    return answer(
        [oracle.spelled(oracle.message(kind, each)) for each in elements or [{"readTime": UPDATED}]]
    )


def stored(request: Request) -> Any:
    """Give the document that a commit writes, as Firestore would give it back."""
    (write,) = oracle.read(request).writes
    return oracle.spelled(write.update)


def _read(element: Any) -> Response:
    kind = oracle.message_class(TYPES, "BatchGetDocumentsResponse")
    return answer([oracle.spelled(oracle.message(kind, element))])
