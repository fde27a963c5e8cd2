"""A key is released on proof that nothing ran, and kept without one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from leeward import (
    App,
    AsyncClient,
    ConfigError,
    LeewardError,
    OutcomeUnknown,
)
from leeward.app.handlers import answer
from leeward.app.idempotency import (
    KeyReused,
    LeaseLost,
    RepeatRefused,
    current_run,
    effect,
    effect_async,
    idempotent,
)
from leeward.app.idempotency.record import (
    Claim,
    Earlier,
    LoadedRecord,
    with_effects,
    with_note,
)
from leeward.app.idempotency.steps import Changed, Held, SaveRecord, mark_effect
from leeward.app.triggers import Delivery, Platform
from leeward.local import Local
from leeward.testing import Fault
from tests.app.idempotent.shop import (
    ORDER,
    Declined,
    HalfDone,
    Shop,
    first_record,
    refused,
)


def test_a_lost_answer_keeps_the_key(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """What the six libraries that were tried do not: the effect is not made a second time."""
    charge = shop.charging()
    shop.fails = ConnectionError("the answer, with c4n4ry in it, is lost")
    with pytest.raises(ConnectionError):
        charge(ORDER)
    shop.fails = None
    for _ in range(3):
        assert refused(charge, ORDER) == ("unknown", None)
    assert len(shop.charges) == 1
    (told,) = (each for each in caplog.records if each.name == "leeward.idempotency")
    assert told.getMessage().startswith("outcome_unknown function='charge'")
    assert "c4n4ry" not in f"{told.getMessage()} {shop.record()}"


def test_a_run_that_did_nothing_lets_nobody_forget_the_one_before(
    shop: Shop, subtests: pytest.Subtests
) -> None:
    """Traces of an effect stay, so each run is told of them until one has completed."""
    told: list[Any] = []
    cases: list[tuple[str, dict[str, Any], Earlier]] = [
        ("rerun", {"failures": {HalfDone: "rerun"}}, Earlier.FAILED),
        ("unknown", {"unknown": "run"}, Earlier.UNKNOWN),
    ]
    for name, options, why in cases:
        with subtests.test(name):
            told.clear()

            @idempotent(
                table="keys",
                key="order.id",
                client=shop.client,
                clock=shop.clock,
                name=name,
                effects="marked",
                **options,
            )
            def charge(order: dict[str, Any]) -> int:
                run = current_run()
                assert run is not None
                told.append(run.earlier)
                if len(told) == 1:
                    effect()
                    raise HalfDone
                if len(told) == 2:
                    raise ConnectionError
                return len(told)

            for error in (HalfDone, ConnectionError):
                with pytest.raises(error):
                    charge(ORDER)
            with pytest.raises(KeyReused):
                charge({**ORDER, "total": 1})
            assert charge(ORDER) == 3
            assert told == [None, why, why]


def test_a_coroutine_or_generator_that_has_not_run_completes_nothing(shop: Shop) -> None:
    """Of a function that another decorator has made a plain one; its key is kept."""

    async def charge(order: str) -> None:
        shop.charges.append(order)

    @idempotent(table="keys", key="order", client=shop.client, clock=shop.clock, name="wrapped")
    def wrapped(order: str) -> Any:
        return charge(order)

    @idempotent(table="keys", key="order", client=shop.client, clock=shop.clock, name="listed")
    def listed(order: str) -> Any:
        return (shop.charges for _ in order)

    for function, told in (
        (wrapped, "directly before the coroutine function"),
        (listed, "returns a generator, which runs late"),
    ):
        with pytest.raises(ConfigError, match=told):
            function("42")
        assert refused(function, "42") == ("unknown", None)
    with pytest.raises(ConfigError, match="is a generator: it runs late"):
        idempotent(table="keys", key="order")(lambda order: (yield order))
    assert shop.charges == []


RELEASED: dict[str, tuple[dict[str, Any], Exception]] = {
    "it raised before its first effect": ({"effects": "marked"}, ValueError()),
    "it raised what was declared": ({"failures": {Declined: "release"}}, Declined()),
    "it raised a subclass of that": ({"failures": {Exception: "release"}}, Declined()),
}


def test_the_key_is_released_on_proof(shop: Shop, subtests: pytest.Subtests) -> None:
    """Then a repeat runs, even with another payload."""
    for number, (name, (options, error)) in enumerate(RELEASED.items()):
        with subtests.test(name):
            order = {"id": f"4{number}"}
            with pytest.raises(type(error)):
                shop.charging(before=error, **options)(order)
            assert shop.charging(**options)({**order, "total": 1})["charged"] == order["id"]


KEPT: dict[str, tuple[dict[str, Any], str]] = {
    "an effect may be anywhere": ({}, "before"),
    "it raised after its effect": ({"effects": "marked"}, "after"),
    "something else was declared": ({"failures": {Declined: "release"}}, "after"),
    "a broader class was declared": ({"failures": {ArithmeticError: "release"}}, "after"),
}


def test_without_a_proof_the_key_is_kept(shop: Shop, subtests: pytest.Subtests) -> None:
    """Repeats are refused, also where nothing ran in truth: nobody can know."""
    for number, (name, (options, when)) in enumerate(KEPT.items()):
        with subtests.test(name):
            order, error = {"id": f"4{number}"}, ConnectionError()
            shop.fails = error if when == "after" else None
            with pytest.raises(ConnectionError):
                shop.charging(before=error if when == "before" else None, **options)(order)
            assert refused(shop.charging(**options), order) == ("unknown", None)


def test_calls_of_a_leeward_client_are_seen(shop: Shop, subtests: pytest.Subtests) -> None:
    """What may have run keeps the key; what is proved not to have run, or harmless, releases it."""
    cloud, client = shop.elsewhere, shop.elsewhere_client
    Local.function(cloud._driver, "pay")(lambda payload: payload)  # type: ignore[arg-type]
    calls: dict[str, tuple[Callable[[], object], Fault | None, bool]] = {
        "an unsafe call ran": (lambda: client.invoke("pay", 1), None, True),
        "a keyed call ran": (lambda: client.invoke("pay", 1, effect="keyed"), None, True),
        "its answer was lost": (lambda: client.invoke("pay", 1), Fault.LOSE_ANSWER, True),
        "nobody knows": (lambda: client.invoke("pay", 1), Fault.LOSE_REQUEST, True),
        "it was refused": (lambda: client.invoke("pay", 1), Fault.THROTTLE, False),
        "it was not sent": (lambda: client.invoke("pay", 1), Fault.REFUSE, False),
        "its identity was refused": (lambda: client.invoke("pay", 1), Fault.DENY, False),
        "there is no such function": (lambda: client.invoke("nothing", 1), None, False),
        "it is idempotent": (lambda: client.invoke("pay", 1, effect="idempotent"), None, False),
        "it only read": (lambda: client.load_data("orders", "1"), None, False),
        "it wrote": (lambda: client.store_data("orders", {"id": "1"}), None, True),
        "it published": (lambda: client.publish_event("orders", "paid"), None, True),
        "its input was wrong": (lambda: client.publish_event("orders", ""), None, False),
    }
    for name, (call, fault, kept) in calls.items():
        with subtests.test(name):
            runs = []

            @idempotent(
                table="keys", key="order", effects="marked", client=shop.client, name="handle"
            )
            def handle(order: str) -> None:
                runs.append(order)  # noqa: B023 - called in this round
                call()  # noqa: B023 - likewise
                raise ValueError(order)

            if fault is not None:
                cloud.fail(fault)
            for _ in range(2):
                with pytest.raises((ValueError, LeewardError, RepeatRefused)):
                    handle(name)
            cloud.heal()
            assert len(runs) == (1 if kept else 2)


def test_that_nothing_ran_is_told_where_the_key_is_released(
    shop: Shop, subtests: pytest.Subtests
) -> None:
    """Not of a part of a handler, not after an earlier run, nor where another has taken over."""
    app, inner = App("shop"), shop.charging(effects="marked", before=ValueError())

    @app.function()
    @idempotent(
        table="keys", key="order.id", principal=None, lease=30,
        client=shop.client, clock=shop.clock,
        failures={Declined: "replay", HalfDone: "rerun", OSError: "release"},
    )  # fmt: skip
    def anywhere(order: dict[str, Any]) -> None:
        run = current_run()
        assert run is not None
        again = OSError if run.earlier else HalfDone
        raise {"replay": Declined, "rerun": again, "release": OSError, "": KeyError}[order["how"]]

    @app.function()
    @idempotent(
        table="keys", key="order.id", principal=None, lease=30,
        client=shop.client, clock=shop.clock,
        effects="marked",
    )  # fmt: skip
    def marked(order: dict[str, Any]) -> None:
        run = current_run()
        if run is not None and run.earlier:
            return
        shop.clock.advance(31)
        marked(order)
        try:
            effect()
        except LeaseLost:
            if order["how"] == "lost":
                raise
            raise ValueError from None

    @app.function()
    def partly(order: dict[str, Any]) -> None:
        shop.charges.append(order["id"])  # an effect that is not announced
        inner(order)

    def ran(name: str, order: dict[str, Any]) -> str:
        given = Delivery(json.dumps(order).encode(), "id", "", 90.0)
        found = answer(app.handlers[name], given, Platform("nimbus", None, shop.clock))
        assert found.failure is not None
        assert found.dedup == (None if name == "partly" else "target"), (
            "what a part says is no word"
        )
        return found.failure.ran

    for name, how, expected in (
        ("anywhere", "", ["maybe", "maybe"]),
        ("anywhere", "release", ["no", "no"]),
        ("anywhere", "replay", ["maybe", "maybe"]),
        ("anywhere", "rerun", ["maybe", "maybe"]),
        ("marked", "lost", ["maybe"]),
        ("marked", "caught", ["maybe"]),
        ("partly", "fails", ["maybe", "maybe"]),
    ):
        with subtests.test(f"{name} {how}"):
            order = {"id": f"{name}-{how}", "how": how}
            assert [ran(name, order) for _ in expected] == expected


def test_a_lost_answer_further_on_is_not_taken_for_a_proof(shop: Shop) -> None:
    """`OutcomeUnknown` of leeward's own client keeps the key, whatever was declared broader."""
    shop.elsewhere.fail(Fault.LOSE_REQUEST)

    @idempotent(table="keys", key="order", effects="marked", client=shop.client, name="pay")
    def pay(order: str) -> None:
        shop.elsewhere_client.invoke("pay", order)

    with pytest.raises(OutcomeUnknown):
        pay("42")
    assert refused(pay, "42") == ("unknown", None)


