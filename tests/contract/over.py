"""The contract over real servers: one cloud by itself, or several in a failover order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import ClassVar, NamedTuple

import pytest

from leeward.adapter import Driver
from leeward.routing import FailoverDriver
from leeward.testing import FakeClock
from leeward_contract_tests import DriverContract, Faults


class Standing(NamedTuple):
    """A cloud that has been started: what opens a driver on it, and what makes it fail."""

    open: Callable[[], Driver]
    faults: Faults


class Over(DriverContract):
    """The whole contract over `order`: names of fixtures that give a `Standing` each."""

    order: ClassVar[tuple[str, ...]]

    @pytest.fixture
    def clouds(self, request: pytest.FixtureRequest) -> list[Standing]:
        return [request.getfixturevalue(name) for name in self.order]

    @pytest.fixture
    def driver(self, clouds: list[Standing]) -> Iterator[Driver]:
        drivers = [cloud.open() for cloud in clouds]
        driver = drivers[0]
        if len(drivers) > 1:
            driver = FailoverDriver(drivers, home=drivers[0].target, clock=FakeClock())
        yield driver
        driver.close()

    @pytest.fixture
    def faults(self, clouds: list[Standing]) -> Faults:
        return All([cloud.faults for cloud in clouds])


class All:
    """The faults of several clouds at once."""

    def __init__(self, faults: list[Faults]) -> None:
        self._faults = faults

    def lose_answers(self, times: int) -> AbstractContextManager[None]:
        return self._each(lambda faults: faults.lose_answers(times))

    def refuse(self) -> AbstractContextManager[None]:
        return self._each(lambda faults: faults.refuse())

    def throttle(self) -> AbstractContextManager[None]:
        return self._each(lambda faults: faults.throttle())

    @contextmanager
    def _each(self, begin: Callable[[Faults], AbstractContextManager[None]]) -> Iterator[None]:
        with ExitStack() as stack:
            for faults in self._faults:
                stack.enter_context(begin(faults))
            yield
