"""Pages, one after the other: what shows that they have no end."""

from __future__ import annotations

from typing import Final

from leeward.errors import LeewardError

MOST_EMPTY: Final = 1000
"""Pages in a row that bring nothing. A target may end a page by what it has read, not by what it
gives; so a few are nothing unusual."""


class Cursors:
    """Sees the cursors of the pages that are read one after the other.

    A cursor that comes again begins a circle. It is found in at most twice the pages of one, with
    one cursor remembered (R. P. Brent, "An improved Monte Carlo factorization algorithm", 1980).
    """

    def __init__(self) -> None:
        self._kept: str | None = None
        self._seen = self._empty = 0
        self._until = 1

    def following(self, cursor: str | None, *, empty: bool) -> str | None:
        """Return the cursor of a page, for the next one.

        Args:
            cursor: of the page.
            empty: whether the page brought nothing.

        Raises:
            LeewardError: the pages do not end.
        """
        self._empty = self._empty + 1 if empty else 0
        if cursor is not None and (cursor == self._kept or self._empty > MOST_EMPTY):
            raise LeewardError(
                "the target gives pages without end: a cursor came twice, or "
                f"{MOST_EMPTY} pages in a row were empty; look after the target"
            )
        self._seen += 1
        if self._seen == self._until:
            self._kept, self._seen, self._until = cursor, 0, 2 * self._until
        return cursor
