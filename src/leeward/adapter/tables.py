"""What the tables of adapters have in common: revisions, cursors, and items nobody can read."""

from __future__ import annotations

import re
from typing import Any, Final

from leeward.calls import Result, Store
from leeward.errors import InvalidRequest, Outcome
from leeward.records import NamedTuple

EXPIRED: Final = "expired_in_the_way"
"""REJECTED: the item that is there has expired, and takes its place until it is replaced."""

_EXPIRY: Final = "@"
"""Between the expiry and the mark in the text of a revision."""


class Revision(NamedTuple):
    """A revision of an item, for a service that marks each state of a document by itself.

    The expiry is part of it, so that a condition on the revision of an item that has expired since
    is known not to hold without a look.

    Attributes:
        mark: as the service writes it: an etag, or the time of an update.
        expires_at: Unix seconds; None for never.
    """

    mark: str
    expires_at: float | None = None

    def text(self) -> str:
        """Return the revision as callers get it."""
        return self.mark if self.expires_at is None else f"{self.expires_at!r}{_EXPIRY}{self.mark}"

    def holds_at(self, now: float) -> bool:
        """Return whether an item of this revision, if it is there, counts at `now`."""
        return self.expires_at is None or self.expires_at > now

    @staticmethod
    def parse(text: str, mark: re.Pattern[str]) -> Revision | None:
        """Read what `Revision.text` returned; None if no item ever has that revision.

        Args:
            text: as a caller gave it.
            mark: what the service's marks look like.
        """
        expiry, at, mark_text = text.rpartition(_EXPIRY)
        if not mark.fullmatch(mark_text):
            return None
        try:
            return Revision(mark_text, float(expiry) if at else None)
        except ValueError:
            return None

    @staticmethod
    def mark_in(revision: str) -> str:
        """Return the mark in the text of a revision."""
        return revision.rpartition(_EXPIRY)[2]

    @staticmethod
    def after(call: Store, mark: str) -> str:
        """Return the revision of the item that `call` has stored, which the service marks so."""
        return Revision(mark, None if call.expires_at is None else float(call.expires_at)).text()


def another_revision(request_id: str | None = None) -> Result[Any]:
    """Return the result of a write whose revision is not there."""
    return Result(
        Outcome.CONFLICT, message="the item has another revision, or is gone", request_id=request_id
    )


def wrong_cursor() -> InvalidRequest:
    """Return the refusal of a cursor that no page of the table has given."""
    return InvalidRequest(
        "cursor was not given by a page of this table; begin with None", field="cursor"
    )
