"""Capabilities, held to both ways: what is declared works, what is not is refused unsent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Concatenate, Final, ParamSpec, Protocol, TypeVar

import pytest

from leeward import Client, Unsupported
from leeward.adapter import Call, Capability, Driver, Scan
from leeward.testing import FaultyDriver
from leeward_contract_tests.contracts.calls import SECONDS
from leeward_contract_tests.fixtures import ECHO, EVENTS, ITEMS, PAIR, PAIRS

DOORS: Final[Mapping[Capability, Callable[[Client], object]]] = {
    Capability.INVOKE: lambda client: client.invoke(ECHO),
    Capability.ENQUEUE: lambda client: client.enqueue(ECHO),
    Capability.PUBLISH: lambda client: client.publish_event(EVENTS, "contract.refused"),
    Capability.ORDERING: lambda client: client.publish_event(
        EVENTS, "contract.refused", ordering_key="key"
    ),
    Capability.TABLES: lambda client: client.load_data(ITEMS, "key"),
    Capability.CONDITIONS: lambda client: client.store_data(ITEMS, {"id": "key"}, if_absent=True),
    Capability.EXPIRY: lambda client: client.store_data(ITEMS, {"id": "key"}, expires_in=60),
    Capability.COMPOSITE_KEYS: lambda client: client.load_data(PAIRS, dict.fromkeys(PAIR, "key")),
}
"""A call through the client that needs the capability; SCAN has no door."""


class Refusal:
    """Holds a driver to what it does not declare."""

    def __init__(self, client: Client, watched: FaultyDriver) -> None:
        self._client = client
        self._watched = watched

    def is_due(self, wanted: Iterable[Capability]) -> bool:
        """Check the refusal of the first of `wanted` that is not declared; False if all are."""
        for capability in wanted:
            if capability not in self._watched.capabilities:
                self._check(capability)
                return True
        return False

    def _check(self, capability: Capability) -> None:
        if capability is Capability.SCAN:
            assert declines(self._watched, Scan(ITEMS))
            return
        before = len(self._watched.calls)
        with pytest.raises(Unsupported) as raised:
            DOORS[capability](self._client)
        assert raised.value.target == self._watched.target
        assert self._watched.calls[before:] == []


def declines(driver: Driver, call: Call) -> bool:
    """Tell whether `driver` raises `Unsupported`, or, being a router, hands it on as a cause."""
    try:
        result = driver.perform(call, SECONDS)
    except Unsupported:
        return True
    return isinstance(result.cause, Unsupported)


class _Holder(Protocol):
    refusal: Refusal


H = TypeVar("H", bound=_Holder)
P = ParamSpec("P")


def needs(
    *wanted: Capability,
) -> Callable[[Callable[Concatenate[H, P], None]], Callable[Concatenate[H, P], None]]:
    """Let a test run where the driver declares `wanted`, and check the refusal where it does not.

    So a test never is skipped: it passes because the driver keeps a promise, or because nothing
    was sent for a promise that it does not make.
    """

    def decorate(test: Callable[Concatenate[H, P], None]) -> Callable[Concatenate[H, P], None]:
        @wraps(test)
        def run(self: H, /, *args: P.args, **kwargs: P.kwargs) -> None:
            if not self.refusal.is_due(wanted):
                test(self, *args, **kwargs)

        return run

    return decorate
