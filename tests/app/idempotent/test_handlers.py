"""Idempotent functions within handlers of an app, and within each other."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from leeward import (
    App,
    AsyncClient,
    Client,
    DedupUnavailable,
    FunctionError,
)
from leeward.app.context import Context, call_within
from leeward.app.handlers import answer
from leeward.app.idempotency import (
    KeyMissing,
    KeyReused,
    RepeatRefused,
    current_run,
    idempotent,
)
from leeward.app.triggers import Delivery, Platform
from leeward.envelope import scope_of
from leeward.local import Local
from leeward.testing import Fault, FaultyDriver
from tests.app.idempotent.shop import ORDER, Declined, Shop, context, refused


def test_nested_functions_keep_their_records_apart(shop: Shop) -> None:
    """Each has its own; an effect of the inner one is one of the outer; the outer one speaks."""
    inner = shop.charging(dedup_scope="target")

    @idempotent(
        table="keys", key="order.id", name="outer", effects="marked", dedup_scope="group",
        client=shop.client,
    )  # fmt: skip
    def outer(order: dict[str, Any], how: str = "") -> dict[str, Any]:
        result = inner(order)
        if how:
            raise Declined
        return {"outer": result}

    call = context(shop.clock)
    for _ in range(2):
        assert call_within(call, outer, ORDER) == {"outer": {"charged": "42", "number": 1}}
        assert call.dedup == "group"
    found = [shop.client.load_data("keys", f"{name}:42") for name in ("outer", "charge")]
    assert [each and each.item["state"] for each in found] == ["completed"] * 2
    with pytest.raises(Declined):
        outer({"id": "43"}, how="badly")
    assert refused(outer, {"id": "43"}, "badly") == ("unknown", None)


def test_the_key_of_the_call_itself(shop: Shop) -> None:
    """By default it is the one that the client sent, on every attempt the same."""
    cloud = Local("local:shop")

    @cloud.function("charge")
    @idempotent(table="keys", name="charge", client=shop.client)
    def charge(order: dict[str, Any]) -> int:
        shop.charges.append(order["id"])
        return len(shop.charges)

    faulty = FaultyDriver(cloud)
    with Client(faulty) as client:
        faulty.fail(Fault.LOSE_ANSWER, times=1)
        result = client.invoke("charge", ORDER, effect="keyed", idempotency_key="k-1")
        assert (result.value, len(result.attempts)) == (1, 2)
        assert client.invoke("charge", ORDER, effect="keyed").value == 2
    with pytest.raises(KeyMissing, match="Idempotency-Key"):
        charge(ORDER)


def test_the_key_of_a_header(shop: Shop) -> None:
    """Quoted or bare it is one key, as the draft has it; nothing else of the header counts."""

    @idempotent(table="keys", key="header:Idempotency-Key", name="f", client=shop.client)
    def f(order: str) -> None:
        shop.charges.append(order)

    for name, text in {
        "idempotency-key": "8e03",
        "Idempotency-Key": '"8e03"',
        "IDEMPOTENCY-KEY": ' "8e03" ',
    }.items():
        call_within(context(shop.clock, headers={name: text}), f, "42")
    call_within(context(shop.clock, headers={"idempotency-key": '"a \\"b\\\\"'}), f, "43")
    assert shop.charges == ["42", "43"]
    assert shop.client.load_data("keys", "f:8e03") is not None
    for text in ('""', '"a", "b"', '"a\\\\"b"'):
        with pytest.raises(KeyMissing, match="header:Idempotency-Key"):
            call_within(context(shop.clock, headers={"idempotency-key": text}), f, "44")


def test_handlers_of_an_app(shop: Shop, subtests: pytest.Subtests) -> None:
    """The answer says what a key is worth, and of a refusal whether the effect may be there."""
    app = App("shop")

    @app.function(name="charge", effect="keyed")
    @idempotent(
        table="keys", principal=None, effects="marked", dedup_scope="group", client=shop.client,
        clock=shop.clock,
    )  # fmt: skip
    def charge(order: dict[str, Any], context: Context) -> dict[str, Any]:
        if order.get("how") == "before":
            raise ValueError
        context.effect()
        shop.charges.append(order["id"])
        if order.get("how") == "after":
            raise ConnectionError
        return {"number": len(shop.charges)}

    def deliver(order: object, key: str) -> tuple[Any, ...]:
        given = Delivery(json.dumps(order).encode(), "id", key, 20.0, headers={})
        found = answer(app.handlers["charge"], given, Platform("nimbus", None, shop.clock))
        failure = found.failure
        told = (failure.reason, failure.ran, failure.retryable) if failure else ()
        return found.status, scope_of(dict(found.headers()).get("x-leeward-dedup")), *told

    for order, key, expected in (
        ({"id": "1"}, "a", (200, "group")),
        ({"id": "1"}, "a", (200, "group")),
        ({"id": "2"}, "a", (422, "group", "key_reused", "no", False)),
        ({"id": "3", "how": "before"}, "b", (500, "group", None, "no", True)),
        ({"id": "3"}, "b", (200, "group")),
        ({"id": "4", "how": "after"}, "c", (500, "group", None, "maybe", True)),
        ({"id": "4", "how": "after"}, "c", (409, "group", "unknown", "maybe", False)),
        ({"id": "5"}, "", (400, "group", "key_missing", "no", False)),
    ):
        with subtests.test(f"{key} {order}"):
            assert deliver(order, key) == expected
    shop.table.fail(Fault.REFUSE)
    assert deliver({"id": "6"}, "d") == (503, "group", None, "no", True)
    assert shop.charges == ["1", "3", "4"]


def test_coroutine_handlers_of_an_app() -> None:
    """They run on the app's own loop, and a first effect in them has to be awaited."""
    app, client, charges = App("shop"), AsyncClient(Local()), list[str]()

    @app.function(name="charge", effect="keyed")
    @idempotent(table="keys", key="order.id", principal=None, effects="marked", client=client)
    async def charge(order: dict[str, Any], context: Context) -> int:
        if order["id"] == "bad":
            context.effect()
        await context.effect_async()
        context.effect()
        charges.append(order["id"])
        return len(charges) + context.effects

    with Client(app=app) as cloud:
        assert [cloud.invoke("charge", {"id": "42"}).value for _ in range(2)] == [3, 3]
        with pytest.raises(FunctionError) as caught:
            cloud.invoke("charge", {"id": "bad"})
    assert caught.value.error_type == "ConfigError"
    assert charges == ["42"]
    asyncio.run(client.close())


