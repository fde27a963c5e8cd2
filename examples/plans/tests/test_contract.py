"""The Stratus driver keeps the contract of leeward over a real wire, on threads and awaited."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from leeward.adapter import Driver, TargetConfig
from leeward.cloudevents import from_json
from leeward_contract_tests import Awaited, DriverContract, Faults, Seen, contract_functions
from leeward_contract_tests.fixtures import EVENTS
from leeward_stratus.driver import open_driver

from .cloud import CLIENT, StratusCloud


class TestStratus(DriverContract):
    """Everything that a driver promises."""

    @pytest.fixture
    def cloud(self) -> Iterator[StratusCloud]:
        seen = Seen()
        subscribers = {EVENTS: lambda event: seen.remember(from_json(event))}
        cloud = StratusCloud(contract_functions(seen), subscribers)
        yield cloud
        cloud.stop()

    @pytest.fixture
    def driver(self, cloud: StratusCloud) -> Iterator[Driver]:
        options = {"url": cloud.url, **CLIENT}
        driver = open_driver(TargetConfig("stratus", "stratus", None, options, {}))
        yield driver
        driver.close()

    @pytest.fixture
    def faults(self, cloud: StratusCloud) -> Faults:
        return cloud


class TestStratusAwaited(Awaited, TestStratus):
    """The same through the asynchronous client."""
