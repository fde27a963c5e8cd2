"""The contract over real servers: one cloud by itself, or several in a failover order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import ClassVar, NamedTuple

import pytest

from leeward._routing import FailoverDriver
from leeward.adapter import Driver
from leeward.adapter.wire import Response
from leeward.testing import FakeClock
from leeward_contract_tests import DriverContract, Faults
from tests.contract.clouds import LOCAL_SERVICES


class Standing(NamedTuple):
    """A cloud that has been started: what opens a driver on it, and what makes it fail."""

    open: Callable[[], Driver]
    faults: Faults


SERVICES = {
    "aws": ("dynamodb", "events", "lambda", "s3"),
    "azure": ("cosmos", "queue"),
    "google": ("firestore", "functions", "pubsub"),
    "local": LOCAL_SERVICES,
    "postgres": ("connection",),
}
"""Of which a target gives the vendor's own client: an order gives those of its first one."""


class Over:
    """The fixtures of a contract over `clouds`: names of fixtures that give a `Standing` each."""

    clouds: ClassVar[tuple[str, ...]]

    @pytest.fixture
    def standing(self, request: pytest.FixtureRequest) -> list[Standing]:
        return [request.getfixturevalue(name) for name in self.clouds]

    @pytest.fixture
    def drivers(self, standing: list[Standing]) -> Iterator[list[Driver]]:
        drivers = [cloud.open() for cloud in standing]
        yield drivers
        for driver in drivers:
            driver.close()

    @pytest.fixture
    def driver(self, drivers: list[Driver]) -> Driver:
        if len(drivers) == 1:
            return drivers[0]
        return FailoverDriver(drivers, home=drivers[0].target, clock=FakeClock())

    @pytest.fixture
    def services(self, drivers: list[Driver]) -> tuple[str, ...]:
        return SERVICES[drivers[0].target.partition(":")[0]]

    @pytest.fixture
    def faults(self, standing: list[Standing]) -> Faults:
        return All([cloud.faults for cloud in standing])


class Whole(Over, DriverContract):
    """Everything that a driver promises."""


class All:
    """The faults of several clouds at once."""

    def __init__(self, faults: list[Faults]) -> None:
        self._faults = faults
        self.on_wire = all(each.on_wire for each in faults)

    def lose_answers(self, times: int) -> AbstractContextManager[None]:
        return self._each(lambda faults: faults.lose_answers(times))

    def refuse(self) -> AbstractContextManager[None]:
        return self._each(lambda faults: faults.refuse())

    def throttle(self) -> AbstractContextManager[None]:
        return self._each(lambda faults: faults.throttle())

    def change_answers(
        self, change: Callable[[Response], Response]
    ) -> AbstractContextManager[None]:
        return self._each(lambda faults: faults.change_answers(change))

    def drip_answers(self, seconds: float) -> AbstractContextManager[None]:
        return self._each(lambda faults: faults.drip_answers(seconds))

    @contextmanager
    def _each(self, begin: Callable[[Faults], AbstractContextManager[None]]) -> Iterator[None]:
        with ExitStack() as stack:
            for faults in self._faults:
                stack.enter_context(begin(faults))
            yield
