"""A place for workers at each target that keeps rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from leeward.local import Local
from tests.worker.places import Place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Give a place where nothing was queued yet."""
    tmp_path.chmod(0o700)
    file = tmp_path / "shop.sqlite3"
    options = f'cloud_provider = "local"\n[targets.local]\npath = "{file}"\n'
    place = Place(tmp_path, options, Local(path=file))
    yield place
    place.close()
