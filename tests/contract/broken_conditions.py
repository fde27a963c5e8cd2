"""Drivers whose conditions or expiry have one mistake each, around a correct driver."""

from __future__ import annotations

import time
from typing import Any

from leeward.calls import Call, Delete, Key, Load, Result, Store
from leeward.errors import Outcome
from leeward.testing import FaultyDriver
from leeward_contract_tests import (
    ConditionsContract,
    ExpiryContract,
)
from tests.contract.cases import breaks


@breaks(ConditionsContract, "test_if_absent_leaves_what_is_there")
class IgnoresIfAbsent(FaultyDriver):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, Store):
            call = call._replace(if_absent=False)
        return super().perform(call, timeout)


@breaks(ConditionsContract, "test_if_revision_leaves_a_later_revision")
class IgnoresIfRevision(FaultyDriver):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, Store | Delete):
            call = call._replace(if_revision=None)
        return super().perform(call, timeout)


@breaks(ConditionsContract, "test_if_absent_has_one_winner")
class ChecksThenStores(FaultyDriver):
    """Looks whether an item is there, and stores afterwards: not in one step."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, Store) and call.if_absent:
            if super().perform(Load(call.table, call.key), timeout).value is not None:
                return super().perform(call, timeout)
            time.sleep(0.01)
            call = call._replace(if_absent=False)
        return super().perform(call, timeout)


@breaks(ExpiryContract, "test_if_absent_stores_over_what_has_expired")
class ExpiresByItsOwnClock(FaultyDriver):
    """Judges conditions by the machine's time, not by the call's."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, Store | Delete):
            call = call._replace(now=time.time())
        return super().perform(call, timeout)


@breaks(ExpiryContract, "test_a_store_without_expiry_takes_it_away")
class KeepsTheOldExpiry(FaultyDriver):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, Store) and call.expires_at is None:
            old = super().perform(Load(call.table, call.key), timeout).value
            call = call._replace(expires_at=old.expires_at if old else None)
        return super().perform(call, timeout)


@breaks(ExpiryContract, "test_if_absent_respects_what_has_not_expired")
class TakesExpiringForExpired(FaultyDriver):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, Store):
            call = call._replace(now=call.now + 10**9)
        return super().perform(call, timeout)


@breaks(ConditionsContract, "test_if_absent_stores_what_was_deleted")
class KeepsTombstones(FaultyDriver):
    """Takes a deleted item for one that is there."""

    def __init__(self, driver: Any) -> None:
        super().__init__(driver)
        self._deleted: set[Key] = set()

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, Store) and call.if_absent and call.key in self._deleted:
            return Result(Outcome.CONFLICT)
        if isinstance(call, Delete):
            self._deleted.add(call.key)
        return super().perform(call, timeout)


@breaks(ConditionsContract, "test_if_revision_stores_over_that_revision")
class TellsTheRevisionBefore(FaultyDriver):
    """Loads the revision that the item had before the last write."""

    def __init__(self, driver: Any) -> None:
        super().__init__(driver)
        self._before: dict[Key, str] = {}
        self._last: dict[Key, str] = {}

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        result = super().perform(call, timeout)
        if isinstance(call, Store) and result.value is not None:
            self._before[call.key] = self._last.get(call.key, result.value)
            self._last[call.key] = result.value
        if isinstance(call, Load) and result.value is not None:
            stored = result.value._replace(revision=self._before[call.key])
            return result._replace(value=stored)
        return result
