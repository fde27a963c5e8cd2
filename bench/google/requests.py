"""The requests that leeward's verbs make of Google, for the floor."""

from __future__ import annotations

import json

from bench.bare import Wanted
from bench.google.answers import DOCUMENT, STORED
from bench.google.sides import TOPIC
from bench.work import EVENT_TYPE, FUNCTION, PAYLOAD, SOURCE, TABLE


def _asking(target: str, document: object) -> Wanted:
    return Wanted(
        f"/v1/{target}", ("Content-Type: application/json",), json.dumps(document).encode()
    )


_MESSAGE = {
    "attributes": {
        "ce-specversion": "1.0",
        "ce-id": "00000000-0000-7000-8000-000000000000",
        "ce-source": SOURCE,
        "ce-type": EVENT_TYPE,
        "ce-time": "2026-01-01T00:00:00.000000Z",
        "content-type": "application/json",
    },
    "data": "eyJpZCI6Im8tNDIiLCJjdXN0b21lciI6ImMtNyJ9",
}
_DOCUMENTS = DOCUMENT.partition(f"/{TABLE}/")[0]

WANTED = {
    "invoke": Wanted(
        f"/{FUNCTION}", ("Content-Type: application/json",), json.dumps(PAYLOAD).encode()
    ),
    "publish_event": _asking(f"{TOPIC}:publish", {"messages": [_MESSAGE]}),
    "store_data": _asking(
        f"{_DOCUMENTS}:commit", {"writes": [{"update": {"name": DOCUMENT, "fields": STORED}}]}
    ),
    "load_data": _asking(f"{_DOCUMENTS}:batchGet", {"documents": [DOCUMENT]}),
}
"""By the verb's name."""
