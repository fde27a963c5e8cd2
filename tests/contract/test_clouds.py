"""Each cloud keeps the whole contract by itself, over real servers.

An adapter's plans do not know who awaits them: examples/plans keeps it awaited, over a wire.
"""

from __future__ import annotations

from tests.contract.over import Whole


class TestAws(Whole):
    """One region."""

    clouds = ("aws",)


class TestAzure(Whole):
    """One place."""

    clouds = ("azure",)


class TestGoogle(Whole):
    """One region."""

    clouds = ("google",)
