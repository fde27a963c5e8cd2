"""What leeward does with a table for its own upkeep, beside the operations that clients have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leeward._operations.operations import Operations
from leeward._operations.results import target_of
from leeward.adapter import Capability, Limits
from leeward.calls import Call, ListObjects, Result, Scan, Store
from leeward.records import NamedTuple
from leeward.values import NOTHING


class TableHome(NamedTuple):
    """Where a table is: its target, the limits there, and whether items can expire."""

    target: str
    limits: Limits
    keeps_expiry: bool


def make(operations: Operations, call: Call, seconds: float) -> Any:
    """Make a call; return its value, or raise its error."""
    operations.check(call)
    result = operations.send(call, seconds)
    target_of(call, result)
    return result.value


def store_many(
    operations: Operations, calls: Sequence[Store], seconds: float
) -> list[Result[Any]] | None:
    """Make one attempt at each of many stores of one table, by the driver that can do many at once.

    None if it cannot, and for an attempt that failed as a whole: store them one by one then.
    """
    operations.check(calls[0])
    driver = operations.drivers[operations.router.candidates(calls[0])[0]]
    return operations.act(driver.store_many, calls, seconds)


def own_bucket(operations: Operations, bucket: str) -> str:
    """Return the name that a bucket has at its home."""
    (target,) = operations.router.candidates(ListObjects(bucket))[:1]
    configured = operations.config.buckets.get(bucket)
    names = NOTHING if configured is None else configured.names
    has_stages = operations.drivers[target].has_stages
    usual = f"{operations.config.prefix}{bucket}" if has_stages else bucket
    return str(names.get(target, names.get(target.partition(":")[0], usual)))


def home_of(operations: Operations, table: str) -> TableHome:
    """Return where a table is that can be scanned; raise `LeewardError` for another one."""
    call = Scan(table)
    operations.check(call)
    (target,) = operations.router.candidates(call)[:1]
    driver = operations.drivers[target]
    return TableHome(target, driver.limits, Capability.EXPIRY in driver.capabilities)
