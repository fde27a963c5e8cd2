"""Fixtures for whoever needs Google Cloud: import them into a `conftest.py`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.google.cloud import GoogleCloud, open_clouds


@pytest.fixture(scope="session")
def google_clouds() -> Iterator[tuple[GoogleCloud, ...]]:
    """Give two clouds of Google whose functions share what they remember."""
    with open_clouds(2) as clouds:
        yield clouds


@pytest.fixture(scope="session")
def google_cloud(google_clouds: tuple[GoogleCloud, ...]) -> GoogleCloud:
    """Give one cloud of Google."""
    return google_clouds[0]
