"""Event Grid: publish CloudEvents to custom topics, or to the topics of a namespace.

A batch is taken or refused as a whole. A custom topic must have been made for the CloudEvents
schema. Neither kind keeps an order, or knows an event that came before.

Sources: "Post to custom topic for Azure Event Grid", and "Publish Cloud Events" in the reference of
Event Grid's data plane.
"""

from __future__ import annotations

import re
from functools import lru_cache, partial
from typing import Final

from leeward.adapter.plans import Plan, Planner, View
from leeward.adapter.service import Authorize, by_headers, object_of
from leeward.adapter.wire import Request, Response
from leeward.calls import Publish, Result
from leeward.cloudevents import document_of
from leeward.errors import ConfigError, InvalidRequest
from leeward.records import NamedTuple
from leeward_azure.errors import judge_events
from leeward_azure.identity.credentials import (
    AccountKey,
    Credential,
    SasToken,
    ServiceCredential,
    TopicKey,
)
from leeward_azure.identity.signing import Headers
from leeward_azure.service import service_of
from leeward_azure.settings.services import TOPIC, Events, is_topic_name

EVENTS: Final = service_of(ServiceCredential("eventgrid"), judge_events, "x-ms-request-id")

CUSTOM_VERSION: Final = "2018-01-01"
NAMESPACE_VERSION: Final = "2024-06-01"
"""Of the API; what azure-eventgrid asks for."""

_HEADERS: Final = (("Content-Type", "application/cloudevents-batch+json; charset=utf-8"),)

_URL: Final = r"(https?://[^/?#\s]+)(/[^?#\s]*)?"


class _Topic(NamedTuple):
    """Where a topic is, and how it takes a credential."""

    origin: str
    target: str
    authorize: Authorize


def events(configured: Events) -> dict[str, Planner]:
    """Return the planner of ``publish``.

    Raises:
        ConfigError: a URL is something else.
    """
    if configured.url is not None:
        _topic(configured.url, "topic")
    for url in configured.urls.values():
        _custom(url)
    return {"publish": partial(publish, configured)}


def publish(configured: Events, call: Publish, view: View) -> Plan:
    """Publish events in one request; the value has one result for each.

    Raises:
        InvalidRequest: the bus has no URL, or a name that no topic has; before anything is sent.
    """
    origin, target, authorize = topic_of(call.bus, configured)
    documents = b",".join([document_of(event) for event in call.events])
    request = Request("POST", origin, target, _HEADERS, b"[%b]" % documents)
    service = EVENTS
    if call.bus in configured.keys:
        service = EVENTS._replace(need=TopicKey(call.bus))
    answer = yield from service.exchange(request, view, authorize=authorize)
    return EVENTS.read_answer(answer, partial(_results_in, len(call.events)), status=200)


def custom_headers(credential: Credential, now: float) -> Headers:
    """Return the header that a custom topic takes a credential in."""
    del now  # nothing is signed
    if isinstance(credential, AccountKey):
        return (("aeg-sas-key", credential.key),)
    if isinstance(credential, SasToken):
        return (("aeg-sas-token", credential.token),)
    return (("Authorization", f"Bearer {credential.token}"),)


def namespace_headers(credential: Credential, now: float) -> Headers:
    """Return the header that a namespace takes a credential in."""
    del now  # nothing is signed
    if isinstance(credential, AccountKey):
        proof = f"SharedAccessKey {credential.key}"
    elif isinstance(credential, SasToken):
        proof = f"SharedAccessSignature {credential.token}"
    else:
        proof = f"Bearer {credential.token}"
    return (("Authorization", proof),)


def topic_of(bus: str, configured: Events) -> _Topic:
    """Return where a bus is; raise `InvalidRequest` if it has no URL and no topic's name."""
    url = configured.urls.get(bus)
    if url is not None:
        return _custom(url)
    if configured.url is None:
        raise InvalidRequest(
            f"bus {bus!r} has no URL: give it one in eventgrid_topic_urls, or set "
            "eventgrid_topic_url for all topics",
            field="bus",
        )
    if not is_topic_name(bus):
        raise InvalidRequest(
            f"bus {bus!r} cannot be the name of an Event Grid topic: use letters, digits and "
            "hyphens",
            field="bus",
        )
    return _topic(configured.url, bus)


@lru_cache(maxsize=256)
def _topic(url: str, topic: str) -> _Topic:
    """Return the place of `topic` by the URL for all."""
    if TOPIC in url:
        return _custom(url.replace(TOPIC, topic))
    match = re.fullmatch(_URL, url)
    if match is None or match[2] not in (None, "/"):
        raise _wrong_url()
    target = f"/topics/{topic}:publish?api-version={NAMESPACE_VERSION}"
    return _Topic(match[1], target, by_headers(namespace_headers))


@lru_cache(maxsize=256)
def _custom(url: str) -> _Topic:
    """Return the place of the custom topic with this URL."""
    match = re.fullmatch(_URL, url)
    if match is None:
        raise _wrong_url()
    return _Topic(
        match[1], f"{match[2] or '/'}?api-version={CUSTOM_VERSION}", by_headers(custom_headers)
    )


def _wrong_url() -> ConfigError:
    return ConfigError(
        "the URL for Event Grid must be that of custom topics, with {topic} in it or for one "
        "topic alone, or the origin of a namespace: https://host"
    )


def _results_in(count: int, response: Response) -> tuple[Result[None], ...]:
    """Accept a success only if it looks like Event Grid's, and no page of a proxy."""
    if response.body:
        object_of(response)
    return (Result.ok(None, request_id=response.headers.get(EVENTS.request_id)),) * count
