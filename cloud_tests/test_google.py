"""Google itself keeps the contract of tables; ``docs/google.md`` says what a run takes.

Functions and events are left out, and the lifecycle that calls them: they need code that is
deployed first.
"""

from __future__ import annotations

from functools import partial

from cloud_tests.furnished import FurnishedContract, furnish
from cloud_tests.google import account
from cloud_tests.rest import open_cloud
from leeward_contract_tests import Awaited

config = furnish(partial(open_cloud, account))


class TestGoogle(FurnishedContract):
    """One database of Firestore."""


class TestGoogleAwaited(Awaited, TestGoogle):
    """The same through `AsyncClient`, on an event loop."""
