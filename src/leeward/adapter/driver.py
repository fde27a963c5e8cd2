"""The Driver protocol, and a call put to whichever method serves it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from leeward.adapter.capabilities import Capability, Limits
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


class Driver(Protocol):
    """One target. Every method may be called from many threads at once.

    Each verb makes exactly one attempt: one effectful request on the wire, no retry, no redirect,
    no sleep, and an answer within `timeout` seconds. It returns a `Result` for everything that
    can go wrong out there. An exception that escapes is taken for AMBIGUOUS; only a
    `leeward.LeewardError` raised before anything is sent keeps its meaning. A verb whose
    capability the driver does not declare raises `leeward.Unsupported`.
    """

    @property
    def target(self) -> str:
        """The target's name, such as ``aws:us-east-1``."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What this target can do."""

    @property
    def limits(self) -> Limits:
        """The largest that this target takes."""

    def invoke(self, call: Invoke, timeout: float) -> Result[Json]:
        """Call a function and wait for its answer."""

    def enqueue(self, call: Enqueue, timeout: float) -> Result[None]:
        """Queue a function call."""

    def publish(self, call: Publish, timeout: float) -> Result[tuple[Result[None], ...]]:
        """Publish events in one request."""

    def store(self, call: Store, timeout: float) -> Result[str]:
        """Replace an item; give its revision."""

    def load(self, call: Load, timeout: float) -> Result[Stored | None]:
        """Read an item."""

    def delete(self, call: Delete, timeout: float) -> Result[None]:
        """Delete an item."""

    def scan(self, call: Scan, timeout: float) -> Result[Page]:
        """Read one page of a table."""

    def describe(self) -> Mapping[str, str]:
        """Return the settings in force, the environment's share included; never a secret."""

    def native(self, service: str) -> object:
        """Return the vendor's own client of `service`; `ConfigError` names the known services."""

    def close(self) -> None:
        """Return back every connection, thread and file. Closing twice is harmless."""


def perform(driver: Driver, call: Call, timeout: float) -> Result[Any]:
    """Put `call` to the method of `driver` that serves its verb."""
    result: Result[Any] = getattr(driver, call.verb)(call, timeout)
    return result
