"""Google itself keeps the contract of tables; ``docs/google.md`` says what a run takes."""

from __future__ import annotations

from cloud_tests.furnished import FurnishedContract, furnish
from cloud_tests.google import account
from leeward_contract_tests import Awaited

config = furnish(account)


class TestGoogle(FurnishedContract):
    """One database of Firestore."""


class TestGoogleAwaited(Awaited, TestGoogle):
    """The same through `AsyncClient`, on an event loop."""
