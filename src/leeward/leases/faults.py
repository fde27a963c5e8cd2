"""The error of a store of leased rows."""

from __future__ import annotations

from leeward.errors import Outcome


class DatabaseFault(Exception):
    """The database failed. The cause is the error of its library, or of the system.

    Attributes:
        outcome: AMBIGUOUS if the write may be kept; any other proves that it is not.
        reason: a stable word.
    """

    def __init__(self, outcome: Outcome, reason: str, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.reason = reason


def fault_of_wait() -> DatabaseFault:
    """Return the fault of a thread that has waited too long for the others of its process."""
    message = "other threads kept the database busy for the whole time"
    return DatabaseFault(Outcome.REJECTED, "busy", message)
