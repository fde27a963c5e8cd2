"""`@idempotent` on functions: what runs, what repeats are told, and what becomes of the key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from enum import Enum
from threading import Barrier, Event
from typing import Any

import pytest

from leeward import (
    App,
    AsyncClient,
    Client,
    ConfigError,
    DedupUnavailable,
    FunctionError,
    LeewardError,
    OutcomeUnknown,
    Throttled,
)
from leeward.adapter import Call, Result
from leeward.app.context import Context, call_within
from leeward.app.core import answer
from leeward.app.idempotency import (
    EarlierFailure,
    KeyMissing,
    KeyReused,
    LeaseLost,
    RepeatRefused,
    current_run,
    effect,
    effect_async,
    idempotent,
)
from leeward.app.idempotency.record import Earlier
from leeward.app.triggers import Delivery, Message, Platform
from leeward.local import Local
from leeward.testing import FakeClock, Fault, FaultyDriver

ORDER = {"id": "42", "total": 9.9}


class Kind(str, Enum):
    CARD = "card"


class Declined(Exception):
    """The bank says no, for good."""


class HalfDone(Exception):
    """The handler can go on with what it has begun."""


class Shop:
    """A bank that counts, a table that fails on demand, and a clock that is moved by hand."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.table = FaultyDriver(Local("local:table", clock=self.clock))
        self.client = Client(self.table, clock=self.clock)
        self.elsewhere = FaultyDriver(Local("local:elsewhere", clock=self.clock))
        self.elsewhere_client = Client(self.elsewhere, clock=self.clock)
        self.charges: list[Any] = []
        self.fails: Exception | None = None
        self.runs = 0

    def charging(self, *, before: Exception | None = None, **options: Any) -> Callable[..., Any]:
        """Return an idempotent function that charges, unless it fails `before`."""
        options = {"key": "order.id", "lease": 30.0, "name": "charge", **options}

        @idempotent(table="keys", client=self.client, clock=self.clock, **options)
        def charge(order: dict[str, Any]) -> dict[str, Any]:
            self.runs += 1
            if before is not None:
                raise before
            effect()
            self.charges.append(order["id"])
            if self.fails is not None:
                raise self.fails
            return {"charged": order["id"], "number": len(self.charges)}

        return charge

    def record(self, key: str = "42") -> dict[str, Any] | None:
        """Return the item that keeps a key."""
        found = self.client.load_data("keys", f"charge:{key}")
        return found.item if found else None


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    with shop.client, shop.elsewhere_client:
        yield shop


def context(clock: FakeClock, key: str = "", **options: Any) -> Context:
    """Make the context of a call."""
    return Context("f", key, 1, clock.monotonic() + 20, clock, **options)


def refused(function: Callable[..., Any], *arguments: Any) -> tuple[str | None, float | None]:
    """Return why a repeat is refused, and when to ask again."""
    with pytest.raises(RepeatRefused) as caught:
        function(*arguments)
    assert caught.value.status == 409
    return caught.value.reason, caught.value.retry_after


def test_a_repeat_gets_the_first_result(shop: Shop) -> None:
    """It runs once, other keys run too, and after `keep` the key is forgotten."""
    charge = shop.charging(keep=timedelta(hours=1))
    first = charge(ORDER)
    assert [charge(ORDER), charge(order=dict(reversed(ORDER.items())))] == [first, first]
    assert charge({"id": "43", "total": 1})["number"] == 2
    shop.clock.advance(3601)
    assert charge(ORDER)["number"] == 3


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
    (told,) = caplog.records
    assert told.getMessage().startswith("outcome_unknown function='charge'")
    assert "c4n4ry" not in f"{told.getMessage()} {shop.record()}"


def test_five_deliveries_at_once_run_once(shop: Shop) -> None:
    """One runs; the others are told to come back, and then get its result."""
    together, done = Barrier(5), Event()

    @idempotent(table="keys", key="order.id", client=shop.client)
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


