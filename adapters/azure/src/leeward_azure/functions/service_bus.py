"""Service Bus: put messages into a queue, lock them, and complete them; for dead letters.

A message that is looked at is locked for as long as its queue says, five minutes at most, and comes
one by one: each request gets one. Properties are headers here, which tell no cases apart and carry
ASCII alone; so those of a dead letter go into one, as JSON, and are headers again when it is moved
back. Content type, label and correlation id of a message are not kept.

Sources: "Send Message", "Peek-Lock Message", "Delete Message", "Unlock Message" and "Message
headers and properties" in the REST reference of Service Bus; "Service Bus access control with
Shared Access Signatures". Written after these, and tried on a stub alone.
"""

from __future__ import annotations

import hmac
import re
from binascii import b2a_base64
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import unquote

from leeward import json_text
from leeward.adapter.plans import Plan, View
from leeward.adapter.service import by_headers
from leeward.adapter.wire import Request, Response
from leeward.calls import (
    Attribute,
    HideMessage,
    PutMessage,
    QueueMessage,
    RemoveMessage,
    Result,
    TakeMessages,
)
from leeward.errors import InvalidRequest
from leeward.json_text import Undecodable
from leeward.text import percent_encode
from leeward_azure.errors import judge_service_bus
from leeward_azure.identity.credentials import AccountKey, Bearer, Credential, ServiceCredential
from leeward_azure.identity.signing import Headers
from leeward_azure.service import service_of
from leeward_azure.settings.services import JSON, ServiceBus

SERVICE: Final = service_of(
    ServiceCredential("servicebus"), judge_service_bus, "x-ms-request-id", dated=True
)

LASTS: Final = 900
"""Seconds for which a signature holds."""

_FACTS: Final = "leeward-dead-letter"
_PROPERTIES: Final = "leeward-properties"

_NAME: Final = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._/-]{0,259}(?:/\$deadletterqueue)?", re.IGNORECASE
)
_PLAIN: Final = re.compile(r"[ !#-\[\]-~]*")
"""What stands in a header between quotes as it is."""

