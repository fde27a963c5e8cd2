"""What leeward does with a table for its own upkeep, beside the operations that clients have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from leeward._operations.errors import error_of
from leeward._operations.operations import Operations
from leeward._operations.results import target_of
from leeward.adapter import Capability, Limits
from leeward.calls import (
    Call,
    ListObjects,
    LookNative,
    NativeJob,
    ReadExport,
    Result,
    Scan,
    StartNative,
    Store,
)
from leeward.errors import LeewardError, Outcome
from leeward.records import NamedTuple
from leeward.values import NOTHING

NATIVE_SECONDS: Final = 30.0


class TableHome(NamedTuple):
    """Where a table is.

    Attributes:
        target: by its name.
        limits: of that target.
        keeps_expiry: whether items can expire there.
    """

    target: str
    limits: Limits
    keeps_expiry: bool


def make(operations: Operations, call: Call, seconds: float) -> Any:
    """Make a call; return its value.

    Raises:
        LeewardError: it went wrong, or a target cannot do that.
    """
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


def native(operations: Operations, call: StartNative | LookNative, target: str) -> NativeJob:
    """Ask the service of a target about a backup, or an export, of its own.

    Raises:
        Unsupported: it makes none.
        LeewardError: it went wrong; whether one was started may be unknown.
    """
    perform = operations.drivers[target].perform
    if isinstance(call, StartNative):
        result = operations.act(perform, call, NATIVE_SECONDS)
    else:
        result = perform(call, NATIVE_SECONDS)
    if result.outcome is not Outcome.OK:
        raise error_of(call, result._replace(target=target))
    return cast("NativeJob", result.value)


def read_export(operations: Operations, target: str, call: ReadExport, seconds: float) -> Any:
    """Return a part of an export of a target's own service.

    Raises:
        Unsupported: it knows no exports.
        LeewardError: it is not a part of an export that can be read.
    """
    result = operations.drivers[target].perform(call, seconds)
    if result.outcome is not Outcome.OK:
        raise LeewardError(result.message or f"{target} cannot read the export", target=target)
    return result.value


def own_bucket(operations: Operations, bucket: str) -> str:
    """Return the name that a bucket has at its home.

    Raises:
        LeewardError: it has no home.
    """
    (target,) = operations.router.candidates(ListObjects(bucket))[:1]
    configured = operations.config.buckets.get(bucket)
    names = NOTHING if configured is None else configured.names
    has_stages = operations.drivers[target].has_stages
    usual = f"{operations.config.prefix}{bucket}" if has_stages else bucket
    return str(names.get(target, names.get(target.partition(":")[0], usual)))


def home_of(operations: Operations, table: str) -> TableHome:
    """Return where a table is that can be scanned.

    Raises:
        LeewardError: it has no home, or cannot be scanned there.
    """
    call = Scan(table)
    operations.check(call)
    (target,) = operations.router.candidates(call)[:1]
    driver = operations.drivers[target]
    return TableHome(target, driver.limits, Capability.EXPIRY in driver.capabilities)
