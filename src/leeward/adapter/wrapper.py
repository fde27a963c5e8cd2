"""WrappingDriver: a driver around another, to derive from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from leeward.adapter.driver import Driver
from leeward.calls import Call, Result

if TYPE_CHECKING:
    from leeward.calls import Look


class WrappingDriver(Driver):
    """A driver around `driver` that passes everything on; override what is to differ.

    A subclass that overrides `perform` or `close`, and not its asynchronous counterpart, is run on
    a thread when it is awaited, so that nothing goes around it.
    """

    def __init_subclass__(cls) -> None:
        """Leave no way around what the subclass, or a class mixed in, has of its own."""
        super().__init_subclass__()
        for name in ("perform", "close"):
            if _distance(cls, name) < _distance(cls, f"{name}_async"):
                setattr(cls, f"{name}_async", getattr(Driver, f"{name}_async"))

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self.target = driver.target
        self.capabilities = driver.capabilities
        self.limits = driver.limits
        self.missing = driver.missing
        self.probe_fidelity = driver.probe_fidelity

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt at any call."""
        return self._driver.perform(call, timeout)

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        """Await one attempt at any call."""
        return await self._driver.perform_async(call, timeout)

    def probe(self, timeout: float) -> Result[Any]:
        """Look whether the target works."""
        return self._driver.probe(timeout)

    def look(self, look: Look, timeout: float) -> Result[Any]:
        """Look whether something is there."""
        return self._driver.look(look, timeout)

    def describe(self) -> Mapping[str, str]:
        """Return the target's settings."""
        return self._driver.describe()

    def places(self) -> tuple[int, int] | None:
        """Return how many requests are under way, and how many calls wait for a place."""
        return self._driver.places()

    def native(self, service: str) -> object:
        """Return the vendor's own client."""
        return self._driver.native(service)

    def mount(self, app: Any) -> None:
        """Let the driver inside run an app."""
        self._driver.mount(app)

    def close(self) -> None:
        """Close the target."""
        self._driver.close()

    async def close_async(self) -> None:
        """Close the target without blocking the event loop."""
        await self._driver.close_async()


def _distance(cls: type, name: str) -> int:
    """Return how far up its ancestors `cls` has `name` from."""
    return next(index for index, each in enumerate(cls.__mro__) if name in vars(each))
