"""Journals of runs on a server, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import psycopg

from leeward.clock import Clock
from leeward.leases.holders import SteadyClock
from leeward.workflow.embedded.journal import Journal, ServerClock
from leeward_postgres.connections import ThreadExchanges
from leeward_postgres.driver import open_driver
from leeward_postgres.journal import PostgresJournal
from leeward_postgres.schema import schema_sql
from leeward_postgres.settings import settings_from
from tests.postgres.opening import config_for
from tests.postgres.server import Server


def make_schema(server: Server) -> None:
    """Make the schema, if it is not there."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(schema_sql("leeward").encode())


def journal_at(url: str) -> PostgresJournal:
    """Open the journal, as a client does; the target is closed with it."""
    driver = open_driver(config_for(url))
    stores = driver.stores()
    assert stores is not None
    assert stores.open_journal is not None
    journal = cast("PostgresJournal", stores.open_journal())
    close = journal.close

    def close_all() -> None:
        close()
        driver.close()

    journal.close = close_all  # type: ignore[method-assign]
    return journal


class Journals:
    """Journals that begin empty, one after the other, with clocks of their own.

    Args:
        url: of the database.
    """

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._exchanges = ThreadExchanges(settings_from(config_for(url)))

    def open(self, clock: Clock) -> Journal:
        """Forget all runs, and open the journal with a clock of a test."""
        for table in ("runs", "steps", "lost_calls", "arrivals"):
            self._connection.execute(f"DELETE FROM leeward.{table}")
        journal = _Kept(self._exchanges)
        journal.clock = SteadyClock(clock, lambda ahead: ahead)
        return journal

    def close(self) -> None:
        """Close every connection."""
        self._connection.close()
        self._exchanges.close()


class _Kept(PostgresJournal):
    """Leaves its connections to the next journal."""

    def close(self) -> None:
        pass


def open_journal(folder: Path, clock: Clock | None = None) -> Journal:
    """Open the journal at the server whose address a folder has in a file."""
    journal = journal_at((folder / "url").read_text(encoding="utf-8"))
    if clock is not None:
        journal.clock = ServerClock(journal._ask_time, clock)
    return journal
