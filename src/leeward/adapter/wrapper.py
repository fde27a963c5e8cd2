"""Drivers to derive from: all verbs by one method, and a driver around another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from time import monotonic
from typing import Any

from leeward.adapter.async_driver import close_async, on_a_thread, perform_async, perform_by
from leeward.adapter.capabilities import NONE_MISSING, Capability, Limits
from leeward.adapter.driver import Driver, perform
from leeward.calls import (
    Call,
    Delete,
    Enqueue,
    Invoke,
    Load,
    Page,
    Publish,
    Result,
    Scan,
    Store,
    Stored,
)
from leeward.values import Json


class UniformDriver(ABC):
    """The seven verbs through one method, for drivers that treat every call alike."""

    @abstractmethod
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt at any call."""

    def invoke(self, call: Invoke, timeout: float) -> Result[Json]:
        """Call a function and wait for its answer."""
        return self.perform(call, timeout)

    def enqueue(self, call: Enqueue, timeout: float) -> Result[None]:
        """Queue a function call."""
        return self.perform(call, timeout)

    def publish(self, call: Publish, timeout: float) -> Result[tuple[Result[None], ...]]:
        """Publish events in one request."""
        return self.perform(call, timeout)

    def store(self, call: Store, timeout: float) -> Result[str]:
        """Replace an item; give its revision."""
        return self.perform(call, timeout)

    def load(self, call: Load, timeout: float) -> Result[Stored | None]:
        """Read an item."""
        return self.perform(call, timeout)

    def delete(self, call: Delete, timeout: float) -> Result[None]:
        """Delete an item."""
        return self.perform(call, timeout)

    def scan(self, call: Scan, timeout: float) -> Result[Page]:
        """Read one page of a table."""
        return self.perform(call, timeout)


_VERBS = ("invoke", "enqueue", "publish", "store", "load", "delete", "scan")


def _distance(cls: type, name: str) -> int:
    """Return how far up its ancestors `cls` has `name` from."""
    return next(index for index, each in enumerate(cls.__mro__) if name in vars(each))


class WrappingDriver(UniformDriver):
    """A driver around `driver` that passes everything on; override what is to differ.

    To change calls on their way, override `map_call`. A subclass that overrides `perform`, a verb
    or `close`, and not its asynchronous counterpart, is run in threads when it is awaited, so that
    nothing goes around it.
    """

    def __init_subclass__(cls) -> None:
        """Leave no way around what the subclass, or a class mixed in, has of its own."""
        super().__init_subclass__()
        own = min(_distance(cls, name) for name in ("perform", *_VERBS))
        if own < _distance(cls, "perform_async"):
            cls.perform_async = WrappingDriver._perform_on_a_thread  # type: ignore[method-assign]
        if _distance(cls, "close") < _distance(cls, "close_async"):
            cls.close_async = WrappingDriver._close_on_a_thread  # type: ignore[method-assign]

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    @property
    def target(self) -> str:
        """The target's name."""
        return self._driver.target

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the target can do."""
        return self._driver.capabilities

    @property
    def limits(self) -> Limits:
        """The largest that the target takes."""
        return self._driver.limits

    @property
    def missing(self) -> Mapping[Capability, str]:
        """What to set for capabilities that nothing is configured for, if the target says so."""
        found: Mapping[Capability, str] = getattr(self._driver, "missing", NONE_MISSING)
        return found

    def map_call(self, call: Call) -> Call:
        """Return the call that the wrapped driver gets: the same, unless overridden."""
        return call

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt at any call."""
        return perform(self._driver, self.map_call(call), timeout)

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        """Await one attempt at any call."""
        return await perform_async(self._driver, self.map_call(call), timeout)

    async def _perform_on_a_thread(self, call: Call, timeout: float) -> Result[Any]:
        result: Result[Any] = await on_a_thread(perform_by, self, call, monotonic() + timeout)
        return result

    async def _close_on_a_thread(self) -> None:
        await on_a_thread(self.close)

    def describe(self) -> Mapping[str, str]:
        """Return the target's settings."""
        return self._driver.describe()

    def native(self, service: str) -> object:
        """Return the vendor's own client."""
        return self._driver.native(service)

    def close(self) -> None:
        """Close the target."""
        self._driver.close()

    async def close_async(self) -> None:
        """Close the target without blocking the event loop."""
        await close_async(self._driver)
