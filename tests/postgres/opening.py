"""Servers and targets of PostgreSQL for tests, and calls for them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from leeward.adapter import TargetConfig
from leeward.calls import Delete, Key, Store
from leeward.entropy import new_id
from leeward_contract_tests.fixtures import Seen, contract_functions
from leeward_postgres.schema import schema_sql
from tests.postgres.server import Server

SECONDS = 10.0


@contextmanager
def open_server() -> Iterator[Server]:
    """Start a server with the schema in it, and queues for the functions of the contract."""
    server = Server()
    try:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(schema_sql("leeward").encode())
            names = list(contract_functions(Seen()))
            connection.execute(
                "SELECT leeward.tend_rows(%s::text[], %s::text[])", ([""] * len(names), names)
            )
        yield server
    finally:
        server.stop()


def config_for(url: str, **options: Any) -> TargetConfig:
    """Return the configuration of a target ``postgres`` at `url`."""
    given = {"url": url, "sslmode": "disable", **options}
    return TargetConfig("postgres", "postgres", None, given, {})


def store_of(table: str, key: str, n: int, **more: Any) -> Store:
    """Return a store of an item."""
    now = time.time()
    return Store(table, Key(("id",), (key,)), {"id": key, "n": n}, new_id(now), now, **more)


def delete_of(table: str, key: str) -> Delete:
    """Return a deletion that has an id."""
    now = time.time()
    return Delete(table, Key(("id",), (key,)), now, write_id=new_id(now))
