"""Objects through the client: what is decided about them on this side."""

from __future__ import annotations

import asyncio
import tracemalloc
from typing import Any

import pytest

from leeward import AsyncClient, Client, Config, ConfigError, Conflict, ObjectReader, OutcomeUnknown
from leeward._operations.downloads import PIECE_BYTES
from leeward.adapter import Limits
from leeward.calls import Call, FoundObject, GetObject, Piece, PutObject, Result
from leeward.config import BucketConfig
from leeward.errors import HomeUnavailable, InvalidRequest, Outcome
from leeward.local import Local
from leeward.testing import FakeClock, Fault, FaultyDriver
from leeward_contract_tests.rows import each_row

MIB = 1024 * 1024


class RefusesAfterItHasRun(FaultyDriver):
    """Does the work of the first put, and says that it was too busy to."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        result = super().perform(call, timeout)
        if isinstance(call, PutObject) and len(self.calls) == 1:
            return Result(Outcome.REJECTED, code="http.503")
        return result


@each_row("condition", ["if_absent", "if_revision"])
def test_a_put_that_was_refused_after_it_ran_does_not_conflict_with_itself(condition: str) -> None:
    """Neither one that creates nor one that replaces; its write id shows that it is there."""
    driver = RefusesAfterItHasRun(Local())
    with Client(driver, clock=FakeClock()) as cloud:
        if condition == "if_absent":
            put: dict[str, Any] = {"if_absent": True}
        else:
            driver.calls.append(GetObject("b", "none", 0, 1))  # the first put is let through
            put = {"if_revision": cloud.put_object("b", "name", b"first").revision}
            driver.calls.clear()
        receipt = cloud.put_object("b", "name", b"mine", **put)
        assert _reader(cloud, "name").info.revision == receipt.revision
        with pytest.raises(Conflict):
            cloud.put_object("b", "name", b"mine", **put)


def test_a_lost_put_that_another_has_overtaken_is_unknown() -> None:
    """Whether it came before cannot be told: it is neither a success nor a conflict."""

    class Overtaken(FaultyDriver):
        def perform(self, call: Call, timeout: float) -> Result[Any]:
            result = super().perform(call, timeout)
            if isinstance(call, PutObject):
                super().perform(call._replace(write_id="another", if_absent=False), timeout)
                return Result(Outcome.AMBIGUOUS)
            return result

    cloud = Client(Overtaken(Local()), clock=FakeClock())
    with cloud, pytest.raises(OutcomeUnknown, match="Look at the object") as raised:
        cloud.put_object("b", "name", b"mine", if_absent=True)
    assert [each.read_back for each in raised.value.attempts] == [False, True]


class Endless(FaultyDriver):
    """Gives an object of 200 MB, range by range, and can damage it."""

    SIZE = 200_000_000
    checksum: str | None = None
    replaced_at: int | None = None

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if not isinstance(call, GetObject):
            return super().perform(call, timeout)
        self.calls.append(call)
        if self.replaced_at is not None and call.start >= self.replaced_at:
            return Result(Outcome.CONFLICT)
        length = min(call.length, self.SIZE - call.start)
        found = FoundObject(call.name, self.SIZE, "r1", None, self.checksum)
        return Result.ok(Piece(bytes(length), found))


class Cut(Endless):
    """Cuts the first answer to each range but the first."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        result = super().perform(call, timeout)
        first = isinstance(call, GetObject) and self.calls.count(call) == 1
        return Result(Outcome.AMBIGUOUS) if first and len(self.calls) > 1 else result


def test_the_rest_of_an_object_is_asked_for_again_however_often_it_is_cut() -> None:
    """Each range once more, though the budget for second tries is spent; a second cut ends it."""

    async def read() -> int:
        async with AsyncClient(Cut(Local()), clock=FakeClock()) as cloud:
            reader = await cloud.get_object("b", "long")
            assert reader is not None
            return sum([len(piece) async for piece in reader])

    with Client(Cut(Local()), clock=FakeClock()) as cloud:
        assert sum(len(piece) for piece in _reader(cloud, "long")) == Cut.SIZE
    assert asyncio.run(read()) == Cut.SIZE


def test_200_megabytes_are_streamed_in_bounded_memory() -> None:
    """Less than 64 MiB at a time, every range under the condition of the first one's revision."""
    driver = Endless(Local())
    with Client(driver) as cloud:
        tracemalloc.start()
        read = sum(len(piece) for piece in _reader(cloud, "large"))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert read == Endless.SIZE
    assert peak < 64 * MIB
    asked = [call for call in driver.calls if isinstance(call, GetObject)]
    assert [call.if_revision for call in asked] == [None, *["r1"] * (len(asked) - 1)]
    assert max(call.length for call in asked) == PIECE_BYTES


def test_bytes_that_are_not_those_that_were_put_are_noticed() -> None:
    """With the last piece, in both clients; a part of the object cannot be compared."""
    driver = Endless(Local())
    driver.SIZE, driver.checksum = 3, f"sha256:{'0' * 64}"

    async def awaited() -> None:
        reader = await AsyncClient(driver).get_object("b", "name")
        assert reader is not None
        await reader.read()

    with Client(driver) as cloud:
        with pytest.raises(OutcomeUnknown, match="checksum"):
            cloud.get_object("b", "name")
        with pytest.raises(OutcomeUnknown, match="checksum"):
            asyncio.run(awaited())
        assert _reader(cloud, "name", start=1).read() == bytes(2)


