"""Queue a call by Pub/Sub or Cloud Tasks; publish and pull messages, for dead letters.

A function that Pub/Sub triggers is given the message: the payload is its data, and the idempotency
key an attribute. Pub/Sub does not know a message that came before, and delivers one at least once.

A task of Cloud Tasks is the very request that `invoke` would send, with a token that Cloud Tasks
fetches for it. It is named after the function and the idempotency key, so that Cloud Tasks itself
refuses it the second time, for an hour or more after it is done: then the first one was accepted,
and so is the call. The name is a digest, because names in a row would slow the queue down.

A message is put into a topic, and taken out of a subscription. The two are named by themselves:
whoever reads the dead letters of a topic has a subscription to it.

Sources: `projects.topics.publish`, and `pull`, `acknowledge` and `modifyAckDeadline` of
`projects.subscriptions`, in Pub/Sub's REST reference;
`projects.locations.queues.tasks.create` in that of Cloud Tasks, and `Task.name` there.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Generator, Mapping
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any, Final

from leeward import json_text
from leeward.adapter.http_functions import Address
from leeward.adapter.plans import Learn, Need, Plan, Planner, Step, View
from leeward.adapter.service import JSON
from leeward.adapter.wire import Request
from leeward.calls import (
    Attribute,
    Enqueue,
    HideMessage,
    PutMessage,
    QueueMessage,
    RemoveMessage,
    Result,
    TakeMessages,
)
from leeward.envelope import IDEMPOTENCY_KEY, TRACEPARENT
from leeward.errors import InvalidRequest
from leeward.json_text import Undecodable
from leeward_google.service import EMULATOR, GOOGLE
from leeward_google.settings.services import (
    KEPT,
    Events,
    Functions,
    FunctionUrl,
    Tasks,
    Topics,
    audience_of,
    check_name,
    find_address,
    is_topic_name,
)

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
    attributes = {attribute.name: attribute.value for attribute in call.attributes}
    long = [
        name
        for name, value in attributes.items()
        if not isinstance(value, str) or len(value.encode()) > LONGEST_VALUE
    ]
    if long or len(attributes) > MOST_ATTRIBUTES:
        problem = (
            f"a message of Pub/Sub has at most {MOST_ATTRIBUTES} attributes, texts of up to 1 KiB"
        )
        raise InvalidRequest(problem, field="attributes")
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
    """Show a message that was pulled again in some seconds."""
    path = _path(project, "subscriptions", call.queue)
    seconds = min(max(call.seconds, 0), LONGEST_LEASE)
    body = {"ackIds": [call.receipt], "ackDeadlineSeconds": seconds}
    return (yield from _ask(configured, f"{path}:modifyAckDeadline", body, view))


def _ask(
    configured: Events | Topics,
    target: str,
    body: Mapping[str, Any],
    view: View,
    read: Callable[[dict[str, Any]], Any] | None = None,
) -> Plan:
    request = Request("POST", configured.origin, target, JSON, json_text.encode(body))
    service = EMULATOR if configured.emulator else GOOGLE
    return service.exchange_json(request, view, read)


def _path(project: str, kind: str, name: str) -> str:
    if not is_topic_name(name):
        raise InvalidRequest(f"{name!r} cannot be the name of one of {kind}", field="queue")
    return f"/v1/projects/{project}/{kind}/{name.replace('%', '%25')}"


def _id_in(document: dict[str, Any]) -> str:
    (message_id,) = document["messageIds"]
    if not isinstance(message_id, str):
        raise TypeError("the id of a message is not text")
    return message_id


def _read_messages(document: dict[str, Any]) -> tuple[QueueMessage, ...]:
    return tuple(_read_message(received) for received in document.get("receivedMessages") or ())


def _read_message(received: dict[str, Any]) -> QueueMessage:
    message = received["message"]
    attributes = message.get("attributes") or {}
    return QueueMessage(
        message["messageId"],
        a2b_base64(message.get("data") or ""),
        tuple(Attribute(name, value) for name, value in attributes.items()),
        received["ackId"],
        datetime.fromisoformat(message["publishTime"]).timestamp(),
        message.get("orderingKey") or None,
    )


KEY: Final = IDEMPOTENCY_KEY.lower()
"""The attribute of a message with the idempotency key."""

_EXISTS: Final = "ALREADY_EXISTS"

_URL_OF: Final = "url of "
"""What a function's address is remembered under begins so; the function's name follows."""


def topics(configured: Topics, project: str) -> dict[str, Planner]:
    """Return the planner of ``enqueue`` by Pub/Sub, with the topics of `project`."""
    return {"enqueue": partial(enqueue_message, configured, project)}


def tasks(configured: Tasks, functions: Functions) -> dict[str, Planner]:
    """Return the planner of ``enqueue`` by Cloud Tasks."""
    return {"enqueue": partial(enqueue_task, configured, functions)}


def enqueue_message(configured: Topics, project: str, call: Enqueue, view: View) -> Plan:
    """Publish one message to the topic of a function.

    Raises:
        InvalidRequest: the function's topic cannot be one; before anything is sent.
    """
    topic = topic_of(call.function, configured)
    attributes = {"content-type": "application/json", KEY: call.idempotency_key}
    if call.trace is not None:
        attributes[TRACEPARENT] = call.trace
    body = {"messages": [{"data": _base64(call.payload), "attributes": attributes}]}
    target = f"/v1/projects/{project}/topics/{topic.replace('%', '%25')}:publish"
    return (yield from _ask(configured, target, body, view, partial(_check_made, "messageIds")))


def enqueue_task(configured: Tasks, functions: Functions, call: Enqueue, view: View) -> Plan:
    """Create one task that calls a function.

    Raises:
        InvalidRequest: the name cannot be a function's; before anything is sent.
    """
    check_name(call.function, functions)
    address = yield from _address(call.function, functions, view)
    body = {"task": _task(configured, functions, call, address)}
    target = f"/v2/{configured.queue}/tasks"
    request = Request("POST", configured.origin, target, JSON, json_text.encode(body))
    result = yield from GOOGLE.exchange_json(request, view, partial(_check_made, "name"))
    return Result.ok(None) if result.code == _EXISTS else result


def topic_of(function: str, configured: Topics) -> str:
    """Return the topic of a function; raise `InvalidRequest` if it cannot have one."""
    topic = configured.names.get(function, function)
    if not is_topic_name(topic):
        raise InvalidRequest(
            f"function {function!r} cannot be the name of a Pub/Sub topic, and has none in "
            "enqueue_topics; call it by another, or give it a topic there",
            field="function",
        )
    return topic


def _address(function: str, functions: Functions, view: View) -> Generator[Step, Any, Address]:
    """Return the address of a function; one that was looked up is kept for a while.

    It is kept among what was learnt, and not asked for again: a second run of the plan, with
    another token, ends at anything that it is given for the second time.
    """
    address = find_address(function, functions)
    if address is not None:
        return address
    cached: tuple[Address, float] | None = view.learnt.get(_URL_OF + function)
    if cached is not None and view.now < cached[1]:
        return cached[0]
    url: Address = yield Need(FunctionUrl(function))
    yield Learn(_URL_OF + function, (url, view.now + KEPT))
    return url


def _task(
    configured: Tasks, functions: Functions, call: Enqueue, address: Address
) -> dict[str, Any]:
    request: dict[str, Any] = {
        "url": address.origin + address.target,
        "httpMethod": "POST",
        "headers": {
            "Content-Type": "application/json",
            IDEMPOTENCY_KEY: call.idempotency_key,
            **({} if call.trace is None else {TRACEPARENT: call.trace}),
        },
        "body": _base64(call.payload),
    }
    if configured.account is not None:
        request["oidcToken"] = {
            "serviceAccountEmail": configured.account,
            "audience": audience_of(address, functions),
        }
    name = sha256(f"{call.function}\n{call.idempotency_key}".encode()).hexdigest()
    return {"name": f"{configured.queue}/tasks/{name}", "httpRequest": request}


def _check_made(member: str, document: dict[str, Any]) -> None:
    """Accept a success only if it names what was made."""
    if not document.get(member):
        raise Undecodable(f"the answer has no {member}")


def _base64(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode("ascii")
