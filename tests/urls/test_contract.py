"""The contract of all drivers over functions that leeward serves, behind a proxy for faults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from leeward._routing import FailoverDriver
from leeward.adapter import Capability, Driver
from leeward.app.serving import FunctionServer, serve_functions
from leeward.local import Local
from leeward.testing import FakeClock, FaultyDriver
from leeward_contract_tests import (
    Awaited,
    ConditionsContract,
    DriverContract,
    EnqueueContract,
    FailureContract,
    Faults,
    InvokeContract,
    LookContract,
    PublishContract,
    Seen,
    SettleContract,
    TablesContract,
    contract_functions,
    faults_of,
)
from leeward_contract_tests.fixtures import EVENTS, Function
from tests.contract.clouds import LOCAL_SERVICES, Lacking
from tests.servers.faultproxy import FaultProxy
from tests.urls.served import ANYWHERE, ServedFaults, contract_app, target

URL = "{}/{{function}}"


class Served:
    """The fixtures of a contract over a server of functions."""

    @pytest.fixture
    def seen(self) -> Seen:
        """Return what remembers events."""
        return Seen()

    @pytest.fixture
    def functions(self, seen: Seen) -> Mapping[str, Function]:
        """Return the contract's functions, with counters of their own."""
        return contract_functions(seen)

    @pytest.fixture
    def server(self, functions: Mapping[str, Function]) -> Iterator[FunctionServer]:
        """Serve the functions."""
        with serve_functions(contract_app(functions), ANYWHERE, seconds=1) as server:
            yield server

    @pytest.fixture
    def proxy(self, server: FunctionServer) -> Iterator[FaultProxy]:
        """Return the proxy before it."""
        host, _, port = server.address.partition(":")
        with FaultProxy((host, int(port))) as proxy:
            yield proxy

    @pytest.fixture
    def driver(self, proxy: FaultProxy) -> Iterator[Driver]:
        """Open the target behind the proxy."""
        driver = target(url=URL.format(proxy.url), health=f"{proxy.url}/health")
        yield driver
        driver.close()

    @pytest.fixture
    def faults(
        self, proxy: FaultProxy, server: FunctionServer, monkeypatch: pytest.MonkeyPatch
    ) -> Faults:
        """Return the faults of proxy and server."""
        return ServedFaults(proxy, server, monkeypatch)


class TestHttp(Served, DriverContract):
    """Everything that a driver promises."""


class TestHttpAwaited(Awaited, TestHttp):
    """The same through the asynchronous client."""


class TestStoreThenHttp(
    Served,
    InvokeContract,
    SettleContract,
    EnqueueContract,
    PublishContract,
    TablesContract,
    ConditionsContract,
    LookContract,
    FailureContract,
):
    """A target that has data, a bus and a queue, and one that calls functions: each does its own.

    `tests.postgres` has the whole contract over an order.
    """

    @pytest.fixture
    def clouds(
        self, proxy: FaultProxy, functions: Mapping[str, Function], seen: Seen
    ) -> list[FaultyDriver]:
        """Open both; the first one calls no function and waits for it."""
        local = Local()
        for name, function in functions.items():
            local.function(name)(function)
        local.subscribe(EVENTS)(seen.remember)
        return [Lacking(local, Capability.INVOKE), FaultyDriver(target(url=URL.format(proxy.url)))]

    @pytest.fixture
    def driver(self, clouds: list[FaultyDriver]) -> Iterator[Driver]:
        """Return the router over both."""
        driver = FailoverDriver(clouds, home="local", clock=FakeClock())
        yield driver
        driver.close()

    @pytest.fixture
    def faults(self, clouds: list[FaultyDriver]) -> Faults:
        """Return the faults of both."""
        return faults_of(*clouds)

    @pytest.fixture
    def services(self) -> tuple[str, ...]:
        """Return the services of the first target."""
        return LOCAL_SERVICES
