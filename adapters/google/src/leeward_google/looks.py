"""Looking whether functions, topics, queues and databases are there, for `leeward doctor`.

A function is known where it is looked up at the Cloud Functions API. One with a URL is not asked:
whatever is sent there may run it. A collection of Firestore need not exist; its database must.

Sources: `projects.topics.get` in Pub/Sub's REST reference, `projects.locations.queues.get` in that
of Cloud Tasks.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from leeward.adapter.http_functions import Address
from leeward.adapter.looking import (
    ask,
    bucket_look,
    compare,
    function_look,
    table_look,
    unless_forbidden,
)
from leeward.adapter.plans import Plan, Planner, View
from leeward.adapter.service import misread, object_of
from leeward.adapter.wire import Request
from leeward.calls import Look, LookResult, Result
from leeward.calls.looks import BACKLOG, BUCKET, BUS, FUNCTION, QUEUE, RESOURCE, TABLE, UNANSWERABLE
from leeward_google.events.plans import PubSubEndpoint, path_of
from leeward_google.functions.messages import topic_of
from leeward_google.objects.plans import list_page
from leeward_google.service import EMULATOR, GOOGLE
from leeward_google.settings.options import Settings
from leeward_google.settings.services import Functions, Objects, Tasks, Topics, check_name
from leeward_google.tables.plans import endpoint_of, load


def functions(configured: Functions) -> dict[str, Planner]:
    """Return the planner that looks for a function."""
    return {FUNCTION: function_look(partial(check_name, configured=configured), _skip)}


def objects(configured: Objects) -> dict[str, Planner]:
    """Return the planner that looks for a bucket."""
    return {BUCKET: bucket_look(partial(list_page, configured), right="storage.objects.list")}


def tasks(configured: Tasks) -> dict[str, Planner]:
    """Return the planner that looks for the queue of Cloud Tasks that all functions share."""
    return {QUEUE: partial(_queue, configured)}


def of_project(settings: Settings, project: str) -> dict[str, Planner]:
    """Return the planners that look for what a project has."""
    queued = settings.queued
    buses = PubSubEndpoint(settings.events.origin, project, settings.events.emulator)
    planners: dict[str, Planner] = {
        BUS: partial(_bus, buses),
        TABLE: table_look(partial(load, endpoint_of(settings.tables, project))),
        BACKLOG: _backlog,
        RESOURCE: partial(looks_at_resource, buses),
    }
    if isinstance(queued, Topics):
        planners[QUEUE] = partial(_topic_of_function, queued, project)
    return planners


def _skip(_: Address) -> Plan:
    why = f"{UNANSWERABLE}; without a URL, and with a region, it can"
    yield from ()
    return Result.ok(LookResult(None, why, reached=False))


def _backlog(look: Look, view: View) -> Plan:
    del look, view
    yield from ()
    return Result.ok(LookResult(None, "Google tells what waits to Cloud Monitoring alone"))


def _queue(configured: Tasks, look: Look, view: View) -> Plan:
    del look
    request = Request("GET", configured.origin, f"/v2/{configured.queue}")
    return (yield from ask(GOOGLE, request, view, right="cloudtasks.queues.get"))


def _topic_of_function(configured: Topics, project: str, look: Look, view: View) -> Plan:
    endpoint = PubSubEndpoint(configured.origin, project, configured.emulator)
    return (yield from _topic(endpoint, topic_of(look.name, configured), view))


def _bus(endpoint: PubSubEndpoint, look: Look, view: View) -> Plan:
    return (yield from _topic(endpoint, look.name, view))


SUBSCRIPTION: Final = "subscription"
"""The one type of what an exported file has that is compared."""


def looks_at_resource(endpoint: PubSubEndpoint, look: Look, view: View) -> Plan:
    """Compare a subscription with what a file says of it."""
    if look.type != SUBSCRIPTION:
        return Result.ok(LookResult(None, "nobody has looked at them", reached=False))
    path = f"/v1/projects/{endpoint.project}/subscriptions/{look.name}"
    request = Request("GET", endpoint.origin, path)
    service = EMULATOR if endpoint.emulator else GOOGLE
    steps = service.exchange(request, view, effect=False)
    response, refusal = (yield from steps).as_look_up()
    if refusal is not None:
        return unless_forbidden(refusal, response, "pubsub.subscriptions.get")
    try:
        document = object_of(response)
    except (ValueError, TypeError) as error:
        return misread(response, error, request_id="")
    policy = document.get("deadLetterPolicy") or {}
    return Result.ok(
        compare(
            look.has,
            {
                "topic": _end(document.get("topic")),
                "seconds": document.get("ackDeadlineSeconds", 10),
                "filter": document.get("filter") or None,
                "pushes": bool((document.get("pushConfig") or {}).get("pushEndpoint")),
                "dead letters": _end(policy.get("deadLetterTopic")),
                "deliveries": policy.get("maxDeliveryAttempts"),
            },
            unseen="address account",
        )
    )


def _end(name: str | None) -> str | None:
    return None if name is None else name.rpartition("/")[2]


def _topic(endpoint: PubSubEndpoint, topic: str, view: View) -> Plan:
    request = Request("GET", endpoint.origin, path_of(endpoint, topic))
    service = EMULATOR if endpoint.emulator else GOOGLE
    return (yield from ask(service, request, view, right="pubsub.topics.get"))
