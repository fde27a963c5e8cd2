"""Each cloud keeps the whole contract by itself, over real servers."""

from __future__ import annotations

from leeward_contract_tests import Awaited
from tests.contract.over import Whole


class TestAws(Whole):
    """One region."""

    clouds = ("aws",)


class TestAwsAwaited(Awaited, TestAws):
    """The same through `AsyncClient`, on an event loop."""


class TestAzure(Whole):
    """One place."""

    clouds = ("azure",)


class TestAzureAwaited(Awaited, TestAzure):
    """The same through `AsyncClient`, on an event loop."""


class TestGoogle(Whole):
    """One region."""

    clouds = ("google",)


class TestGoogleAwaited(Awaited, TestGoogle):
    """The same through `AsyncClient`, on an event loop."""
