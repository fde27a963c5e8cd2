"""Azure keeps the contract over real servers, alone and in failover orders."""

from __future__ import annotations

from leeward_contract_tests import Awaited
from tests.contract.over import Over


class TestAzure(Over):
    """One place."""

    order = ("azure",)


class TestAzureAwaited(Awaited, TestAzure):
    """The same through `AsyncClient`, on an event loop."""


class TestAwsThenAzure(Over):
    """Two clouds; the first is the home of the data."""

    order = ("aws", "azure")


class TestAwsThenAzureAwaited(Awaited, TestAwsThenAzure):
    """The same through `AsyncClient`."""


class TestAzureThenLocal(Over):
    """Azure, then the embedded cloud."""

    order = ("azure", "local")


class TestAzureThenLocalAwaited(Awaited, TestAzureThenLocal):
    """The same through `AsyncClient`."""
