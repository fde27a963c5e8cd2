"""What repeats are told, and by which key they are recognised."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from enum import Enum
from functools import partial
from threading import Barrier, Event
from typing import Any

import pytest

from leeward import (
    AsyncClient,
    Client,
    ConfigError,
    Throttled,
)
from leeward.app.idempotency import (
    EarlierFailure,
    KeyMissing,
    KeyReused,
    RepeatRefused,
    current_run,
    effect_async,
    idempotent,
)
from leeward.app.triggers import Message, ObjectEvent
from leeward.envelope import CLOCKS
from leeward.local import Local
from leeward.testing import Fault, FaultyDriver
from tests.app.idempotent.shop import ORDER, Declined, HalfDone, Shop


class Kind(str, Enum):  # noqa: UP042 - its format differs from version to version of Python
    CARD = "card"


def test_a_repeat_gets_the_first_result(shop: Shop) -> None:
    """It runs once, other keys run too, and an hour after `keep` the key is forgotten."""
    charge = shop.charging(keep=timedelta(hours=1))
    first = charge(ORDER)
    assert [charge(ORDER), charge(order=dict(reversed(ORDER.items())))] == [first, first]
    assert charge({"id": "43", "total": 1})["number"] == 2
    shop.clock.advance(3601 + CLOCKS)
    assert charge(ORDER)["number"] == 3


def test_five_deliveries_at_once_run_once(shop: Shop) -> None:
    """One runs; the others are told to come back, and then get its result."""
    together, done = Barrier(5), Event()

    @idempotent(table="keys", key="order.id", client=shop.client, name="charge")
    def charge(order: dict[str, Any]) -> int:
        shop.charges.append(order["id"])
        assert done.wait(60)
        return len(shop.charges)

    def deliver(_number: int) -> object:
        together.wait(60)
        try:
            return charge(ORDER)
        except RepeatRefused as error:
            return error
        finally:
            done.set()

    with ThreadPoolExecutor(5) as pool:
        given = list(pool.map(deliver, range(5)))
    others = [each for each in given if each != 1]
    assert len(others) >= 1
    assert {each.reason for each in others if isinstance(each, RepeatRefused)} == {"running"}
    assert [charge(ORDER) for _ in range(5)] == [1] * 5
    assert len(shop.charges) == 1


def test_failures_are_told_again_or_run_again_as_declared(shop: Shop) -> None:
    """The nearest class counts; a run again knows why, and has a higher fence."""
    seen: list[Any] = []
    failures = {Exception: "replay", Declined: "replay", HalfDone: "rerun"}

    @idempotent(table="keys", key="order", failures=failures, client=shop.client, name="charge")  # type: ignore[arg-type]
    def charge(order: str) -> str:
        run = current_run()
        assert run is not None
        seen.append((order, run.earlier and run.earlier.value, run.fence))
        raise {"d": Declined("no", "funds"), "h": HalfDone(), "o": OSError("c4n4ry")}[order]

    for order, kinds in {
        "d": (Declined, Declined),
        "h": (HalfDone, HalfDone),
        "o": (OSError, EarlierFailure),
    }.items():
        for kind in kinds:
            with pytest.raises(kind) as caught:
                charge(order)
            assert order != "d" or caught.value.args == ("no", "funds")
    assert seen == [("d", None, 1), ("h", None, 1), ("h", "failed", 2), ("o", None, 1)]
    assert isinstance(caught.value, EarlierFailure)
    assert (caught.value.error_type, "c4n4ry" in str(caught.value)) == ("OSError", False)


@pytest.mark.threat("S17")
def test_a_key_belongs_to_one_payload(shop: Shop) -> None:
    """Another payload under it is refused, while it runs and afterwards; 1.10 is 1.1."""
    charge = shop.charging()
    charge(ORDER)
    for other in ({**ORDER, "total": 10}, {**ORDER, "more": None}):
        with pytest.raises(KeyReused) as caught:
            charge(other)
        assert caught.value.status == 422
    assert charge({**ORDER, "total": Decimal("9.90")})["number"] == 1


def test_payloads_are_compared_exactly(shop: Shop) -> None:
    """To the last digit of a Decimal, whatever the program's context rounds to."""
    charge = shop.charging()
    exact = Decimal("12345678901234567.89")
    assert charge({"id": "42", "total": exact})["number"] == 1
    with localcontext() as context:
        context.prec = 6
        assert charge({"id": "42", "total": exact})["number"] == 1
        with pytest.raises(KeyReused):
            charge({"id": "42", "total": Decimal("12345678901234567.91")})
    with pytest.raises(KeyReused):
        charge({"id": "42", "total": Decimal("12345678901234567.8900000000000000001")})