@pytest.mark.threat("S17")
def test_nothing_of_a_call_is_logged_or_told(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """No key, payload, result or text of an exception is in a log, a message or a repr."""
    caplog.set_level(0)
    canary, seen = "c4n4ry", list[object]()

    @idempotent(
        table="keys", key="order", lease=30, client=shop.client, clock=shop.clock, name="charge"
    )
    def charge(order: str, how: str = "") -> object:
        seen.append(current_run())
        if how == "fails":
            raise ConnectionError
        if how == "away":
            shop.table.fail(Fault.REFUSE)
        return canary * (10_000_000 if how == "large" else 1)

    def told(order: str, how: str = "") -> None:
        try:
            charge(order, how)
        except (DedupUnavailable, RepeatRefused, KeyReused, KeyMissing, ConnectionError) as error:
            cause: BaseException | None = error
            while cause is not None:
                seen.extend([repr(cause), str(cause)])
                cause = cause.__cause__

    for how in ("", "fails", "large", "away"):
        key = f"{canary}-{how}"
        for again in (how, how, f"{how}{canary}"):
            told(key, again)
    shop.table.heal()
    for bad in ("", canary * 100):
        told(bad)
    seen.extend(caplog.messages)
    assert {"outcome_unknown", "result_not_kept", "end_not_recorded"} <= {
        message.split()[0] for message in caplog.messages
    }
    assert [each for each in map(repr, seen) if canary in each] == []
