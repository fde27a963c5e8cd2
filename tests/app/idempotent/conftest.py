"""The shop of the tests of idempotent functions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.app.idempotent.shop import Shop


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    with shop.client, shop.elsewhere_client:
        yield shop