def test_a_message_is_recognised_when_it_has_moved(shop: Shop) -> None:
    """By its body: its id, its sender's key and its attributes are others when it is sent again."""

    @idempotent(
        table="keys", key=lambda message: message.body.decode(), client=shop.client, name="send"
    )
    def send(message: Message) -> None:
        shop.charges.append(message.id)

    send(Message("parcels", "1", b"42"))
    send(Message("parcels", "2", b"42"))
    send(Message("parcels-2", "3", b"42", {"idempotency-key": "2", "traceparent": "00-a"}))
    assert shop.charges == ["1"]


def test_a_write_of_an_object_is_recognised_however_it_is_told(shop: Shop) -> None:
    """Another notification of it has another time, or tells less; another version is another."""

    @idempotent(table="keys", key=lambda event: event.key, client=shop.client, name="summarize")
    def summarize(event: ObjectEvent) -> None:
        shop.charges.append(event.version)

    told = ObjectEvent("inbox", "a", "1", 3, "e", "0001", datetime(2026, 1, 31, tzinfo=UTC), "1")
    summarize(told)
    summarize(told._replace(time=datetime(2026, 2, 1, tzinfo=UTC), sequence="0002"))
    summarize(ObjectEvent("inbox", "a", "1"))
    with pytest.raises(KeyReused):
        summarize(told._replace(version="2"))
    assert shop.charges == ["1"]


@dataclass
class Order:
    id: str
    when: datetime
    lines: tuple[int, ...] = ()


def test_typed_arguments_and_results(shop: Shop) -> None:
    """Dataclasses compare by their fields; a replay is the plain data that goes over a wire."""

    @idempotent(table="keys", key="order.id", client=shop.client, name="ship")
    def ship(order: Order, how: str = "") -> Any:
        shop.charges.append(order.id)
        return order

    order = Order("1", datetime(2026, 1, 31, tzinfo=UTC), (1, 2))
    assert ship(order) == order
    assert ship(order, how="") == {"id": "1", "when": order.when, "lines": [1, 2]}
    with pytest.raises(KeyReused):
        ship(order, how="fast")
    with pytest.raises(ConfigError, match="cannot be compared"):
        ship(Order("2", object()))  # type: ignore[arg-type]
    assert shop.charges == ["1"]


def test_where_a_key_comes_from(shop: Shop, subtests: pytest.Subtests) -> None:
    """An argument, a path through dicts, lists and objects, or what a function makes of them."""
    order = Order("o-1", datetime(2026, 1, 1, tzinfo=UTC), (7, 8))
    cases: list[tuple[Any, tuple[Any, ...], str]] = [
        ("customer", ("c-1", ORDER), "c-1"),
        ("order.id", ("c-1", ORDER), "42"),
        ("order.id", ("c-1", order), "o-1"),
        ("order.lines.1", ("c-1", order), "8"),
        ("order", ("c-1", Kind.CARD), "card"),
        (lambda customer, order: f"{customer}/{order['id']}", ("c-1", ORDER), "c-1/42"),
        ("order.id", ("c-1", {"id": "é"}), "sha256:4a99557e4033c3539de2eb65472017ca"),
    ]
    for source, arguments, key in cases:
        with subtests.test(key):

            @idempotent(table="keys", key=source, name="f", client=shop.client)
            def f(customer: str, order: Any) -> None:
                """Do nothing."""

            f(*arguments)
            assert shop.client.load_data("keys", f"f:{key}") is not None


def test_a_call_without_a_key_is_refused(shop: Shop) -> None:
    """It is not run unprotected: the message names where the key was looked for, not the value."""
    charge = shop.charging()
    for bad in ({}, {"id": None}, {"id": ""}, {"id": 1.5}, {"id": "x" * 256}, {"id": True}):
        with pytest.raises(KeyMissing) as caught:
            charge(bad)
        assert (caught.value.field, caught.value.status, shop.charges) == ("order.id", 400, [])
        assert "xxx" not in str(caught.value)