def test_a_run_that_did_nothing_lets_nobody_forget_the_one_before(
    shop: Shop, subtests: pytest.Subtests
) -> None:
    """Traces of an effect stay, so each run is told of them until one has completed."""
    told: list[Any] = []
    for name, options, why in (
        ("rerun", {"failures": {HalfDone: "rerun"}}, Earlier.FAILED),
        ("unknown", {"unknown": "run"}, Earlier.UNKNOWN),
    ):
        with subtests.test(name):
            told.clear()

            @idempotent(
                table="keys",
                key="order.id",
                client=shop.client,
                clock=shop.clock,
                name=name,
                effects="marked",
                **options,  # type: ignore[arg-type]
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


def test_an_end_that_no_table_takes_is_written_all_the_same(shop: Shop) -> None:
    """Of a failure repeats get the class; a result that cannot be read is given, and not kept."""
    charge = shop.charging(failures={Declined: "replay"})
    shop.fails = Declined("\ud800")
    with pytest.raises(Declined):
        charge(ORDER)
    with pytest.raises(Declined):
        charge(ORDER)

    @idempotent(table="keys", key="order", client=shop.client, clock=shop.clock)
    def loop(order: str) -> list[Any]:
        shop.charges.append(order)
        found: list[Any] = []
        found.append(found)
        return found

    result = loop("43")
    assert result[0] is result
    assert refused(loop, "43") == ("not_kept", None)
    assert shop.charges == ["42", "43"]


def test_a_coroutine_that_has_not_run_completes_nothing(shop: Shop) -> None:
    """Of a function that another decorator has made a plain one; its key is kept."""

    async def charge(order: str) -> None:
        shop.charges.append(order)

    @idempotent(table="keys", key="order", client=shop.client, clock=shop.clock)
    def wrapped(order: str) -> Any:
        return charge(order)

    with pytest.raises(ConfigError, match="directly before the coroutine function"):
        wrapped("42")
    assert refused(wrapped, "42") == ("unknown", None)
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


def test_failures_are_told_again_or_run_again_as_declared(shop: Shop) -> None:
    """The nearest class counts; a run again knows why, and has a higher fence."""
    seen: list[Any] = []
    failures = {Exception: "replay", Declined: "replay", HalfDone: "rerun"}

    @idempotent(table="keys", key="order", failures=failures, client=shop.client)  # type: ignore[arg-type]
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
    """It has another id then, which is no part of what it is about; its attributes are."""

    @idempotent(table="keys", key=lambda message: message.body.decode(), client=shop.client)
    def send(message: Message) -> None:
        shop.charges.append(message.id)

    send(Message("parcels", "1", b"42"))
    send(Message("parcels", "2", b"42"))
    with pytest.raises(KeyReused):
        send(Message("parcels", "3", b"42", {"kind": "other"}))
    assert shop.charges == ["1"]


@dataclass
class Order:
    id: str
    when: datetime
    lines: tuple[int, ...] = ()


def test_typed_arguments_and_results(shop: Shop) -> None:
    """Dataclasses compare by their fields; a replay is the plain data that goes over a wire."""

    @idempotent(table="keys", key="order.id", client=shop.client)
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


def test_a_result_that_the_table_does_not_take_is_not_a_failed_call(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """Too large, or nothing that a table takes: it is given once, and repeats learn that it ran."""
    for key, result in {"large": "x" * 10_000_000, "odd": object()}.items():
        charge = shop.charging()
        shop.charges.clear()

        @idempotent(table="keys", key="key", client=shop.client)
        def give(key: str) -> object:
            shop.charges.append(key)
            return result  # noqa: B023 - called in this round

        assert give(key) is result
        assert refused(give, key) == ("not_kept", None)
        assert shop.charges == [key]
    assert charge is not None
    assert [each.msg.split()[0] for each in caplog.records] == ["result_not_kept"] * 2


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


def test_a_table_that_is_away_refuses_by_default(shop: Shop) -> None:
    """Nothing runs; when the table is back, the same call runs."""
    charge = shop.charging()
    for fault in (Fault.REFUSE, Fault.THROTTLE, Fault.SUSPEND, Fault.LOSE_REQUEST, Fault.DENY):
        shop.table.fail(fault)
        call = context(shop.clock)
        with pytest.raises(DedupUnavailable, match="did not run"):
            call_within(call, charge, ORDER)
        assert (call.dedup, call.effects) == ("target", 0)
        shop.table.heal()
    assert shop.charges == []
    assert charge(ORDER)["number"] == 1


def test_run_and_flag_runs_without_the_table(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """The handler and the answer can tell; a table that is set up wrongly still refuses."""
    recorded = []

    @idempotent(table="keys", key="order.id", unreachable="run_and_flag", client=shop.client)
    def charge(order: dict[str, Any]) -> int:
        run = current_run()
        assert run is not None
        recorded.append(run.recorded)
        shop.charges.append(order["id"])
        return len(shop.charges)

    shop.table.fail(Fault.REFUSE)
    call = context(shop.clock)
    assert call_within(call, charge, ORDER) == 1
    assert (call.dedup, recorded) == ("none", [False])
    assert "run_unrecorded" in caplog.text
    shop.table.fail(Fault.DENY)
    with pytest.raises(DedupUnavailable):
        charge(ORDER)
    shop.table.heal()
    assert call_within(call, charge, ORDER) == 2
    assert (call.dedup, recorded) == ("target", [False, True])


def test_an_end_that_cannot_be_written_is_not_a_failed_call(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """The result is given, and a repeat does not run: so the answer says that it is recognised."""

    @idempotent(table="keys", key="order.id", lease=30, client=shop.client, clock=shop.clock)
    def charge(order: dict[str, Any]) -> int:
        shop.charges.append(order["id"])
        shop.table.fail(Fault.REFUSE)
        return len(shop.charges)

    call = context(shop.clock)
    assert call_within(call, charge, ORDER) == 1
    assert call.dedup == "target"
    assert "end_not_recorded" in caplog.text
    shop.table.heal()
    assert refused(charge, ORDER) == ("running", 5.0)
    shop.clock.advance(28)
    assert refused(charge, ORDER)[1] == pytest.approx(2.0, abs=0.1)
    shop.clock.advance(3)
    assert refused(charge, ORDER) == ("unknown", None)
    assert len(shop.charges) == 1


def test_an_answer_says_that_a_key_is_worth_nothing_where_a_repeat_may_run(shop: Shop) -> None:
    """Somebody has deleted the record meanwhile, or the function runs after an unknown end.

    Or an effect was allowed to begin that could not be written down, nor could the end be.
    """

    @idempotent(table="keys", key="order.id", name="f", client=shop.client, clock=shop.clock)
    def forgotten(order: dict[str, Any]) -> None:
        shop.client.delete_data("keys", "f:42")

    @idempotent(table="keys", key="order.id", unknown="run", client=shop.client, clock=shop.clock)
    def again(order: dict[str, Any]) -> None:
        shop.table.fail(Fault.REFUSE)

    @idempotent(
        table="keys",
        key="order.id",
        effects="marked",
        unreachable="run_and_flag",
        client=shop.client,
        clock=shop.clock,
    )
    def flagged(order: dict[str, Any]) -> None:
        shop.table.fail(Fault.REFUSE)
        effect()

    for function in (forgotten, again, flagged):
        shop.table.heal()
        call = context(shop.clock)
        call_within(call, function, ORDER)
        assert call.dedup == "none"


class FailsOnce(FaultyDriver):
    """Fails the call of one number, counted from 0."""

    def __init__(self, number: int, fault: Fault, clock: FakeClock) -> None:
        super().__init__(Local(clock=clock))
        self._at, self._fault = number, fault

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if len(self.calls) == self._at:
            self.fail(self._fault, times=1)
        return super().perform(call, timeout)


def test_any_one_answer_of_the_table_may_be_lost(subtests: pytest.Subtests) -> None:
    """Claim, mark or end, whether the write took place or not: the call runs, and has a record."""
    for fault in (Fault.LOSE_ANSWER, Fault.LOSE_REQUEST, Fault.REFUSE):
        for number in range(4):
            clock, charges = FakeClock(), list[str]()
            with (
                subtests.test(f"{fault.value}, call {number}"),
                Client(FailsOnce(number, fault, clock), clock=clock) as client,
            ):

                @idempotent(table="keys", key="order", effects="marked", client=client)
                def charge(order: str) -> int:
                    effect()
                    charges.append(order)  # noqa: B023 - called in this round
                    return len(charges)  # noqa: B023 - likewise

                assert [charge("42") for _ in range(3)] == [1, 1, 1]


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

            @idempotent(table="keys", key="order", effects="marked", client=shop.client)
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


@pytest.mark.threat("S17")
def test_a_dead_run_is_taken_over_where_no_effect_had_begun(shop: Shop) -> None:
    """A zombie that wakes after that begins no effect, and its caller gets the winner's result."""
    seen, zombie = [], Event()
    woken = Event()

    @idempotent(
        table="keys", key="order", lease=30, effects="marked", client=shop.client, clock=shop.clock
    )
    def charge(order: str) -> int:
        run = current_run()
        assert run is not None
        seen.append((run.earlier and run.earlier.value, run.fence))
        if len(seen) == 1:
            zombie.set()
            assert woken.wait(60)
        effect()
        shop.charges.append(order)
        return len(shop.charges)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(charge, "42")
        assert zombie.wait(60)
        assert refused(charge, "42") == ("running", 5.0)
        shop.clock.advance(31)
        assert charge("42") == 1
        woken.set()
        with pytest.raises(LeaseLost):
            first.result(60)
    assert (seen, shop.charges) == ([(None, 1), ("lapsed", 2)], ["42"])
    assert charge("42") == 1


def test_a_zombie_without_effects_gives_the_result_of_its_successor(shop: Shop) -> None:
    """Its own is thrown away: repeats get the other one."""
    asleep, woken, results = Event(), Event(), iter([1, 2])

    @idempotent(
        table="keys", key="order", lease=30, effects="marked", client=shop.client, clock=shop.clock
    )
    def quote(order: str) -> int:
        result = next(results)
        if result == 1:
            asleep.set()
            assert woken.wait(60)
        return result

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(quote, "42")
        assert asleep.wait(60)
        shop.clock.advance(31)
        assert quote("42") == 2
        woken.set()
        assert first.result(60) == 2


def test_a_handler_that_can_deal_with_it_is_run_again(shop: Shop) -> None:
    """With `unknown="run"` it is told why, and its fence has grown."""
    seen = []

    @idempotent(table="keys", key="order", unknown="run", client=shop.client)
    def charge(order: str) -> str:
        run = current_run()
        assert run is not None
        seen.append((run.earlier and run.earlier.value, run.fence))
        if len(seen) == 1:
            raise ConnectionError
        return "found what the first run had done"

    with pytest.raises(ConnectionError):
        charge("42")
    assert charge("42") == charge("42")
    assert seen == [(None, 1), ("unknown", 2)]


def test_a_program_that_ends_within_a_handler_leaves_the_lease(shop: Shop) -> None:
    """`SystemExit` is not a failure that anybody can judge: the record stays as it is."""
    charge = shop.charging(effects="marked", before=SystemExit())  # type: ignore[arg-type]
    with pytest.raises(SystemExit):
        charge(ORDER)
    assert refused(charge, ORDER)[0] == "running"
    shop.clock.advance(31)
    assert shop.charging(effects="marked")(ORDER)["number"] == 1


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
    @idempotent(table="keys", client=shop.client)
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
    with pytest.raises(KeyMissing, match="header:Idempotency-Key"):
        call_within(context(shop.clock, headers={"idempotency-key": '""'}), f, "44")


def test_handlers_of_an_app(shop: Shop, subtests: pytest.Subtests) -> None:
    """The answer says what a key is worth, and of a refusal whether the effect may be there."""
    app = App("shop")

    @app.function(name="charge", effect="keyed")
    @idempotent(
        table="keys", effects="marked", dedup_scope="group", client=shop.client, clock=shop.clock
    )
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
        return found.status, dict(found.headers()).get("x-leeward-dedup"), *told

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


def test_that_nothing_ran_is_told_where_the_key_is_released(
    shop: Shop, subtests: pytest.Subtests
) -> None:
    """Not of a part of a handler, not after an earlier run, nor where another has taken over."""
    app, inner = App("shop"), shop.charging(effects="marked", before=ValueError())

    @app.function()
    @idempotent(
        table="keys", key="order.id", lease=30, client=shop.client, clock=shop.clock,
        failures={Declined: "replay", HalfDone: "rerun", OSError: "release"},
    )  # fmt: skip
    def anywhere(order: dict[str, Any]) -> None:
        run = current_run()
        assert run is not None
        again = OSError if run.earlier else HalfDone
        raise {"replay": Declined, "rerun": again, "release": OSError, "": KeyError}[order["how"]]

    @app.function()
    @idempotent(
        table="keys", key="order.id", lease=30, client=shop.client, clock=shop.clock,
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


def test_coroutine_handlers_of_an_app() -> None:
    """They run on the app's own loop, and a first effect in them has to be awaited."""
    app, client, charges = App("shop"), AsyncClient(Local()), list[str]()

    @app.function(name="charge", effect="keyed")
    @idempotent(table="keys", key="order.id", effects="marked", client=client)
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

    @idempotent(table="keys", key="order", lease=30, client=shop.client, clock=shop.clock)
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


def test_awaited() -> None:
    """Coroutine functions, with an `AsyncClient`: the same, and nothing blocks the loop."""
    table, elsewhere = FaultyDriver(Local("local:table")), FaultyDriver(Local("local:other"))
    charges: list[str] = []

    async def scenario() -> None:
        async with AsyncClient(table) as client, AsyncClient(elsewhere) as other:

            @idempotent(table="keys", key="order", effects="marked", client=lambda: client)
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


def test_a_lost_answer_further_on_is_not_taken_for_a_proof(shop: Shop) -> None:
    """`OutcomeUnknown` of leeward's own client keeps the key, whatever was declared broader."""
    shop.elsewhere.fail(Fault.LOSE_REQUEST)

    @idempotent(table="keys", key="order", effects="marked", client=shop.client)
    def pay(order: str) -> None:
        shop.elsewhere_client.invoke("pay", order)

    with pytest.raises(OutcomeUnknown):
        pay("42")
    assert refused(pay, "42") == ("unknown", None)


def test_the_client_is_opened_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `client`, one for all functions of the process, as the environment says."""
    from leeward.app.idempotency import settings

    settings._default_client.cache_clear()
    opened = Client(Local())
    monkeypatch.setattr("leeward.Client", lambda: opened)

    @idempotent(table="keys", key="order")
    def charge(order: str) -> str:
        return order

    assert (charge("42"), charge("42")) == ("42", "42")
    opened.close()
    settings._default_client.cache_clear()
