"""What prints a value finds its names, ids and sizes, and nothing of what it carries."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import MappingProxyType, ModuleType
from typing import Any

import pytest

import leeward.adapter
import leeward.calls
import leeward.errors
import leeward.values
import leeward.values.objects
from leeward._http import messages, options
from leeward._http.messages import Failure, Phase, Request, Response
from leeward._http.options import TransportOptions
from leeward.adapter import TargetConfig, plans, resolver
from leeward.adapter.plans import Learn, Send, View
from leeward.adapter.resolver import Resolved, _Held
from leeward.calls import (
    Delete,
    Enqueue,
    FunctionFault,
    Invoke,
    Key,
    ListItems,
    Load,
    Page,
    Publish,
    Result,
    Scan,
    Settle,
    SettleWrite,
    Store,
    Stored,
    StoreMany,
)
from leeward.errors import Outcome, _Said
from leeward.masking import mask, outline
from leeward.values import Event, InvokeResult, ItemPage, Record
from leeward.values.objects import ObjectInfo
from leeward_aws.identity.credentials import Credentials
from leeward_contract_tests.rows import each_row

pytestmark = pytest.mark.threat("S8")

CANARY = "c4n4ry"
ITEM = {"id": CANARY, CANARY: [CANARY, CANARY.encode()]}
KEY = Key(("id",), (CANARY,))
STORED = Stored(ITEM, "r1", "w1")
REQUEST = Request(
    "POST", "https://host", f"/{CANARY}?{CANARY}", (("Authorization", CANARY),), CANARY.encode()
)
EVENT = Event(
    "order.created",
    {"a": CANARY},
    id="e1",
    source="shop",
    subject=CANARY,
    ordering_key=CANARY,
    extensions={"tenant": CANARY},
)

CARRYING: list[tuple[Any, ...]] = [
    # the value, and what it must still show
    (Invoke("f", CANARY.encode(), "k1"), "function='f'", "<bytes: 6>", "idempotency_key='k1'"),
    (Enqueue("f", CANARY.encode(), "k1"), "function='f'", "<bytes: 6>"),
    (EVENT, "type='order.created'", "id='e1'", "source='shop'", "data=<dict: 1>"),
    (Publish("orders", (EVENT,)), "bus='orders'", "id='e1'"),
    (KEY, "fields=('id',)", "values=<tuple: 1>"),
    (Store("t", KEY, ITEM, "w1", 1.0), "table='t'", "item=<dict: 2>", "write_id='w1'"),
    (StoreMany("t", (Store("t", KEY, ITEM, "w1", 1.0),)), "table='t'", "calls=<tuple: 1>"),
    (Load("t", KEY), "table='t'", "'id'"),
    (Delete("t", KEY, 1.0, "r1"), "table='t'", "if_revision='r1'"),
    (SettleWrite("t", Store("t", KEY, ITEM, "w1", 1.0)), "place='t'", "write=<Store>"),
    (Scan("t", CANARY), "table='t'", "cursor=<str: 6>"),
    (ListItems("t", ("a", "b"), CANARY, CANARY, cursor=CANARY), "table='t'", "low=<str: 6>"),
    (ItemPage((Record(ITEM, "r1", "aws"),), CANARY, "aws"), "target='aws'", "cursor=<str: 6>"),
    (STORED, "item=<dict: 2>", "revision='r1'"),
    (Page((STORED,), CANARY), "revision='r1'", "cursor=<str: 6>"),
    (FunctionFault("ValueError", CANARY, (CANARY,)), "type='ValueError'", "trace=<tuple: 1>"),
    (Result.ok(STORED), "value=<Stored>"),
    (Result.ok(CANARY, request_id="q1"), "value=<str: 6>", "request_id='q1'"),
    (Result(Outcome.AMBIGUOUS, code="c1", cause=ValueError(CANARY)), "'c1'", "cause=<ValueError>"),
    (Result(Outcome.APP_ERROR, fault=FunctionFault("E", CANARY)), "type='E'"),
    (Settle("f", CANARY.encode(), "k1"), "function='f'", "payload=<bytes: 6>", "key='k1'"),
    (InvokeResult({"a": CANARY}, "aws", "k1"), "value=<dict: 1>", "target='aws'"),
    (Record(ITEM, "r1", "aws"), "item=<dict: 2>", "revision='r1'", "target='aws'"),
    (ObjectInfo("o", 6, "r1", "aws", metadata={"a": CANARY}), "name='o'", "metadata=<dict: 1>"),
    (_Said(CANARY), "<text>"),
    (REQUEST, "method='POST'", "origin='https://host'", "body=<bytes: 6>"),
    (Response(200, {"a": CANARY}, CANARY.encode()), "status=200", "headers=<dict: 1>"),
    (Failure(Phase.BODY, True, "curl.7", 200, OSError(CANARY)), "code='curl.7'", "<OSError>"),
    (Send(REQUEST), "origin='https://host'"),
    (View(1.0, 2.0, {"a": CANARY}), "timeout=2.0", "learnt=<dict: 1>"),
    (Learn("address", CANARY), "name='address'"),
    (Resolved(CANARY, 1.0), "fetched_at=1.0"),
    (_Held(CANARY, 1.0, 2.0), "due_at=1.0"),
    (Credentials("AKID", CANARY, CANARY), "AKID"),
    (TransportOptions(proxy=f"http://u:{CANARY}@host"), "max_in_flight=64", "proxy=<str: "),
    (TargetConfig("aws", "aws", None, {"a": CANARY}, {"B": CANARY}), "name='aws'", "env=<dict: 1>"),
]


@each_row(
    "value, shown",
    [(row[0], row[1:]) for row in CARRYING],
)
def test_a_value_shows_what_it_is_and_not_what_it_carries(
    value: Any, shown: tuple[str, ...]
) -> None:
    """However it is written: repr, str, format, and inside other values."""
    text = f"{value!r} {value!s} {value} {value!a} {[value]} { ({'a': value}) }"
    assert CANARY not in text
    assert [each for each in shown if each not in repr(value)] == []


NOTHING_TO_HIDE = {
    "Attempt", "ObjectPage", "Receipt",
    "PublishReceipt", "PublishEntry", "PublishReport", "StoreReceipt",
    "TargetStatus", "CircuitStatus", "RoutingEvent", "ProbeReport", "Limits", "Need", "TheirTime",
    "Drop", "Token", "FunctionAddress", "_Said", "Progress",
}  # fmt: skip
"""Values of names, ids, numbers and outcomes alone."""


def _values(module: ModuleType) -> Iterator[str]:
    for name, each in inspect.getmembers(module, inspect.isclass):
        if each.__module__ == module.__name__ and hasattr(each, "_fields"):
            yield name


def test_every_value_was_thought_of() -> None:
    """A new value is either tested here or has nothing to hide."""
    of_the_wire = (resolver, messages, options, plans)
    of_values = (leeward.values, leeward.values.objects)
    modules = (leeward.errors, leeward.calls, leeward.adapter, *of_values, *of_the_wire)
    found = {name for module in modules for name in _values(module)}
    assert found == NOTHING_TO_HIDE | {type(row[0]).__name__ for row in CARRYING} - {
        "Credentials",
        "View",
    }


def test_a_field_that_is_not_listed_is_not_shown() -> None:
    """Also one that is added later."""
    assert mask(Key(("id",), ("42",))) == "Key(fields=<tuple: 1>, values=<tuple: 1>)"
    assert mask(Key(("id",), ("42",)), "values") == "Key(fields=<tuple: 1>, values=('42',))"


@each_row(
    "value, shown",
    [
        (None, "None"), (True, "<bool>"), (1.5, "<float>"), ("ab", "<str: 2>"),
        (b"a", "<bytes: 1>"), ([1], "<list: 1>"), ({}, "<dict: 0>"),
        (MappingProxyType({1: 2}), "<mappingproxy: 1>"),
        (KEY, "<Key>"), (object(), "<object>"),
    ],
)  # fmt: skip
def test_an_outline_is_a_type_and_a_length(value: object, shown: str) -> None:
    """A named tuple has no length worth telling, and of None there is nothing to hide."""
    assert outline(value) == shown
