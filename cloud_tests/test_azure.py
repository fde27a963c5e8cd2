"""Azure itself keeps the contract of tables; ``docs/azure.md`` says what a run takes."""

from __future__ import annotations

from cloud_tests.azure import account
from cloud_tests.furnished import FurnishedContract, furnish
from leeward_contract_tests import Awaited

config = furnish(account)


class TestAzure(FurnishedContract):
    """One account of Cosmos DB."""


class TestAzureAwaited(Awaited, TestAzure):
    """The same through `AsyncClient`, on an event loop."""
