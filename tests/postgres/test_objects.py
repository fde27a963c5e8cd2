"""Objects beyond the contract: pieces, transactions that are cut, and settling."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from enum import Enum
from hashlib import sha256
from typing import Any

import psycopg
import pytest

from leeward.adapter import Driver
from leeward.calls import GetObject, ListObjects, PutObject, SettleWrite
from leeward.entropy import new_id
from leeward.errors import Outcome
from leeward.values.settled import Verdict
from leeward_contract_tests.rows import each_row
from leeward_postgres.driver import open_driver
from leeward_postgres.schema.data import PIECE_BYTES
from tests.postgres.opening import SECONDS, config_for
from tests.postgres.proxy import PostgresProxy
from tests.postgres.server import Server

BUCKET = "pieces"


@pytest.fixture
def driver(server: Server, proxy: PostgresProxy) -> Iterator[Driver]:
    """Open the target behind a proxy."""
    url = server.url.replace(f":{server.port}/", f":{proxy.port}/")
    with closing(open_driver(config_for(url))) as driver:
        yield driver


def _put(name: str, body: bytes, **more: Any) -> PutObject:
    checksum = sha256(body).hexdigest()
    return PutObject(BUCKET, name, body, checksum, new_id(time.time()), **more)


def _body(driver: Driver, name: str, start: int = 0, length: int = 1 << 30) -> bytes | None:
    result = driver.perform(GetObject(BUCKET, name, start, length), SECONDS)
    assert result.outcome is Outcome.OK
    return None if result.value is None else bytes(result.value.data)


@each_row("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES, 5_000_000])
def test_every_range_is_what_was_put(driver: Driver, size: int) -> None:
    """At the edges of pieces, and beyond the end."""
    body = bytes(number * 7 % 251 for number in range(size))
    assert driver.perform(_put("ranges", body), SECONDS).outcome is Outcome.OK
    edges = [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, size - 1, size, size + 5]
    for start in edges:
        for length in (0, 1, 2, PIECE_BYTES, 2 * PIECE_BYTES + 3):
            if start >= 0:
                told = _body(driver, "ranges", start, length)
                assert told == body[start : start + length], (start, length)


def test_a_shorter_object_leaves_no_piece_of_the_longer(driver: Driver, server: Server) -> None:
    """Replaced, then deleted."""
    for size in (3 * PIECE_BYTES, 10):
        assert driver.perform(_put("shrinks", b"x" * size), SECONDS).outcome is Outcome.OK
        assert _body(driver, "shrinks") == b"x" * size
    with psycopg.connect(server.url) as connection:
        found = connection.execute(
            "SELECT count(*) FROM leeward.pieces JOIN leeward.objects ON id = object "
            "WHERE name = 'shrinks'"
        ).fetchone()
        assert found == (1,)


@each_row("spared, outcome", [(n, Outcome.NOT_SENT) for n in range(1, 4)])
def test_a_put_that_is_cut_before_its_commit_has_no_effect(
    driver: Driver, proxy: PostgresProxy, spared: int, outcome: Outcome
) -> None:
    """Whatever was sent of it: that is a proof."""
    assert driver.perform(_put("cut", b"old"), SECONDS).outcome is Outcome.OK
    new = _put("cut", bytes(3 * PIECE_BYTES))
    with proxy.lose_requests(1, after=spared):
        result = driver.perform(new, SECONDS)
    assert (result.outcome, _body(driver, "cut")) == (outcome, b"old")
    assert driver.perform(new, SECONDS).outcome is Outcome.OK


def test_a_put_that_is_cut_at_its_commit_is_settled(driver: Driver, proxy: PostgresProxy) -> None:
    """Before the server has it, and behind."""
    for way, verdict in (
        (proxy.lose_requests(1, after=4), Verdict.NOT_RUN),
        (proxy.lose_answers(0), Verdict.RAN),
    ):
        put = _put("commit", bytes(3 * PIECE_BYTES))
        with way:
            result = driver.perform(put, SECONDS)
        if verdict is Verdict.NOT_RUN:
            assert result.outcome is Outcome.AMBIGUOUS
        asked = SettleWrite(BUCKET, put)
        settled: Any = driver.perform(asked, SECONDS).value
        assert settled.verdict is verdict
        again = driver.perform(put, SECONDS)
        assert (again.outcome is Outcome.OK) is (verdict is Verdict.RAN)


def test_a_large_object_is_in_memory_piece_by_piece(driver: Driver) -> None:
    """Of 32 MiB no more than a few pieces are copied while they are put."""
    put = _put("large", bytes(32 * PIECE_BYTES))
    driver.perform(_put("small", b""), SECONDS)
    tracemalloc.start()
    try:
        assert driver.perform(put, 60.0).outcome is Outcome.OK
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * PIECE_BYTES


def test_odd_names_are_listed_as_they_were_put(driver: Driver) -> None:
    """In the order of their characters, also with one that PostgreSQL does not hold."""
    names = sorted(["odd\x00a", "odd\x00", "odd\x01", "odd\x01\x00", "odd", "odd\U0001f9ca"])
    for name in names:
        assert driver.perform(_put(name, b""), SECONDS).outcome is Outcome.OK
    listed: Any = driver.perform(ListObjects(BUCKET, "odd"), SECONDS).value
    assert [each.name for each in listed.objects] == names
    within: Any = driver.perform(ListObjects(BUCKET, "odd\x00"), SECONDS).value
    assert [each.name for each in within.objects] == ["odd\x00", "odd\x00a"]


class Name(str, Enum):  # noqa: UP042 - whose `str` is another
    """A name of an object."""

    MEMBER = "named-by-a-member"


def test_a_member_of_an_enumeration_is_its_text(driver: Driver) -> None:
    """`str` would return the name of the member, and another target keeps the text."""
    name = Name.MEMBER
    assert driver.perform(_put(name, b""), SECONDS).outcome is Outcome.OK
    listed: Any = driver.perform(ListObjects(BUCKET, "named-by"), SECONDS).value
    assert [each.name for each in listed.objects] == ["named-by-a-member"]
