"""Queues of Service Bus over its HTTP interface, for want of an emulator that runs without Docker.

Written after the pages on it in Microsoft's reference, as the plans are; signatures are checked.
"""

from __future__ import annotations

import hmac
import json
import re
import time
from base64 import b64encode
from collections import deque
from email.utils import formatdate
from typing import Final, NamedTuple
from urllib.parse import parse_qs, quote_plus, unquote, urlsplit
from uuid import uuid4

from tests.servers.answering import Answer, AnsweringServer, Executed

POLICY: Final = "RootManageSharedAccessKey"
KEY: Final = "bGVld2FyZCB0ZXN0cyBzaWduIHdpdGggdGhpcyBrZXkgb2YgU2VydmljZUJ1cw=="

_TARGET: Final = re.compile(
    r"/([A-Za-z0-9-]+(?:/\$deadletterqueue)?)/messages(?:/(head)|/(\d+)/([0-9a-f-]+))?"
)


class Message(NamedTuple):
    """A message of a queue; its properties are headers as they were sent."""

    number: int
    body: bytes
    broker: dict[str, object]
    properties: tuple[tuple[str, str], ...]
    deliveries: int = 0


class ServiceBus(AnsweringServer):
    """A namespace with some queues; what is locked stays so until it is unlocked.

    Args:
        queues: their names.

    Attributes:
        queues: name to what is in it and not locked.
    """

    def __init__(self, *queues: str) -> None:
        super().__init__()
        self.queues = {name: deque[Message]() for name in queues}
        self._locked: dict[tuple[str, int, str], Message] = {}
        self._number = 0
        self._answer = self._answered

    @property
    def connection_string(self) -> str:
        """Return what the portal would show; as an emulator, it is not asked by TLS."""
        host, port = self.address
        return (
            f"Endpoint=sb://{host}:{port};SharedAccessKeyName={POLICY};"
            f"SharedAccessKey={KEY};UseDevelopmentEmulator=true"
        )

    def send(self, queue: str, body: bytes, **properties: str) -> None:
        """Put a message into a queue, with properties as headers have them."""
        with self._changed:
            self._put(queue, body, {}, tuple(properties.items()))

    def _put(
        self,
        queue: str,
        body: bytes,
        broker: dict[str, object],
        properties: tuple[tuple[str, str], ...],
    ) -> None:
        self._number += 1
        self.queues[queue].append(Message(self._number, body, broker, properties))

    def _answered(self, request: Executed) -> Answer:
        parts = urlsplit(request.target)
        found = _TARGET.fullmatch(parts.path)
        headers = {name.lower(): value for name, value in request.headers}
        if not self._knows(headers.get("authorization", "")):
            return _refused(401)
        if found is None:
            return _refused(400)
        queue, head, number, lock = found.groups()
        if queue not in self.queues:
            return _refused(410)
        with self._changed:
            match (request.method, head, number):
                case ("POST", None, None):
                    self._put(
                        queue,
                        request.body,
                        json.loads(headers.get("brokerproperties", "{}")),
                        tuple((name, value) for name, value in request.headers if value[:1] == '"'),
                    )
                    return Answer(201)
                case ("POST", "head", None) if parse_qs(parts.query).get("timeout") == ["0"]:
                    return self._lock(queue)
                case ("DELETE" | "PUT", None, str()):
                    message = self._locked.pop((queue, int(number), lock), None)
                    if message is None:
                        return _refused(404)
                    if request.method == "PUT":
                        waiting = sorted([*self.queues[queue], message], key=_number_of)
                        self.queues[queue] = deque(waiting)
                    return Answer(200)
        return _refused(400)

    def _lock(self, queue: str) -> Answer:
        if not self.queues[queue]:
            return Answer(204)
        message = self.queues[queue].popleft()
        message, token = message._replace(deliveries=message.deliveries + 1), str(uuid4())
        self._locked[queue, message.number, token] = message
        broker = {
            "MessageId": uuid4().hex,
            **message.broker,
            "DeliveryCount": message.deliveries,
            "EnqueuedTimeUtc": formatdate(time.time(), usegmt=True),
            "LockToken": token,
            "SequenceNumber": message.number,
        }
        told = (("BrokerProperties", json.dumps(broker)), *message.properties)
        return Answer(201, told, message.body)

    def _knows(self, authorization: str) -> bool:
        """Check a signature as the page on them makes one."""
        kind, _, token = authorization.partition(" ")
        parts = dict(part.split("=", 1) for part in token.split("&") if "=" in part)
        if kind != "SharedAccessSignature" or parts.keys() != {"sr", "sig", "se", "skn"}:
            return False
        signed = f"{parts['sr']}\n{parts['se']}".encode()
        digest = hmac.digest(KEY.encode(), signed, "sha256")
        host, port = self.address
        return (
            parts["sig"] == quote_plus(b64encode(digest))
            and unquote(parts["sr"]) == f"http://{host}:{port}/"
            and unquote(parts["skn"]) == POLICY
            and int(parts["se"]) > time.time()
        )


def _number_of(message: Message) -> int:
    return message.number


def _refused(status: int) -> Answer:
    body = f"<Error><Code>{status}</Code><Detail>TrackingId:x</Detail></Error>".encode()
    return Answer(status, (("Content-Type", "application/xml; charset=utf-8"),), body)
