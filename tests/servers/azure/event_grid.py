"""Event Grid: topics that check what is published to them, and deliver it."""

from __future__ import annotations

import base64
import hmac
import http.client
import json
import re
import time
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, unquote_plus, urlsplit
from uuid import uuid4

from tests.servers.answering import Answer, AnsweringServer, Executed
from tests.servers.azure import tokens

KEY: Final = "bGVld2FyZCB0ZXN0cyBzaWduIHdpdGggdGhpcyBrZXkgb2YgRXZlbnRHcmlk"
"""The key of every topic, in base64."""

BATCH_BYTES: Final = 1024 * 1024
"""The limit of a request, and so of an event in it."""

_SINGLE: Final = "application/cloudevents+json"
_BATCH: Final = "application/cloudevents-batch+json"

_BASIC: Final = re.compile(r"/([A-Za-z0-9-]{3,50})/api/events")
_NAMESPACE: Final = re.compile(r"/topics/([A-Za-z0-9-]{3,50}):publish")

_VERSIONS: Final = {_BASIC: "2018-01-01", _NAMESPACE: "2024-06-01"}


class Subscriber(NamedTuple):
    """Who gets the events of a topic: a webhook, by its address, and its path with a query."""

    address: tuple[str, int]
    target: str


class Published(NamedTuple):
    """An event in the JSON of CloudEvents, and the topic it was published to."""

    topic: str
    event: Mapping[str, Any]


class _Refused(Exception):
    """A request that is not carried out; its answer."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        body = {"error": {"code": code, "message": message, "details": []}}
        self.answer = Answer(status, _JSON, json.dumps(body).encode())


_JSON: Final = (("Content-Type", "application/json; charset=utf-8"),)


class EventGrid(AnsweringServer):
    """The topics of a region, with the CloudEvents schema.

    A basic topic is at ``{url}/{topic}/api/events``, for want of a host name of its own; the same
    name is a topic of a namespace too, at ``{url}/topics/{topic}:publish``. Events are delivered,
    one a request, before the publisher is answered. A delivery that fails is not repeated.

    Args:
        topics: their names, and who gets their events.

    Attributes:
        topics: may change at any time.
    """

    def __init__(self, topics: Mapping[str, tuple[Subscriber, ...]]) -> None:
        super().__init__()
        self.topics = dict(topics)
        self._published: list[Published] = []
        self._answer = self._answered

    @property
    def published(self) -> tuple[Published, ...]:
        """Give the events that were accepted, in their order."""
        with self._changed:
            return tuple(self._published)

    def _answered(self, request: Executed) -> Answer:
        answer = self._published_to(request)
        return answer._replace(headers=(*answer.headers, ("x-ms-request-id", str(uuid4()))))

    def _published_to(self, request: Executed) -> Answer:
        headers = {name.lower(): value for name, value in request.headers}
        try:
            topic, is_basic = self._topic(request)
            _authorize(headers, topic if is_basic else None)
            events = _events(request.body, headers.get("content-type", ""))
        except _Refused as refused:
            return refused.answer
        with self._changed:
            self._published.extend(Published(topic, each) for each in events)
            self._changed.notify_all()
        for subscriber in self.topics[topic]:
            for each in events:
                _deliver(each, subscriber)
        return Answer(200, _JSON if not is_basic else (), b"" if is_basic else b"{}")

    def _topic(self, request: Executed) -> tuple[str, bool]:
        parts = urlsplit(request.target)
        for kind, version in _VERSIONS.items():
            match = kind.fullmatch(parts.path)
            if match is None or request.method != "POST":
                continue
            if match[1] not in self.topics:
                break
            if parse_qs(parts.query).get("api-version") != [version]:
                raise _Refused(400, "BadRequest", "The api-version is missing or unknown.")
            return match[1], kind is _BASIC
        raise _Refused(404, "NotFound", "The specified topic was not found.")


def _authorize(headers: Mapping[str, str], basic_topic: str | None) -> None:
    """Believe a key, a shared access signature or a token; only a basic topic has its headers."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme == "Bearer":
        try:
            tokens.check(given, {tokens.EVENT_GRID}, time.time())
        except tokens.Untrusted as untrusted:
            raise _Refused(401, "Unauthorized", f"The token is not good: {untrusted}") from None
        return
    if basic_topic is not None:
        key, signature = headers.get("aeg-sas-key"), headers.get("aeg-sas-token")
    else:
        key = given if scheme == "SharedAccessKey" else None
        signature = given if scheme == "SharedAccessSignature" else None
    if key is not None and hmac.compare_digest(key.encode(), KEY.encode()):
        return
    if signature is not None and _is_signed(signature, basic_topic):
        return
    raise _Refused(401, "Unauthorized", "The request did not contain a valid key or token.")


def _is_signed(signature: str, topic: str | None) -> bool:
    """Check a shared access signature: over the resource, until a time, with the topic's key."""
    unsigned, _, mac = signature.rpartition("&s=")
    digest = hmac.digest(base64.b64decode(KEY), unsigned.encode(), "sha256")
    if not hmac.compare_digest(unquote_plus(mac), base64.b64encode(digest).decode()):
        return False
    fields = parse_qs(unsigned)
    until = datetime.fromisoformat(fields["e"][0])
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    resource = urlsplit(fields["r"][0]).path
    return until > datetime.now(UTC) and topic in (None, *resource.split("/"))


def _events(body: bytes, content_type: str) -> list[dict[str, Any]]:
    if len(body) > BATCH_BYTES:
        raise _Refused(413, "RequestEntityTooLarge", "The maximum size has been exceeded.")
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in {_SINGLE, _BATCH}:
        raise _Refused(400, "BadRequest", "The content type is not that of CloudEvents.")
    try:
        document = json.loads(body)
        if isinstance(document, list) != (kind == _BATCH):
            raise ValueError("the content type and the body differ")
        events: list[dict[str, Any]] = document if kind == _BATCH else [document]
        for each in events:
            _check_event(each)
    except (ValueError, TypeError, KeyError) as wrong:
        raise _Refused(400, "BadRequest", f"This is no CloudEvent: {wrong!r}") from None
    return events


def _check_event(event: Any) -> None:
    """Read an event with Microsoft's own model; it takes some things that CloudEvents does not."""
    if not isinstance(event, dict):
        raise TypeError("it is not an object")
    kind: Any = import_module("azure.core.messaging").CloudEvent
    read = kind.from_dict(event)
    for name in ("specversion", "id", "source", "type"):
        if not isinstance(event[name], str) or not event[name]:
            raise ValueError(f"{name} is empty or no text")
    if read.specversion != "1.0":
        raise ValueError("specversion is not 1.0")
    for name, value in (read.extensions or {}).items():
        if len(name) > 20 or not re.fullmatch("[a-z0-9]+", name):
            raise ValueError(f"the extension {name} has no good name")
        if not isinstance(value, str | bool | int):
            raise ValueError(f"the extension {name} is no text, bool or integer")


def _deliver(event: Mapping[str, Any], subscriber: Subscriber) -> None:
    headers = {"Content-Type": f"{_SINGLE}; charset=utf-8", "aeg-event-type": "Notification"}
    with closing(http.client.HTTPConnection(*subscriber.address)) as connection:
        connection.request("POST", subscriber.target, json.dumps(event).encode(), headers)
        connection.getresponse().read()
