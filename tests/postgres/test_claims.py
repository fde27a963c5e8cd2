"""What a claim costs, however many rows there are that it does not take."""

from __future__ import annotations

from contextlib import closing

import psycopg

from leeward_postgres.schema import schema_sql
from tests.postgres.claims import OWN_STATES, SCHEMA, Claims, measure_all
from tests.postgres.server import Server

ROWS = 4_000
FEW = 2_500
"""Pages: who walked past all rows would read one for each, at least, and one for its lane."""


def test_a_claim_walks_past_no_row_of_another_state(server: Server) -> None:
    """Or of another recipient. `python -m tests.postgres.claims` measures it beside 200,000."""
    read = {name: pages for name, *_, pages in measure_all(server.url, ROWS, 1)}
    assert len(read) == 2 * len(OWN_STATES)
    assert {name: pages for name, pages in read.items() if pages > FEW} == {}


def test_the_schema_waits_for_no_writer_that_has_read(server: Server) -> None:
    """To apply it again takes no lock for which either of them would have to wait."""
    with (
        closing(Claims(server.url)),  # makes the schema
        psycopg.connect(server.url) as writer,
        psycopg.connect(server.url, autocommit=True) as admin,
    ):
        writer.execute(f"SELECT FROM {SCHEMA}.deliveries FOR UPDATE".encode())
        admin.execute(schema_sql(SCHEMA).encode())
        writer.execute(f"UPDATE {SCHEMA}.deliveries SET attempts = attempts + 1".encode())
        writer.commit()