def test_what_the_tasks_of_a_run_announce_at_one_moment_is_all_recorded() -> None:
    """Each effect before it begins, and each note: else a repeat could run after a kill."""
    seen: list[tuple[Any, ...]] = []

    async def scenario() -> None:
        async with AsyncClient(Local("local:table")) as table:

            class Slow:
                """A table whose answers come later than the next task begins."""

                async def store_data(self, *given: Any, **options: Any) -> Any:
                    await asyncio.sleep(0)
                    return await table.store_data(*given, **options)

                async def load_data(self, *given: Any) -> Any:
                    await asyncio.sleep(0)
                    return await table.load_data(*given)

            async def act() -> None:
                await effect_async()
                record = await table.load_data("keys", "charge:42")
                assert record is not None
                seen.append((record.item["effects"],))

            client: Any = Slow()

            @idempotent(table="keys", key="id", name="charge", effects="marked", client=client)
            async def charge(id: str) -> None:
                run = current_run()
                assert run is not None
                notes = (run.note_async(f"ch_{number}") for number in range(9))
                await asyncio.gather(*notes, act())
                seen.append(run.notes)
                raise ConnectionError

            with pytest.raises(ConnectionError):
                await charge("42")
            record = await table.load_data("keys", "charge:42")
            assert record is not None
            seen.append((record.item["state"], len(record.item["notes"])))

    asyncio.run(scenario())
    assert seen == [(True,), tuple(f"ch_{number}" for number in range(9)), ("unknown", 9)]


