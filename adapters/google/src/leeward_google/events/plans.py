"""Pub/Sub: publish CloudEvents.

A message is an event in the binary mode: its attributes become the message's, with ``ce-`` before
their names, so that subscriptions can filter by them, and its data the message's data. What
attributes cannot hold exactly goes in the structured mode instead: the whole event as JSON in the
data, and one attribute that says so. That is an attribute of more than 1,024 bytes, and an
extension that is not a text, since all attributes of a message are.

With an ordering key, Pub/Sub delivers in order to subscriptions that ask for it. All messages of
a request must have the same key, or none. Pub/Sub does not know a message that came before.

Sources: `projects.topics.publish` and `PubsubMessage` in Pub/Sub's REST reference; "Quotas and
limits"; Google's Pub/Sub protocol binding for CloudEvents, a working draft.
"""

from __future__ import annotations

from binascii import b2a_base64
from functools import partial
from typing import Any, Final

from leeward import cloudevents, json_text
from leeward.adapter.plans import Plan, Planner, View
from leeward.adapter.service import JSON
from leeward.adapter.wire import Request
from leeward.calls import Publish, Result
from leeward.errors import InvalidRequest
from leeward.json_text import Undecodable
from leeward.records import NamedTuple
from leeward.values import Event
from leeward_google.service import EMULATOR, GOOGLE
from leeward_google.settings.services import Events, is_topic_name

LONGEST_ATTRIBUTE: Final = 1024
"""Bytes of an attribute's value, and of an ordering key."""

MOST_ATTRIBUTES: Final = 100
"""Of a message."""

_STRUCTURED: Final = {"content-type": "application/cloudevents+json"}


class PubSubEndpoint(NamedTuple):
    """Where the buses of one target are.

    Attributes:
        origin: ``https://pubsub.googleapis.com``, or that of a region, which ordering keys need;
            of an emulator, ``http://127.0.0.1:8085``.
        project: its id.
        emulator: whether `origin` is that of an emulator, for which no credential is fetched.
    """

    origin: str
    project: str
    emulator: bool = False


def events(settings: Events, project: str) -> dict[str, Planner]:
    """Return the planner of ``publish``, with the topics of a project."""
    endpoint = PubSubEndpoint(settings.origin, project, settings.emulator)
    return {"publish": partial(publish, endpoint)}


def publish(endpoint: PubSubEndpoint, call: Publish, view: View) -> Plan:
    """Publish events in one request; the value has one result for each.

    Raises:
        InvalidRequest: the bus has a name that no topic has, or the events have not all the same
            ordering key; before anything is sent.
    """
    path = path_of(endpoint, call.bus)
    _check_ordering(call.events)
    body = json_text.encode({"messages": [message_of(event) for event in call.events]})
    request = Request("POST", endpoint.origin, f"{path}:publish", JSON, body)
    service = EMULATOR if endpoint.emulator else GOOGLE
    read = partial(_results_in, len(call.events))
    return (yield from service.exchange_json(request, view, read))


def message_of(event: Event) -> dict[str, Any]:
    """Return the message that stands for an event, in Pub/Sub's JSON."""
    document = cloudevents.to_json(event)
    attributes = _attributes(document)
    if attributes is None:
        attributes, data = _STRUCTURED, cloudevents.document_of(event)
    else:
        data = _data(event.data)
    message: dict[str, Any] = {"attributes": attributes}
    if data:
        message["data"] = b2a_base64(data, newline=False).decode("ascii")
    if event.ordering_key is not None:
        message["orderingKey"] = event.ordering_key
    return message


def _attributes(document: dict[str, Any]) -> dict[str, str] | None:
    """Return the attributes of the binary mode; None if they cannot hold the event's exactly."""
    attributes: dict[str, str] = {}
    for name, value in document.items():
        if name in ("data", "data_base64"):
            continue
        if not isinstance(value, str) or len(value) > LONGEST_ATTRIBUTE:
            return None
        if not value.isascii() and len(value.encode()) > LONGEST_ATTRIBUTE:
            return None
        attributes["content-type" if name == "datacontenttype" else f"ce-{name}"] = value
    return attributes if len(attributes) <= MOST_ATTRIBUTES else None


def _data(data: Any) -> bytes:
    if data is None:
        return b""
    return data if isinstance(data, bytes) else json_text.encode(data)


def path_of(endpoint: PubSubEndpoint, bus: str) -> str:
    """Return the path of a topic.

    Raises:
        InvalidRequest: no topic can have this name.
    """
    if not is_topic_name(bus):
        raise InvalidRequest(
            f"bus {bus!r} cannot be the name of a Pub/Sub topic: use 3 to 255 letters, digits and "
            "'. _ ~ + % -', beginning with a letter and not with 'goog'",
            field="bus",
        )
    return f"/v1/projects/{endpoint.project}/topics/{bus.replace('%', '%25')}"


def _check_ordering(events: tuple[Event, ...]) -> None:
    for index, event in enumerate(events):
        if event.ordering_key != events[0].ordering_key:
            field = f"events[{index}].ordering_key"
            raise InvalidRequest(
                f"{field} is another one than that of the first event, and Pub/Sub takes one in a "
                "request; publish the events of each ordering key by themselves",
                field=field,
            )


def _results_in(count: int, document: dict[str, Any]) -> tuple[Result[None], ...]:
    """Accept a success only if it gives each message an id."""
    ids = document.get("messageIds")
    if not isinstance(ids, list) or len(ids) != count:
        raise Undecodable("the answer does not have one message id for each event")
    if not all(isinstance(item, str) and item for item in ids):
        raise Undecodable("a message id of the answer is not a text")
    return (Result.ok(None),) * count
