"""SQS: put messages into a queue, take them out, and remove them; for dead letters, and for calls.

A queue is named by its URL, or by its name, which is looked up once. The body goes as it is: SQS
takes text, so bytes that are not UTF-8 are refused before anything is sent.

Sources: the API references of `SendMessage`, `ReceiveMessage`, `DeleteMessage`,
`ChangeMessageVisibility`, `GetQueueAttributes` and `GetQueueUrl`; SQS's JSON protocol as
botocore's model has it.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Generator
from hashlib import sha256
from typing import Any, Final

from leeward.adapter.plans import Learn, Plan, Planner, Step, View, planners_of
from leeward.adapter.service import object_of
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
from leeward.errors import InvalidRequest, Outcome
from leeward_aws.service import Endpoint, endpoint_of
from leeward_aws.settings.options import Settings

MOST_ATTRIBUTES: Final = 10
"""Of a message."""

LONGEST_HIDDEN: Final = 43_200
"""Seconds from the moment that a message was received."""

_FIFO: Final = ".fifo"
_KEY: Final = IDEMPOTENCY_KEY.lower()


def messages(settings: Settings) -> dict[str, Planner]:
    """Return the planners of what is asked of a queue."""
    endpoint = endpoint_of("sqs", settings)
    return planners_of(
        endpoint, put_message=put, take_messages=take, remove_message=remove, hide_message=hide
    )


def put(endpoint: Endpoint, call: PutMessage, view: View) -> Plan:
    """Send a message.

    Raises:
        InvalidRequest: SQS cannot hold it as it is; before anything is sent.
    """
    if len(call.attributes) > MOST_ATTRIBUTES:
        problem = f"a message of SQS has at most {MOST_ATTRIBUTES} attributes"
        raise InvalidRequest(problem, field="attributes")
    text = _text_of(call.body)

    def document(url: str) -> dict[str, Any]:
        document: dict[str, Any] = {"QueueUrl": url, "MessageBody": text}
        if call.attributes:
            document["MessageAttributes"] = {
                attribute.name: _write_attribute(attribute) for attribute in call.attributes
            }
        if url.endswith(_FIFO):
            document["MessageGroupId"] = call.group or call.id or "leeward"
            document["MessageDeduplicationId"] = call.id
        return document

    return (yield from _ask(endpoint, call.queue, "SendMessage", document, view, read=_id_in))


def enqueue(endpoint: Endpoint, call: Enqueue, view: View) -> Plan:
    """Put a call into the queue of its name, its key and its trace beside it.

    A queue that keeps an order keeps that of all calls.
    """
    sent = [Attribute(_KEY, call.idempotency_key)]
    if call.trace is not None:
        sent.append(Attribute(TRACEPARENT, call.trace))
    id = sha256(call.idempotency_key.encode(errors="surrogatepass")).hexdigest()
    message = PutMessage(call.function, call.payload, tuple(sent), "leeward", id)
    result = yield from put(endpoint, message, view)
    return result._replace(value=None)


def take(endpoint: Endpoint, call: TakeMessages, view: View) -> Plan:
    """Receive messages; they are hidden for a while, and count one receive more."""

    def document(url: str) -> dict[str, Any]:
        return {
            "QueueUrl": url,
            "MaxNumberOfMessages": call.most,
            "VisibilityTimeout": call.seconds,
            "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        }

    return (
        yield from _ask(endpoint, call.queue, "ReceiveMessage", document, view, read=_read_messages)
    )


def remove(endpoint: Endpoint, call: RemoveMessage, view: View) -> Plan:
    """Delete a message that was received."""

    def document(url: str) -> dict[str, Any]:
        return {"QueueUrl": url, "ReceiptHandle": call.receipt}

    return (yield from _ask(endpoint, call.queue, "DeleteMessage", document, view))


def hide(endpoint: Endpoint, call: HideMessage, view: View) -> Plan:
    """Show a message that was received again in some seconds."""
    seconds = min(max(call.seconds, 0), LONGEST_HIDDEN)

    def document(url: str) -> dict[str, Any]:
        return {"QueueUrl": url, "ReceiptHandle": call.receipt, "VisibilityTimeout": seconds}

    return (yield from _ask(endpoint, call.queue, "ChangeMessageVisibility", document, view))


def count(endpoint: Endpoint, queue: str, view: View) -> Plan:
    """Count the messages of a queue, those included that are being handled; SQS tells about."""

    def document(url: str) -> dict[str, Any]:
        return {"QueueUrl": url, "AttributeNames": [*COUNTS]}

    return (yield from _ask(endpoint, queue, "GetQueueAttributes", document, view, read=_sum_of))


COUNTS: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
)


def _sum_of(document: dict[str, Any]) -> int:
    return sum(int(document["Attributes"][name]) for name in COUNTS)


def _ask(
    endpoint: Endpoint,
    queue: str,
    action: str,
    document: Callable[[str], dict[str, Any]],
    view: View,
    *,
    read: Callable[[dict[str, Any]], Any] | None = None,
) -> Plan:
    """Make one request about a queue; `read` takes the value out of its answer."""
    url = yield from url_of(endpoint, queue, view)
    if isinstance(url, Result):
        return url
    request = endpoint.request(action, document(url))
    return (yield from endpoint.service.exchange_json(request, view, read))


def url_of(endpoint: Endpoint, queue: str, view: View) -> Generator[Step, Any, str | Result[Any]]:
    """Return the URL of a queue, or how looking for it has ended."""
    if "://" in queue:
        return queue
    known_url: str | None = view.learnt.get(f"queue:{queue}")
    if known_url is not None:
        return known_url
    request = endpoint.request("GetQueueUrl", {"QueueName": queue})
    look_up = endpoint.service.exchange(request, view, effect=False)
    response, refusal = (yield from look_up).as_look_up()
    if refusal is not None:
        return refusal
    try:
        url = object_of(response)["QueueUrl"]
    except (ValueError, KeyError):
        url = None
    if not isinstance(url, str):
        return Result(Outcome.NOT_SENT, message=f"SQS did not tell the URL of {queue!r}")
    yield Learn(f"queue:{queue}", url)
    return url


def _text_of(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        problem = "a message of SQS is text in UTF-8"
    raise InvalidRequest(problem, field="body")


def _write_attribute(attribute: Attribute) -> dict[str, str]:
    _, value, kind = attribute
    if isinstance(value, bytes):
        text = b2a_base64(value, newline=False).decode("ascii")
        return {"DataType": kind or "Binary", "BinaryValue": text}
    return {"DataType": kind or "String", "StringValue": value}


def _id_in(document: dict[str, Any]) -> str:
    message_id = document["MessageId"]
    if not isinstance(message_id, str):
        raise TypeError("the id of a message is not text")
    return message_id


def _read_messages(document: dict[str, Any]) -> tuple[QueueMessage, ...]:
    return tuple(_read_message(message) for message in document.get("Messages") or ())


def _read_message(message: dict[str, Any]) -> QueueMessage:
    about = message.get("Attributes") or {}
    sent = about.get("SentTimestamp")
    return QueueMessage(
        message["MessageId"],
        message["Body"].encode(),
        tuple(_read(name, one) for name, one in (message.get("MessageAttributes") or {}).items()),
        message["ReceiptHandle"],
        None if sent is None else int(sent) / 1000,
        about.get("MessageGroupId"),
    )


def _read(name: str, document: dict[str, Any]) -> Attribute:
    if document.get("BinaryValue") is not None:
        return Attribute(name, a2b_base64(document["BinaryValue"]), document["DataType"])
    return Attribute(name, document["StringValue"], document["DataType"])
