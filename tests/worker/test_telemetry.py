"""What OpenTelemetry hears of a target's rows, from a worker that runs an app over them."""

from __future__ import annotations

import threading
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from leeward import App
from leeward._delivery import depths
from leeward._delivery.depths import DepthGauges
from leeward.entropy import new_id
from leeward.leases.faults import DatabaseFault
from leeward.leases.rules import Room
from leeward.local import Local
from leeward.stores import (
    QUEUED_CALL,
    SCHEDULE,
    AttemptFailure,
    DeliveryRows,
    Depth,
    LeaseEnd,
    NewRow,
    Recipient,
    sent_at,
)
from leeward.testing import FakeClock
from leeward.text import join_key
from leeward.worker import Worker
from tests.collected import Collected
from tests.worker.places import PATIENT, Place, until

pytestmark = pytest.mark.vendors

PARCELS, AUDIT = Recipient(QUEUED_CALL, "parcels"), Recipient("orders", "audit")


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> Collected:
    """Put an SDK of the test's own in the place of the process's."""
    return Collected(monkeypatch)


def read(gauges: DepthGauges) -> None:
    """Let the gauges be read, and wait until that has been done."""
    gauges.refresh()
    until(lambda: "leeward-depths" not in {each.name for each in threading.enumerate()})


def rows_of(place: Place) -> DeliveryRows:
    """Return the rows of a place."""
    stores = place.driver.stores()
    assert stores is not None
    return stores.deliveries


def test_how_much_waits_is_read_at_most_once_in_a_while(place: Place, collected: Collected) -> None:
    """By queue and by subscription: rows, dead letters, and the age of what waits longest."""
    clock, rows = FakeClock(), rows_of(place)
    old, older = new_id(clock.now() - 120), new_id(clock.now() - 300)
    rows.add([NewRow(PARCELS, None, old, "1"), NewRow(PARCELS, None, "own", "2")], 5)
    event = join_key("/shop#1", older)
    rows.add([NewRow(AUDIT, None, "own", "3"), NewRow(AUDIT, None, event, "4")], 5)
    (dead,) = rows.take([AUDIT], clock.now, Room(1, 1)).rows
    rows.finish([LeaseEnd(dead, AttemptFailure("E", again=False))], clock.now())
    gauges = DepthGauges("here", rows, lambda: [PARCELS, AUDIT], clock)
    read(gauges)
    queue = {"leeward.target": "here", "messaging.destination.name": "parcels"}
    subscription = {
        "leeward.target": "here",
        "messaging.destination.name": "orders",
        "messaging.destination.subscription.name": "audit",
    }
    metrics = collected.metrics()
    assert metrics["leeward.queue.waiting"] == [(queue, 2), (subscription, 1)]
    assert metrics["leeward.queue.dead"] == [(queue, 0), (subscription, 1)]
    ages = [
        (told, pytest.approx(age, abs=0.01)) for told, age in ((queue, 120), (subscription, 300))
    ]
    assert metrics["leeward.queue.oldest"] == ages
    (first,) = rows.take([PARCELS], clock.now, Room(1, 1)).rows
    rows.finish([LeaseEnd(first)], clock.now())
    read(gauges)
    assert collected.metrics()["leeward.queue.waiting"][0] == (queue, 2)  # as it was read last
    clock.advance(depths.READ_SECONDS)
    read(gauges)
    clock.advance(7.0)
    metrics = collected.metrics()
    assert metrics["leeward.queue.waiting"][0] == (queue, 1)
    # Its key says nothing, so its age counts from when it was seen first.
    assert metrics["leeward.queue.oldest"][0] == (queue, 7.0)
    gauges.close()
    assert "leeward.queue.waiting" not in collected.metrics()


def test_a_store_that_is_away_has_no_value(collected: Collected) -> None:
    """Rather than an old one; and it is asked again."""

    class Away:
        asked = 0

        def depths(self, known: Any, most: int) -> list[Depth]:
            del known, most
            self.asked += 1
            raise DatabaseFault(None, "away", "away")  # type: ignore[arg-type]

    away, clock = Away(), FakeClock()
    gauges = DepthGauges("here", away, lambda: [PARCELS], clock)  # type: ignore[arg-type]
    for _ in range(2):
        read(gauges)
        clock.advance(depths.READ_SECONDS)
    assert away.asked == 2
    assert "leeward.queue.waiting" not in collected.metrics()


def test_when_a_row_was_sent_is_in_its_key() -> None:
    """Of leeward's own keys; what somebody else has made says nothing."""
    id = new_id(1_000.0)
    assert sent_at(Depth(PARCELS, 1, 0, id)) == 1_000.0
    assert sent_at(Depth(AUDIT, 1, 0, join_key("", id))) == 1_000.0
    schedule = Recipient(SCHEDULE, "sweep")
    assert sent_at(Depth(schedule, 1, 0, "sweep#1970-01-01T00:01:00+00:00")) == 60.0
    odd = [Depth(schedule, 1, 0, "sweep#x"), Depth(PARCELS, 1, 0, "x"), Depth(PARCELS, 0, 0, None)]
    assert [sent_at(each) for each in odd] == [None] * 3


def test_a_worker_of_an_app_with_otel_tells_of_rows_and_targets(
    tmp_path: Path, collected: Collected
) -> None:
    """Its client is observed, too; without it nothing is told."""
    tmp_path.chmod(0o700)
    gate, app = Flag(), App("shop", otel=True)

    @app.on_message("parcels")
    def send(parcel: int) -> None:
        assert gate.wait(PATIENT)

    cloud = Local(path=tmp_path / "shop.sqlite3")
    cloud.stores().deliveries.add([NewRow(PARCELS, None, new_id(1.0), "1")], 5)
    with Worker(app, cloud, drain=PATIENT):
        until(lambda: "leeward.queue.waiting" in collected.metrics())
        metrics = collected.metrics()
        assert [value for _, value in metrics["leeward.queue.waiting"]] == [1]
        assert metrics["leeward.target.state"] == [({"leeward.target": "local"}, 0)]
        gate.set()
    assert "leeward.queue.waiting" not in collected.metrics()
