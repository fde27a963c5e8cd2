"""The journal in SQLite keeps the contract of journals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from leeward.testing import FakeClock
from leeward.workflow.embedded.journal import Journal
from leeward.workflow.embedded.sqlite_journal import SqliteJournal
from tests.workflow.journals import NOW, JournalContract, one, two


class TestSqliteJournal(JournalContract):
    """In memory."""

    @pytest.fixture
    def journal(self) -> Iterator[Journal]:
        """Open it."""
        with closing(SqliteJournal(None, FakeClock())) as journal:
            yield journal

    def test_runs_of_one_workflow_hold_up_none_of_another(self, journal: Journal) -> None:
        """However many were due before: the workflows have their turns."""
        for number in range(50):
            journal.add(one, f"w{number}", None, NOW + number / 100, None)
        journal.add(two, "short", None, NOW + 1, None)
        both = ["one", "two"]
        assert [row.key.id for row in journal.take(both, NOW + 1, 30.0, 3)] == ["w0", "short", "w1"]
        journal.add(two, "shorter", None, NOW + 1, None)
        taken = [journal.take(both, NOW + 1, 30.0, 1)[0].key.id for _ in range(3)]
        assert sorted(taken) == ["shorter", "w2", "w3"]
