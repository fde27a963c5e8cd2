"""A Nimbus cloud on loopback: it runs functions, delivers events, keeps items, and fails on demand.

Every request is answered by JSON; what was asked for with 200, and a refusal with ``code`` and
``message``. Items carry the document, a revision and an expiry, which the caller's clock judges.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from leeward.adapter.wire import Response
from leeward_contract_tests import LoopbackCloud

TOKEN = "nimbus-token"
MAX_PAYLOAD = 1024 * 1024
MAX_EVENT = 256 * 1024


class Item(NamedTuple):
    """A document as it was stored."""

    document: Any
    revision: str
    expires: float | None


class NimbusCloud(LoopbackCloud):
    """One account.

    Args:
        functions: by name; each takes the payload and returns the answer.
        subscribers: by bus; each takes an event as CloudEvents JSON.
    """

    def __init__(
        self,
        functions: Mapping[str, Callable[[Any], Any]],
        subscribers: Mapping[str, Callable[[Any], object]],
    ) -> None:
        self._functions = functions
        self._subscribers = subscribers
        self._items: dict[str, Item] = {}
        self._revisions = 0
        self._changing = threading.Lock()
        super().__init__()

    def too_many_requests(self) -> Response:
        """Return how Nimbus refuses a request before it looks at it."""
        return _refusal(429, "too_many_requests", retry_after=1)

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Response:
        """Do what a request asks for."""
        if headers.get("authorization") != f"Bearer {TOKEN}":
            return _refusal(401, "bad_token")
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query))
        match method, *(unquote(part) for part in parts.path.split("/")[1:]):
            case "POST", "functions", name if name in self._functions:
                return self._call(name, body)
            case "POST", "buses", name if name in self._subscribers:
                return self._deliver(name, json.loads(body))
            case "GET", "tables", table, key:
                return self._get(f"{table}/{key}")
            case "PUT" | "DELETE", "tables", table, key:
                return self._change(f"{table}/{key}", query, json.loads(body or "null"))
        return _refusal(404, "not_here")

    def _call(self, name: str, body: bytes) -> Response:
        if len(body) > MAX_PAYLOAD:
            return _refusal(413, "payload_too_large")
        try:
            return _answer(200, self._functions[name](json.loads(body)))
        except Exception as error:  # noqa: BLE001 - whatever a function raises
            fault = {"type": type(error).__name__, "message": str(error)}
            return _refusal(424, "function_failed", error=fault)

    def _deliver(self, bus: str, events: list[Any]) -> Response:
        statuses = [413 if len(json.dumps(each)) > MAX_EVENT else 200 for each in events]
        for event, status in zip(events, statuses, strict=True):
            if status == 200:
                self._subscribers[bus](event)
        return _answer(200, {"statuses": statuses})

    def _get(self, key: str) -> Response:
        item = self._items.get(key)
        return _answer(200, item and {"item": item.document, "revision": item.revision})

    def _change(self, key: str, query: Mapping[str, str], document: Any) -> Response:
        with self._changing:
            there = self._items.get(key)
            if there and there.expires is not None and there.expires <= float(query["now"]):
                there = None
            wanted = query.get("if_revision")
            if (there and "if_absent" in query) or (
                wanted is not None and (there is None or there.revision != wanted)
            ):
                return _refusal(412, "condition_failed")
            self._items.pop(key, None)
            if document is None:
                return _answer(200, None)
            self._revisions += 1
            expires = float(query["expires"]) if "expires" in query else None
            self._items[key] = Item(document, str(self._revisions), expires)
            return _answer(200, {"revision": str(self._revisions)})


def _answer(status: int, document: Any) -> Response:
    headers = {"Nimbus-Request": "request-1"}
    return Response(status, headers, json.dumps(document).encode())


def _refusal(status: int, code: str, **more: Any) -> Response:
    return _answer(status, {"code": code, "message": f"Nimbus says {code}", **more})
