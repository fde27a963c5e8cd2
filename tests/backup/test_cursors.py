"""Pages that do not end: whoever reads them all notices, and stops."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from leeward import Client, LeewardError
from leeward._operations.lists import MOST_EMPTY, Cursors
from leeward.calls import Call, FoundObject, Listing, ListObjects, Page, Result, Scan, Stored
from leeward.cli.commands.objects import _list_all
from leeward.local import Local
from leeward.testing import FaultyDriver
from leeward_backup.folder import Folder
from leeward_backup.tables import Table
from leeward_contract_tests.rows import each_row


class Endless(FaultyDriver):
    """Gives pages in a circle of `around`; or, if that is 0, ever new ones that are empty."""

    around = 0

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if not isinstance(call, ListObjects | Scan):
            return super().perform(call, timeout)
        number = int(call.cursor or 0) + 1
        following = str(number % self.around + 1 if self.around and number > 5 else number)
        items = (Stored({"id": "1"}, "r1"),) if self.around else ()
        objects = (FoundObject("a", 1, "r1", None, None),) if self.around else ()
        answer: Any = Page(items, following)
        if isinstance(call, ListObjects):
            answer = Listing(objects, following)
        return Result.ok(answer)


@each_row("around", [0, 1, 2, 7])
def test_pages_without_end_are_noticed(around: int) -> None:
    """By those that back a table up, that look for backups, and that list a bucket."""
    driver = Endless(Local())
    driver.around = around
    with Client(driver) as cloud:
        for pages in (
            lambda: list(Table(cloud, "orders").pages()),
            lambda: Folder(cloud, "backups", "orders").sizes("segments/"),
            lambda: list(_list_all(cloud, "backups", "", None)),
        ):
            with pytest.raises(LeewardError, match="pages without end"):
                pages()


def test_pages_that_end_are_read_to_their_end() -> None:
    """However many there are, and though some of them are empty."""
    cursors, numbers = Cursors(), count()
    for _ in range(3):
        for empty in (*[True] * MOST_EMPTY, False):
            number = str(next(numbers))
            assert cursors.following(number, empty=empty) == number
    assert cursors.following(None, empty=True) is None
