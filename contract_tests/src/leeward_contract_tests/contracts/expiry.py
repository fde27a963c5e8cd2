"""The contract of expiry: what has expired is absent, by the caller's clock.

Clouds collect what has expired late, by days even, so the expiry that counts is the one that is
kept with the item, compared with the time in the call. Here the client's clock goes ahead while
the cloud's stands still, so that nothing is collected meanwhile.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import ceil

import pytest

from leeward import Client, Conflict
from leeward.adapter import Capability
from leeward.testing import FakeClock
from leeward.values import Item
from leeward_contract_tests.contracts.base import Contract
from leeward_contract_tests.contracts.calls import fresh
from leeward_contract_tests.contracts.capabilities import needs
from leeward_contract_tests.fixtures import ITEMS

TABLES, CONDITIONS, EXPIRY = Capability.TABLES, Capability.CONDITIONS, Capability.EXPIRY

HOUR = 3600.0


class ExpiryContract(Contract):
    """Keep an expiry with an item, and take an expired item for absent."""

    @needs(TABLES, EXPIRY)
    def test_an_item_is_there_until_it_expires(self, client: Client, clock: FakeClock) -> None:
        """Return an item before its time, and tell the time, to the second."""
        item: Item = {"id": fresh("item"), "n": 1}
        due = datetime.fromtimestamp(clock.now() + HOUR, UTC)
        client.store_data(ITEMS, item, expires_in=HOUR)
        clock.advance(HOUR - 60)
        record = client.load_data(ITEMS, item["id"])
        assert record is not None
        assert record.item == item
        assert record.expires_at is not None
        assert abs(record.expires_at - due) < timedelta(seconds=1)

    @needs(TABLES, EXPIRY)
    def test_an_expired_item_is_not_found(self, client: Client, clock: FakeClock) -> None:
        """Return None once the time has come."""
        item: Item = {"id": fresh("item")}
        client.store_data(ITEMS, item, expires_in=HOUR)
        clock.advance(HOUR + 1)
        assert client.load_data(ITEMS, item["id"]) is None

    @needs(TABLES, EXPIRY)
    def test_a_store_without_expiry_takes_it_away(self, client: Client, clock: FakeClock) -> None:
        """Replace the expiry with the item: a later write without one stays."""
        item: Item = {"id": fresh("item")}
        client.store_data(ITEMS, item, expires_in=HOUR)
        client.store_data(ITEMS, item)
        clock.advance(HOUR + 1)
        record = client.load_data(ITEMS, item["id"])
        assert record is not None
        assert record.expires_at is None

    @needs(TABLES, EXPIRY)
    def test_an_expired_item_is_deleted_like_any(self, client: Client, clock: FakeClock) -> None:
        """Count a delete of an expired item as done."""
        item: Item = {"id": fresh("item")}
        client.store_data(ITEMS, item, expires_in=HOUR)
        clock.advance(HOUR + 1)
        client.delete_data(ITEMS, item["id"])
        assert client.load_data(ITEMS, item["id"]) is None

    @needs(TABLES, CONDITIONS, EXPIRY)
    def test_if_absent_respects_what_has_not_expired(
        self, client: Client, clock: FakeClock
    ) -> None:
        """Report CONFLICT while the item's time has not come."""
        item: Item = {"id": fresh("item")}
        client.store_data(ITEMS, item, expires_in=HOUR)
        clock.advance(HOUR - 60)
        with pytest.raises(Conflict):
            client.store_data(ITEMS, item, if_absent=True)

    @needs(TABLES, CONDITIONS, EXPIRY)
    def test_if_absent_stores_over_what_has_expired(self, client: Client, clock: FakeClock) -> None:
        """Count an expired item as absent, by the time in the call."""
        item: Item = {"id": fresh("item"), "n": 1}
        client.store_data(ITEMS, item, expires_in=HOUR)
        clock.advance(HOUR + 1)
        client.store_data(ITEMS, {**item, "n": 2}, if_absent=True)
        record = client.load_data(ITEMS, item["id"])
        assert record is not None
        assert record.item["n"] == 2

    @needs(TABLES, CONDITIONS, EXPIRY)
    def test_if_absent_stores_at_the_moment_of_expiry(
        self, client: Client, clock: FakeClock
    ) -> None:
        """Count an item as absent from the very second of its expiry on, not only after it."""
        clock.advance(ceil(clock.now()) - clock.now())  # whole seconds, which every cloud keeps
        item: Item = {"id": fresh("item")}
        first = client.store_data(ITEMS, item, expires_in=HOUR)
        clock.advance(HOUR)
        assert client.load_data(ITEMS, item["id"]) is None
        with pytest.raises(Conflict):
            client.store_data(ITEMS, item, if_revision=first.revision)
        client.store_data(ITEMS, item, if_absent=True)

    @needs(TABLES, CONDITIONS, EXPIRY)
    def test_if_revision_does_not_revive_what_has_expired(
        self, client: Client, clock: FakeClock
    ) -> None:
        """Report CONFLICT for the revision of an expired item: there is none any more."""
        item: Item = {"id": fresh("item")}
        first = client.store_data(ITEMS, item, expires_in=HOUR)
        clock.advance(HOUR + 1)
        with pytest.raises(Conflict):
            client.store_data(ITEMS, item, if_revision=first.revision)
        assert client.load_data(ITEMS, item["id"]) is None

    @needs(TABLES, CONDITIONS, EXPIRY)
    def test_if_revision_does_not_delete_what_has_expired(
        self, client: Client, clock: FakeClock
    ) -> None:
        """Report CONFLICT for a delete of an expired revision."""
        item: Item = {"id": fresh("item")}
        first = client.store_data(ITEMS, item, expires_in=HOUR)
        clock.advance(HOUR + 1)
        with pytest.raises(Conflict):
            client.delete_data(ITEMS, item["id"], if_revision=first.revision)
