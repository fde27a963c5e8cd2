"""The Nimbus driver keeps the contract of leeward, over a real wire."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from leeward.adapter import Driver
from leeward.cloudevents import from_json
from leeward_contract_tests import DriverContract, Faults, Seen, contract_functions
from leeward_contract_tests.fixtures import EVENTS
from leeward_nimbus import NimbusDriver

from .cloud import TOKEN, NimbusCloud


class TestNimbus(DriverContract):
    """Everything that a driver promises."""

    @pytest.fixture
    def cloud(self) -> Iterator[NimbusCloud]:
        seen = Seen()
        subscribers = {EVENTS: lambda event: seen.remember(from_json(event))}
        cloud = NimbusCloud(contract_functions(seen), subscribers)
        yield cloud
        cloud.stop()

    @pytest.fixture
    def driver(self, cloud: NimbusCloud) -> Iterator[Driver]:
        driver = NimbusDriver("nimbus", cloud.url, TOKEN)
        yield driver
        driver.close()

    @pytest.fixture
    def faults(self, cloud: NimbusCloud) -> Faults:
        return cloud

    @pytest.fixture
    def settles(self) -> bool:
        return False  # Nimbus passes no headers to functions

    @pytest.fixture
    def services(self) -> tuple[str, ...]:
        return ("http",)
