"""Embedded targets that are closed after the test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from leeward.local import Local


@pytest.fixture
def cloud() -> Iterator[Local]:
    """Give a target in memory."""
    local = Local()
    yield local
    local.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a database file that is not there yet."""
    return tmp_path / "data" / "local.sqlite3"


@pytest.fixture
def opened() -> Iterator[Callable[..., Local]]:
    """Open targets; all are closed in the end."""
    targets: list[Local] = []

    def opener(**options: Any) -> Local:
        targets.append(Local(**options))
        return targets[-1]

    yield opener
    for each in targets:
        each.close()
