"""The contract of objects: bytes come back as they were put, whole or in part."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import pytest

from leeward import Client, Conflict, Outcome, PayloadTooLarge, Promise
from leeward._operations.downloads import PIECE_BYTES
from leeward.adapter import Capability, Driver
from leeward.calls import GetObject
from leeward.testing import FaultyDriver
from leeward_contract_tests.contracts.base import Contract
from leeward_contract_tests.contracts.calls import SECONDS, fresh, head, put
from leeward_contract_tests.contracts.capabilities import needs
from leeward_contract_tests.contracts.observations import THREADS, in_parallel
from leeward_contract_tests.fixtures import BUCKET

OBJECTS = Capability.OBJECTS

ODD_NAMES: Final = (
    *("a", "A", "a/b", "a%2Fb", "a b", " a", "a ", ".a", "a~", "~/a", "a:b", "a?b", "a#b", "a+b"),
    *("a&b=c", "<a>", "u\u0308", "\u00fc", "\u540d\u524d", "\U0001f9ca", "'", '"', "a/b~/c"),
    *("a..b", "\u00e9" * 150 + "/x", "x" * 300),
)
"""Names that are easily mixed up, below a prefix of the test's own."""


class ObjectsContract(Contract):
    """Keep objects, whole and exact."""

    @needs(OBJECTS)
    def test_objects_come_back_exactly(self, client: Client, driver: Driver) -> None:
        """Return the bytes that were put, their size and checksum; promise COMMITTED."""
        for body in (b"", b"\x00", b"text\r\n", bytes(range(256)) * 300, b"\x1f\x8b" + b"no gzip"):
            name = fresh("object")
            receipt = client.put_object(BUCKET, name, body)
            assert (receipt.promise, receipt.target) == (Promise.COMMITTED, driver.target)
            assert [attempt.outcome for attempt in receipt.attempts] == [Outcome.OK]
            reader, info = client.get_object(BUCKET, name), client.head_object(BUCKET, name)
            assert reader is not None
            assert info is not None
            assert reader.read() == body
            assert (info.name, info.size, info.revision) == (name, len(body), receipt.revision)
            assert info.checksum == f"sha256:{sha256(body).hexdigest()}"
            assert (reader.info.size, reader.info.revision) == (len(body), receipt.revision)

    @needs(OBJECTS)
    def test_an_object_of_the_declared_size_is_streamed(
        self, client: Client, driver: Driver, recorder: FaultyDriver
    ) -> None:
        """Accept an object exactly as large as the declared limit, and return it in pieces."""
        size = driver.limits.object_bytes
        body, name = bytes(range(256)) * (size // 256) + b"x" * (size % 256), fresh("large")
        client.put_object(BUCKET, name, body)
        reader = client.get_object(BUCKET, name)
        assert reader is not None
        pieces = list(reader)
        assert sha256(b"".join(pieces)).digest() == sha256(body).digest()
        assert max(map(len, pieces)) <= PIECE_BYTES
        before = len(recorder.calls)
        with pytest.raises(PayloadTooLarge):
            client.put_object(BUCKET, name, body + b"x")
        assert recorder.calls[before:] == []

    @needs(OBJECTS)
    def test_a_range_is_read(self, client: Client) -> None:
        """Return the bytes of a range alone; none behind the end."""
        name = fresh("object")
        client.put_object(BUCKET, name, b"0123456789")
        ranges = [(0, 1), (3, 4), (9, 1), (8, 100), (0, None), (10, None), (10, 5)]
        readers = [client.get_object(BUCKET, name, start=at, length=n) for at, n in ranges]
        read = [reader and reader.read() for reader in readers]
        assert read == [b"0", b"3456", b"9", b"89", b"0123456789", b"", b""]
        client.put_object(BUCKET, name, b"")
        for length in (None, 1, 5):
            empty = client.get_object(BUCKET, name, length=length)
            assert empty is not None
            assert empty.read() == b""

    @needs(OBJECTS)
    def test_an_object_that_is_replaced_meanwhile_is_not_mixed(
        self, driver: Driver, client: Client
    ) -> None:
        """Report CONFLICT to a read that goes on where another object is by now."""
        name = fresh("object")
        first = client.put_object(BUCKET, name, b"first")
        again = GetObject(BUCKET, name, 2, 3, first.revision)
        piece = driver.perform(again, SECONDS).value
        assert piece is not None
        assert piece.data == b"rst"
        client.put_object(BUCKET, name, b"second")
        assert driver.perform(again, SECONDS).outcome is Outcome.CONFLICT

    @needs(OBJECTS)
    def test_an_absent_object_is_none(self, client: Client, driver: Driver) -> None:
        """Return None for what is not there, or no longer; deleting it is harmless."""
        name = fresh("absent")
        for _ in range(2):
            assert client.get_object(BUCKET, name) is None
            assert client.head_object(BUCKET, name) is None
            assert client.delete_object(BUCKET, name).promise is Promise.COMMITTED
            client.put_object(BUCKET, name, b"there")
            client.delete_object(BUCKET, name)
        result = driver.perform(head(name), SECONDS)
        assert (result.outcome, result.value) == (Outcome.OK, None)

    @needs(OBJECTS)
    def test_a_write_id_is_kept(self, driver: Driver) -> None:
        """Keep the write id with the object, for the read-back after a lost answer."""
        call = put(fresh("object"), b"mine")
        revision = driver.perform(call, SECONDS).value
        info = driver.perform(head(call.name), SECONDS).value
        assert info is not None
        assert (info.write_id, info.revision) == (call.write_id, revision)

    @needs(OBJECTS)
    def test_metadata_is_kept(self, client: Client) -> None:
        """Keep short texts beside the bytes, and forget them with the object that had them."""
        name, metadata = fresh("object"), {"source_version": '"5d/41"', "n": "a b=c; d,%20~"}
        client.put_object(BUCKET, name, b"", metadata=metadata)
        info = client.head_object(BUCKET, name)
        assert info is not None
        assert info.metadata == metadata
        assert client.list_objects(BUCKET, name).objects[0].metadata == {}
        client.put_object(BUCKET, name, b"")
        replaced = client.head_object(BUCKET, name)
        assert replaced is not None
        assert replaced.metadata == {}

    @needs(OBJECTS)
    def test_odd_names_are_kept_apart(self, client: Client) -> None:
        """Keep, list and delete objects whose names look alike."""
        mark = fresh("odd")
        names = [f"{mark}/{name}" for name in ODD_NAMES]
        for name in names:
            client.put_object(BUCKET, name, name.encode())
        for name in names:
            reader = client.get_object(BUCKET, name)
            assert reader is not None, name
            assert reader.read() == name.encode()
        assert sorted(_list_names(client, f"{mark}/")) == sorted(names)
        for name in names[::2]:
            client.delete_object(BUCKET, name)
        assert sorted(_list_names(client, f"{mark}/")) == sorted(names[1::2])

    @needs(OBJECTS)
    def test_a_name_of_the_declared_length_is_taken(self, client: Client, driver: Driver) -> None:
        """Accept a name exactly as long as declared."""
        name = fresh("long").ljust(driver.limits.object_name_bytes, "x")
        client.put_object(BUCKET, name, b"named")
        assert _list_names(client, name) == [name]

    @needs(OBJECTS)
    def test_a_list_tells_sizes_and_revisions(self, client: Client) -> None:
        """List what begins with the prefix, once, with size and revision; nothing else."""
        mark = fresh("list")
        put_there = {
            name: client.put_object(BUCKET, name, b"x" * at).revision
            for at, name in enumerate([f"{mark}/a", f"{mark}/ab", f"{mark}/b/c"])
        }
        page = client.list_objects(BUCKET, f"{mark}/")
        assert {object_.name: object_.revision for object_ in page.objects} == put_there
        assert [object_.size for object_ in page.objects] == [0, 1, 2]
        assert _list_names(client, f"{mark}/a") == [f"{mark}/a", f"{mark}/ab"]
        assert _list_names(client, f"{mark}/c") == []

    @needs(OBJECTS)
    def test_if_absent_writes_only_what_is_absent(self, client: Client) -> None:
        """Create an object once, until it is deleted; report CONFLICT and change nothing."""
        name = fresh("object")
        first = client.put_object(BUCKET, name, b"first", if_absent=True)
        with pytest.raises(Conflict) as raised:
            client.put_object(BUCKET, name, b"second", if_absent=True)
        assert [attempt.outcome for attempt in raised.value.attempts] == [Outcome.CONFLICT]
        info = client.head_object(BUCKET, name)
        assert info is not None
        assert (info.size, info.revision) == (5, first.revision)
        client.delete_object(BUCKET, name)
        client.put_object(BUCKET, name, b"third", if_absent=True)

    @needs(OBJECTS)
    def test_if_revision_writes_over_that_revision(self, client: Client) -> None:
        """Replace that revision alone; nothing later, and nothing absent."""
        name = fresh("object")
        first = client.put_object(BUCKET, name, b"first").revision
        second = client.put_object(BUCKET, name, b"second", if_revision=first).revision
        with pytest.raises(Conflict):
            client.put_object(BUCKET, name, b"third", if_revision=first)
        info = client.head_object(BUCKET, name)
        assert info is not None
        assert info.revision == second
        client.delete_object(BUCKET, name)
        with pytest.raises(Conflict):
            client.put_object(BUCKET, name, b"fourth", if_revision=second)
        assert client.head_object(BUCKET, name) is None

    @needs(OBJECTS)
    def test_of_those_who_race_to_create_one_wins(self, client: Client) -> None:
        """Create an object for exactly one of several threads; it is that one's."""
        name = fresh("raced")

        def wins(number: int) -> bool:
            try:
                client.put_object(BUCKET, name, b"%d" % number, if_absent=True)
            except Conflict:
                return False
            return True

        won = in_parallel(wins)
        reader = client.get_object(BUCKET, name)
        assert sorted(won) == [False] * (THREADS - 1) + [True]
        assert reader is not None
        assert reader.read() == b"%d" % won.index(True)


def _list_names(client: Client, prefix: str) -> list[str]:
    """Return the names of all objects with a prefix."""
    names: list[str] = []
    page = client.list_objects(BUCKET, prefix)
    names += [object_.name for object_ in page.objects]
    while page.cursor is not None:
        page = client.list_objects(BUCKET, prefix, cursor=page.cursor)
        names += [object_.name for object_ in page.objects]
    return names
