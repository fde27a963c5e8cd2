"""What the clouds share: a fixture that makes everything, and the contract."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any
from uuid import uuid4

import pytest

from leeward import Config
from leeward.adapter import Driver
from leeward.opening import open_order
from leeward_contract_tests import (
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


def furnish(
    open_cloud: Callable[[str, Callable[[str], None]], AbstractContextManager[Config]],
) -> Any:
    """Return a fixture: the configuration that leads to what `open_cloud` makes, and removes.

    It takes what tells this run from any other, and a function that shows a line to the user.
    """

    @pytest.fixture(scope="session")
    def config(terminate_like_interrupt: None, announce: Callable[[str], None]) -> Iterator[Config]:
        with ExitStack() as stack:
            try:
                found = stack.enter_context(open_cloud(uuid4().hex[:12], announce))
            except Exception as error:  # noqa: BLE001 - else every test would fail of the same
                pytest.exit(f"nothing is tested: {type(error).__name__}: {error}", returncode=1)
            yield found

    return config


class FurnishedContract(
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
    """One target."""

    @pytest.fixture
    def driver(self, config: Config) -> Iterator[Driver]:
        """Return the target as a program opens it."""
        (driver,) = open_order(config, os.environ)
        yield driver
        driver.close()

    @pytest.fixture
    def patience(self) -> float:
        """Return the seconds that a delivery may take: much more than on one machine."""
        return 60.0
