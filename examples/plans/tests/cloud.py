"""A Stratus cloud on loopback: tokens, functions, events, and items with the numbers of JavaScript.

What it refuses it names in the header ``stratus-error``. A function is behind leeward's handler,
which marks what it answers.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

from leeward.adapter.wire import Response
from leeward.envelope import answer_headers, fault_document, fault_of
from leeward_contract_tests import LoopbackCloud, settle_by_headers
from leeward_contract_tests.fixtures import SETTLE

CLIENT = {"client_id": "shop", "client_secret": "stratus-secret"}
MAX_PAYLOAD = 1024 * 1024


class Item(NamedTuple):
    """A document as it was stored."""

    document: Any
    revision: str
    expires_at: float | None


class StratusCloud(LoopbackCloud):
    """One account.

    Args:
        functions: by name; each takes the payload and returns the answer.
        subscribers: by bus; each takes an event as CloudEvents JSON.

    Attributes:
        token: that holds now.
        given: how many tokens were given.
    """

    spared = frozenset({"/token"})

    def __init__(
        self,
        functions: Mapping[str, Callable[[Any], Any]],
        subscribers: Mapping[str, Callable[[Any], object]],
    ) -> None:
        self._functions = functions
        self._subscribers = subscribers
        self._items: dict[tuple[str, str], Item] = {}
        self._revisions = 0
        self._changing = threading.Lock()
        self.given = 0
        self.revoke()
        super().__init__()

    def revoke(self) -> None:
        """Let no token that was given before hold any longer."""
        self.token = f"stratus-token-{self.given}"

    def too_many_requests(self) -> Response:
        """Return how Stratus refuses a request before it looks at it."""
        return _error(429, "too_many_requests", {"Retry-After": "1"})

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Response:
        """Do what a request asks for."""
        if target == "/token":
            return self._give_token(json.loads(body))
        if headers.get("authorization") != f"Bearer {self.token}":
            return _error(401, "token_invalid")
        match [method, *(unquote(part) for part in target.split("/")[1:])]:
            case ["POST", "functions", name] if name in self._functions:
                return self._call(name, headers, body)
            case ["POST", "buses", name] if name in self._subscribers:
                for event in json.loads(body):
                    self._subscribers[name](event)
                return _good({})
            case ["POST", "tables", table, verb]:
                document = json.loads(body, parse_int=_double)
                with self._changing:
                    return self._on_item(verb, (table, document["key"]), document)
            case ["POST", "functions", _]:
                return _error(404, "no_such_function")
            case ["POST", "buses", _]:
                return _error(404, "no_such_bus")
        return _error(400, "bad_request")

    def _give_token(self, document: Any) -> Response:
        if document != CLIENT:
            return _error(401, "forbidden")
        self.given += 1
        return _good({"access_token": self.token, "expires_in": 3600})

    def _call(self, name: str, headers: Mapping[str, str], body: bytes) -> Response:
        if len(body) > MAX_PAYLOAD:
            return _error(413, "too_large")
        try:
            payload = json.loads(body)
            is_settle = name == SETTLE
            answer = (
                settle_by_headers(headers, payload) if is_settle else self._functions[name](payload)
            )
            return Response(200, dict(answer_headers()), _json(answer))
        except Exception as error:  # noqa: BLE001 - whatever a function raises
            return Response(500, dict(answer_headers()), fault_document(fault_of(error)))

    def _on_item(self, verb: str, key: tuple[str, str], document: Any) -> Response:
        there = self._items.get(key)
        if verb == "load":
            return _good({"item": there and there.document, "revision": there and there.revision})
        if there and there.expires_at is not None and there.expires_at <= document["now"]:
            there = None
        wanted = document["if_revision"]
        if (there and document.get("if_absent")) or (
            wanted is not None and (there is None or there.revision != wanted)
        ):
            return _error(412, "condition_failed")
        self._items.pop(key, None)
        if verb == "delete":
            return _good({})
        self._revisions += 1
        item = Item(document["item"], str(self._revisions), document["expires_at"])
        self._items[key] = item
        return _good({"revision": item.revision})


def _double(digits: str) -> int | float:
    """Read an integer as JavaScript does: exactly up to 2**53, and beyond it as a double."""
    return int(digits) if abs(int(digits)) <= 2**53 else float(digits)


def _json(document: Any) -> bytes:
    return json.dumps(document).encode()


def _good(document: Any) -> Response:
    return Response(200, {"Stratus-Request": "request-1"}, _json(document))


def _error(status: int, code: str, headers: Mapping[str, str] | None = None) -> Response:
    named = {"Stratus-Request": "request-1", "Stratus-Error": code}
    return Response(status, named | dict(headers or {}))