def test_a_reader_that_has_found_damage_never_ends_well() -> None:
    """Whoever goes on after the error, as after a lost answer, is told again."""
    driver = Endless(Local())
    driver.SIZE, driver.checksum = PIECE_BYTES + 3, f"sha256:{'0' * 64}"
    with Client(driver) as cloud:
        reader = _reader(cloud, "name")
        for _ in range(2):
            with pytest.raises(OutcomeUnknown, match="checksum"):
                reader.read()


def test_an_empty_object_that_grows_before_the_look_at_it_is_read() -> None:
    """A range of nothing tells no revision; the bytes that are there by then are asked for."""

    class Growing(FaultyDriver):
        def perform(self, call: Call, timeout: float) -> Result[Any]:
            if isinstance(call, GetObject) and call.if_revision is None:
                super().perform(call, timeout)
                return Result.ok(Piece(b"", None))
            return super().perform(call, timeout)

    with Client(Growing(Local())) as cloud:
        cloud.put_object("b", "name", b"12345")
        assert _reader(cloud, "name").read() == b"12345"
        assert _reader(cloud, "name", start=3).read() == b"45"


def test_an_object_that_is_replaced_while_it_is_read_ends_the_reading() -> None:
    """With `Conflict`, after the pieces that came before."""
    driver = Endless(Local())
    driver.replaced_at = PIECE_BYTES
    with Client(driver) as cloud:
        pieces = iter(_reader(cloud, "name"))
        assert len(next(pieces)) == PIECE_BYTES
        with pytest.raises(Conflict):
            next(pieces)


@each_row(
    "field, arguments",
    [
        ("bucket", ("put_object", "", "name", b"")),
        ("name", ("put_object", "b", "", b"")),
        ("name", ("put_object", "b", "a//b", b"")),
        ("name", ("get_object", "b", "../b")),
        ("name", ("head_object", "b", "a./b")),
        ("name", ("delete_object", "b", "a\\b")),
        ("name", ("delete_object", "b", "a\nb")),
        ("name", ("head_object", "b", "x" * 1001)),
        ("name", ("head_object", "b", 7)),
        ("data", ("put_object", "b", "name", "text")),
        ("data", ("put_object", "b", "name", bytes(33 * MIB))),
        ("prefix", ("list_objects", "b", "\x00")),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(
    field: str, arguments: tuple[Any, ...]
) -> None:
    """With the field; no message holds what was to be put."""
    driver = FaultyDriver(Local())
    method, *rest = arguments
    with Client(driver) as cloud, pytest.raises(InvalidRequest) as raised:
        getattr(cloud, method)(*rest)
    assert raised.value.field == field
    assert driver.calls == []


@each_row(
    "field, options",
    [
        ("start", {"start": -1}),
        ("start", {"start": True}),
        ("start", {"start": 6}),
        ("length", {"length": 0}),
        ("timeout", {"timeout": 0}),
    ],
)
def test_a_range_that_cannot_be_is_refused(field: str, options: dict[str, Any]) -> None:
    """One that begins behind the end is found out by asking."""
    with Client(Local()) as cloud:
        cloud.put_object("b", "name", b"12345")
        with pytest.raises(InvalidRequest) as raised:
            cloud.get_object("b", "name", **options)
    assert raised.value.field == field


def test_a_condition_is_one_or_the_other() -> None:
    """Both at once, or a word for a bool, are refused."""
    with Client(Local()) as cloud:
        both: list[dict[str, Any]] = [{"if_absent": True, "if_revision": "r"}, {"if_absent": "yes"}]
        for options in both:
            with pytest.raises(InvalidRequest):
                cloud.put_object("b", "name", b"", **options)


def _reader(cloud: Client, name: str, start: int = 0) -> ObjectReader:
    reader = cloud.get_object("b", name, start=start)
    assert reader is not None
    return reader


def _targets(*names: str) -> list[FaultyDriver]:
    return [FaultyDriver(Local(name)) for name in names]


def test_a_bucket_has_one_home_and_its_own_names() -> None:
    """Neither a table's home nor the order of targets decides where objects are."""
    drivers = _targets("local:a", "local:b")
    config = Config(
        buckets={"reports": BucketConfig(home="local:b", names={"local": "own-reports"})}
    )
    with Client(drivers, config=config) as cloud:
        assert cloud.put_object("reports", "name", b"x").target == "local:b"
        with pytest.raises(ConfigError, match=r"home in \[buckets.other\]"):
            cloud.put_object("other", "name", b"x")
        (call,) = drivers[1].calls
        assert call[0] == "own-reports"
        drivers[1].fail(Fault.REFUSE)
        with pytest.raises(HomeUnavailable):
            cloud.head_object("reports", "name")
    assert drivers[0].calls == []


def test_no_body_is_shown() -> None:
    """A call, and a piece, keep their bytes out of their text."""
    call = PutObject("b", "name", b"secret", "0" * 64, "w")
    assert "secret" not in repr(call) + repr(Piece(b"secret", None))


def test_limits_of_objects_are_those_of_the_order() -> None:
    """What the first target takes and the second one does not is refused."""
    drivers = _targets("local:a", "local:b")
    drivers[1].limits = Limits(object_bytes=3, object_name_bytes=5)
    with Client(drivers, config=Config(data_target="local:a")) as cloud:
        cloud.put_object("b", "12345", b"123")
        for name, data in (("123456", b""), ("1", b"1234")):
            with pytest.raises(InvalidRequest, match="local:b takes at most"):
                cloud.put_object("b", name, data)
