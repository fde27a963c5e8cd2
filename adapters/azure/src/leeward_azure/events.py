"""Event Grid: publish CloudEvents to custom topics, or to the topics of a namespace.

A batch is taken or refused as a whole. A custom topic must have been made for the CloudEvents
schema. Neither kind keeps an order, or knows an event that came before.

Sources: "Post to custom topic for Azure Event Grid", and "Publish Cloud Events" in the reference of
Event Grid's data plane.
"""

from __future__ import annotations

import re
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple

from leeward import cloudevents, jsontext
from leeward.driver import Publish, Result
from leeward.errors import ConfigError, InvalidRequest
from leeward.http.jsonbody import Undecodable
from leeward.http.messages import Request, Response
from leeward.http.plans import Plan, Planner, View
from leeward.items.moments import to_utc
from leeward.values import Event
from leeward_azure.asking import EVENTS, UNDECODABLE, UNEXPECTED, ask, lost, object_of
from leeward_azure.credentials import AccountKey, Credential, SasToken
from leeward_azure.signing import Headers

TOPIC: Final = "{topic}"
"""Where a topic's name goes in the URL of custom topics."""

CUSTOM_VERSION: Final = "2018-01-01"
NAMESPACE_VERSION: Final = "2024-06-01"
"""Of the API; what azure-eventgrid asks for."""

_HEADERS: Final = (("Content-Type", "application/cloudevents-batch+json; charset=utf-8"),)

_TOPIC_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")
"""A topic's name: Azure takes 3 to 50 letters, digits and hyphens. Others could lead elsewhere."""


class EventsDoor(NamedTuple):
    """Where the buses of one target are.

    Attributes:
        url: of custom topics, with ``{topic}`` where a name goes, such as
            ``https://{topic}.westeurope-1.eventgrid.azure.net/api/events``; or the origin of a
            namespace, such as ``https://shop.westeurope-1.eventgrid.azure.net``.
    """

    url: str


def events(door: EventsDoor) -> dict[str, Planner]:
    """Give the planner of ``publish``.

    Raises:
        ConfigError: the URL is neither of the two.
    """
    _place(door.url, "topic")
    return {"publish": partial(publish, door)}


def publish(door: EventsDoor, call: Publish, view: View) -> Plan:
    """Publish events in one request; the value has one result for each.

    Raises:
        InvalidRequest: the bus has a name that no topic has; before anything is sent.
    """
    origin, target = _place(door.url, _checked(call.bus))
    documents = [cloudevents.to_json(_in_utc(event)) for event in call.events]
    request = Request("POST", origin, target, _HEADERS, jsontext.encode(documents))
    authorize = custom_headers if TOPIC in door.url else namespace_headers
    response, refusal = yield from ask(EVENTS, request, authorize, view)
    return refusal or _published(response, len(documents))


def custom_headers(credential: Credential, now: float) -> Headers:
    """Give the header that a custom topic takes a credential in."""
    del now  # nothing is signed
    if isinstance(credential, AccountKey):
        return (("aeg-sas-key", credential.key),)
    if isinstance(credential, SasToken):
        return (("aeg-sas-token", credential.token),)
    return (("Authorization", f"Bearer {credential.token}"),)


def namespace_headers(credential: Credential, now: float) -> Headers:
    """Give the header that a namespace takes a credential in."""
    del now  # nothing is signed
    if isinstance(credential, AccountKey):
        proof = f"SharedAccessKey {credential.key}"
    elif isinstance(credential, SasToken):
        proof = f"SharedAccessSignature {credential.token}"
    else:
        proof = f"Bearer {credential.token}"
    return (("Authorization", proof),)


def _in_utc(event: Event) -> Event:
    """Give the same moment without its offset, which azure-functions drops where it reads one."""
    moment = event.time and to_utc(event.time)
    return event._replace(time=moment) if moment else event


def _checked(bus: str) -> str:
    if not _TOPIC_NAME.fullmatch(bus):
        raise InvalidRequest(
            f"bus {bus!r} is no name of an Event Grid topic: use letters, digits and hyphens",
            field="bus",
        )
    return bus


@lru_cache(maxsize=256)
def _place(url: str, topic: str) -> tuple[str, str]:
    """Give the origin and the target of `topic`."""
    found = re.fullmatch(r"(https?://[^/?#\s]+)(/[^?#\s]*)?", url.replace(TOPIC, topic))
    if found is None or (TOPIC not in url and found[2] not in (None, "/")):
        raise ConfigError(
            "the URL for Event Grid must be that of custom topics, with {topic} in it, or the "
            "origin of a namespace: https://host"
        )
    if TOPIC in url:
        return found[1], f"{found[2] or '/'}?api-version={CUSTOM_VERSION}"
    return found[1], f"/topics/{topic}:publish?api-version={NAMESPACE_VERSION}"


def _published(response: Response, count: int) -> Result[Any]:
    """Take a success for one only if it looks like Event Grid's, and no page of a proxy."""
    if response.status != 200:
        return lost(EVENTS, response, UNEXPECTED)
    if response.body:
        try:
            object_of(response)
        except Undecodable as error:
            return lost(EVENTS, response, UNDECODABLE, error)
    request_id = response.headers.get(EVENTS.request_id)
    return Result.ok((Result.ok(None, request_id=request_id),) * count, request_id=request_id)
