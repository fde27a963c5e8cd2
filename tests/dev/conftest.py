"""A folder with an app, and `leeward dev` over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.dev.running import SETTINGS, SHOP, Dev


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Write the app."""
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "leeward.toml").write_text(SETTINGS)
    return tmp_path


@pytest.fixture
def run_dev(shop: Path) -> Iterator[Callable[..., Dev]]:
    """Start `leeward dev` over the app; all are ended after the test."""
    started: list[Dev] = []

    def start(*words: str) -> Dev:
        started.append(Dev(shop, *words))
        return started[-1]

    yield start
    for each in started:
        each.kill()
