"""Pub/Sub: topics that check what is published to them, and subscriptions by pull and by push.

Sources: Pub/Sub's REST reference; "Quotas and limits", under resource limits.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from itertools import count
from types import TracebackType
from typing import Any, Final, NamedTuple

from tests.servers.answering import Answer, Executed
from tests.servers.google.api import Asked, GoogleApi, Route
from tests.servers.google.backlog import Backlog, Message
from tests.servers.google.messages import answered, read_body
from tests.servers.google.push import Line, Pusher
from tests.servers.google.refused import Refused
from tests.servers.google.tokens import CLOUD_PLATFORM

REQUEST_BYTES: Final = 10_000_000
"""Of the messages of a request, without what base64 and JSON add."""

MOST_MESSAGES: Final = 1000
MOST_ATTRIBUTES: Final = 100
ATTRIBUTE_KEY_BYTES: Final = 256
ATTRIBUTE_VALUE_BYTES: Final = 1024
ORDERING_KEY_BYTES: Final = 1024

_TOPIC: Final = r"/v1/(?P<name>projects/(?P<project>[^/]+)/topics/(?P<id>[^/:]+))"
_SUBSCRIPTION: Final = r"/v1/(?P<name>projects/(?P<project>[^/]+)/subscriptions/(?P<id>[^/:]+))"

_ID: Final = re.compile(r"(?!goog)[A-Za-z][A-Za-z0-9._~+%-]{2,254}")

_LEASE: Final = 10.0
"""Seconds for which a message is out, unless the subscription says otherwise."""


class Subscription(NamedTuple):
    """A subscription.

    Attributes:
        config: a `Subscription` of Google's.
        backlog: its messages.
        line: to its URL; None if it is for pulling.
    """

    config: Any
    backlog: Backlog
    line: Line | None


class PubSub(GoogleApi):
    """The topics and the subscriptions of one project.

    What Google does and this does not: it makes topics and subscriptions on demand, filters, gives
    up on dead letters, and lets a pull wait for a message. A message that cannot be pushed is given
    up after a few attempts.
    """

    SERVICE = "pubsub.googleapis.com"
    SCOPES = frozenset({CLOUD_PLATFORM, "https://www.googleapis.com/auth/pubsub"})

    def __init__(self, project: str, clock: Callable[[], float] = time.time) -> None:
        super().__init__(project, clock)
        self._types = import_module("google.pubsub_v1.types")
        self._topics: dict[str, Any] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._published: list[tuple[str, Any]] = []
        self._numbers = count(10_000_000_000)
        self._pusher = Pusher()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._pusher.stop()
        finally:
            super().__exit__(kind, error, trace)

    @property
    def published(self) -> tuple[tuple[str, Any], ...]:
        """Give the messages that were accepted, each after the id of its topic."""
        with self._changed:
            return tuple(self._published)

    def add_topic(self, topic: str) -> str:
        """Make a topic; give its name in full."""
        name = f"projects/{self.project}/topics/{topic}"
        self._make_topic(name, self._types.Topic(name=name))
        return name

    def subscribe(self, subscription: str, topic: str, **more: Any) -> str:
        """Make a subscription; give its name in full.

        Args:
            subscription: its id.
            topic: its id.
            more: fields of Google's `Subscription`.
        """
        name = f"projects/{self.project}/subscriptions/{subscription}"
        topic_name = f"projects/{self.project}/topics/{topic}"
        self._make_subscription(name, self._types.Subscription(name=name, topic=topic_name, **more))
        return name

    def _routes(self) -> Sequence[Route]:
        return [
            Route("GET", _TOPIC, self._get_topic),
            Route("POST", f"{_TOPIC}:publish", self._publish),
            Route("POST", f"{_SUBSCRIPTION}:pull", self._pull),
            Route("POST", f"{_SUBSCRIPTION}:acknowledge", self._acknowledge),
            Route("POST", f"{_SUBSCRIPTION}:modifyAckDeadline", self._modify),
        ]

    def _get_topic(self, asked: Asked) -> Answer:
        with self._changed:
            found = self._topic(asked.names["name"])
        return answered(found, asked.query)

    def _publish(self, asked: Asked) -> Answer:
        kind = self._types.PublishRequest
        # The bare message: a thousand of them through the wrappers would take long.
        request = kind.pb(read_body(kind, asked.body))
        _check_messages(request)
        name = asked.names["name"]
        with self._changed:
            self._topic(name)
            messages = [self._accepted(each) for each in request.messages]
            lines = [
                self._queued(each, messages)
                for each in self._subscriptions.values()
                if each.config.topic == name
            ]
            self._published += [(asked.names["id"], each.pubsub) for each in messages]
            self._changed.notify_all()
        for line in lines:
            if line is not None:
                self._pusher.submit(line)
        ids = [each.id for each in messages]
        return answered(self._types.PublishResponse(message_ids=ids), asked.query)

    def _accepted(self, message: Any) -> Message:
        message.message_id = str(next(self._numbers))
        message.publish_time.FromMilliseconds(int(self.clock() * 1000))
        return Message(message.message_id, message)

    def _queued(self, subscription: Subscription, messages: Sequence[Message]) -> Line | None:
        for each in messages:
            subscription.backlog.put(each)
        return subscription.line

    def _make_topic(self, name: str, topic: Any) -> None:
        _check_id(name)
        with self._changed:
            if name in self._topics:
                raise Refused("ALREADY_EXISTS", "Resource already exists in the project.")
            self._topics[name] = topic

    def _make_subscription(self, name: str, config: Any) -> None:
        _check_id(name)
        if config.filter or config.dead_letter_policy.dead_letter_topic:
            raise Refused("UNIMPLEMENTED", "This stub has no filters and no dead letters.")
        config.ack_deadline_seconds = config.ack_deadline_seconds or int(_LEASE)
        with self._changed:
            self._topic(config.topic)
            if name in self._subscriptions:
                raise Refused("ALREADY_EXISTS", "Resource already exists in the project.")
            backlog = Backlog(ordered=config.enable_message_ordering)
            push = config.push_config
            line = Line(name, push, backlog) if push.push_endpoint else None
            self._subscriptions[name] = Subscription(config, backlog, line)

    def _pull(self, asked: Asked) -> Answer:
        request = read_body(self._types.PullRequest, asked.body)
        found = self._subscription(asked)
        if request.max_messages < 1:
            raise Refused("INVALID_ARGUMENT", "You have passed an invalid argument: max_messages.")
        if found.line is not None:
            raise Refused("FAILED_PRECONDITION", "This is a push subscription.")
        lent = found.backlog.lend(
            request.max_messages, self.clock(), found.config.ack_deadline_seconds
        )
        received = [{"ack_id": each.ack, "message": each.message.pubsub} for each in lent]
        return answered(self._types.PullResponse(received_messages=received), asked.query)

    def _acknowledge(self, asked: Asked) -> Answer:
        request = read_body(self._types.AcknowledgeRequest, asked.body)
        self._subscription(asked).backlog.acknowledge(list(request.ack_ids))
        return Answer(200, (("Content-Type", "application/json"),), b"{}")

    def _modify(self, asked: Asked) -> Answer:
        request = read_body(self._types.ModifyAckDeadlineRequest, asked.body)
        until = self.clock() + request.ack_deadline_seconds
        self._subscription(asked).backlog.extend(list(request.ack_ids), until)
        return Answer(200, (("Content-Type", "application/json"),), b"{}")

    def _topic(self, name: str) -> Any:
        if name not in self._topics:
            raise Refused("NOT_FOUND", f"Resource not found (resource={name.rpartition('/')[2]}).")
        return self._topics[name]

    def _subscription(self, asked: Asked) -> Subscription:
        with self._changed:
            found = self._subscriptions.get(asked.names["name"])
        if found is None:
            raise Refused("NOT_FOUND", f"Resource not found (resource={asked.names['id']}).")
        return found


def _check_id(name: str) -> None:
    if not _ID.fullmatch(name.rpartition("/")[2]):
        raise Refused("INVALID_ARGUMENT", f"Invalid resource name given (name={name}).")


def _check_messages(request: Any) -> None:
    if not 1 <= len(request.messages) <= MOST_MESSAGES:
        raise Refused("INVALID_ARGUMENT", "The request must have 1 to 1000 messages.")
    if request.ByteSize() > REQUEST_BYTES:
        raise Refused("INVALID_ARGUMENT", "The request is too large: message larger than max.")
    for each in request.messages:
        _check_message(each)
    if len({each.ordering_key for each in request.messages}) > 1:
        raise Refused(
            "INVALID_ARGUMENT", "All messages in a request must have the same ordering key."
        )


def _check_message(message: Any) -> None:
    if not message.data and not message.attributes:
        raise Refused("INVALID_ARGUMENT", "Some messages in the PublishRequest are empty.")
    if message.message_id or message.HasField("publish_time"):
        raise Refused("INVALID_ARGUMENT", "The server alone sets messageId and publishTime.")
    if len(message.ordering_key.encode()) > ORDERING_KEY_BYTES:
        raise Refused("INVALID_ARGUMENT", "The ordering key is too long.")
    if len(message.attributes) > MOST_ATTRIBUTES:
        raise Refused("INVALID_ARGUMENT", "The message has too many attributes.")
    for key, value in message.attributes.items():
        if not key or len(key.encode()) > ATTRIBUTE_KEY_BYTES or key.startswith("goog"):
            raise Refused("INVALID_ARGUMENT", "The attribute key is not allowed.")
        if len(value.encode()) > ATTRIBUTE_VALUE_BYTES:
            raise Refused("INVALID_ARGUMENT", "The attribute value is too long.")


class EmulatedPubSub(PubSub):
    """Takes everybody, as an emulator does."""

    def _authorize(self, request: Executed, project: str) -> None:
        assert project == self.project
