"""The journal in SQLite keeps the contract of journals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from leeward.testing import FakeClock
from leeward.workflow.embedded.journal import Journal
from leeward.workflow.embedded.sqlite_journal import SqliteJournal
from tests.workflow.journals import JournalContract


class TestSqliteJournal(JournalContract):
    """In memory."""

    @pytest.fixture
    def journal(self) -> Iterator[Journal]:
        """Open it."""
        with closing(SqliteJournal(None, FakeClock())) as journal:
            yield journal
