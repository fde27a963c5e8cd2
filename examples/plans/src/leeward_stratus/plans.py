"""What Stratus is asked: for each verb a plan, which makes one request and reads the answer."""

from functools import partial
from typing import Any

from leeward import json_text
from leeward.adapter import http_functions
from leeward.adapter.items import DoubleModel, Profile, decode, encode
from leeward.adapter.options import Values
from leeward.adapter.plans import Need, Plan, Planner, View
from leeward.adapter.service import JSON, Service, bearer, by_headers
from leeward.adapter.wire import Request
from leeward.calls import Delete, Invoke, Load, Publish, Result, Settle, Store, Stored
from leeward.cloudevents import document_of
from leeward.text import percent_encode
from leeward_stratus.errors import CODES, ERROR, REQUEST_ID, refusal
from leeward_stratus.tokens import TOKEN

STRATUS = Service(TOKEN, refusal, REQUEST_ID, by_headers(bearer))
FAILURES = frozenset(range(400, 600))

FUNCTIONS = http_functions.FunctionPlatform(
    tuple(
        http_functions.Proof(FAILURES, meaning, header_is=(ERROR, code), by_anyone=True)
        for code, meaning in CODES.items()
    ),
    request_id=lambda response: response.headers.get(REQUEST_ID),
)
"""A function may answer with any status. The header `ERROR` Stratus takes off its answers."""

ITEMS = Profile("Stratus", DoubleModel(integers=range(-(2**53), 2**53 + 1), decimals=True))
"""Stratus keeps JSON, with the numbers of JavaScript."""


def plans(settings: Values) -> dict[str, Planner]:
    """Return the planner of each verb."""
    planners = (invoke, publish, store, load, delete)
    named = {each.__name__: partial(each, settings["url"]) for each in planners}
    return {**named, "settle": named["invoke"]}


def invoke(origin: str, call: Invoke | Settle, view: View) -> Plan:
    """Call a function, or ask it what became of a call, and wait for its answer."""
    token = yield Need(TOKEN)
    target = f"/functions/{percent_encode(call.function)}"
    address = http_functions.Address(origin, target, token)
    return (yield from http_functions.invoke(FUNCTIONS, call, view, address))


def publish(origin: str, call: Publish, view: View) -> Plan:
    """Publish events, which are taken or refused together."""
    events = b"[%b]" % b",".join(map(document_of, call.events))
    request = Request("POST", origin, f"/buses/{percent_encode(call.bus)}", JSON, events)
    return STRATUS.exchange_json(request, view, lambda _: (Result.ok(None),) * len(call.events))


def store(origin: str, call: Store, view: View) -> Plan:
    """Replace an item, if the conditions hold; the value is its new revision."""
    request = _request(
        origin,
        call,
        item=encode(call.item, ITEMS, write_id=call.write_id, expires_at=call.expires_at),
        now=call.now,
        expires_at=call.expires_at,
        if_absent=call.if_absent,
        if_revision=call.if_revision,
    )
    return STRATUS.exchange_json(request, view, lambda said: said["revision"])


def load(origin: str, call: Load, view: View) -> Plan:
    """Read an item; the value is None if there is none."""
    return STRATUS.exchange_json(_request(origin, call), view, _stored)


def delete(origin: str, call: Delete, view: View) -> Plan:
    """Delete an item, if the condition holds."""
    request = _request(origin, call, now=call.now, if_revision=call.if_revision)
    return STRATUS.exchange_json(request, view, lambda _: None)


def _request(origin: str, call: Store | Load | Delete, **document: Any) -> Request:
    body = json_text.encode({"key": call.key.values[0], **document})
    return Request("POST", origin, f"/tables/{percent_encode(call.table)}/{call.verb}", JSON, body)


def _stored(said: dict[str, Any]) -> Stored | None:
    if said["item"] is None:
        return None
    found = decode(said["item"], ITEMS)
    return Stored(found.item, said["revision"], found.write_id, found.expires_at, found.foreign)