BAD: dict[str, dict[str, Any]] = {
    "key": {"key": "purchase.id"},
    "empty part": {"key": "order..id"},
    "header": {"key": "header:"},
    "lease": {"lease": 0},
    "keep": {"keep": "1d"},
    "failures": {"failures": {"Declined": "release"}},
    "release, replay or rerun": {"failures": {Declined: "retry"}},
    "mapping": {"failures": 5},
    "unreachable": {"unreachable": "run"},
    "effects": {"effects": "none"},
    "unknown": {"unknown": "rerun"},
    "dedup_scope": {"dedup_scope": "all"},
    "name": {"name": ""},
    "without a colon": {"name": "shop:charge"},
    "keep of @idempotent must be more than 0 and at most 15768": {"keep": 1e13},
    "lease of @idempotent must be more than 0 and at most 15768": {"lease": timedelta(days=40_000)},
    "table": {"table": 5},
    "client": {"client": 5},
    "leeward.Client": {"client": AsyncClient(Local("local:x"))},
}


def test_a_wrong_declaration_is_refused_where_it_stands(subtests: pytest.Subtests) -> None:
    """With the name of the argument, before anything is called."""
    for told, options in BAD.items():
        with subtests.test(told), pytest.raises(ConfigError, match=told):
            idempotent(**{"table": "keys", "key": "order", **options})(lambda order: order)
    with pytest.raises(ConfigError, match="takes any arguments"):
        idempotent(table="keys")(lambda *orders: orders)
    with pytest.raises(ConfigError, match="before a function, not a partial"):
        idempotent(table="keys")(partial(print, 1))


def test_awaited() -> None:
    """Coroutine functions, with an `AsyncClient`: the same, and nothing blocks the loop."""
    table, elsewhere = FaultyDriver(Local("local:table")), FaultyDriver(Local("local:other"))
    charges: list[str] = []

    async def scenario() -> None:
        async with AsyncClient(table) as client, AsyncClient(elsewhere) as other:

            @idempotent(
                table="keys", key="order", effects="marked", client=lambda: client, name="charge"
            )
            async def charge(order: str, how: str = "") -> int:
                if how == "before":
                    raise ValueError
                await other.store_data("orders", {"id": order})
                charges.append(order)
                await asyncio.sleep(0)
                if how == "after":
                    raise ConnectionError
                await effect_async()
                return len(charges)

            for how, error in {"before": ValueError, "after": ConnectionError}.items():
                with pytest.raises(error):
                    await charge(f"{how}", how)
            assert await charge("before") == 2
            with pytest.raises(RepeatRefused, match="may have had its effect"):
                await charge("after", "after")
            given = await asyncio.gather(*(charge("42") for _ in range(5)), return_exceptions=True)
            assert sorted(map(repr, given)).count("3") >= 1
            assert {type(each) for each in given} <= {int, RepeatRefused}
            assert await charge("42") == 3
            elsewhere.fail(Fault.THROTTLE)
            with pytest.raises(Throttled):
                await charge("43")
            elsewhere.heal()
            assert await charge("43") == 4

    asyncio.run(scenario())
    assert charges == ["after", "before", "42", "43"]


def test_the_client_is_opened_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `client`, one for all functions of the process, as the environment says."""
    from leeward.app.idempotency import settings

    settings._default_client.cache_clear()
    opened = Client(Local())
    monkeypatch.setattr("leeward.client.Client", lambda: opened)

    @idempotent(table="keys", key="order", name="charge")
    def charge(order: str) -> str:
        return order

    assert (charge("42"), charge("42")) == ("42", "42")
    opened.close()
    settings._default_client.cache_clear()


def test_a_repeat_gets_what_a_table_cannot_keep_as_it_goes_over_a_wire(shop: Shop) -> None:
    """A time without a zone, a list that is nested deeper than an item may be."""
    deep: list[Any] = []
    for _ in range(40):
        deep = [deep]
    naive = datetime(2026, 1, 31, 12)  # noqa: DTZ001
    for id, result, wire in (
        ("1", {"at": naive}, {"at": "2026-01-31T12:00:00"}),
        ("2", deep, deep),
    ):

        @idempotent(table="keys", key="order.id", name=f"charge-{id}", client=shop.client)
        def charge(order: dict[str, Any], result: Any = result) -> Any:
            return result

        assert charge({"id": id}) == result
        assert charge({"id": id}) == wire
