"""A clock that is decades off, ours or a provider's, wins nothing and wedges nothing."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from leeward import Client, Config, LeewardError
from leeward._delivery.sqlite_store import SqliteDeliveries
from leeward._routing.policy import RoutingPolicy
from leeward.adapter import TargetConfig
from leeward.adapter.service import LONGEST_WAIT, wait_in
from leeward.clock import SystemClock
from leeward.config import TableConfig
from leeward.leases.rules import DeliveryPolicy, Room
from leeward.local import Local
from leeward.registry import open_target
from leeward.stores import LeaseEnd, NewRow, Recipient
from leeward.testing import FakeClock
from tests.http.wire import Wire, answer

pytestmark = pytest.mark.threat("S18")

DECADES = 73 * 365.25 * 86_400
AT = 1_800_000_000.0
"""2027-01-15T08:00:00Z."""
RECIPIENT = Recipient("orders", "remember")
DATES = {
    "aws": (rb"X-Amz-Date: (\d{8}T\d{6})Z", "%Y%m%dT%H%M%S"),
    "azure": (rb"x-ms-date: ([^\r]+) GMT", "%a, %d %b %Y %H:%M:%S"),
}
SKEWED = {
    "aws": b'{"__type": "x#InvalidSignatureException", "message": "Signature expired: 20991231"}',
    "azure": b'{"code": "AuthenticationFailed", "message": "not within the allowed range"}',
}


def target(provider: str, origin: str) -> TargetConfig:
    """Give a target whose requests are signed with a time."""
    if provider == "aws":
        env = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "key"}
        return TargetConfig("aws:us-east-1", "aws", "us-east-1", {"endpoint_url": origin}, env)
    options = {
        "storage_connection_string": f"AccountName=a;AccountKey=a2V5;QueueEndpoint={origin}/a",
        "cosmos_endpoint": origin, "cosmos_key": "a2V5", "cosmos_database": "d",
    }  # fmt: skip
    return TargetConfig("azure", "azure", None, options, {})


@pytest.mark.row(13)
@pytest.mark.parametrize("provider", DATES)
@pytest.mark.parametrize(
    "date", ["Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 14 Jan 2100 08:00:00 GMT",
             "Thu, 01 Jan 1970 00:00:00 GMT", "Mon, 01 Jan 0001 00:00:00 GMT"],
)  # fmt: skip
def test_a_providers_date_dates_no_request(provider: str, date: str) -> None:
    """A refusal that blames our clock, with a date far off: what follows has our own time."""
    body = SKEWED[provider]
    head = f"HTTP/1.1 403 No\r\nDate: {date}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with Wire(answer(head + body)) as wire:
        driver = open_target(target(provider, wire.origin()))
        config = Config(tables={"t": TableConfig()})
        with Client(driver, config=config, clock=FakeClock()) as client:
            for _ in range(3):
                with pytest.raises(LeewardError):
                    client.load_data("t", "1")
    pattern, written = DATES[provider]
    found = [
        m[1].decode() for each in wire.requests if (m := re.search(pattern, each, re.IGNORECASE))
    ]
    assert len(found) == len(wire.requests) >= 3
    for text in found:
        at = datetime.strptime(text, written).replace(tzinfo=UTC)
        assert abs((at - datetime.now(UTC)).total_seconds()) < 86_400


def test_a_wait_that_lasts_decades_is_not_believed() -> None:
    """Neither in seconds nor as a date, and what is believed bounds a call all the same."""
    for text in ("Thu, 14 Jan 2100 08:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "99999999"):
        assert wait_in(text, AT) is None
    assert wait_in("Thu, 14 Jan 2027 08:00:00 GMT", AT) is None, "it is over"
    assert wait_in("3", AT) == 3.0
    assert RoutingPolicy().retry_after_cap < LONGEST_WAIT


def test_a_lease_of_a_wrong_clock_wedges_no_delivery(tmp_path: Path) -> None:
    """Its process was decades ahead, or ours is back: the row is due now, and not in decades."""
    with closing(Local(path=tmp_path / "data" / "db")) as local:
        store = SqliteDeliveries(local._database, DeliveryPolicy(), SystemClock())
        store.add([NewRow(RECIPIENT, "lane", "key", "{}")], 5.0)
        for attempt, now in enumerate((AT + DECADES, AT, AT - DECADES, AT), 1):
            (taken,) = store.take([RECIPIENT], partial(float, now), Room(8, 8)).rows
            assert taken.attempt == attempt
            assert store.take([RECIPIENT], partial(float, now), Room(8, 8)).rows == [], "leased"
            assert store.next_due([RECIPIENT], now) == now + DeliveryPolicy().lease
        store.finish([LeaseEnd(taken)], AT)
        assert store.count_waiting([RECIPIENT]) == 0


@pytest.mark.parametrize("off", [DECADES, -DECADES])
def test_an_item_is_not_lost_to_a_clock_that_was_off(tmp_path: Path, off: float) -> None:
    """Revisions do not come from clocks: what was written later is there, and can be replaced."""
    path = tmp_path / "data" / "db"
    with Client(Local(path=path, clock=FakeClock(AT + off)), clock=FakeClock(AT + off)) as wrong:
        first = wrong.store_data("t", {"id": "1", "by": "wrong"})
    with Client(Local(path=path, clock=FakeClock(AT)), clock=FakeClock(AT)) as right:
        right.store_data("t", {"id": "1", "by": "right"}, if_revision=first.revision)
        found = right.load_data("t", "1")
        assert found is not None
        assert found.item["by"] == "right"
        right.delete_data("t", "1", if_revision=found.revision)
        assert right.load_data("t", "1") is None
