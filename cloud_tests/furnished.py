"""The contract of tables on a cloud that is furnished over HTTPS, from its table of resources."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import ModuleType
from typing import Any
from uuid import uuid4

import pytest

from cloud_tests.rest import PREFIX, explain, provisioned
from leeward import Config
from leeward.adapter import Driver
from leeward.opening import open_order
from leeward_contract_tests import (
    CompositeKeysContract,
    ConditionsContract,
    ExpiryContract,
    ScanContract,
    TablesContract,
)


def furnish(cloud: ModuleType) -> Any:
    """Return a fixture: it makes what the module `account` of a cloud names, and removes it.

    Its value is the configuration that leads there. Functions and events are left out: they need
    code that is deployed first.
    """

    @pytest.fixture(scope="session")
    def config(terminate_like_interrupt: None, announce: Callable[[str], None]) -> Iterator[Config]:
        run = f"{PREFIX}-{uuid4().hex[:12]}"
        with ExitStack() as stack:
            try:
                account = cloud.open_account(os.environ)
                table = cloud.resources(account, run)
                announce(explain(account.where, table, run))
                stack.enter_context(provisioned(account.api, table, announce))
                found: Config = cloud.configure(account, run)
            except Exception as error:  # noqa: BLE001 - else every test would fail of the same
                pytest.exit(f"nothing is tested: {type(error).__name__}: {error}", returncode=1)
            yield found

    return config


class FurnishedContract(
    TablesContract, ConditionsContract, ExpiryContract, CompositeKeysContract, ScanContract
):
    """One target. Its lifecycle is left out with the functions, which it calls."""

    @pytest.fixture
    def driver(self, config: Config) -> Iterator[Driver]:
        """Return the target as a program opens it."""
        (driver,) = open_order(config, os.environ)
        yield driver
        driver.close()
