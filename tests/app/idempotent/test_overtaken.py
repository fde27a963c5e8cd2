"""Runs that die, that are overtaken, and what may go on after them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from leeward import Client, DedupUnavailable
from leeward.app.idempotency import (
    Done,
    LeaseLost,
    NotDone,
    RepeatRefused,
    current_run,
    effect,
    idempotent,
)
from leeward.app.idempotency.record import Claim, LoadedRecord, Start, with_effects
from leeward.app.idempotency.steps import Away, Held, SaveRecord, claim_key, mark_effect
from leeward.app.signatures import IDEMPOTENCY
from leeward.envelope import CLOCKS
from leeward.errors import TargetUnavailable
from leeward.local import Local
from leeward.testing import FakeClock, Fault
from leeward_contract_tests.rows import each_row
from tests.app.idempotent.shop import ORDER, Shop, context, refused


@pytest.mark.threat("S17")
def test_a_dead_run_is_taken_over_where_no_effect_had_begun(shop: Shop) -> None:
    """A zombie that wakes after that begins no effect, and its caller gets the winner's result."""
    seen, zombie = [], Event()
    woken = Event()

    @idempotent(
        table="keys",
        key="order",
        lease=30,
        effects="marked",
        client=shop.client,
        clock=shop.clock,
        name="charge",
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


def test_what_forbids_a_run_within_another_is_no_failure_of_its_own(shop: Shop) -> None:
    """The outer one's table is away, so the inner one does not begin, and its key is free again."""

    @idempotent(
        table="keys",
        key="order",
        failures="replay",
        client=shop.elsewhere_client,
        clock=shop.clock,
        name="pay",
    )
    def pay(order: str) -> str:
        shop.charges.append(order)
        return order

    @idempotent(
        table="keys", key="order", effects="marked", client=shop.client, clock=shop.clock, name="f"
    )
    def outer(order: str) -> str:
        if breaks:
            shop.table.fail(Fault.REFUSE)
        return pay(order)

    breaks = True
    with pytest.raises(DedupUnavailable):
        outer("42")
    shop.table.heal()
    breaks = False
    shop.clock.advance(71)
    assert outer("42") == "42"
    assert shop.charges == ["42"]


def test_a_run_that_is_overtaken_after_an_effect_begins_no_further_one(shop: Shop) -> None:
    """Where the function lets a repeat run after an unknown one, each late announcement looks."""
    asleep, woken = Event(), Event()

    @idempotent(
        table="keys",
        key="order",
        lease=30,
        effects="marked",
        unknown="run",
        client=shop.client,
        clock=shop.clock,
        name="charge",
    )
    def charge(order: str) -> int:
        run = current_run()
        assert run is not None
        effect()
        shop.charges.append(run.fence)
        if run.fence == 1:
            asleep.set()
            assert woken.wait(60)
        effect()
        shop.charges.append(run.fence)
        return run.fence

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(charge, "42")
        assert asleep.wait(60)
        shop.clock.advance(31)
        with pytest.raises(RepeatRefused, match="still running"):  # by the clock of another machine
            charge("42")
        shop.clock.advance(31)
        assert charge("42") == 2
        woken.set()
        with pytest.raises(LeaseLost):
            first.result(60)
    assert shop.charges == [1, 2, 2]


def test_a_run_whose_record_was_settled_by_hand_begins_no_further_effect(shop: Shop) -> None:
    """It was stopped behind its first one for longer than its lease; nobody repeats it."""
    asleep, woken = Event(), Event()

    @idempotent(
        table="keys",
        key="order",
        effects="marked",
        client=shop.client,
        clock=shop.clock,
        name="charge",
    )
    def charge(order: str) -> None:
        for _ in range(2):
            effect()
            shop.charges.append(order)
            asleep.set()
            assert woken.wait(60)

    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(charge, "42")
        assert asleep.wait(60)
        shop.clock.advance(71)
        void = {"state": "void", "owner": "", "voids": 1}
        shop.client.store_data("keys", {**(shop.record("42") or {}), **void})
        woken.set()
        with pytest.raises(LeaseLost):
            run.result(60)
    assert shop.charges == ["42"]


@each_row("ahead", [40.0, 3_600.0, -3_600.0])
def test_no_clock_of_another_machine_ends_a_lease(ahead: float) -> None:
    """A settler there says that nothing has run only when an announced effect cannot land any more.

    It counts the run's whole lease by its own monotonic clock, from when it first saw the run.
    """
    clocks = FakeClock(), FakeClock(FakeClock().now() + ahead)
    store = Local("local:table", clock=clocks[0])
    here, there = (Client(store, clock=clock) for clock in clocks)
    verdicts: list[str] = []
    paid: list[str] = []

    def guard(client: Client, clock: FakeClock) -> Any:
        return idempotent(
            table="keys",
            key="order",
            name="pay",
            lease=30,
            effects="marked",
            probe=lambda *_: Done() if paid else NotDone(),
            client=client,
            clock=clock,
        )

    def settle() -> str:
        def pay(order: str) -> None:
            raise AssertionError

        settle = getattr(guard(there, clocks[1])(pay), IDEMPOTENCY).settle
        answer: dict[str, Any] = settle(1.0, ("42",), context(clocks[1]))
        return str(answer["verdict"])

    @guard(here, clocks[0])  # type: ignore[untyped-decorator]
    def pay(order: str) -> None:
        effect()
        for _ in range(6):  # its request is on its way
            verdicts.append(settle())
            for clock in clocks:
                clock.advance(4)
        paid.append(order)
        verdicts.append(settle())

    with here, there:
        pay("42")
        assert "not_run" not in verdicts
        assert settle() == "ran"


def test_a_claim_whose_answer_was_lost_has_the_lease_of_its_first_write() -> None:
    """Others count from then."""
    claim = Claim("me", "p", 30.0, effects_marked=True)
    steps = claim_key(claim, 0.0)
    record = cast("SaveRecord", next(steps)).record
    steps.send((Away(TargetUnavailable("no answer"), written=True), 20.0))
    loaded = record._replace(lease_until=50.0, over_at=50.0)
    with pytest.raises(StopIteration) as ended:
        steps.send((LoadedRecord(loaded, "7"), 20.0))
    assert ended.value.value == Start(record, "7")
    marking = mark_effect(Held(record, "7"))
    next(marking)
    marking.send((Away(TargetUnavailable("no answer"), written=True), 25.0))
    with pytest.raises(StopIteration) as ended:
        marking.send((LoadedRecord(with_effects(loaded), "8"), 25.0))
    assert ended.value.value == Held(with_effects(record), "8")


def test_a_zombie_without_effects_gives_the_result_of_its_successor(shop: Shop) -> None:
    """Its own is thrown away: repeats get the other one."""
    asleep, woken, results = Event(), Event(), iter([1, 2])

    @idempotent(
        table="keys",
        key="order",
        lease=30,
        effects="marked",
        client=shop.client,
        clock=shop.clock,
        name="quote",
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

    @idempotent(table="keys", key="order", unknown="run", client=shop.client, name="charge")
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


class Machine:
    """The clock of another machine: that of the shop, and wrong by some seconds."""

    def __init__(self, right: FakeClock, ahead: float) -> None:
        self._right, self._ahead = right, ahead
        self.monotonic, self.sleep = right.monotonic, right.sleep
        self.sleep_async = right.sleep_async

    def now(self) -> float:
        """Return its wall clock in Unix seconds."""
        return self._right.now() + self._ahead


@given(
    st.sampled_from([1.0, 60.0, 86_400.0]),
    st.floats(0, 0.999),
    st.floats(-CLOCKS / 2, CLOCKS / 2),
    st.floats(-CLOCKS / 2, CLOCKS / 2),
)
@example(1.0, 0.0, 0.0, CLOCKS - 1)
@example(86_400.0, 0.999, -CLOCKS / 2, CLOCKS / 2)
@settings(max_examples=30, deadline=None)
def test_no_wrong_clock_ends_a_key(keep: float, part: float, one: float, other: float) -> None:
    """Of two machines whose clocks differ by less than an hour, none runs the other's key again."""
    right = FakeClock()
    table, runs = Local(clock=right), []

    def deliver(ahead: float) -> None:
        clock = Machine(right, ahead)

        @idempotent(
            table="keys", key="order", name="f", keep=keep, client=Client(table, clock=clock),
            clock=clock,
        )  # fmt: skip
        def charge(order: str) -> None:
            runs.append(order)

        charge("42")

    try:
        deliver(one)
        right.advance(keep * part)
        deliver(other)
        assert runs == ["42"]
    finally:
        table.close()
