"""A shop that runs, and a visitor at its console."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.console.shop import Shop, opened
from tests.console.visitor import Visitor, visit


@pytest.fixture
def shop() -> Iterator[Shop]:
    """Run the shop in memory."""
    with opened() as shop:
        yield shop


@pytest.fixture
def visitor(shop: Shop) -> Visitor:
    """Open the console, which may change things."""
    return visit(shop.sources())
