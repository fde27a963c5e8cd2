"""Looking whether functions, queues, buses and containers are there, for `leeward doctor`.

A function is known where it is looked up at the Resource Manager; else the host of its app is
asked for its own health, which runs nothing. An Event Grid topic takes events, and answers nothing
else: that it answers at all shows the way there.

Sources: "Get Queue Metadata" in the reference of Azure Storage; `HostController` of
azure-functions-host for ``admin/host/ping``.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from leeward.adapter.http_functions import Address
from leeward.adapter.looking import ask, bucket_look, function_look, reach, table_look
from leeward.adapter.plans import Need, Plan, Planner, View
from leeward.adapter.wire import Request, Response
from leeward.calls import Look, LookResult, Result
from leeward.calls.looks import BACKLOG, BUCKET, BUS, FUNCTION, QUEUE, TABLE, UNANSWERABLE
from leeward_azure.events.plans import EVENTS, topic_of
from leeward_azure.functions.messages import QUEUE as SERVICE
from leeward_azure.functions.messages import queue_of
from leeward_azure.identity.credentials import TopicKey
from leeward_azure.identity.signing import signed_storage
from leeward_azure.objects.plans import list_page
from leeward_azure.settings.services import (
    SERVICE_BUS,
    Blobs,
    Events,
    Functions,
    Queues,
    Tables,
    check_name,
)
from leeward_azure.tables.plans import load


def functions(configured: Functions) -> dict[str, Planner]:
    """Return the planner that looks for a function."""
    return {FUNCTION: function_look(partial(check_name, configured=configured), _host)}


def queues(configured: Queues) -> dict[str, Planner]:
    """Return the planners that look for the queue of a function, and at what waits in it."""
    return {QUEUE: partial(_queue, configured), BACKLOG: partial(_backlog, configured)}


def events(configured: Events) -> dict[str, Planner]:
    """Return the planner that looks for a bus."""
    return {BUS: partial(_bus, configured)}


def tables(configured: Tables) -> dict[str, Planner]:
    """Return the planner that looks for a container."""
    return {TABLE: table_look(partial(load, configured))}


def blobs(configured: Blobs) -> dict[str, Planner]:
    """Return the planner that looks for a container of blobs."""
    right = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"
    return {BUCKET: bucket_look(partial(list_page, configured), right=right)}


def _host(address: Address) -> Plan:
    why = f"{UNANSWERABLE}; with function_app, subscription_id and resource_group it can"
    return (yield from reach(Request("GET", address.origin, "/admin/host/ping"), why))


def _queue(configured: Queues, look: Look, view: View) -> Plan:
    right = "Microsoft.Storage/storageAccounts/queueServices/queues/read"
    request, proof = _metadata(configured, look), partial(signed_storage, configured.account)
    return (yield from ask(SERVICE, request, view, right=right, authorize=proof))


def _metadata(configured: Queues, look: Look) -> Request:
    path = f"{configured.path}/{queue_of(look.name, configured)}"
    target = f"{path}?comp=metadata" + (f"&{configured.sas}" if configured.sas else "")
    return Request("GET", configured.origin, target)


def _backlog(configured: Queues, look: Look, view: View) -> Plan:
    if look.name.startswith(SERVICE_BUS):
        return Result.ok(LookResult(None, "Service Bus tells it to Azure Monitor alone"))
    request, proof = _metadata(configured, look), partial(signed_storage, configured.account)
    answer = yield from SERVICE.exchange(request, view, effect=False, authorize=proof)
    return SERVICE.read_answer(answer, _waiting, status=200)


def _waiting(response: Response) -> LookResult:
    return LookResult(waiting=int(response.headers["x-ms-approximate-messages-count"]))


def _bus(configured: Events, look: Look, view: View) -> Plan:
    del view
    origin, target, _ = topic_of(look.name, configured)
    need: Any = TopicKey(look.name) if look.name in configured.keys else EVENTS.need
    yield Need(need)
    why = "Event Grid takes events and answers nothing else; it was reached, and a key is there"
    return (yield from reach(Request("GET", origin, target), why))
