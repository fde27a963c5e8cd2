"""Logical names become a target's own."""

from __future__ import annotations

import asyncio

import pytest

from leeward import App, Client, Config, ConfigError
from leeward.calls import (
    Call,
    Delete,
    DeleteObject,
    Enqueue,
    Invoke,
    Key,
    ListItems,
    Load,
    Publish,
    Scan,
    SettleWrite,
    Store,
)
from leeward.config.model import BucketConfig, BusConfig
from leeward.local import Local
from leeward.opening import NameMappingDriver
from leeward_contract_tests.rows import each_row
from tests.scripted import Scripted

KEY = Key(("id",), ("1",))


@each_row(
    "call, expected",
    [
        (Invoke("f", b"{}", "key-1"), Invoke("own-f", b"{}", "key-1")),
        (Invoke("g", b"{}", "key-1"), Invoke("g", b"{}", "key-1")),
        (Enqueue("f", b"{}", "key-1"), Enqueue("own-f", b"{}", "key-1")),
        (Publish("bus", ()), Publish("own-bus", ())),
        (Publish("f", ()), Publish("f", ())),
        (Load("t", KEY), Load("own-t", KEY)),
        (Store("t", KEY, {}, "w-1", 0.0), Store("own-t", KEY, {}, "w-1", 0.0)),
        (Delete("t", KEY, 0.0), Delete("own-t", KEY, 0.0)),
        (
            SettleWrite("t", Delete("t", KEY, 0.0)),
            SettleWrite("own-t", Delete("own-t", KEY, 0.0)),
        ),
        (
            SettleWrite("b", DeleteObject("b", "n")),
            SettleWrite("own-b", DeleteObject("own-b", "n")),
        ),
        (Scan("t"), Scan("own-t")),
        (Scan("bus"), Scan("bus")),
        (ListItems("t", ("p", "s"), "1"), ListItems("own-t", ("p", "s"), "1")),
    ],
)
def test_the_target_gets_its_own_names(call: Call, expected: Call) -> None:
    """What is configured is mapped, each kind of name by its own mapping; the rest stays."""
    target = Scripted("a")
    driver = NameMappingDriver(
        target,
        {
            "function": {"f": "own-f"},
            "bus": {"bus": "own-bus"},
            "table": {"t": "own-t"},
            "bucket": {"b": "own-b"},
        },
    )
    driver.perform(call, 10.0)
    asyncio.run(driver.perform_async(call, 10.0))
    assert target.calls == [expected] * 2


def test_an_app_hears_of_a_bus_or_bucket_by_its_own_name_alone() -> None:
    """Where it runs in this process another name would keep its handlers out, in silence."""
    app = App("shop")
    app.on_event("orders", name="pay")(print)
    app.on_object("inbox", name="arrive")(print)
    other = {"local": "other", "a": "other"}
    for config, told in (
        (Config(buses={"orders": BusConfig(names=other)}), r"'pay' .* \[buses.orders.names\]"),
        (Config(buckets={"inbox": BucketConfig(names=other)}), r"'arrive' .* \[buckets.inbox"),
    ):
        with pytest.raises(ConfigError, match=told):
            Client(Local(), config=config, app=app)
        Client([Scripted("a")], config=config, app=app).close()
