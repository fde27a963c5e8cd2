"""The examples that bring a store keep the contract of objects, and claim what they know alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4

import fsspec  # type: ignore[import-untyped]
import pytest
from obstore.exceptions import GenericError
from obstore.store import LocalStore, MemoryStore

from examples.stores.fsspec_store import FsspecDriver
from examples.stores.obstore_store import ObstoreDriver
from leeward import Client, Config, ConfigError, Conflict, Outcome, Promise
from leeward.adapter import Driver
from leeward.calls import Result
from leeward.config import TableConfig
from leeward.config.model import BucketConfig
from leeward.local import Local
from leeward_backup import Backups
from leeward_contract_tests import (
    LifecycleContract,
    LookContract,
    ObjectsContract,
    contract_config,
)
from leeward_contract_tests.contracts.calls import SECONDS, fresh, head, put
from leeward_contract_tests.contracts.failure import LostAnswersContract
from leeward_contract_tests.fixtures import BUCKET


class _Losing:
    """Something whose answers can be lost: it has done its work then, and raises."""

    left = 0

    @contextmanager
    def lose_answers(self, times: int) -> Iterator[None]:
        """Lose the next answers."""
        self.left = times
        yield
        self.left = 0

    def answered(self, answer: Any, lost: Exception) -> Any:
        """Return an answer, unless it is lost."""
        if self.left:
            self.left -= 1
            raise lost
        return answer


class LosingStore(_Losing):
    """A store of obstore's."""

    def __init__(self) -> None:
        self._store = MemoryStore()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        return lambda *args, **kwargs: self.answered(method(*args, **kwargs), GenericError("lost"))


class LosingFiles(_Losing, FsspecDriver):
    """A driver over a file system, which is asked several times for each attempt."""

    def attempt(self, call: Any) -> Result[Any]:
        """Make an attempt, and lose what came of it."""
        result: Result[Any] = self.answered(super().attempt(call), OSError("lost"))
        return result


class StoreContract(ObjectsContract, LostAnswersContract, LookContract, LifecycleContract):
    """What a target promises that keeps objects, and knows no refusal from a lost answer."""


class TestObstore(StoreContract):
    """Over obstore's memory."""

    @pytest.fixture
    def faults(self) -> Any:
        return LosingStore()

    @pytest.fixture
    def driver(self, faults: Any) -> Iterator[Driver]:
        driver = ObstoreDriver("obstore", {BUCKET: faults})
        yield driver
        driver.close()


class TestFsspec(StoreContract):
    """Over a folder of this machine, by fsspec."""

    @pytest.fixture
    def driver(self, tmp_path: Path) -> Iterator[Driver]:
        files = fsspec.filesystem("file")
        driver = LosingFiles("files", files, {BUCKET: str(tmp_path / "objects")}, sole_writer=True)
        yield driver
        driver.close()

    @pytest.fixture
    def faults(self, driver: Any) -> Any:
        return driver


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[FsspecDriver]:
    """Return a driver over a folder of this machine."""
    files = fsspec.filesystem("file")
    driver = FsspecDriver("files", files, {BUCKET: str(tmp_path)}, sole_writer=True)
    yield driver
    driver.close()


def test_a_file_that_is_cut_off_counts_as_absent(folder: FsspecDriver, tmp_path: Path) -> None:
    """What a writer left that was killed is neither read nor in the way of a new object."""
    with Client(folder, config=contract_config()) as client:
        client.put_object(BUCKET, "a", b"whole")
        (file,) = tmp_path.rglob("=*")
        whole = file.read_bytes()
        for size in (0, 100, len(whole) - 1):
            file.write_bytes(whole[:size])
            assert client.head_object(BUCKET, "a") is None
            assert client.list_objects(BUCKET).objects == ()
        client.put_object(BUCKET, "a", b"again", if_absent=True)
        with pytest.raises(Conflict):
            client.put_object(BUCKET, "a", b"more", if_absent=True)


def test_a_store_that_cannot_keep_the_promises_is_refused(tmp_path: Path) -> None:
    """Before anything is opened: several writers by fsspec, a folder by obstore."""
    with pytest.raises(ConfigError, match="sole_writer=True"):
        FsspecDriver("files", None, {}, sole_writer=False)
    with pytest.raises(ConfigError, match="LocalStore"):
        ObstoreDriver("obstore", {BUCKET: LocalStore(tmp_path)})


def test_a_call_ends_with_its_time(folder: FsspecDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt that has begun is AMBIGUOUS then, and one that waits behind it was not made."""
    begun, free = Event(), Event()
    calls = []

    def attempt(call: Any) -> Result[Any]:
        calls.append(call)
        begun.set()
        free.wait()
        return Result.ok(None)

    monkeypatch.setattr(folder, "attempt", attempt)
    first = folder.perform(put(fresh("object"), b""), 0.5)
    begun.wait()
    second = folder.perform(head(fresh("object")), 0.05)
    free.set()
    assert [first.outcome, second.outcome] == [Outcome.AMBIGUOUS, Outcome.LOCAL]
    assert len(calls) == 1


def test_another_bucket_is_not_there(folder: FsspecDriver) -> None:
    """It is told from one without objects."""
    result = folder.perform(head("a")._replace(bucket="another"), SECONDS)
    assert result.outcome is Outcome.NOT_FOUND


def test_a_table_is_backed_up_into_what_was_brought(tmp_path: Path) -> None:
    """Over fsspec's memory and over obstore's, and comes back with every digest the same."""
    files = fsspec.filesystem("memory")
    local = Local(path=tmp_path / "local.sqlite3")
    by_fsspec = FsspecDriver("files", files, {"b": f"/{uuid4().hex}"}, sole_writer=True)
    by_obstore = ObstoreDriver("obstore", {"b": MemoryStore()})
    config = Config(
        tables={"orders": TableConfig(home="local")},
        buckets={
            each.target: BucketConfig(home=each.target, names={each.target: "b"})
            for each in (by_fsspec, by_obstore)
        },
    )
    with Client([local, by_fsspec, by_obstore], config=config) as client:
        for n in range(100):
            client.store_data("orders", {"id": str(n), "total": Decimal(n) / 100})
        for bucket in config.buckets:
            backups = Backups(client, "orders", bucket, work=tmp_path / "work")
            assert backups.create().items == 100
            assert backups.check(deep=True).findings == ()
            assert backups.drill().promise is Promise.VERIFIED
