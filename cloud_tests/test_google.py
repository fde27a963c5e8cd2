"""Google itself keeps the contract.

``docs/google.md`` says what a run takes, and `cloud_tests.test_aws` what is left out.
"""

from __future__ import annotations

from functools import partial

import pytest

from cloud_tests.furnished import FurnishedContract, furnish
from cloud_tests.google import account
from cloud_tests.rest import open_cloud
from leeward_contract_tests import Awaited

config = furnish(partial(open_cloud, account))


class TestGoogle(FurnishedContract):
    """One project."""

    @pytest.fixture
    def services(self) -> tuple[str, ...]:
        """Return services of which the vendor's packages give a client."""
        return ("firestore", "functions", "pubsub")


class TestGoogleAwaited(Awaited, TestGoogle):
    """The same through `AsyncClient`, on an event loop."""
