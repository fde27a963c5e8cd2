"""EventBridge: publish CloudEvents.

A bus keeps an event's `Source`, `DetailType` and `Detail`, and gives it an id of its own. So the
whole CloudEvent, as JSON, is the detail, and rules match on ``detail.data``; source and type are
repeated outside, where rules look first.

EventBridge answers 200 for a bus that is not there, and drops the events. So a plan looks once
whether the bus is there, before it first publishes to it. Where that may not be asked, or nobody
answers, it still publishes: who may only publish is not worse off than with AWS's own tools.
A bus that is deleted later is not noticed.

Source: the API reference of `PutEvents`.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any, Final

from leeward.adapter.plans import SKEWED, STALE_CREDENTIALS, Learn, Plan, Planner, Step, View
from leeward.adapter.service import object_of
from leeward.adapter.wire import Response
from leeward.calls import Publish, Result
from leeward.cloudevents import document_of
from leeward.errors import InvalidRequest, Outcome
from leeward.json_text import Undecodable
from leeward.values import Event
from leeward_aws.errors import entry_outcome
from leeward_aws.service import REQUEST_ID, Endpoint, endpoint_of
from leeward_aws.settings.options import Settings

LONGEST_SOURCE: Final = 256
"""Characters of an entry's `Source`."""

DEFAULT_BUS: Final = "default"
"""It is there in every account and region."""

UNANSWERED: Final = "unanswered"
"""AMBIGUOUS: an entry of the answer that says neither that the event was taken, nor why not."""

_REPLAYED: Final = (SKEWED, STALE_CREDENTIALS)


def events(settings: Settings) -> dict[str, Planner]:
    """Return the planner of ``publish``."""
    return {"publish": partial(publish, endpoint_of("events", settings))}


def publish(endpoint: Endpoint, call: Publish, view: View) -> Plan:
    """Publish events in one request; the value has one result for each.

    Raises:
        InvalidRequest: a source that EventBridge does not take; before anything is sent.
    """
    for index, event in enumerate(call.events):
        source = event.source or ""
        field = f"events[{index}].source"
        if len(source) > LONGEST_SOURCE:
            raise InvalidRequest(
                f"{field} has {len(source)} characters, and EventBridge takes at most "
                f"{LONGEST_SOURCE}; shorten it",
                field=field,
            )
        if source.startswith("aws."):
            raise InvalidRequest(
                f"{field} begins with 'aws.', which EventBridge keeps for AWS's own events; "
                "choose another",
                field=field,
            )
    missing = yield from _check_bus(endpoint, call.bus, view)
    if missing is not None:
        return missing
    entries = [_entry(event, call.bus) for event in call.events]
    request = endpoint.request("PutEvents", {"Entries": entries})
    answer = yield from endpoint.service.exchange(request, view)
    return endpoint.service.read_answer(answer, partial(_results_in, len(entries)))


def _check_bus(
    endpoint: Endpoint, bus: str, view: View
) -> Generator[Step, Any, Result[Any] | None]:
    """Look whether `bus` is there, unless that is known; give a result if it is not."""
    bus_key = f"bus:{bus}"
    if bus == DEFAULT_BUS or bus_key in view.learnt:
        return None
    request = endpoint.request("DescribeEventBus", {"Name": bus})
    steps = endpoint.service.exchange(request, view, effect=False)
    refusal = (yield from steps).as_look_up().refusal
    if refusal is None:
        yield Learn(bus_key, True)
    elif refusal.outcome is Outcome.NOT_FOUND:
        return refusal._replace(
            message="there is no such event bus; EventBridge would have answered 200 and dropped "
            "the events"
        )
    elif refusal.outcome is Outcome.AUTH:
        if refusal.reason in _REPLAYED:
            return refusal  # the publication, signed alike, would be refused alike
        yield Learn(bus_key, False)  # it may not be asked; no need to ask each time
    return None


def _entry(event: Event, bus: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "Source": event.source,
        "DetailType": event.type,
        "Detail": document_of(event).decode(),
        "EventBusName": bus,
    }
    if event.time is not None:
        seconds = event.time.timestamp()
        entry["Time"] = int(seconds) if seconds.is_integer() else seconds
    return entry


def _results_in(count: int, response: Response) -> tuple[Result[None], ...]:
    """Return one result for each event, in order; the answer tells them apart by position alone.

    Raises:
        Undecodable: it does not hold one entry for each, or contradicts itself.
    """
    document = object_of(response)
    entries = document.get("Entries")
    if not isinstance(entries, list) or len(entries) != count:
        raise Undecodable("the answer does not have one entry for each event")
    taken: Result[None] = Result.ok(None, request_id=response.headers.get(REQUEST_ID))
    results = tuple([_result_of(entry, taken) for entry in entries])
    failed = count - results.count(taken)
    if document.get("FailedEntryCount", failed) != failed:
        raise Undecodable("the answer counts other failures than it lists")
    return results


def _result_of(entry: Any, taken: Result[None]) -> Result[None]:
    """Return `taken` for an event that was, else the same request's result of one that was not."""
    fields = entry if isinstance(entry, dict) else {}
    code = fields.get("ErrorCode")
    if code is None and isinstance(fields.get("EventId"), str):
        return taken
    if isinstance(code, str) and code:
        outcome, reason = entry_outcome(code)
        return taken._replace(outcome=outcome, code=code[:100], reason=reason)
    return taken._replace(outcome=Outcome.AMBIGUOUS, reason=UNANSWERED, executed=True)
