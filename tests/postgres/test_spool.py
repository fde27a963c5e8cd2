"""The spool in a database, which several machines share."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from leeward import Client
from leeward._delivery.relay import SPOOL
from leeward.config import SpoolConfig
from leeward.errors import SpoolFull
from leeward.values import Promise
from tests.postgres.server import Server
from tests.spool import ledger
from tests.spool.test_spool import send, wait_until_drained


def test_events_wait_in_a_database(server: Server, tmp_path: Path) -> None:
    """In order per key, within its limits, and for whichever client comes next."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("DELETE FROM leeward.deliveries")
    ledger.begin_outage(tmp_path, "refuse throttle")
    config = ledger.config_of(tmp_path)._replace(
        spool=SpoolConfig(target="postgres", max_events=6),
        options={"postgres": {"url": server.url, "sslmode": "disable"}},
    )
    with Client(ledger.drivers_of(tmp_path), config=config) as client:
        assert [send(client, number, "k") for number in range(6)] == [Promise.SPOOLED] * 6
        with pytest.raises(SpoolFull, match="6 events, and may have 6"):
            send(client, 6, "k")
        (status,) = ledger.spool_of(client).relay.status(SPOOL)
        assert (status.waiting, status.dead, status.name) == (6, 0, ledger.BUS)
        assert ledger.spool_of(client).location == "postgres"
    ledger.end_outage(tmp_path)
    with Client(ledger.drivers_of(tmp_path), config=config) as client:
        assert send(client, 7, "other") is Promise.PUBLISHED
        wait_until_drained(client)
    taken = [number for _, key, number in ledger.taken_in(tmp_path) if key == "k"]
    assert taken == [*range(6)]
    assert not (tmp_path / "spool.sqlite3").exists()
