"""Each cloud keeps the whole contract by itself, over real servers."""

from __future__ import annotations

from leeward_contract_tests import Awaited
from tests.contract.over import Whole


class TestAws(Whole):
    """One region."""

    clouds = ("aws",)


class TestAwsAwaited(Awaited, TestAws):
    """The same through `AsyncClient`: an adapter's plans do not know who awaits them.

    So one cloud stands for all.
    """


class TestAzure(Whole):
    """One place."""

    clouds = ("azure",)


class TestGoogle(Whole):
    """One region."""

    clouds = ("google",)
