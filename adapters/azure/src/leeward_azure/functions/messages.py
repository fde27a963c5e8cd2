"""Queues: queue a call; put messages, take them out, and remove them, for dead letters.

A queue is of Queue storage, or of Service Bus: ``servicebus:NAME``.

A call goes as base64, because the Functions host expects that of a queue's messages
(``messageEncoding`` in host.json). There are no headers beside a message: a function that is to
know an idempotency key must find it in its payload. A message may be delivered more than once.

A message has nothing beside its text. One without attributes goes as base64, as the Functions host
expects it; one with them as a JSON object of ``attributes`` and ``body``, the latter in base64,
which no host can take for a message to handle.

Sources: "Put Message", "Get Messages", "Delete Message" and "Update Message" in the reference of
Azure Storage.
"""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from functools import partial
from html import unescape
from types import MappingProxyType
from typing import Any, Final

from leeward import json_text
from leeward.adapter.plans import Plan, Planner, View
from leeward.adapter.wire import Request, Response
from leeward.calls import (
    Attribute,
    Enqueue,
    HideMessage,
    PutMessage,
    QueueMessage,
    RemoveMessage,
    TakeMessages,
)
from leeward.errors import InvalidRequest, Unsupported
from leeward.json_text import Undecodable
from leeward.text import percent_encode
from leeward_azure.errors import judge_queue
from leeward_azure.functions import service_bus
from leeward_azure.identity.credentials import ServiceCredential
from leeward_azure.identity.signing import signed_storage
from leeward_azure.service import service_of
from leeward_azure.settings.options import Settings
from leeward_azure.settings.services import SERVICE_BUS, Queues, is_queue_name

QUEUE: Final = service_of(ServiceCredential("queue"), judge_queue, "x-ms-request-id", dated=True)

CONTENT_TYPE: Final = "application/xml"


def queues(configured: Queues) -> dict[str, Planner]:
    """Return the planner of ``enqueue``."""
    return {"enqueue": partial(enqueue, configured)}


def enqueue(configured: Queues, call: Enqueue, view: View) -> Plan:
    """Queue a call. Queue storage answers 201 once it has stored the message.

    Raises:
        InvalidRequest: the function's queue cannot be one; before anything is sent.
    """
    path = f"{configured.path}/{queue_of(call.function, configured)}/messages"
    text = b2a_base64(call.payload, newline=False)
    return (yield from _ask(configured, "POST", path, {}, view, status=201, text=text))


def queue_of(function: str, configured: Queues) -> str:
    """Return the queue of a function; raise `InvalidRequest` if it cannot have one."""
    queue = configured.names.get(function, function)
    if not is_queue_name(queue):
        raise InvalidRequest(
            f"function {function!r} cannot name a queue, which has 3 to 63 of a-z, 0-9 and single "
            "hyphens inside; name its queue in queues",
            field="function",
        )
    return queue


LONGEST_TEXT: Final = 64 * 1024
"""Bytes of a message's text."""

_MESSAGE: Final = re.compile(r"<QueueMessage>(.*?)</QueueMessage>", re.DOTALL)
_FIELD: Final = re.compile(r"<(\w+)>(.*?)</\1>", re.DOTALL)


def messages(settings: Settings) -> dict[str, Planner]:
    """Return the planners of what is asked of a queue, of either service."""
    return {verb: partial(_ask_either, settings, verb) for verb in service_bus.VERBS}


def _ask_either(settings: Settings, verb: str, call: Any, view: View) -> Plan:
    if call.queue.startswith(SERVICE_BUS):
        if settings.service_bus is None:
            raise Unsupported(
                f"{call.queue!r} is of Service Bus: set service_bus_connection_string or "
                "service_bus_url"
            )
        named = call._replace(queue=call.queue.removeprefix(SERVICE_BUS))
        return (yield from service_bus.VERBS[verb](settings.service_bus, named, view))
    if settings.queues is None:
        raise Unsupported(
            f"{call.queue!r} is of Queue storage: set storage_connection_string or "
            "storage_queue_url"
        )
    return (yield from VERBS[verb](settings.queues, call, view))


def put(configured: Queues, call: PutMessage, view: View) -> Plan:
    """Put a message into a queue; it stays there until it is removed.

    Raises:
        InvalidRequest: the name cannot be a queue's, or the message is too large; before anything
            is sent.
    """
    path = f"{_path(configured, call.queue)}/messages"
    text = _encode_message(call)
    if len(text) > LONGEST_TEXT:
        problem = (
            f"a message of a Storage queue has at most {LONGEST_TEXT} bytes, this one {len(text)}"
        )
        raise InvalidRequest(problem, field="body")
    escaped = text.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
    query = {"messagettl": "-1"}
    return (yield from _ask(configured, "POST", path, query, view, status=201, text=escaped))


