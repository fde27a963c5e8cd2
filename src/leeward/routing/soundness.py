"""Whether what a driver returned is an answer at all. What is not proves nothing."""

from __future__ import annotations

from leeward.driver import Call, Load, Page, Publish, Result, Scan, Store, Stored
from leeward.errors import Outcome


def is_sound(call: Call, result: object) -> bool:
    """Say whether `result` is a `Result` whose value is of the kind that `call` gives."""
    if not isinstance(result, Result) or not isinstance(result.outcome, Outcome):
        return False
    if result.outcome is not Outcome.OK:
        return True
    match call:
        case Load():
            return result.value is None or isinstance(result.value, Stored)
        case Store():
            return isinstance(result.value, str)
        case Scan():
            return isinstance(result.value, Page)
        case Publish():
            return isinstance(result.value, tuple) and all(
                isinstance(entry, Result) and isinstance(entry.outcome, Outcome)
                for entry in result.value
            )
    return True
