"""What leeward does with a table for its own upkeep, beside the operations that clients have."""

from __future__ import annotations

from typing import Any, NamedTuple

from leeward.adapter import Call, Capability, Limits, Scan
from leeward.operations.operations import Operations
from leeward.operations.results import target_of


class Home(NamedTuple):
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
    result = operations.router.perform(call, seconds)
    target_of(call, result)
    return result.value


def home_of(operations: Operations, table: str) -> Home:
    """Return where a table is that can be scanned.

    Raises:
        LeewardError: it has no home, or cannot be scanned there.
    """
    call = Scan(table)
    operations.check(call)
    (target,) = operations.router.candidates(call)[:1]
    driver = operations.drivers[target]
    return Home(target, driver.limits, Capability.EXPIRY in driver.capabilities)
