"""Capabilities, checked both ways: what is declared works, the rest is refused and not sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Concatenate, Final, ParamSpec, Protocol, TypeVar

import pytest

from leeward import Client, Unsupported
from leeward.adapter import Capability, Driver
from leeward.calls import Call, Delete, GetRun, Key, Scan, SettleWrite
from leeward.testing import FaultyDriver
from leeward_contract_tests.contracts.calls import SECONDS
from leeward_contract_tests.fixtures import BUCKET, ECHO, EVENTS, ITEMS, PAIR, PAIRS, WORKFLOW

CALLS: Final[Mapping[Capability, Callable[[Client], object]]] = {
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
    Capability.RANGES: lambda client: client.list_data(PAIRS, "key"),
    Capability.OBJECTS: lambda client: client.put_object(BUCKET, "refused", b"refused"),
}
"""A call through the client that needs the capability."""

BY_DRIVER: Final[Mapping[Capability, Call | None]] = {
    Capability.SCAN: Scan(ITEMS),
    Capability.WORKFLOWS: GetRun(WORKFLOW, "refused"),
    Capability.SINGLE_STARTS: None,
    Capability.SETTLING: SettleWrite(ITEMS, Delete(ITEMS, Key(("id",), ("refused",)), 0.0)),
}
"""A call that the driver itself has to decline. The client has no method for SCAN and
SETTLING, and where runs live is configured. Without SINGLE_STARTS nothing is declined: the client
does its part."""


class Undeclared:
    """Checks that a driver refuses what it does not declare."""

    def __init__(self, client: Client, recorder: FaultyDriver) -> None:
        self._client = client
        self._recorder = recorder

    def is_refused(self, wanted: Iterable[Capability]) -> bool:
        """Return whether one of `wanted` is not declared, after a check that it is refused."""
        for capability in wanted:
            if capability not in self._recorder.capabilities:
                self._check(capability)
                return True
        return False

    def _check(self, capability: Capability) -> None:
        if capability in BY_DRIVER:
            call = BY_DRIVER[capability]
            assert call is None or is_unsupported(self._recorder, call)
            return
        before = len(self._recorder.calls)
        with pytest.raises(Unsupported) as raised:
            CALLS[capability](self._client)
        assert raised.value.target == self._recorder.target
        assert self._recorder.calls[before:] == []


def is_unsupported(driver: Driver, call: Call) -> bool:
    """Return whether `driver` raises `Unsupported`, or, like a router, returns it as a cause."""
    try:
        result = driver.perform(call, SECONDS)
    except Unsupported:
        return True
    return isinstance(result.cause, Unsupported)


class _HasUndeclared(Protocol):
    undeclared: Undeclared


H = TypeVar("H", bound=_HasUndeclared)
P = ParamSpec("P")


def needs(
    *wanted: Capability,
) -> Callable[[Callable[Concatenate[H, P], None]], Callable[Concatenate[H, P], None]]:
    """Run a test if the driver declares `wanted`; if not, check that it refuses it.

    So no test is skipped: it passes because the driver keeps a promise, or because nothing was
    sent for a promise that it does not make.
    """

    def decorate(test: Callable[Concatenate[H, P], None]) -> Callable[Concatenate[H, P], None]:
        @wraps(test)
        def run(self: H, /, *args: P.args, **kwargs: P.kwargs) -> None:
            if not self.undeclared.is_refused(wanted):
                test(self, *args, **kwargs)

        return run

    return decorate
