"""Lists of partitions against a model of them, on every store, with writers beside.

    python -m tests.clouds.lists --cases 100000

The model knows what is promised, and nothing of how it is done: the items of a partition in the
order of the bytes of their sort values, between bounds, each once. Of what is written while a list
is read it knows less: what was there throughout comes once, what came or went meanwhile once at
most, and all of it in order.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple
from unittest import mock

from leeward import AsyncClient, Client, InvalidRequest, ItemPage, TargetUnusable
from leeward.adapter import Driver
from leeward.local import Local
from leeward.testing import FakeClock
from leeward_contract_tests import contract_config
from leeward_contract_tests.fixtures import PAIR, PAIRS
from tests.clouds.places import PLACES

PLAIN: Final = "\x00\x01\t !\"#%'+-./019:;=?AZ[\\]^_`az{|}~\x7f\x80\u00e9\u03c3\u540d\ud7ff"
"""Characters on which stores are likely to differ."""

HIGH: Final = {"basic": "\ue000\ufb01\ufffd\uffff", "beyond": "\U00010000\U0001f9ca\U0010ffff"}
"""Characters that UTF-16 puts in another order, if both kinds meet."""

MOST_BYTES: Final = 1023
"""Of a key's value."""

EXPIRY: Final = 60.0


def order(text: str) -> bytes:
    """Return what texts are in the order of."""
    return text.encode()


class Arguments(NamedTuple):
    """The bounds and the direction of a list."""

    begins: str | None = None
    after: str | None = None
    before: str | None = None
    descending: bool = False

    def holds(self, sort: str) -> bool:
        """Return whether a sort value belongs to the list."""
        return (
            sort.startswith(self.begins or "")
            and (not self.after or order(sort) > order(self.after))
            and (self.before is None or order(sort) < order(self.before))
        )

    def is_empty(self) -> bool:
        """Return whether no text at all belongs to the list, which is an error."""
        begins, after, before = self.begins or "", self.after or "", self.before
        past = order(after) > order(begins) and not after.startswith(begins)
        if before is None:
            return past
        return past or order(before) <= order(begins) or order(before) <= order(after)


class Partition(NamedTuple):
    """What is in a partition.

    Attributes:
        name: its value.
        stable: sort values that are there throughout; their items may be replaced.
        restless: sort values that come and go.
        expired: sort values of expired items.
        is_mixed: both kinds of `HIGH` are in them.
    """

    name: str
    stable: frozenset[str]
    restless: tuple[str, ...]
    expired: frozenset[str]
    is_mixed: bool


