"""Google Cloud keeps the contract over real servers, alone and in failover orders."""

from __future__ import annotations

from leeward_contract_tests import Awaited
from tests.contract.over import Over


class TestGoogle(Over):
    """One region."""

    order = ("google",)


class TestGoogleAwaited(Awaited, TestGoogle):
    """The same through `AsyncClient`, on an event loop."""


class TestAwsThenGoogle(Over):
    """Two clouds; the first is the home of the data."""

    order = ("aws", "google")


class TestAwsThenGoogleAwaited(Awaited, TestAwsThenGoogle):
    """The same through `AsyncClient`."""


class TestAzureThenGoogle(Over):
    """Two clouds; the first is the home of the data."""

    order = ("azure", "google")


class TestAzureThenGoogleAwaited(Awaited, TestAzureThenGoogle):
    """The same through `AsyncClient`."""


class TestGoogleThenLocal(Over):
    """Google Cloud, then the embedded cloud."""

    order = ("google", "local")


class TestGoogleThenLocalAwaited(Awaited, TestGoogleThenLocal):
    """The same through `AsyncClient`."""


class TestAllThree(Over):
    """Three clouds at once."""

    order = ("aws", "azure", "google")


class TestAllThreeAwaited(Awaited, TestAllThree):
    """The same through `AsyncClient`."""
