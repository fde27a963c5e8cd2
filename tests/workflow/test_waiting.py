"""Flows that wait, with their runs in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workflow.waiting import Shop, WaitingContract


class TestWaitingInAFile(WaitingContract):
    """In SQLite."""

    @pytest.fixture
    def shop(self, tmp_path: Path) -> Shop:
        """Return clients on one file."""
        return Shop("local", tmp_path / "data.db")
