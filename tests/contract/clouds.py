"""Embedded clouds with everything that the contract asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leeward import Unsupported
from leeward.adapter import Capability, Driver
from leeward.calls import OBJECT_VERBS, RUN_VERBS, Call, Result
from leeward.local import Local
from leeward.testing import FaultyDriver
from leeward_contract_tests import Seen, contract_functions
from leeward_contract_tests.fixtures import EVENTS, Function

LOCAL_SERVICES = ("dead_letters", "events", "functions", "tables")
"""Services of which an embedded cloud gives a native client."""


def local_cloud(target: str = "local") -> Local:
    """Give an embedded cloud with the contract's functions and bus."""
    (cloud,) = local_clouds(target)
    return cloud


def local_clouds(*targets: str) -> list[Local]:
    """Give several, whose functions share their counters and what they have seen."""
    seen = Seen()
    functions = contract_functions(seen)
    return [_furnished(Local(target), functions, seen) for target in targets]


def _furnished(cloud: Local, functions: Mapping[str, Function], seen: Seen) -> Local:
    for name, function in functions.items():
        cloud.function(name)(function)
    cloud.subscribe(EVENTS)(seen.remember)
    return cloud


class Lacking(FaultyDriver):
    """A driver without some capabilities, which declines the verbs that are wholly missing."""

    def __init__(self, driver: Driver, *lacks: Capability) -> None:
        super().__init__(driver)
        self._lacks = frozenset(lacks)
        self.capabilities -= self._lacks

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if _VERBS.get(call.verb, Capability.TABLES) in self._lacks:
            raise Unsupported(f"no {call.verb} here", target=self.target)
        return super().perform(call, timeout)


_VERBS = {
    **{each.value: each for each in Capability},
    **dict.fromkeys(OBJECT_VERBS, Capability.OBJECTS),
    **dict.fromkeys(RUN_VERBS, Capability.WORKFLOWS),
    "settle_write": Capability.SETTLING,
    "list_items": Capability.RANGES,
}
