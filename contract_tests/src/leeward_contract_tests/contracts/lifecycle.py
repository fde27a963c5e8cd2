"""The contract of a driver as such: what it declares, shows, shares between threads and closes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from leeward import Client, ConfigError
from leeward.adapter import Capability, Driver, Limits
from leeward.calls import Call, DeleteObject, GetObject, ListItems, ListObjects, Scan, SettleWrite
from leeward.values import Event, Item
from leeward_contract_tests.contracts.base import Contract
from leeward_contract_tests.contracts.calls import (
    delete,
    enqueue,
    fresh,
    head,
    invoke,
    load,
    publish,
    put,
    store,
)
from leeward_contract_tests.contracts.capabilities import is_unsupported, needs
from leeward_contract_tests.contracts.observations import THREADS, in_parallel
from leeward_contract_tests.fixtures import BUCKET, ECHO, ITEMS, PAIR, PAIRS

VERBS: Mapping[Capability, tuple[Call, ...]] = {
    Capability.INVOKE: (invoke(ECHO, None),),
    Capability.ENQUEUE: (enqueue(ECHO, None),),
    Capability.PUBLISH: (publish(Event("contract.refused")),),
    Capability.TABLES: (store({"id": "key"}), load("key"), delete("key")),
    Capability.SCAN: (Scan(ITEMS),),
    Capability.RANGES: (ListItems(PAIRS, PAIR, "key"),),
    Capability.OBJECTS: (
        put("refused", b"refused"),
        GetObject(BUCKET, "refused", 0, 1),
        head("refused"),
        ListObjects(BUCKET),
        DeleteObject(BUCKET, "refused"),
    ),
    Capability.SETTLING: (SettleWrite(ITEMS, delete("key")),),
}
"""Calls whose whole verb needs the capability."""

BUILDS_ON: Mapping[Capability, Capability] = {
    Capability.ORDERING: Capability.PUBLISH,
    Capability.CONDITIONS: Capability.TABLES,
    Capability.EXPIRY: Capability.TABLES,
    Capability.COMPOSITE_KEYS: Capability.TABLES,
    Capability.SCAN: Capability.TABLES,
    Capability.RANGES: Capability.COMPOSITE_KEYS,
    Capability.SETTLING: Capability.TABLES,
}


class LifecycleContract(Contract):
    """Be one target, from opening to closing."""

    def test_the_target_has_a_name(self, driver: Driver) -> None:
        """Return the same printable name every time."""
        assert driver.target == driver.target
        assert driver.target.strip().isprintable()
        assert driver.target.strip()

    def test_capabilities_are_declared(self, driver: Driver) -> None:
        """Declare a frozen set of capabilities that does not change."""
        declared = driver.capabilities
        assert isinstance(declared, frozenset)
        assert {type(capability) for capability in declared} <= {Capability}
        assert [driver.capabilities for _ in range(3)] == [declared] * 3

    def test_capabilities_build_on_each_other(self, driver: Driver) -> None:
        """Declare what a capability builds on as well: no conditions without tables."""
        declared = driver.capabilities
        assert [
            one for one, base in BUILDS_ON.items() if one in declared and base not in declared
        ] == []

    def test_verbs_that_are_not_declared_are_declined(self, driver: Driver) -> None:
        """Raise `Unsupported` from the methods of verbs that are not declared, too."""
        undeclared = [
            call
            for capability, calls in VERBS.items()
            if capability not in driver.capabilities
            for call in calls
        ]
        assert [call for call in undeclared if not is_unsupported(driver, call)] == []

    def test_limits_are_declared(self, driver: Driver) -> None:
        """Declare limits that are positive and do not change."""
        limits = driver.limits
        assert isinstance(limits, Limits)
        sizes = {name: size for name, size in limits._asdict().items() if name != "model"}
        assert {name: size for name, size in sizes.items() if size < 1} == {}
        assert [driver.limits for _ in range(3)] == [limits] * 3

    def test_the_settings_are_texts(self, client: Client, driver: Driver) -> None:
        """Describe at least where the target is, as texts; the client shows them."""
        settings: Mapping[Any, Any] = driver.describe()
        assert settings, "describe() is empty: `leeward targets` could not tell where calls go"
        assert {type(text) for pair in settings.items() for text in pair} <= {str}
        (status,) = client.targets()
        assert status.name == driver.target
        assert status.settings.keys() == settings.keys()
        assert status.capabilities == {capability.value for capability in driver.capabilities}

    def test_an_unknown_service_has_no_native_client(
        self, driver: Driver, services: tuple[str, ...]
    ) -> None:
        """Raise `ConfigError` for a service that is not known; it names those that are."""
        with pytest.raises(ConfigError) as raised:
            driver.native("no-such-service")
        assert [service for service in services if service not in str(raised.value)] == []

    def test_a_known_service_has_a_native_client(
        self, driver: Driver, services: tuple[str, ...]
    ) -> None:
        """Return something for each service that the fixture `services` names."""
        for service in services:
            client: Any = driver.native(service)
            assert client is not None, service
            getattr(client, "close", lambda: None)()

    def test_closing_twice_is_harmless(self, driver: Driver) -> None:
        """Close again without an error."""
        for _ in range(3):
            driver.close()

    @needs(Capability.INVOKE)
    def test_threads_get_their_own_answers(self, client: Client) -> None:
        """Serve calls of several threads at once, each with its own answer."""
        mine = in_parallel(
            lambda number: [client.invoke(ECHO, [number, n]).value for n in range(5)]
        )
        assert mine == [[[number, n] for n in range(5)] for number in range(THREADS)]

    @needs(Capability.TABLES)
    def test_threads_get_their_own_items(self, client: Client) -> None:
        """Serve stores and loads of several threads at once, each with its own item."""
        mark = fresh("thread")

        def work(number: int) -> list[Any]:
            item: Item = {"id": f"{mark}-{number}", "n": number}
            client.store_data(ITEMS, item)
            record = client.load_data(ITEMS, item["id"])
            return [record and record.item]

        assert in_parallel(work) == [
            [{"id": f"{mark}-{number}", "n": number}] for number in range(THREADS)
        ]
