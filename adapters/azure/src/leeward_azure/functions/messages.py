"""Storage queues: put messages into a queue, take them out, and remove them; for dead letters.

A message has nothing beside its text. One without attributes goes as base64, as the Functions host
expects it; one with them as a JSON object of ``attributes`` and ``body``, the latter in base64,
which no host can take for a message to handle.

Sources: "Put Message", "Get Messages", "Delete Message" and "Update Message" in the reference of
Azure Storage.
"""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, b2a_base64
from functools import partial
from html import unescape
from typing import Final

from leeward.adapter import json_text
from leeward.adapter.exchange import by_headers, exchange, read_answer
from leeward.adapter.json_text import Undecodable
from leeward.adapter.plans import Plan, Planner, View
from leeward.adapter.queues import (
    Attribute,
    HideMessage,
    PutMessage,
    RemoveMessage,
    TakeMessages,
    Taken,
)
from leeward.adapter.text import percent_encode
from leeward.adapter.wire import Request, Response
from leeward.errors import InvalidRequest
from leeward_azure.functions.queues import (
    CONTENT_TYPE,
    QUEUE,
    SignedQueueCall,
    queue_headers,
)
from leeward_azure.settings.services import Queues, is_queue_name

LONGEST_TEXT: Final = 64 * 1024
"""Bytes of a message's text."""

_MESSAGE: Final = re.compile(r"<QueueMessage>(.*?)</QueueMessage>", re.DOTALL)
_FIELD: Final = re.compile(r"<(\w+)>(.*?)</\1>", re.DOTALL)


def messages(configured: Queues) -> dict[str, Planner]:
    """Return the planners of what is asked of a queue."""
    return {
        "put_message": partial(put, configured),
        "take_messages": partial(take, configured),
        "remove_message": partial(remove, configured),
        "hide_message": partial(hide, configured),
    }


def put(configured: Queues, call: PutMessage, view: View) -> Plan:
    """Put a message into a queue; it stays there until it is removed.

    Raises:
        InvalidRequest: the name cannot be a queue's, or the message is too large; before anything
            is sent.
    """
    path = f"{_path(configured, call.queue)}/messages"
    text = _encode_message(call)
    if len(text) > LONGEST_TEXT:
        told = (
            f"a message of a Storage queue has at most {LONGEST_TEXT} bytes, this one {len(text)}"
        )
        raise InvalidRequest(told, field="body")
    escaped = text.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
    body = b"<QueueMessage><MessageText>%b</MessageText></QueueMessage>" % escaped
    signed = SignedQueueCall(configured.account, path, len(body), "POST", (("messagettl", "-1"),))
    return (yield from _ask(configured, signed, body, view, 201))


def take(configured: Queues, call: TakeMessages, view: View) -> Plan:
    """Get messages; they are hidden for a while."""
    path = f"{_path(configured, call.queue)}/messages"
    query = (("numofmessages", str(call.most)), ("visibilitytimeout", str(max(call.seconds, 1))))
    signed = SignedQueueCall(configured.account, path, 0, "GET", query)
    return (yield from _ask(configured, signed, b"", view, 200))


def remove(configured: Queues, call: RemoveMessage, view: View) -> Plan:
    """Delete a message that was taken."""
    path = f"{_path(configured, call.queue)}/messages/{percent_encode(call.id)}"
    signed = SignedQueueCall(configured.account, path, 0, "DELETE", (("popreceipt", call.receipt),))
    return (yield from _ask(configured, signed, b"", view, 204))


def hide(configured: Queues, call: HideMessage, view: View) -> Plan:
    """Let a message that was taken be there again in some seconds; its text stays as it is."""
    path = f"{_path(configured, call.queue)}/messages/{percent_encode(call.id)}"
    query = (("popreceipt", call.receipt), ("visibilitytimeout", str(max(call.seconds, 0))))
    signed = SignedQueueCall(configured.account, path, 0, "PUT", query)
    return (yield from _ask(configured, signed, b"", view, 204))


def _ask(configured: Queues, signed: SignedQueueCall, body: bytes, view: View, status: int) -> Plan:
    query = "&".join(f"{name}={percent_encode(value)}" for name, value in signed.query)
    target = f"{signed.path}?{query}" + (f"&{configured.sas}" if configured.sas else "")
    headers = (("Content-Type", CONTENT_TYPE),) if body else ()
    request = Request(signed.verb, configured.origin, target, headers, body)
    authorize = by_headers(partial(queue_headers, signed))
    answer = yield from exchange(QUEUE, request, view, authorize=authorize)
    read = _read_messages if signed.verb == "GET" else None
    return read_answer(QUEUE, answer, read, status=status)


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
    attributes = {each.name: each.value for each in call.attributes}
    return json_text.encode({"attributes": attributes, "body": text.decode("ascii")})


def _read_messages(response: Response) -> tuple[Taken, ...]:
    return tuple(_read_message(each) for each in _MESSAGE.findall(response.body.decode()))


def _read_message(message: str) -> Taken:
    from email.utils import parsedate_to_datetime

    fields = {name: unescape(text) for name, text in _FIELD.findall(message)}
    body, attributes = _read(fields["MessageText"])
    sent = parsedate_to_datetime(fields["InsertionTime"]).timestamp()
    return Taken(fields["MessageId"], body, attributes, fields["PopReceipt"], sent)


def _read(text: str) -> tuple[bytes, tuple[Attribute, ...]]:
    """Read the text of a message: one with attributes, one in base64, or whatever it is."""
    try:
        if text.startswith("{"):
            told = json_text.decode(text.encode())
            attributes = [Attribute(name, value) for name, value in told["attributes"].items()]
            if not all(isinstance(each.value, str) for each in attributes):
                raise TypeError  # leeward writes texts alone
            return a2b_base64(told["body"]), tuple(attributes)
        return a2b_base64(text.encode(), strict_mode=True), ()
    except (Undecodable, Error, ValueError, KeyError, TypeError, AttributeError):
        return text.encode(), ()