class Keys:
    """Makes sort values that are alike."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def some(self, count: int, alphabet: str) -> list[str]:
        """Return so many different ones, many of which begin with another."""
        found: dict[str, None] = {}
        while len(found) < count:
            text = self._random.choice([*found, "", ""])[: self._random.choice((1, 2, 5, 400))]
            text += "".join(self._random.choices(alphabet, k=self._random.randint(1, 4)))
            if self._random.random() < 0.04:
                text = text[:3] + self._random.choice(alphabet) * 330 + text[3:]
            while len(order(text)) > MOST_BYTES:
                text = text[:-50]
            found[text] = None
        return list(found)

    def bound(self, known: list[str], alphabet: str) -> str:
        """Return one that is there, or the beginning of one, or any."""
        kind = self._random.random()
        text = self._random.choice(known) if kind < 0.8 else self.some(1, alphabet)[0]
        return text[: self._random.randint(1, len(text))] if kind < 0.4 else text


class Tally:
    """What was done on a store.

    Attributes:
        lists: read to their ends.
        pages: read.
        items: that came.
        refusals: lists whose bounds left nothing, and cursors of other lists.
        disorders: lists of a store that compares by UTF-16, which was to be told.
        writes: beside.
    """

    def __init__(self) -> None:
        self.lists = self.pages = self.items = self.refusals = self.disorders = self.writes = 0

    def line(self, store: str, seconds: float) -> str:
        """Return it for people."""
        return (
            f"{store:9} {self.pages:7,} pages of {self.lists:6,} lists, {self.items:8,} items, "
            f"{self.writes:7,} writes beside, {self.refusals:5,} refusals, "
            f"{self.disorders:4,} disorders told, 0 wrong, {seconds:.0f} s"
        )


class Writer(threading.Thread):
    """Lets items of a partition come and go, and replaces others, until it is closed."""

    def __init__(self, client: Client, partition: Partition, seed: int, pause: float) -> None:
        super().__init__(daemon=True)
        self._client = client
        self._partition = partition
        self._random = Random(seed)
        self._pause = pause
        self._end = threading.Event()
        self.count = 0
        self.error: BaseException | None = None

    def run(self) -> None:
        """Write, with pauses."""
        try:
            while not self._end.wait(self._pause * self._random.random()):
                self.write()
        except BaseException as error:  # noqa: BLE001 - whoever closes it hears of it
            self.error = error

    def write(self, sort: str | None = None) -> None:
        """Write one item: a restless one, or replace another."""
        partition, n = self._partition, self._random.randrange(1 << 30)
        if sort is None:
            sort = self._random.choice([*partition.restless, *partition.stable])
        item = {**key_of(partition.name, sort), "n": n}
        if sort in partition.stable or n % 2:
            self._client.store_data(PAIRS, item)
        else:
            self._client.delete_data(PAIRS, key_of(partition.name, sort))
        self.count += 1

    def close(self) -> None:
        """End it.

        Raises:
            BaseException: what has ended it before.
        """
        self._end.set()
        self.join()
        if self.error is not None:
            raise self.error


def key_of(partition: str, sort: str) -> dict[str, Any]:
    """Return the key of an item."""
    return dict(zip(PAIR, (partition, sort), strict=True))


class Proof:
    """Lists on one store.

    Args:
        store: its provider.
        opened: opens a driver on it.
        random: makes everything.
    """

    def __init__(self, store: str, opened: Callable[[], Driver], random: Random) -> None:
        self._store = store
        self._open = opened
        self._random = random
        self._keys = Keys(random)
        self._clock = FakeClock()
        self._driver = opened()
        self._client = Client(self._driver, config=contract_config(), clock=self._clock)
        self._rivals = Client(opened(), config=contract_config(), clock=self._clock)
        self.tally = Tally()

    def run(self, pages: int) -> None:
        """Read so many pages, of one partition after the other."""
        try:
            while self.tally.pages < pages:
                self._play(min(pages, self.tally.pages + 300))
        finally:
            self._client.close()
            self._rivals.close()

    def _play(self, until: int) -> None:
        """Fill a partition, read it in many ways, and empty it."""
        mixed = self._random.random() < 0.15
        kinds = tuple(HIGH) if mixed else (self._random.choice(tuple(HIGH)),)
        alphabet = PLAIN + "".join(HIGH[kind] for kind in kinds)
        partition = self._fill(alphabet, is_mixed=mixed)
        known = [*partition.stable, *partition.restless, *partition.expired]
        for beside in (False, True):
            end = until if beside else (self.tally.pages + until) // 2
            writer = Writer(
                self._rivals, partition, self._random.randrange(1 << 30), 0.004 if beside else 0.0
            )
            if beside:
                writer.start()
            while self.tally.pages < end:
                self._list(partition, self._arguments(known, alphabet), writer, beside=beside)
            if beside:
                writer.close()
            self.tally.writes += writer.count
            if not beside and partition.is_mixed and self._store == "azure":
                break
        for sort in known:
            self._client.delete_data(PAIRS, key_of(partition.name, sort))

    def _fill(self, alphabet: str, *, is_mixed: bool) -> Partition:
        sorts = self._keys.some(self._random.choice((1, 3, 12, 40)) + 3, alphabet)
        if is_mixed:
            sorts = [*dict.fromkeys([*sorts, "a\ue000", "a\U00010000"])]
        self._random.shuffle(sorts)
        restless, expired, stable = (
            sorts[: len(sorts) // 4],
            sorts[-2:],
            sorts[len(sorts) // 4 : -2],
        )
        name = f"p{self._random.randrange(1 << 40)}{self._random.choice(('', ':', ' ', '/~'))}"
        for sort in expired:
            self._client.store_data(PAIRS, key_of(name, sort), expires_in=EXPIRY)
        self._clock.advance(EXPIRY + 1)
        with self._as_before():
            for sort in stable:
                self._client.store_data(PAIRS, {**key_of(name, sort), "n": 0})
        self._client.store_data(PAIRS, key_of(name + "x", "another"))
        return Partition(name, frozenset(stable), tuple(restless), frozenset(expired), is_mixed)

    def _as_before(self) -> AbstractContextManager[Any]:
        """Store at times as an earlier leeward did, which did not think of lists."""
        if self._store == "google" and self._random.random() < 0.25:
            return mock.patch("leeward_google.tables.documents.order_of", return_value={})
        return ExitStack()

    def _arguments(self, known: list[str], alphabet: str) -> Arguments:
        def maybe() -> str | None:
            return self._keys.bound(known, alphabet) if self._random.random() < 0.3 else None

        begins, after, before = maybe(), maybe(), maybe()
        if begins is not None:
            begins = begins[: self._random.randint(0, 3)]
        return Arguments(begins, after, before, self._random.random() < 0.5)

    def _list(
        self, partition: Partition, arguments: Arguments, writer: Writer, *, beside: bool
    ) -> None:
        """Read a list to its end, and compare it with the model."""
        if arguments.is_empty():
            self._refused(partition.name, arguments._asdict())
            return
        there = set(partition.stable)
        try:
            found = self._walk(partition, arguments, writer, beside=beside)
        except TargetUnusable as error:
            if not (partition.is_mixed and self._store == "azure" and "UTF-16" in str(error)):
                raise
            self.tally.pages += 1
            self.tally.disorders += 1
            return
        backwards = found[::-1] if arguments.descending else found
        assert all(order(one) < order(other) for one, other in pairwise(backwards)), found
        assert [each for each in found if not arguments.holds(each)] == []
        may_come = there | (set(partition.restless) if beside else set())
        expected = {each for each in there if arguments.holds(each)}
        assert expected <= set(found) <= may_come, (arguments, expected ^ set(found))
        self.tally.lists += 1
        self.tally.items += len(found)

    def _walk(
        self, partition: Partition, arguments: Arguments, writer: Writer, *, beside: bool
    ) -> list[str]:
        limit = self._random.choice((1, 2, 3, 7, 100))
        found: list[str] = []
        cursor: str | None = None
        while True:
            page = self._page(partition.name, arguments, limit, cursor)
            self.tally.pages += 1
            assert len(page.items) <= limit
            for record in page.items:
                assert record.item[PAIR[0]] == partition.name
                assert record.revision
                assert not record.foreign
                found.append(record.item[PAIR[1]])
            cursor = page.cursor
            if cursor is None:
                return found
            if self._random.random() < 0.02:
                self._refused(partition.name + "x", {**arguments._asdict(), "cursor": cursor})
                other = arguments._replace(descending=not arguments.descending)
                self._refused(partition.name, {**other._asdict(), "cursor": cursor})
            if beside and found and self._random.random() < 0.5:
                # The item at which the list stands goes, or is replaced.
                writer.write(found[-1])

    def _page(
        self, partition: str, arguments: Arguments, limit: int, cursor: str | None
    ) -> ItemPage:
        """Read a page: with the client, with one that has just been opened, or awaited."""
        options: dict[str, Any] = {**arguments._asdict(), "limit": limit, "cursor": cursor}
        way = self._random.random()
        if way < 0.002:
            with Client(self._open(), config=contract_config(), clock=self._clock) as client:
                return client.list_data(PAIRS, partition, **options)
        if way < 0.004:
            return asyncio.run(self._await_page(partition, options))
        return self._client.list_data(PAIRS, partition, **options)

    async def _await_page(self, partition: str, options: Mapping[str, Any]) -> ItemPage:
        async with AsyncClient(self._open(), config=contract_config(), clock=self._clock) as client:
            return await client.list_data(PAIRS, partition, **options)

    def _refused(self, partition: str, options: Mapping[str, Any]) -> None:
        try:
            self._client.list_data(PAIRS, partition, **options)
        except InvalidRequest:
            self.tally.refusals += 1
            return
        raise AssertionError(f"taken: {options}")


@contextmanager
def _local() -> Iterator[Callable[[], Driver]]:
    with tempfile.TemporaryDirectory() as folder:
        yield lambda: Local(path=Path(folder, "local.sqlite3"))


@contextmanager
def _postgres() -> Iterator[Callable[[], Driver]]:
    import psycopg

    from leeward_postgres.driver import open_driver
    from leeward_postgres.schema import schema_sql
    from tests.postgres.opening import config_for
    from tests.postgres.server import Server

    server = Server()
    try:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(schema_sql("leeward").encode())
        yield lambda: open_driver(config_for(server.url))
    finally:
        server.stop()


@contextmanager
def _cloud(provider: str) -> Iterator[Callable[[], Driver]]:
    with PLACES[provider]() as place:
        yield place.open_past_proxies


STORES: Final[Mapping[str, Callable[[], AbstractContextManager[Callable[[], Driver]]]]] = {
    "local": _local,
    "postgres": _postgres,
    "aws": lambda: _cloud("aws"),
    "azure": lambda: _cloud("azure"),
    "google": lambda: _cloud("google"),
}
"""How each store is started."""


def prove(store: str, pages: int, seed: int) -> str:
    """Read so many pages of one store; return what was done."""
    with STORES[store]() as opened:
        proof = Proof(store, opened, Random(f"{seed} {store}"))
        begun = time.monotonic()
        proof.run(pages)
        return proof.tally.line(store, time.monotonic() - begun)


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1000, help="pages, of all stores together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stores", nargs="+", default=[*STORES], choices=[*STORES])
    options = parser.parse_args()
    for store in options.stores:
        pages = -(-options.cases // len(options.stores))
        sys.stdout.write(prove(store, pages, options.seed) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
