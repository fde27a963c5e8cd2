"""AWS keeps the contract, alone and in failover orders, over real servers and a real wire."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import pytest

from leeward.cloudevents import to_json
from leeward.driver import Driver, TargetConfig
from leeward.local import Local
from leeward.routing import FailoverDriver
from leeward.testing import FakeClock, FaultyDriver
from leeward.values import Event
from leeward_aws import open_driver
from leeward_contract_tests import Awaited, DriverContract, Faults, faults_of
from leeward_contract_tests.fixtures import COUNT, ECHO, EVENTS, FAIL, SEEN, SLOW
from tests.servers.aws.cloud import AwsCloud
from tests.servers.aws.cloud import faults_of as faults_of_clouds
from tests.servers.aws.fixtures import aws_cloud, aws_clouds

__all__ = ["aws_cloud", "aws_clouds"]


def opened(cloud: AwsCloud) -> Driver:
    return open_driver(TargetConfig(cloud.target, "aws", cloud.region, {}, cloud.env))


class TestAws(DriverContract):
    """One region."""

    @pytest.fixture
    def driver(self, aws_cloud: AwsCloud) -> Iterator[Driver]:
        driver = opened(aws_cloud)
        yield driver
        driver.close()

    @pytest.fixture
    def faults(self, aws_cloud: AwsCloud) -> Faults:
        return aws_cloud.faults()


class TestAwsAwaited(Awaited, TestAws):
    """The same through `AsyncClient`, on an event loop."""


class TestTwoRegions(DriverContract):
    """Two regions in a failover order; the first is the home of the data."""

    @pytest.fixture
    def driver(self, aws_clouds: tuple[AwsCloud, ...]) -> Iterator[Driver]:
        drivers = [opened(cloud) for cloud in aws_clouds]
        driver = FailoverDriver(drivers, home=drivers[0].target, clock=FakeClock())
        yield driver
        driver.close()

    @pytest.fixture
    def faults(self, aws_clouds: tuple[AwsCloud, ...]) -> Faults:
        return faults_of_clouds(*aws_clouds)


class TestTwoRegionsAwaited(Awaited, TestTwoRegions):
    """The same through `AsyncClient`."""


class TestAwsThenLocal(DriverContract):
    """A region, then the embedded cloud, whose functions and bus are those of the region."""

    @pytest.fixture
    def local(self, aws_cloud: AwsCloud) -> FaultyDriver:
        return FaultyDriver(mirror_of(aws_cloud))

    @pytest.fixture
    def driver(self, aws_cloud: AwsCloud, local: FaultyDriver) -> Iterator[Driver]:
        drivers = [opened(aws_cloud), local]
        driver = FailoverDriver(drivers, home=aws_cloud.target, clock=FakeClock())
        yield driver
        driver.close()

    @pytest.fixture
    def faults(self, aws_cloud: AwsCloud, local: FaultyDriver) -> Faults:
        return Both(aws_cloud.faults(), faults_of(local))


class TestAwsThenLocalAwaited(Awaited, TestAwsThenLocal):
    """The same through `AsyncClient`."""


def mirror_of(cloud: AwsCloud) -> Local:
    """Give an embedded cloud that runs the region's functions, and feeds its bus."""
    local = Local()
    for name in (ECHO, FAIL, SLOW, COUNT, SEEN):
        local.function(name)(function_of(cloud, name))

    def pass_on(event: Event) -> None:
        entry = {
            "Source": event.source,
            "DetailType": event.type,
            "Detail": json.dumps(to_json(event)),
            "EventBusName": EVENTS,
        }
        assert cloud.boto3("events").put_events(Entries=[entry])["FailedEntryCount"] == 0

    local.subscribe(EVENTS)(pass_on)
    return local


def function_of(cloud: AwsCloud, name: str) -> Callable[[Any], Any]:
    """Give a function that has the region's function of this name do the work."""

    def call(payload: Any) -> Any:
        answer = cloud.boto3("lambda").invoke(FunctionName=name, Payload=json.dumps(payload))
        value = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise RuntimeError(value["errorType"])
        return value

    return call


class Both:
    """The faults of two clouds at once."""

    def __init__(self, *faults: Faults) -> None:
        self._faults = faults

    def lose_answers(self, times: int) -> AbstractContextManager[None]:
        return self._all(lambda each: each.lose_answers(times))

    def refuse(self) -> AbstractContextManager[None]:
        return self._all(lambda each: each.refuse())

    def throttle(self) -> AbstractContextManager[None]:
        return self._all(lambda each: each.throttle())

    @contextmanager
    def _all(self, fault: Callable[[Faults], AbstractContextManager[None]]) -> Iterator[None]:
        with ExitStack() as stack:
            for each in self._faults:
                stack.enter_context(fault(each))
            yield
