"""The contract of `publish`: events arrive as they were given, and each has its own result."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from leeward import Client, Event, Outcome, Promise
from leeward.adapter import Capability, Driver
from leeward.calls import Publish
from leeward.testing import FaultyDriver
from leeward_contract_tests.contracts.base import Contract
from leeward_contract_tests.contracts.calls import BATCH_SECONDS, SECONDS, fresh, publish
from leeward_contract_tests.contracts.capabilities import needs
from leeward_contract_tests.contracts.observations import Deliveries
from leeward_contract_tests.fixtures import EVENTS

TYPE = "contract.happened"

DATA: dict[str, Any] = {
    "none": None,
    "an object": {"total": 9.5, "lines": [{"n": 1}, None, "caf\u00e9 \U0001f9ca"]},
    "a list": [1, [2, []]],
    "a text": "AAEC",
    "bytes": bytes(range(256)),
    "no bytes": b"",
}

MOMENT = datetime(2024, 2, 29, 12, 30, 15, 123_456, tzinfo=timezone(timedelta(hours=2)))


class PublishContract(Contract):
    """Publish CloudEvents, and let them arrive unchanged."""

    @needs(Capability.PUBLISH)
    def test_publish_delivers_the_data(
        self, client: Client, deliveries: Deliveries, subtests: pytest.Subtests
    ) -> None:
        """Deliver JSON as JSON and bytes as bytes."""
        for kind, data in DATA.items():
            with subtests.test(kind):
                receipt = client.publish_event(EVENTS, TYPE, data)
                delivered = deliveries.eventually(receipt.id)
                assert [(event.type, event.data) for event in delivered[:1]] == [(TYPE, data)]

    @needs(Capability.PUBLISH)
    def test_publish_keeps_the_id_that_was_given(
        self, client: Client, deliveries: Deliveries
    ) -> None:
        """Deliver an event under the id that its publisher chose."""
        given = fresh("given")
        receipt = client.publish_event(EVENTS, TYPE, id=given)
        assert receipt.id == given
        assert {event.id for event in deliveries.eventually(given)} == {given}

    @needs(Capability.PUBLISH)
    def test_publish_keeps_the_id_that_was_minted(
        self, client: Client, recorder: FaultyDriver, deliveries: Deliveries
    ) -> None:
        """Deliver an event under the id that the client minted and the receipt names."""
        receipt = client.publish_event(EVENTS, TYPE)
        assert [event.id for event in events_of(recorder)] == [receipt.id]
        assert {event.id for event in deliveries.eventually(receipt.id)} == {receipt.id}

    @needs(Capability.PUBLISH)
    def test_publish_keeps_source_subject_and_time(
        self, client: Client, deliveries: Deliveries
    ) -> None:
        """Deliver the attributes that CloudEvents defines, the time to the microsecond."""
        event = Event(
            TYPE, id=fresh("event"), source="urn:contract:\u00fc", subject="orders/42", time=MOMENT
        )
        client.publish_events(EVENTS, [event]).raise_if_failed()
        delivered = deliveries.eventually(str(event.id))
        assert [(event.source, event.subject, event.time) for event in delivered[:1]] == [
            ("urn:contract:\u00fc", "orders/42", MOMENT)
        ]

    @needs(Capability.PUBLISH)
    def test_publish_keeps_extensions(self, client: Client, deliveries: Deliveries) -> None:
        """Deliver extension attributes with their types."""
        extensions: dict[str, str | int | bool] = {
            "tenant": "a b/\u00fc",
            "retries": -7,
            "urgent": True,
            "number": "7",
        }
        event = Event(TYPE, id=fresh("event"), extensions=extensions)
        client.publish_events(EVENTS, [event]).raise_if_failed()
        delivered = deliveries.eventually(str(event.id))
        assert [dict(event.extensions) for event in delivered[:1]] == [extensions]

    @needs(Capability.PUBLISH)
    def test_publish_tells_how_it_went(self, client: Client, driver: Driver) -> None:
        """Promise PUBLISHED, name the target, and list the one attempt."""
        receipt = client.publish_event(EVENTS, TYPE)
        (attempt,) = receipt.attempts
        assert (receipt.target, attempt.target) == (driver.target, driver.target)
        assert (receipt.promise, attempt.outcome) == (Promise.PUBLISHED, Outcome.OK)

    @needs(Capability.PUBLISH)
    def test_publish_gives_each_event_a_result(self, driver: Driver) -> None:
        """Return one result for each event of a request, in order."""
        result = driver.perform(publish(*(Event(TYPE, n) for n in range(3))), SECONDS)
        assert result.outcome is Outcome.OK
        assert [result_.outcome for result_ in result.value or ()] == [Outcome.OK] * 3

    @needs(Capability.PUBLISH)
    def test_publish_delivers_every_event_that_it_reports(
        self, client: Client, driver: Driver, deliveries: Deliveries
    ) -> None:
        """Report events in the order given, and deliver each that is reported as published."""
        events = [
            Event(TYPE, n, id=fresh("event")) for n in range(min(10, driver.limits.batch_events))
        ]
        report = client.publish_events(EVENTS, events)
        assert [entry.id for entry in report.entries] == [event.id for event in events]
        assert {(entry.target, entry.promise) for entry in report.entries} == {
            (driver.target, Promise.PUBLISHED)
        }
        assert [_data(deliveries.eventually(str(event.id))) for event in events] == [
            {n} for n in range(len(events))
        ]

    @needs(Capability.PUBLISH)
    def test_publish_splits_what_are_too_many_events(
        self, client: Client, driver: Driver, recorder: FaultyDriver, deliveries: Deliveries
    ) -> None:
        """Accept a batch of more events than one request holds, in order, in several requests."""
        limit = driver.limits.batch_events
        events = [Event(TYPE, n, id=fresh("event")) for n in range(limit + 1)]
        client.publish_events(EVENTS, events, timeout=BATCH_SECONDS).raise_if_failed()
        requests = [events_of(recorder, call) for call in recorder.calls]
        assert [event.id for request in requests for event in request] == [e.id for e in events]
        assert [len(request) for request in requests if len(request) > limit] == []
        assert _data(deliveries.eventually(str(events[-1].id))) == {limit}

    @needs(Capability.PUBLISH)
    def test_publish_takes_events_of_the_declared_size(
        self, client: Client, driver: Driver, recorder: FaultyDriver, deliveries: Deliveries
    ) -> None:
        """Accept events as large as declared, in requests no larger than declared."""
        room = min(driver.limits.event_bytes, driver.limits.batch_bytes) - 1000
        large = [Event(TYPE, "x" * room, id=fresh("event")) for _ in range(2)]
        client.publish_events(EVENTS, large, timeout=BATCH_SECONDS).raise_if_failed()
        together = driver.limits.batch_bytes >= 2 * (room + 1000)
        assert len(recorder.calls) == (1 if together else 2)
        assert [len(deliveries.eventually(str(event.id))[0].data) for event in large] == [room] * 2

    @needs(Capability.PUBLISH, Capability.ORDERING)
    def test_publish_keeps_the_order_of_a_key(
        self, client: Client, driver: Driver, deliveries: Deliveries
    ) -> None:
        """Deliver the events of one ordering key in the order of publishing, batch or not."""
        shared, count = fresh("ordered"), min(driver.limits.batch_events, 100) + 5
        events = [
            Event(TYPE, n, id=shared, source=f"urn:contract:{n}", ordering_key="k")
            for n in range(count)
        ]
        client.publish_events(EVENTS, events[:-2], timeout=BATCH_SECONDS).raise_if_failed()
        for event in events[-2:]:
            client.publish_events(EVENTS, [event]).raise_if_failed()
        delivered = deliveries.eventually(shared, count)
        assert list(dict.fromkeys(event.data for event in delivered)) == list(range(count))


def events_of(recorder: FaultyDriver, *calls: Any) -> list[Event]:
    """Return the events that were put to the driver, by `calls` or by all of them."""
    return [
        event
        for call in calls or recorder.calls
        if isinstance(call, Publish)
        for event in call.events
    ]


def _data(delivered: Iterable[Event]) -> set[Any]:
    return {event.data for event in delivered}
