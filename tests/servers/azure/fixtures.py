"""Fixtures for whoever needs Azure: import them into a `conftest.py`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.azure import cloud
from tests.servers.azure.cloud import AzureCloud


@pytest.fixture(scope="session")
def azure_clouds() -> Iterator[tuple[AzureCloud, ...]]:
    """Give two clouds of Azure whose functions share what they remember."""
    with cloud.azure_clouds(2) as clouds:
        yield clouds


@pytest.fixture(scope="session")
def azure_cloud(azure_clouds: tuple[AzureCloud, ...]) -> AzureCloud:
    """Give one cloud of Azure."""
    return azure_clouds[0]