_TOKEN: Final = re.compile(r"[A-Za-z0-9._-]+")
_RAW: Final = re.compile(r"true|false|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def put(configured: ServiceBus, call: PutMessage, view: View) -> Plan:
    """Send a message.

    Raises:
        InvalidRequest: the name cannot be a queue's, or a property cannot be sent; before anything
            is.
    """
    broker = {"MessageId": call.id} if call.id else {}
    if call.group:
        broker["SessionId"] = call.group
    headers = (
        ("Content-Type", "application/octet-stream"),
        ("BrokerProperties", json_text.encode(broker).decode()),
        *_write_headers(call.attributes),
    )
    path = f"/{_check_queue(call.queue)}/messages"
    return (yield from _ask(configured, Request("POST", "", path, headers, call.body), view, 201))


def take(configured: ServiceBus, call: TakeMessages, view: View) -> Plan:
    """Lock the next message, if there is one. How long, its queue says."""
    path = f"/{_check_queue(call.queue)}/messages/head?timeout=0"
    request = Request("POST", "", path, (), b"")
    return (yield from _ask(configured, request, view, 201, empty=204, read=_read_message))


def remove(configured: ServiceBus, call: RemoveMessage, view: View) -> Plan:
    """Complete a message that was locked."""
    path = f"/{_check_queue(call.queue)}/messages/{call.receipt}"
    return (yield from _ask(configured, Request("DELETE", "", path, (), b""), view, 200))


def hide(configured: ServiceBus, call: HideMessage, view: View) -> Plan:
    """Unlock a message that was locked, so it is there again at once; or renew its lock."""
    path = f"/{_check_queue(call.queue)}/messages/{call.receipt}"
    request = Request("POST" if call.seconds else "PUT", "", path, (), b"")
    return (yield from _ask(configured, request, view, 200))


def _ask(
    configured: ServiceBus,
    request: Request,
    view: View,
    status: int,
    *,
    empty: int | None = None,
    read: Any = None,
) -> Plan:
    request = request._replace(origin=configured.origin)
    authorize = by_headers(partial(proof, configured))
    answer = yield from SERVICE.exchange(request, view, authorize=authorize)
    if answer.response.status == empty:
        return Result.ok(())
    return SERVICE.read_answer(answer, read, status=status)


def proof(configured: ServiceBus, credential: Credential, now: float) -> Headers:
    """Return the header that proves who asks: a signature of the namespace, or a token."""
    if isinstance(credential, Bearer):
        return (("Authorization", f"Bearer {credential.token}"),)
    if not isinstance(credential, AccountKey):
        return ()
    resource, ends = percent_encode(f"{configured.origin}/".lower()), int(now) + LASTS
    digest = hmac.digest(credential.key.encode(), f"{resource}\n{ends}".encode(), "sha256")
    signature = percent_encode(b2a_base64(digest, newline=False).decode("ascii"))
    token = f"sr={resource}&sig={signature}&se={ends}&skn={percent_encode(configured.key_name)}"
    return (("Authorization", f"SharedAccessSignature {token}"),)


def _check_queue(queue: str) -> str:
    steps = {"", ".", ".."}
    if _NAME.fullmatch(queue) is None or not steps.isdisjoint(queue.split("/")):
        raise InvalidRequest(f"{queue!r} cannot be the name of a Service Bus queue", field="queue")
    return queue


def _write_headers(attributes: tuple[Attribute, ...]) -> Headers:
    facts = [attribute for attribute in attributes if attribute.name == _FACTS]
    others = [attribute for attribute in attributes if attribute.name != _FACTS]
    if not facts:
        return tuple((other.name, _value(other)) for other in others)
    pairs = [[other.name, _text(other), other.type] for other in others]
    return (
        (_FACTS, _quote(_text(facts[0]))),
        (_PROPERTIES, _quote(json_text.encode(pairs).decode())),
    )


def _value(attribute: Attribute) -> str:
    text = _text(attribute)
    form = _RAW if attribute.type == JSON else _PLAIN
    if _TOKEN.fullmatch(attribute.name) is None or form.fullmatch(text) is None:
        raise InvalidRequest(
            "a property of this message cannot be sent to Service Bus over HTTP: its name or its "
            "text is not plain ASCII",
            field="attributes",
        )
    return text if attribute.type == JSON else f'"{text}"'


def _text(attribute: Attribute) -> str:
    if isinstance(attribute.value, bytes):
        raise InvalidRequest("a property of Service Bus is not bytes", field="attributes")
    return attribute.value


def _quote(text: str) -> str:
    return f'"{percent_encode(text)}"'


def _read_message(response: Response) -> tuple[QueueMessage, ...]:
    from email.utils import parsedate_to_datetime

    properties = json_text.decode(response.headers.get("brokerproperties", "").encode())
    if not isinstance(properties, dict):
        raise TypeError
    number, lock = int(properties["SequenceNumber"]), str(properties["LockToken"])
    if not re.fullmatch(r"[0-9A-Fa-f-]{1,64}", lock):
        raise ValueError
    sent = parsedate_to_datetime(str(properties["EnqueuedTimeUtc"])).timestamp()
    session = properties.get("SessionId")
    group = session if isinstance(session, str) else None
    receipt = f"{number}/{lock}"
    return (QueueMessage(str(number), response.body, _read(response), receipt, sent, group),)


def _read(response: Response) -> tuple[Attribute, ...]:
    """Read the properties of a message: of a letter of leeward's as they were, else the texts."""
    headers = {
        name: value[1:-1]
        for name, value in response.headers.items()
        if len(value) > 1 and value[0] == value[-1] == '"'
    }
    facts, packed = headers.pop(_FACTS, None), headers.pop(_PROPERTIES, None)
    attributes = [Attribute(name, value) for name, value in headers.items()]
    if packed is not None:
        try:
            rows: Any = json_text.decode(unquote(packed))
            attributes = [Attribute(name, value, kind) for name, value, kind in rows]
            if not all(isinstance(part, str) for attribute in attributes for part in attribute):
                raise TypeError
        except (Undecodable, TypeError, ValueError):
            attributes = []
    if facts is not None:
        attributes.append(Attribute(_FACTS, unquote(facts)))
    return tuple(attributes)


VERBS: Final[Mapping[str, Callable[[ServiceBus, Any, View], Plan]]] = MappingProxyType(
    {"put_message": put, "take_messages": take, "remove_message": remove, "hide_message": hide}
)
"""What is asked of a queue of Service Bus."""
