"""Faults on demand: what `FailureContract` needs of the cloud, or of what stands before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from leeward.adapter.wire import Response
from leeward.testing import Fault, FaultyDriver


class Faults(Protocol):
    """Makes calls of the driver under contract go wrong, for the length of a ``with`` block.

    The nearer to the wire a fault is made, the more of the driver it tests: best by a server or
    a proxy that really closes connections.
    """

    @property
    def on_wire(self) -> bool:
        """Whether answers pass a wire, where they can be changed and delayed.

        Without one, the tests of `change_answers` and `drip_answers` have nothing to look at.
        """

    def lose_answers(self, times: int) -> AbstractContextManager[None]:
        """Lose the answers of the next `times` requests, which do their work.

        Every request counts, reads too; what comes after is answered.
        """

    def refuse(self) -> AbstractContextManager[None]:
        """Refuse connections, for as long as the block lasts."""

    def throttle(self) -> AbstractContextManager[None]:
        """Refuse every request at the cloud before it runs anything: too many requests."""

    def change_answers(
        self, change: Callable[[Response], Response]
    ) -> AbstractContextManager[None]:
        """Do the work of every request, and answer with what `change` makes of its answer.

        The connection may go on. Where the wire is not HTTP, the body alone is sent, for the whole
        answer, and the connection ends.
        """

    def drip_answers(self, seconds: float) -> AbstractContextManager[None]:
        """Do the work of every request, and send its answer a byte at a time, `seconds` apart."""


class DriverFaults:
    """`Faults` for a driver that is, or is made of, `FaultyDriver`: nothing is on a wire."""

    on_wire = False

    def __init__(self, *drivers: FaultyDriver) -> None:
        self._drivers = drivers

    def lose_answers(self, times: int) -> AbstractContextManager[None]:
        """Lose the next `times` answers of each driver."""
        return self._failing(Fault.LOSE_ANSWER, times)

    def refuse(self) -> AbstractContextManager[None]:
        """Keep every driver from being reached."""
        return self._failing(Fault.REFUSE, None)

    def throttle(self) -> AbstractContextManager[None]:
        """Refuse every driver."""
        return self._failing(Fault.THROTTLE, None)

    def change_answers(
        self, change: Callable[[Response], Response]
    ) -> AbstractContextManager[None]:
        """Raise `NotImplementedError`: there is no answer to change."""
        raise NotImplementedError("a FaultyDriver has no wire")

    def drip_answers(self, seconds: float) -> AbstractContextManager[None]:
        """Raise `NotImplementedError`: there is no answer to send slowly."""
        raise NotImplementedError("a FaultyDriver has no wire")

    @contextmanager
    def _failing(self, fault: Fault, times: int | None) -> Iterator[None]:
        for driver in self._drivers:
            driver.fail(fault, times=times)
        try:
            yield
        finally:
            for driver in self._drivers:
                driver.heal()


def faults_of(*drivers: FaultyDriver) -> Faults:
    """Return the faults of one `FaultyDriver`, or of all that a router goes to.

    These faults stand between the router and the driver, so they test what is made of the
    driver's outcomes, not how the driver comes by them.
    """
    return DriverFaults(*drivers)
