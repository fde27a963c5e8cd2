"""Pub/Sub: publish messages as they are, pull them, and acknowledge them; for dead letters.

A message is put into a topic, and taken out of a subscription. The two are named by themselves:
whoever reads the dead letters of a topic has a subscription to it.

Sources: `projects.topics.publish`, and `pull`, `acknowledge` and `modifyAckDeadline` of
`projects.subscriptions`, in Pub/Sub's REST reference.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

from leeward.adapter import json_text
from leeward.adapter.exchange import exchange_json
from leeward.adapter.plans import Plan, Planner, View
from leeward.adapter.queues import (
    Attribute,
    HideMessage,
    PutMessage,
    RemoveMessage,
    TakeMessages,
    Taken,
)
from leeward.adapter.wire import Request
from leeward.errors import InvalidRequest
from leeward_google.exchange import EMULATOR, GOOGLE, JSON
from leeward_google.settings.services import Events, is_topic_name

MOST_ATTRIBUTES: Final = 100
"""Of a message."""

LONGEST_VALUE: Final = 1024
"""Bytes of an attribute."""

LONGEST_LEASE: Final = 600
"""Seconds until a message that was pulled is there again."""


def messages(configured: Events, project: str) -> dict[str, Planner]:
    """Return the planners of what is wanted of a topic or a subscription of `project`."""
    return {
        "put_message": partial(put, configured, project),
        "take_messages": partial(take, configured, project),
        "remove_message": partial(remove, configured, project),
        "hide_message": partial(hide, configured, project),
    }


def put(configured: Events, project: str, call: PutMessage, view: View) -> Plan:
    """Publish a message to a topic.

    Raises:
        InvalidRequest: Pub/Sub cannot hold it as it is; before anything is sent.
    """
    attributes = {each.name: each.value for each in call.attributes}
    long = [
        name
        for name, value in attributes.items()
        if not isinstance(value, str) or len(value.encode()) > LONGEST_VALUE
    ]
    if long or len(attributes) > MOST_ATTRIBUTES:
        told = (
            f"a message of Pub/Sub has at most {MOST_ATTRIBUTES} attributes, texts of up to 1 KiB"
        )
        raise InvalidRequest(told, field="attributes")
    data = b2a_base64(call.body, newline=False).decode("ascii")
    message: dict[str, Any] = {"data": data, "attributes": attributes}
    if call.group:
        message["orderingKey"] = call.group
    path = _path(project, "topics", call.queue)
    return (yield from _ask(configured, f"{path}:publish", {"messages": [message]}, view, _id_in))


def take(configured: Events, project: str, call: TakeMessages, view: View) -> Plan:
    """Pull messages from a subscription; the subscription says for how long they are out."""
    path = _path(project, "subscriptions", call.queue)
    # Without `returnImmediately`, which Google advises against for throughput, a pull of an empty
    # subscription waits for a minute or more.
    body = {"maxMessages": call.most, "returnImmediately": True}
    return (yield from _ask(configured, f"{path}:pull", body, view, _read_messages))


def remove(configured: Events, project: str, call: RemoveMessage, view: View) -> Plan:
    """Acknowledge a message that was pulled."""
    path = _path(project, "subscriptions", call.queue)
    body = {"ackIds": [call.receipt]}
    return (yield from _ask(configured, f"{path}:acknowledge", body, view))


def hide(configured: Events, project: str, call: HideMessage, view: View) -> Plan:
    """Let a message that was pulled be there again in some seconds."""
    path = _path(project, "subscriptions", call.queue)
    seconds = min(max(call.seconds, 0), LONGEST_LEASE)
    body = {"ackIds": [call.receipt], "ackDeadlineSeconds": seconds}
    return (yield from _ask(configured, f"{path}:modifyAckDeadline", body, view))


def _ask(
    configured: Events,
    target: str,
    body: Mapping[str, Any],
    view: View,
    read: Callable[[dict[str, Any]], Any] | None = None,
) -> Plan:
    request = Request("POST", configured.origin, target, JSON, json_text.encode(body))
    service = EMULATOR if configured.emulator else GOOGLE
    return exchange_json(service, request, view, read)


def _path(project: str, kind: str, name: str) -> str:
    if not is_topic_name(name):
        raise InvalidRequest(f"{name!r} cannot be the name of one of {kind}", field="queue")
    return f"/v1/projects/{project}/{kind}/{name.replace('%', '%25')}"


def _id_in(document: dict[str, Any]) -> str:
    (found,) = document["messageIds"]
    if not isinstance(found, str):
        raise TypeError("the id of a message is not text")
    return found


def _read_messages(document: dict[str, Any]) -> tuple[Taken, ...]:
    return tuple(_read_message(each) for each in document.get("receivedMessages") or ())


def _read_message(received: dict[str, Any]) -> Taken:
    message = received["message"]
    attributes = message.get("attributes") or {}
    return Taken(
        message["messageId"],
        a2b_base64(message.get("data") or ""),
        tuple(Attribute(name, value) for name, value in attributes.items()),
        received["ackId"],
        datetime.fromisoformat(message["publishTime"]).timestamp(),
        message.get("orderingKey") or None,
    )
