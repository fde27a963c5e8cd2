"""Drivers whose objects have one mistake each, around a correct driver."""

from __future__ import annotations

from typing import Any

from leeward.calls import (
    Call,
    DeleteObject,
    FoundObject,
    GetObject,
    HeadObject,
    ListObjects,
    Piece,
    PutObject,
    Result,
)
from leeward.errors import Outcome
from leeward.testing import FaultyDriver
from leeward_contract_tests import FailureContract, ObjectsContract
from tests.contract.cases import breaks


@breaks(ObjectsContract, "test_objects_come_back_exactly")
class ForgetsToPut(FaultyDriver):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, PutObject):
            return Result.ok(call.write_id)
        return super().perform(call, timeout)


@breaks(ObjectsContract, "test_a_range_is_read")
class ReadsFromTheBeginning(FaultyDriver):
    """Takes the place that a range begins at for its length."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, GetObject):
            call = call._replace(start=0, length=call.start + call.length)
        return super().perform(call, timeout)


@breaks(ObjectsContract, "test_if_absent_writes_only_what_is_absent")
class PutsWhateverIsThere(FaultyDriver):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, PutObject):
            call = call._replace(if_absent=False)
        return super().perform(call, timeout)


@breaks(ObjectsContract, "test_if_revision_writes_over_that_revision")
class PutsOverAnyRevision(FaultyDriver):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, PutObject):
            call = call._replace(if_revision=None)
        return super().perform(call, timeout)


@breaks(ObjectsContract, "test_an_object_that_is_replaced_meanwhile_is_not_mixed")
class MixesTwoObjects(FaultyDriver):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, GetObject):
            call = call._replace(if_revision=None)
        return super().perform(call, timeout)


@breaks(ObjectsContract, "test_odd_names_are_kept_apart")
class FoldsCase(FaultyDriver):
    """Keeps names as some file systems do."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, PutObject | GetObject | HeadObject | DeleteObject):
            call = call._replace(name=call.name.lower())
        return super().perform(call, timeout)


@breaks(ObjectsContract, "test_a_list_tells_sizes_and_revisions")
class ListsTheWholeBucket(FaultyDriver):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, ListObjects):
            call = call._replace(prefix="")
        return super().perform(call, timeout)


@breaks(ObjectsContract, "test_a_write_id_is_kept")
class DropsTheWriteIdOfObjects(FaultyDriver):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        result = super().perform(call, timeout)
        if isinstance(result.value, FoundObject):
            return result._replace(value=result.value._replace(write_id=None))
        return result


@breaks(ObjectsContract, "test_metadata_is_kept")
class DropsMetadata(FaultyDriver):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, PutObject):
            call = call._replace(metadata={})
        return super().perform(call, timeout)


@breaks(FailureContract, "test_a_repeated_put_of_an_object_is_no_conflict")
class ConflictsWithItself(FaultyDriver):
    """Tells a put that finds its own object that another one is in the way."""

    def __init__(self, driver: Any) -> None:
        super().__init__(driver)
        self._put: set[str] = set()

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, PutObject) and call.write_id in self._put:
            return Result(Outcome.CONFLICT)
        if isinstance(call, PutObject):
            self._put.add(call.write_id)
        return super().perform(call, timeout)


@breaks(FailureContract, "test_a_lost_read_of_an_object_is_not_an_absent_object")
class TakesAFailureForAnAbsentObject(FaultyDriver):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        result = super().perform(call, timeout)
        if isinstance(call, HeadObject) and result.outcome is Outcome.AMBIGUOUS:
            return Result.ok(None)
        return result


@breaks(ObjectsContract, "test_an_object_of_the_declared_size_is_streamed")
class CutsLargeRanges(FaultyDriver):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        result = super().perform(call, timeout)
        if isinstance(result.value, Piece) and len(result.value.data) > 1 << 20:
            flipped = b"?" + result.value.data[1:]
            return result._replace(value=Piece(flipped, result.value.found))
        return result
