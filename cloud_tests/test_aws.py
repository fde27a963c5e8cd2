"""AWS itself keeps the contract.

``docs/aws.md`` says what a run takes, with two policies, that of the functions' role and that of
whoever runs the tests, which are in `cloud_tests.aws.policies`, too.

`FailureContract` is left out. Its faults happen between leeward and the cloud: a server that
loses an answer has to read the request, and here TLS forbids that. The refusals, too, are those of
a cloud that is throttled or gone, which cannot be had on demand. `SettleContract` is left out, too:
what stands in for this account when the tests themselves are tested passes no client context on.
`make test` has all of it, on servers of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from uuid import uuid4

import pytest

from cloud_tests.aws.account import open_account
from cloud_tests.aws.plan import Plan
from cloud_tests.aws.provision import provisioned
from leeward import Config
from leeward.adapter import Driver
from leeward.opening import open_order
from leeward_contract_tests import (
    Awaited,
    CompositeKeysContract,
    ConditionsContract,
    EnqueueContract,
    ExpiryContract,
    InvokeContract,
    LifecycleContract,
    PublishContract,
    ScanContract,
    TablesContract,
)


@pytest.fixture(scope="session")
def config(terminate_like_interrupt: None, announce: Callable[[str], None]) -> Iterator[Config]:
    """Make everything and give the configuration that leads to it; remove everything."""
    with ExitStack() as stack:
        try:
            account = open_account()
            plan = Plan(uuid4().hex[:12])
            announce(plan.text(account))
            stack.enter_context(provisioned(plan, account, announce))
        except Exception as error:  # noqa: BLE001 - else every test would fail of the same
            pytest.exit(f"nothing is tested: {type(error).__name__}: {error}", returncode=1)
        yield plan.config(account.region)


class TestAws(
    InvokeContract,
    EnqueueContract,
    PublishContract,
    TablesContract,
    ConditionsContract,
    ExpiryContract,
    CompositeKeysContract,
    ScanContract,
    LifecycleContract,
):
    """One region."""

    @pytest.fixture
    def driver(self, config: Config) -> Iterator[Driver]:
        """Return the target as a program opens it, under the names of the configuration."""
        (driver,) = open_order(config, os.environ)
        yield driver
        driver.close()

    @pytest.fixture
    def services(self) -> tuple[str, ...]:
        """Return the services of which boto3 gives a client."""
        return ("dynamodb", "events", "lambda")

    @pytest.fixture
    def patience(self) -> float:
        """Return the seconds that a delivery may take: much more than on one machine."""
        return 60.0


class TestAwsAwaited(Awaited, TestAws):
    """The same through `AsyncClient`, on an event loop."""
