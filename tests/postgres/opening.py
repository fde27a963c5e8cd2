"""Targets of PostgreSQL for tests, and calls for them."""

from __future__ import annotations

import time
from typing import Any

from leeward.adapter import TargetConfig
from leeward.calls import Delete, Key, Store
from leeward.entropy import new_id

SECONDS = 10.0


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
