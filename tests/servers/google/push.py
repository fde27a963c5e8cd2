"""Pub/Sub's push: messages are posted to a URL until that says that it has them.

Sources: "Push subscriptions" in Pub/Sub's documentation; "CloudEvents: HTTP protocol binding in
Pub/Sub format" in Eventarc's, whose triggers are push subscriptions with a marked URL.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from base64 import b64encode
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from leeward.calls import QueueMessage
from tests.servers.google import tokens
from tests.servers.google.backlog import Backlog, Lent
from tests.servers.google.messages import written

ATTEMPTS: Final = 4
"""How often a message is pushed; Pub/Sub itself goes on for days."""

_AT_A_TIME: Final = 8
_THREADS: Final = 16
_PAUSE: Final = 0.1
"""Seconds before a message is pushed again."""

_TIMEOUT: Final = 60.0
_TOKEN_SECONDS: Final = 3600.0
_DELIVERED: Final = frozenset({102, 200, 201, 202, 204})

_MODE: Final = "__GCP_CloudEventsMode"
"""A parameter in the URL that Eventarc's triggers have; its value ends in the topic's name."""

_MODE_PREFIX: Final = "CUSTOM_PUBSUB_"


class Pusher:
    """Pushes for all subscriptions of a service, in threads of its own."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS)
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Wait for what is under way, and push nothing more."""
        self._stopping.set()
        self._pool.shutdown(cancel_futures=True)

    def submit(self, line: Line) -> None:
        """Push what waits in a line, and can be pushed now."""
        for lent in line.take():
            # Once the pool is shut down, nothing is pushed any more.
            with suppress(RuntimeError):
                self._pool.submit(self._push, line, lent)

    def _push(self, line: Line, lent: Lent) -> None:
        delivered = line.post(lent)
        if not delivered and lent.attempt < ATTEMPTS:
            self._stopping.wait(_PAUSE * lent.attempt)
            line.give_back(lent)
        else:
            line.done(lent)
        if not self._stopping.is_set():
            self.submit(line)


class Line:
    """The line of one subscription to its URL.

    Args:
        name: of the subscription, in full.
        config: a `PushConfig` of Google's.
        backlog: its messages.
    """

    def __init__(self, name: str, config: Any, backlog: Backlog) -> None:
        self._name = name
        self._url = urlsplit(config.push_endpoint)
        self._endpoint: str = config.push_endpoint
        self._oidc = config.oidc_token
        self._backlog = backlog
        self._out = 0
        self._lock = threading.Lock()
        self._token = ("", 0.0)

    def take(self) -> list[Lent]:
        """Give what can be pushed now."""
        with self._lock:
            most, now = _AT_A_TIME - self._out, time.time()
            lent = self._backlog.lend(most, now, float("inf"), one_by_one=True)
            self._out += len(lent)
            return lent

    def give_back(self, lent: Lent) -> None:
        """Let a message be pushed again."""
        with self._lock:
            self._backlog.free(lent, at=0.0)
            self._out -= 1

    def done(self, lent: Lent) -> None:
        """Forget a message."""
        with self._lock:
            self._backlog.settle(lent)
            self._out -= 1

    def post(self, lent: Lent) -> bool:
        """Push a message; tell whether it was taken."""
        host, port = self._url.hostname or "", self._url.port
        target = f"{self._url.path or '/'}?{self._url.query}".rstrip("?")
        with (
            suppress(OSError, http.client.HTTPException),
            closing(http.client.HTTPConnection(host, port, timeout=_TIMEOUT)) as connection,
        ):
            message = json.loads(written(lent.message.pubsub))
            connection.request("POST", target, self._body(message), self._headers(message))
            answer = connection.getresponse()
            answer.read()
            return answer.status in _DELIVERED
        return False

    def _body(self, message: Mapping[str, Any]) -> bytes:
        message = {
            **message,
            "message_id": message["messageId"],
            "publish_time": message["publishTime"],
        }
        return json.dumps({"message": message, "subscription": self._name}).encode()

    def _headers(self, message: Mapping[str, Any]) -> Mapping[str, str]:
        found = {"Content-Type": "application/json", "User-Agent": "APIs-Google"}
        if self._oidc.service_account_email:
            found["Authorization"] = f"Bearer {self._id_token()}"
        mode = parse_qs(self._url.query).get(_MODE, [""])[0]
        if mode.startswith(_MODE_PREFIX):
            topic = mode.removeprefix(_MODE_PREFIX)
            found |= {
                "ce-id": message["messageId"],
                "ce-source": f"//pubsub.googleapis.com/{topic}",
                "ce-specversion": "1.0",
                "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
                "ce-time": message["publishTime"],
            }
        return found

    def _id_token(self) -> str:
        """Give a token, made anew when half of its time is over."""
        now = time.time()
        with self._lock:
            if self._token[1] < now:
                made = tokens.mint_id_token(
                    self._oidc.audience or self._endpoint,
                    now + _TOKEN_SECONDS,
                    self._oidc.service_account_email,
                )
                self._token = (made, now + _TOKEN_SECONDS / 2)
            return self._token[0]


def push_once(
    address: tuple[str, int], subscription: str, message: QueueMessage, attempt: int
) -> int:
    """Push a message as Pub/Sub does; return the status, 0 for none."""
    body = {
        "message": {
            "data": b64encode(message.body).decode(),
            "attributes": {each.name: each.value for each in message.attributes},
            "messageId": message.id,
        },
        "subscription": subscription,
        "deliveryAttempt": attempt,
    }
    try:
        with closing(http.client.HTTPConnection(*address, timeout=30)) as connection:
            connection.request("POST", "/", json.dumps(body))
            return connection.getresponse().status
    except (http.client.HTTPException, OSError):
        return 0
