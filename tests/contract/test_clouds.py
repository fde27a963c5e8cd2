"""Each cloud keeps the whole contract by itself, over real servers; AWS for both clients.

The adapters of clouds have no coroutine of their own: what awaits their plans is the core's. So the
others show through `AsyncClient` one call of each verb, and what goes wrong.
"""

from __future__ import annotations

import ast
from pathlib import Path

import leeward_aws
import leeward_azure
import leeward_google
from leeward_contract_tests import (
    Awaited,
    EnqueueContract,
    FailureContract,
    LifecycleContract,
)
from tests.contract.over import Over, Whole


def test_what_awaits_a_cloud_is_the_core() -> None:
    """Else each adapter needs the whole contract of `AsyncClient`."""
    for adapter in (leeward_aws, leeward_azure, leeward_google):
        for path in Path(adapter.__file__ or "").parent.rglob("*.py"):
            nodes = ast.walk(ast.parse(path.read_bytes()))
            own = [each for each in nodes if isinstance(each, ast.AsyncFunctionDef | ast.Await)]
            assert own == [], path


class TestAws(Whole):
    """One region."""

    clouds = ("aws",)


class TestAwsAwaited(Awaited, TestAws):
    """The same through `AsyncClient`, on an event loop."""


class TestAzure(Whole):
    """One place."""

    clouds = ("azure",)


class TestAzureAwaited(Awaited, Over, EnqueueContract, FailureContract, LifecycleContract):
    """Through `AsyncClient`, on an event loop."""

    clouds = ("azure",)


class TestGoogle(Whole):
    """One region."""

    clouds = ("google",)


class TestGoogleAwaited(Awaited, Over, EnqueueContract, FailureContract, LifecycleContract):
    """Through `AsyncClient`, on an event loop."""

    clouds = ("google",)