def take(configured: Queues, call: TakeMessages, view: View) -> Plan:
    """Get messages; they are hidden for a while."""
    path = f"{_path(configured, call.queue)}/messages"
    query = {"numofmessages": str(call.most), "visibilitytimeout": str(max(call.seconds, 1))}
    return (yield from _ask(configured, "GET", path, query, view, status=200))


def remove(configured: Queues, call: RemoveMessage, view: View) -> Plan:
    """Delete a message that was taken."""
    path = f"{_path(configured, call.queue)}/messages/{percent_encode(call.id)}"
    query = {"popreceipt": call.receipt}
    return (yield from _ask(configured, "DELETE", path, query, view, status=204))


def hide(configured: Queues, call: HideMessage, view: View) -> Plan:
    """Show a message that was taken again in some seconds; return its receipt from now on."""
    path = f"{_path(configured, call.queue)}/messages/{percent_encode(call.id)}"
    query = {"popreceipt": call.receipt, "visibilitytimeout": str(max(call.seconds, 0))}
    return (yield from _ask(configured, "PUT", path, query, view, status=204))


def _ask(
    configured: Queues,
    verb: str,
    path: str,
    query: Mapping[str, str],
    view: View,
    *,
    status: int,
    text: bytes | None = None,
) -> Plan:
    """Make one request about a queue; `text` is that of a message, for XML."""
    fields = [f"{name}={percent_encode(value)}" for name, value in query.items()]
    fields += [configured.sas] if configured.sas else []
    target = f"{path}?{'&'.join(fields)}" if fields else path
    body = b""
    headers: tuple[tuple[str, str], ...] = ()
    if text is not None:
        headers = (("Content-Type", CONTENT_TYPE),)
        body = b"<QueueMessage><MessageText>%b</MessageText></QueueMessage>" % text
    request = Request(verb, configured.origin, target, headers, body)
    proof = partial(signed_storage, configured.account)
    answer = yield from QUEUE.exchange(request, view, authorize=proof)
    read: Any = _read_messages if verb == "GET" else lambda it: it.headers.get("x-ms-popreceipt")
    return QUEUE.read_answer(answer, read, status=status)


def _path(configured: Queues, queue: str) -> str:
    if not is_queue_name(queue):
        raise InvalidRequest(
            f"{queue!r} cannot be the name of a queue, which has 3 to 63 of a-z, 0-9 and single "
            "hyphens inside",
            field="queue",
        )
    return f"{configured.path}/{queue}"


def _encode_message(call: PutMessage) -> bytes:
    text = b2a_base64(call.body, newline=False)
    if not call.attributes:
        return text
    attributes = {attribute.name: attribute.value for attribute in call.attributes}
    return json_text.encode({"attributes": attributes, "body": text.decode("ascii")})


def _read_messages(response: Response) -> tuple[QueueMessage, ...]:
    return tuple(_read_message(node) for node in _MESSAGE.findall(response.body.decode()))


def _read_message(message: str) -> QueueMessage:
    from email.utils import parsedate_to_datetime

    fields = {name: unescape(text) for name, text in _FIELD.findall(message)}
    body, attributes = _read(fields["MessageText"])
    sent = parsedate_to_datetime(fields["InsertionTime"]).timestamp()
    return QueueMessage(fields["MessageId"], body, attributes, fields["PopReceipt"], sent)


def _read(text: str) -> tuple[bytes, tuple[Attribute, ...]]:
    """Read the text of a message: one with attributes, one in base64, or whatever it is."""
    try:
        if text.startswith("{"):
            document = json_text.decode(text.encode())
            attributes = [Attribute(name, value) for name, value in document["attributes"].items()]
            if not all(isinstance(attribute.value, str) for attribute in attributes):
                raise TypeError  # leeward writes texts alone
            return a2b_base64(document["body"]), tuple(attributes)
        return a2b_base64(text.encode(), strict_mode=True), ()
    except (Undecodable, Error, ValueError, KeyError, TypeError, AttributeError):
        return text.encode(), ()


VERBS: Final[Mapping[str, Callable[[Queues, Any, View], Plan]]] = MappingProxyType(
    {"put_message": put, "take_messages": take, "remove_message": remove, "hide_message": hide}
)
"""What is asked of a queue of Queue storage."""
