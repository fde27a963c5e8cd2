"""A place for workers at each target that keeps rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from leeward.local import Local
from leeward_postgres.driver import open_driver
from leeward_postgres.schema import schema_sql
from tests.postgres.conftest import server
from tests.postgres.opening import config_for
from tests.postgres.server import Server
from tests.worker.places import Place

__all__ = ["server"]


def _at_postgres(folder: Path, server: Server) -> Place:
    schema = f"worker_{uuid4().hex}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(schema_sql(schema).encode())
    config = config_for(server.url, schema=schema)
    return Place(folder, "postgres", config.options, open_driver(config))


@pytest.fixture(params=["local", "postgres"])
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    """Give a place where nothing was queued yet."""
    tmp_path.chmod(0o700)
    if request.param == "local":
        file = tmp_path / "shop.sqlite3"
        place = Place(tmp_path, "local", {"path": str(file)}, Local(path=file))
    else:
        place = _at_postgres(tmp_path, request.getfixturevalue("server"))
    yield place
    place.close()


@pytest.fixture
def postgres(tmp_path: Path, server: Server) -> Iterator[Place]:
    """Give such a place on PostgreSQL."""
    tmp_path.chmod(0o700)
    place = _at_postgres(tmp_path, server)
    yield place
    place.close()
