"""AWS keeps the contract over real servers, alone and in failover orders."""

from __future__ import annotations

from leeward_contract_tests import Awaited
from tests.contract.over import Over


class TestAws(Over):
    """One region."""

    order = ("aws",)


class TestAwsAwaited(Awaited, TestAws):
    """The same through `AsyncClient`, on an event loop."""


class TestTwoRegions(Over):
    """Two regions; the first is the home of the data."""

    order = ("aws", "aws_elsewhere")


class TestTwoRegionsAwaited(Awaited, TestTwoRegions):
    """The same through `AsyncClient`."""


class TestAwsThenLocal(Over):
    """A region, then the embedded cloud."""

    order = ("aws", "local")


class TestAwsThenLocalAwaited(Awaited, TestAwsThenLocal):
    """The same through `AsyncClient`."""
