"""Functions that are called as themselves, and items that are read as a class."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple, TypedDict

import pytest

from leeward import (
    App,
    AsyncClient,
    Client,
    ConfigError,
    FunctionError,
    InvalidRequest,
    ValidationError,
)
from leeward.config import Config, TableConfig
from leeward.local import Local
from tests.types import shop

AT = datetime(2026, 11, 29, 12, tzinfo=UTC)
app = App("desk")


@dataclass
class Order:
    """With types that JSON has not."""

    id: str
    total: Decimal
    at: datetime
    photo: bytes


class Pair(NamedTuple):
    """A record."""

    first: int
    second: str


class Ticket(TypedDict):
    """A dict."""

    id: str


@app.function()
def echo(order: Order) -> Order:
    """Return it."""
    return order


@app.function()
async def pair(first: int) -> Pair:
    """Return a record."""
    return Pair(first, "two")


@app.function()
def lie(payload: dict[str, Any]) -> Order:
    """Return something else than it says."""
    return payload  # type: ignore[return-value]


@app.function()
def say_nothing(payload):  # type: ignore[no-untyped-def]
    """Have no annotations."""
    return payload


@app.function()
def unreadable(payload: str) -> Local:
    """Return what nothing reads."""
    raise AssertionError(payload)


@app.function(name="one")
@app.function(name="two")
def twice(payload: str) -> str:
    """Have two names."""
    return payload


ORDER = Order("42", Decimal("9.90"), AT, b"\x00\xff")


@pytest.fixture
def client() -> Iterator[Client]:
    """Return a client of the app."""
    with Client(Local(), app=app) as client:
        yield client


def test_a_function_takes_and_answers_its_own_types(client: Client) -> None:
    """A handler called as itself gets its own types, and so does its caller."""
    assert client.invoke(echo, ORDER).value == ORDER
    assert client.invoke(pair, 1).value == Pair(1, "two")
    assert client.invoke(say_nothing, {"a": [1]}).value == {"a": [1]}


def test_a_function_is_known_by_the_name_of_its_handler(client: Client) -> None:
    """By its name it takes and answers JSON, as before."""
    by_name = client.invoke("echo", {"id": "1", "total": "1", "at": AT.isoformat(), "photo": ""})
    assert by_name.value == {"id": "1", "total": "1", "at": AT.isoformat(), "photo": ""}


def test_the_awaited_client_does_the_same() -> None:
    """`AsyncClient` reads answers and items likewise."""

    async def ask() -> tuple[object, object]:
        async with AsyncClient(Local(), app=app) as client:
            item = {"id": "1", "total": 1, "at": AT, "photo": b""}
            await client.store_data("orders", item)
            record = await client.load_data("orders", "1", as_=Order)
            assert record is not None
            return (await client.invoke(echo, ORDER)).value, record.item

    assert asyncio.run(ask()) == (ORDER, Order("1", Decimal(1), AT, b""))


def test_an_answer_of_another_type_says_that_the_call_went_well(client: Client) -> None:
    """The exception has the answer, its message names places alone, and the call was made."""
    with pytest.raises(ValidationError, match=r"\$\.total must be decimal") as raised:
        client.invoke(lie, {"id": "1", "total": "s3cret", "at": AT.isoformat(), "photo": ""})
    assert raised.value.result.value["total"] == "s3cret"
    assert "s3cret" not in str(raised.value) + repr(raised.value.result)
    assert raised.value.target == "local"
    assert raised.value.__context__ is None
    assert len(raised.value.attempts) == 1


@pytest.mark.parametrize(
    ("function", "flaw"),
    [
        (print, "is neither a name nor a function of an app"),
        (partial(echo, ORDER), "is neither a name nor a function of an app"),
        (twice, r"has several names: 'two', 'one'; give one of them"),
        (7, "function must be a string"),
    ],
)
def test_what_is_no_function_of_an_app_is_refused(client: Client, function: Any, flaw: str) -> None:
    """Anything else than a name or a registered function is refused, before any I/O."""
    for call in (client.invoke, client.enqueue):
        with pytest.raises(InvalidRequest, match=flaw) as raised:
            call(function, "x")
        assert raised.value.field == "function"


def test_an_answer_that_nothing_can_read_is_refused_before_the_call(client: Client) -> None:
    """A type that nothing reads is refused before anything runs."""
    with pytest.raises(ConfigError, match="the answer of 'unreadable' is annotated with Local"):
        client.invoke(unreadable, "x")


def test_a_payload_that_is_no_json_is_named(client: Client) -> None:
    """The place of what JSON cannot hold is named, with a class or a key at fault."""
    with pytest.raises(InvalidRequest, match=r"payload\['photo'\]"):
        client.invoke(echo, Order("1", Decimal(1), AT, object()))  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match="payload"):
        client.invoke(say_nothing, {1: 2})


def test_a_queued_call_takes_the_types_too() -> None:
    """`enqueue` takes the function and its own types."""
    seen = []
    other = App("other")

    @other.function()
    def note(order: Order) -> None:
        seen.append(order)

    local = Local()
    with Client(local, app=other) as client:
        client.enqueue(note, ORDER)
        local.wait_idle()
    assert seen == [ORDER]


def test_an_item_is_read_as_a_class(client: Client) -> None:
    """An item becomes a dataclass or a `TypedDict`; attributes that it lacks are left out."""
    client.store_data("orders", {"id": "1", "total": 3, "at": AT, "photo": b"\x01", "more": 1})
    record = client.load_data("orders", "1", as_=Order)
    assert record is not None
    assert record.item == Order("1", Decimal(3), AT, b"\x01")
    assert record.revision
    ticket = client.load_data("orders", "1", as_=Ticket)
    assert ticket is not None
    assert ticket.item == {"id": "1"}
    assert client.load_data("orders", "none", as_=Order) is None


def test_an_item_that_does_not_fit_is_there_in_the_exception(client: Client) -> None:
    """What was stored is in the exception, and not in its message."""
    client.store_data("orders", {"id": "1", "total": "s3cret"})
    with pytest.raises(ValidationError, match=r"\$\.at is missing") as raised:
        client.load_data("orders", "1", as_=Order)
    assert raised.value.result.item["total"] == "s3cret"
    assert "s3cret" not in str(raised.value)


def test_a_payload_that_does_not_fit_is_refused_with_its_field(client: Client) -> None:
    """The message has the path and the type; the value is nowhere in it."""
    with pytest.raises(
        FunctionError, match=r"\(InvalidInput\): \$\.total must be decimal\."
    ) as raised:
        client.invoke("echo", {"id": "1", "total": "s3cret", "at": AT.isoformat(), "photo": ""})
    assert raised.value.ran == "no"
    assert "s3cret" not in str(raised.value)


def test_the_items_of_a_page_are_read_as_a_class() -> None:
    """Where one does not fit, the exception names its place, and has the page as it came."""
    config = Config(tables={"orders": TableConfig(("shop", "id"))})

    async def list_none() -> int:
        async with AsyncClient(Local(), config=config) as empty:
            return len((await empty.list_data("orders", "a", as_=Order)).items)

    assert asyncio.run(list_none()) == 0
    with Client(Local(), config=config) as client:
        for key, total in (("1", 1), ("2", 2)):
            client.store_data(
                "orders", {"shop": "a", "id": key, "total": total, "at": AT, "photo": b""}
            )
        page = client.list_data("orders", "a", as_=Order)
        assert [record.item for record in page.items] == [
            Order(key, Decimal(key), AT, b"") for key in ("1", "2")
        ]
        client.store_data("orders", {"shop": "a", "id": "2", "total": "s3cret"})
        with pytest.raises(
            ValidationError, match=r"the item at items\[1\] .*\$\.at is missing"
        ) as raised:
            client.list_data("orders", "a", as_=Order)
    kept = raised.value.result
    assert [record.item["id"] for record in kept.items] == ["1", "2"]
    assert "s3cret" not in str(raised.value)


def test_a_class_that_nothing_reads_is_refused(client: Client) -> None:
    """`as_` is checked before any I/O."""
    with pytest.raises(ConfigError, match="as_ is annotated with Local"):
        client.load_data("orders", "1", as_=Local)
    with pytest.raises(ConfigError, match="as_ is annotated with Local"):
        client.list_data("orders", "1", as_=Local)


def test_any_mapping_is_an_item(client: Client) -> None:
    """A mapping that is no dict is stored as a dict."""
    client.store_data("orders", MappingProxyType({"id": "1", "total": Decimal(2)}))
    record = client.load_data("orders", "1")
    assert record is not None
    assert record.item == {"id": "1", "total": Decimal(2)}


def test_a_handler_does_not_try_again_what_has_run() -> None:
    """A repeated run would meet the same answer, after the same effect."""
    caller = App("caller")

    @caller.function()
    def ask(payload: dict[str, Any]) -> str:
        with Client(Local(), app=app) as inner:
            return inner.invoke(lie, payload).value.id

    with Client(Local(), app=caller) as client, pytest.raises(FunctionError) as raised:
        client.invoke(ask, {"id": "1"})
    assert raised.value.retryable is False


def test_the_shop_of_the_type_checkers_runs() -> None:
    """The program that the type checkers read works, too."""
    with Client(Local(), app=shop.app) as client:
        assert shop.pay(client) == 0
        assert shop.keep(client) is None
        assert shop.settle(client).startswith("ch-44")
