"""Fixtures for whoever needs AWS: import them into a `conftest.py`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.aws.cloud import REGIONS, AwsCloud, open_clouds


@pytest.fixture(scope="session")
def aws_clouds() -> Iterator[tuple[AwsCloud, ...]]:
    """Give two regions of AWS whose functions share what they remember."""
    with open_clouds(*REGIONS[:2]) as clouds:
        yield clouds


@pytest.fixture(scope="session")
def aws_cloud(aws_clouds: tuple[AwsCloud, ...]) -> AwsCloud:
    """Give one region of AWS."""
    return aws_clouds[0]