def test_a_task_that_a_failed_run_has_left_begins_no_effect() -> None:
    """Its key was released, for no effect had begun: a repeat would do the same."""
    acted: list[str] = []

    async def scenario() -> None:
        marked, ended = asyncio.Event(), asyncio.Event()
        async with AsyncClient(Local("local:table")) as table:

            class Slow:
                """A table whose answer to the mark comes when the run has ended."""

                load_data = table.load_data

                async def store_data(self, *given: Any, **options: Any) -> Any:
                    stored = await table.store_data(*given, **options)
                    if given[1]["effects"]:
                        marked.set()
                        await ended.wait()
                    return stored

            async def act() -> None:
                await effect_async()
                acted.append("once")

            client: Any = Slow()
            tasks: list[asyncio.Task[None]] = []

            @idempotent(table="keys", key="id", name="charge", effects="marked", client=client)
            async def charge(id: str) -> None:
                tasks.append(asyncio.create_task(act()))
                await marked.wait()
                raise ConnectionError

            with pytest.raises(ConnectionError):
                await charge("42")
            record = await table.load_data("keys", "charge:42")
            assert record is not None
            assert record.item["state"] == "released"
            ended.set()
            with pytest.raises(LeaseLost, match="has failed"):
                await tasks[0]

    asyncio.run(scenario())
    assert acted == []


def test_a_late_note_does_not_pass_for_the_effect_that_is_to_be_recorded() -> None:
    """The record has changed, and still does not say that an effect may begin."""
    record = first_record(Claim("me", "p", 30.0, effects_marked=True), 0.0)
    steps = mark_effect(Held(record, "r0"))
    next(steps)
    steps.send((Changed(), 0.0))
    noted = with_note(record, "ch_1")
    step = steps.send((LoadedRecord(noted, "r1"), 0.0))
    assert step == SaveRecord(with_effects(noted), "r1")
