"""What became of the calls with a key: what its record says, and what a probe may add."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import pytest

from leeward import Client, DedupUnavailable
from leeward.app.idempotency import (
    CannotTell,
    Done,
    KeyMissing,
    KeyReused,
    LeaseLost,
    NotDone,
    PrincipalMissing,
    RepeatRefused,
    effect,
    idempotent,
)
from leeward.app.idempotency.record import (
    Claim,
    KeyState,
    LoadedRecord,
    Reason,
    Refuse,
    Start,
    decide,
    release_record,
    start_run,
    void_record,
)
from leeward.app.idempotency.store import item_of, record_in
from leeward.app.signatures import IDEMPOTENCY
from leeward.cli.key_records import settle_by_hand
from leeward.envelope import request_headers, sent_in
from leeward.testing import FakeClock, Fault
from leeward.values import Record
from leeward_contract_tests.rows import each_row
from tests.app.idempotent.shop import (
    ORDER,
    Declined,
    HalfDone,
    Shop,
    context,
    first_record,
    refused,
    settled,
)
from tests.app.idempotent.test_overtaken import Machine


class Killed(BaseException):
    """The process dies."""


def dying(shop: Shop, *first: BaseException | None, **options: Any) -> Any:
    """Return a marked function; its runs end before their effect, after it (None), or return."""
    runs = list(first)

    @idempotent(
        table="keys",
        key="order.id",
        lease=30,
        effects="marked",
        client=shop.client,
        clock=shop.clock,
        name="charge",
        **options,
    )
    def charge(order: dict[str, Any]) -> str:
        how = runs.pop(0) if runs else None
        if isinstance(how, Killed | ValueError):
            raise how
        effect()
        shop.charges.append(order["id"])
        if how is not None:
            raise how
        return "paid"

    return charge


@pytest.mark.parametrize(
    ("options", "first"),
    [
        ({"failures": {HalfDone: "rerun"}}, HalfDone()),
        ({"unknown": "run"}, ConnectionError()),
    ],
)
def test_a_run_after_one_that_may_have_acted_is_never_settled_as_not_run(
    shop: Shop, options: dict[str, Any], first: Exception
) -> None:
    """The second run dies before its effect; the first one has had it."""
    charge = dying(shop, first, Killed(), **options)
    with pytest.raises(type(first)):
        charge(ORDER)
    with pytest.raises(Killed):
        charge(ORDER)
    shop.clock.advance(31)
    answer = settled(shop, charge)
    assert (answer["verdict"], answer["reason"]) == ("unknown", "unknown")
    assert shop.charges == ["42"]


def test_what_no_run_of_a_key_has_done_is_settled_as_not_run(shop: Shop) -> None:
    """One died before its effect, and the next one failed before it: nothing was declared."""
    charge = dying(shop, Killed(), ValueError("no account"))
    with pytest.raises(Killed):
        charge(ORDER)
    shop.clock.advance(31)
    with pytest.raises(ValueError, match="no account"):
        charge(ORDER)
    assert settled(shop, charge)["verdict"] == "not_run"
    assert shop.charges == []


@pytest.mark.parametrize("seconds", [31.0, 26.0])
def test_an_effect_does_not_begin_after_its_lease_where_a_probe_decides(
    shop: Shop, seconds: float
) -> None:
    """A probe may say that nothing was done as soon as it is over, by a clock that is ahead."""

    @idempotent(
        table="keys",
        key="order.id",
        lease=30,
        effects="marked",
        probe=lambda _key, _context, _notes: NotDone(),
        client=shop.client,
        clock=shop.clock,
        name="charge",
    )
    def charge(order: dict[str, Any]) -> None:
        shop.clock.advance(seconds)
        effect()
        shop.charges.append(order["id"])

    with pytest.raises(LeaseLost, match="Give it a longer lease"):
        charge(ORDER)
    assert shop.charges == []
    assert settled(shop, charge)["verdict"] == "not_run"


def test_a_claim_that_was_settled_meanwhile_does_not_run() -> None:
    """Its answer was lost, and an operator freed the key before it looked: it claims again."""
    claim = Claim("me", "payload", 60.0)
    record = first_record(claim, 0.0)
    assert decide(LoadedRecord(record, "7"), claim, 1.0) == Start(record, "7")
    freed = settle_by_hand(record, 61.0, ran=False, result=None, kept=False)
    assert freed is not None
    again = decide(LoadedRecord(freed, "8"), claim, 61.0)
    assert isinstance(again, Start)
    assert (again.record.state, again.record.fence) == (KeyState.IN_PROGRESS, 2)
    void = void_record(release_record(record), 0)._replace(owner="me")
    assert decide(LoadedRecord(void, "8"), claim, 61.0) == Refuse(Reason.VOIDED, voids=1)


def test_a_record_knows_of_as_many_voids_as_the_call_that_made_it() -> None:
    """The record with the voids is gone: a delivery that knows of fewer is late nevertheless."""
    claim = Claim("me", "payload", 60.0, voids=2)
    assert first_record(claim, 0.0).voids == 2
    free = release_record(first_record(claim._replace(voids=0), 0.0))
    start = start_run(LoadedRecord(free, "1"), claim, 0.0)
    assert isinstance(start, Start)
    assert start.record.voids == 2


def test_a_record_of_an_earlier_leeward_does_not_say_what_was_before_it() -> None:
    """A run that is not the first of its key may go on from an effect."""
    record = first_record(Claim("me", "payload", 60.0, effects_marked=True), 0.0)
    for fence, known in ((1, False), (2, True)):
        item = item_of(record._replace(fence=fence), "42", FakeClock())
        item.pop("earlier_effects", None)
        read = record_in(Record(item, "7", "local"), FakeClock()).record
        assert read is not None
        assert (read.effects, read.earlier_effects) == (False, known)


def test_a_key_of_another_payload_is_not_settled(shop: Shop) -> None:
    """Nobody learns the result of a call whose payload is not the one that it names."""
    charge = shop.charging()
    charge(ORDER)
    with pytest.raises(KeyReused, match="Nothing was settled; settle with the payload of the call"):
        settled(shop, charge, given=({**ORDER, "total": 1.0},))
    assert settled(shop, charge)["result"] == {"charged": "42", "number": 1}


def test_a_principal_settles_its_own_keys_only(shop: Shop) -> None:
    """Another one has no such key: it neither learns of the first one's call, nor voids it."""

    @idempotent(
        table="keys",
        key="order.id",
        principal="platform",
        client=shop.client,
        clock=shop.clock,
        name="pay",
    )
    def pay(order: dict[str, Any], _context: Any) -> str:
        return f"paid {order['id']}"

    assert pay(ORDER, context(shop.clock, principal="ann")) == "paid 42"
    assert settled(shop, pay, principal="bob")["verdict"] == "not_run"
    assert settled(shop, pay, principal="ann")["result"] == "paid 42"
    with pytest.raises(PrincipalMissing):
        settled(shop, pay)


def test_a_key_of_another_function_is_not_settled(shop: Shop) -> None:
    """Two functions share a table, and no record."""
    charge, refund = shop.charging(), shop.charging(name="refund")
    charge(ORDER)
    assert settled(shop, refund)["verdict"] == "not_run"
    assert settled(shop, charge)["verdict"] == "ran"
    assert refused(refund, ORDER)[0] == "voided"


def test_a_key_that_is_in_the_payload_needs_the_payload(shop: Shop) -> None:
    """The message says so; so it does where a function of the user's reads the key."""
    for key in ("order.id", lambda order: order["id"]):
        with pytest.raises(KeyMissing, match="settle with the payload of the call. Nothing was"):
            settled(shop, shop.charging(key=key), given=None)


def test_a_default_is_not_taken_for_the_payload(shop: Shop) -> None:
    """Who lacks the payload does not settle the key of another call, which has none."""

    @idempotent(table="keys", key="order.id", client=shop.client, clock=shop.clock, name="charge")
    def charge(order: dict[str, Any] = ORDER) -> str:
        return str(order["id"])

    with pytest.raises(KeyMissing):
        settled(shop, charge, given=None)
    assert shop.record() is None


def test_a_run_under_way_is_not_settled(shop: Shop) -> None:
    """It says when to ask again; and nothing is written."""
    run = Pausing(shop, ORDER, before=True)
    charge = run.function(shop.client, shop.clock)
    shop.clock.advance(26)
    answer = settled(shop, charge)
    assert (answer["verdict"], answer["retry_after"]) == ("running", 4.0)
    assert run.wake() == "42"
    assert settled(shop, charge)["result"] == "42"


def test_a_released_key_is_settled_as_not_run_for_good(shop: Shop) -> None:
    """A late packet would have run: now it is refused, and told the number of the void."""
    charge = shop.charging(effects="marked", before=ValueError("no account"))
    with pytest.raises(ValueError, match="no account"):
        charge(ORDER)
    record = shop.record()
    assert record is not None
    assert record["state"] == "released"
    answer = settled(shop, charge)
    assert (answer["verdict"], answer["voids"]) == ("not_run", 1)
    late = shop.charging(effects="marked")
    with pytest.raises(RepeatRefused, match="came too late: it did not run") as caught:
        late(ORDER)
    assert (caught.value.reason, caught.value.voids, caught.value.ran) == ("voided", 1, "no")
    assert caught.value.retryable is False


def test_two_settle_a_key_at_once(shop: Shop) -> None:
    """Each is told that nothing has run, with a number that covers all calls before it."""
    charge, together = shop.charging(), Barrier(8)

    def settle(_number: int) -> dict[str, Any]:
        together.wait(30)
        return settled(shop, charge)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(settle, range(8)))
    assert {each["verdict"] for each in answers} <= {"not_run", "running"}
    numbers = [each["voids"] for each in answers if each["verdict"] == "not_run"]
    assert sorted(numbers) == [*range(1, len(numbers) + 1)]
    assert len(numbers) >= 4
    assert refused(charge, ORDER)[0] == "voided"


@each_row("keep", [1.0, 86_400.0])
def test_a_void_outlives_every_delivery(keep: float) -> None:
    """A function that forgets its keys after a second does not forget that one was void."""
    shop = Shop()
    with shop.client, shop.elsewhere_client:
        charge = shop.charging(keep=keep)
        assert settled(shop, charge)["verdict"] == "not_run"
        shop.clock.advance(31 * 86_400)
        assert refused(charge, ORDER)[0] == "voided"
        shop.clock.advance(2 * 3600)
        assert charge(ORDER)["charged"] == "42"


@each_row(
    "age, why",
    [(None, "no_record"), (86_401.0, "expired"), (86_400.0, None)],
)
def test_a_call_whose_record_may_have_expired_is_not_settled(
    age: float | None, why: str | None
) -> None:
    """No record says nothing then; a probe may."""
    shop = Shop()
    with shop.client, shop.elsewhere_client:
        charge = shop.charging()
        answer = settled(shop, charge, age=age)
        assert (answer["verdict"], answer["reason"]) == ("unknown" if why else "not_run", why)
        probed = shop.charging(name="probed", probe=lambda _key, _context, _notes: NotDone())
        assert settled(shop, probed, age=age)["verdict"] == "not_run"


class Pausing:
    """A run of a function that pauses before its effect, or after it, until it is woken."""

    def __init__(self, shop: Shop, order: dict[str, Any], *, before: bool) -> None:
        self.shop, self.order, self._before = shop, order, before
        self.asleep, self._woken = Event(), Event()
        self._pool = ThreadPoolExecutor(1)
        self._run = self._pool.submit(self.function(shop.client, shop.clock), order)
        assert self.asleep.wait(60)

    def function(self, client: Client, clock: Any) -> Any:
        """Return the function, as it is on a machine with this clock."""

        @idempotent(
            table="keys", key="order.id", lease=30, effects="marked", name="charge",
            client=client, clock=clock,
        )  # fmt: skip
        def charge(order: dict[str, Any]) -> str:
            if not self._before:
                self._charge(order)
            self.asleep.set()
            assert self._woken.wait(60)
            if self._before:
                self._charge(order)
            return str(order["id"])

        return charge

    def _charge(self, order: dict[str, Any]) -> None:
        effect()
        self.shop.charges.append(order["id"])

    def wake(self) -> str:
        """Let it go on, and return its result."""
        self._woken.set()
        result: str = self._run.result(60)
        self._pool.shutdown()
        return result


@pytest.mark.parametrize("ahead", [-3_500.0, -40.0, 40.0, 3_500.0])
@pytest.mark.parametrize("before", [True, False])
def test_no_wrong_clock_makes_a_verdict_wrong(shop: Shop, ahead: float, before: bool) -> None:
    """A settler takes a lease for over that is not: a run that it denies begins no effect."""
    clock = Machine(shop.clock, ahead)
    run = Pausing(shop, ORDER, before=before)
    answer = settled(shop, run.function(Client(shop.table, clock=clock), clock))
    if ahead > 0 and before:
        assert answer["verdict"] == "not_run"
        with pytest.raises(LeaseLost):
            run.wake()
        assert shop.charges == []
    else:
        assert answer["verdict"] == ("running" if ahead < 0 else "unknown")
        assert run.wake() == "42"
        assert shop.charges == ["42"]


class _Odd:
    """Nothing that a table takes."""


_LOOP: list[Any] = []
_LOOP.append(_LOOP)


def _raise(*_arguments: Any) -> Any:
    raise ConnectionError


def _exit(*_arguments: Any) -> Any:
    raise SystemExit


PROBES: dict[str, tuple[Any, str]] = {
    "it raises": (_raise, "cannot_tell"),
    "it ends the program": (_exit, "cannot_tell"),
    "it says nothing": (lambda *_: None, "cannot_tell"),
    "it says yes": (lambda *_: True, "cannot_tell"),
    "it returns the class": (lambda *_: NotDone, "cannot_tell"),
    "it is about another key": (lambda *_: NotDone(key="43"), "cannot_tell"),
    "it is done for another key": (lambda *_: Done("paid", key="43"), "cannot_tell"),
    "it cannot tell": (lambda *_: CannotTell(), "cannot_tell"),
    "it takes too few arguments": (lambda _key: NotDone(), "cannot_tell"),
}


@each_row("probe, why", PROBES)
def test_a_probe_that_fails_tells_nothing(probe: Any, why: str) -> None:
    """The key stays unknown for a settler, and for a repeat; nothing of the failure is believed."""
    shop = Shop()
    with shop.client, shop.elsewhere_client:
        charge = dying(shop, ConnectionError(), probe=probe)
        with pytest.raises(ConnectionError):
            charge(ORDER)
        shop.clock.advance(31)
        answer = settled(shop, charge)
        assert (answer["verdict"], answer["reason"]) == ("unknown", why)
        assert refused(charge, ORDER)[0] == "unknown"
        assert shop.charges == ["42"]


@each_row("result", [_Odd(), _LOOP])
def test_a_probe_whose_result_no_table_takes_is_believed_without_it(result: object) -> None:
    """The effect has taken place; repeats learn that the result was not kept."""
    shop = Shop()
    with shop.client, shop.elsewhere_client:
        charge = dying(shop, ConnectionError(), probe=lambda *_: Done(result))
        with pytest.raises(ConnectionError):
            charge(ORDER)
        answer = settled(shop, charge)
        assert (answer["verdict"], answer["kept"], answer["result"]) == ("ran", False, None)
        assert refused(charge, ORDER)[0] == "not_kept"


def test_a_probe_that_hangs_is_not_waited_for(shop: Shop) -> None:
    """A settler and a repeat get their answer within their time."""
    never = Event()
    charge = dying(shop, ConnectionError(), probe=lambda *_: never.wait(60))
    with pytest.raises(ConnectionError):
        charge(ORDER)
    asked = context(shop.clock)
    asked.deadline = shop.clock.monotonic() + 0.2
    answer = getattr(charge, IDEMPOTENCY).settle(1.0, (ORDER,), asked)
    assert (answer["verdict"], answer["reason"]) == ("unknown", "cannot_tell")
    never.set()


def test_a_probe_counts_after_the_lease(shop: Shop) -> None:
    """What the run has begun may still be under way: a settler and a repeat are told to wait."""
    done: list[str] = []
    charge = dying(shop, ConnectionError(), probe=lambda *_: Done("paid") if done else NotDone())
    with pytest.raises(ConnectionError):
        charge(ORDER)
    answer = settled(shop, charge)
    assert (answer["verdict"], answer["retry_after"]) == ("running", 5.0)
    assert refused(charge, ORDER) == ("running", 5.0)
    done.append("42")
    assert settled(shop, charge)["result"] == "paid"
    assert charge(ORDER) == "paid"


def test_a_table_that_is_away_settles_nothing(shop: Shop) -> None:
    """The question is refused, and may be asked again."""
    charge = shop.charging()
    charge(ORDER)
    shop.table.fail(Fault.REFUSE)
    with pytest.raises(Exception, match="nothing was settled; ask again") as caught:
        settled(shop, charge)
    assert type(caught.value).__name__ == "DedupUnavailable"
    shop.table.heal()
    assert settled(shop, charge)["verdict"] == "ran"


def test_a_recorded_failure_does_not_deny_a_run_without_a_record(shop: Shop) -> None:
    """The first delivery charged while the table was away; the second one was declined."""
    options: Any = {"unreachable": "run_and_flag", "failures": {Declined: "replay"}}
    shop.table.fail(Fault.REFUSE)
    assert shop.charging(**options)(ORDER)["number"] == 1
    shop.table.heal()
    charge = shop.charging(before=Declined(), **options)
    with pytest.raises(Declined):
        charge(ORDER)
    answer = settled(shop, charge)
    assert (answer["verdict"], answer["reason"]) == ("unknown", "unrecorded")
    assert shop.charges == ["42"]


def test_what_is_no_record_is_not_settled(shop: Shop) -> None:
    """Somebody else has written there."""
    charge = shop.charging()
    shop.client.store_data("keys", {"id": "charge:42", "state": "paid"})
    answer = settled(shop, charge)
    assert (answer["verdict"], answer["reason"]) == ("unknown", "unreadable")


@each_row("failures", [None, "rerun", "replay"])
def test_a_run_that_fails_after_it_was_settled_does_not_undo_that(failures: Any) -> None:
    """Somebody was told that it ran: a repeat gets the same, and does not run again."""
    shop = Shop()
    answers: list[dict[str, Any]] = []

    @idempotent(
        table="keys", key="order.id", lease=30, name="charge", failures=failures,
        probe=lambda *_: Done("paid"), client=shop.client, clock=shop.clock,
    )  # fmt: skip
    def charge(order: dict[str, Any]) -> str:
        shop.charges.append(order["id"])
        shop.clock.advance(31)
        answers.append(settled(shop, charge))
        raise HalfDone

    with shop.client, shop.elsewhere_client:
        with pytest.raises(HalfDone):
            charge(ORDER)
        assert (answers[0]["verdict"], answers[0]["result"]) == ("ran", "paid")
        assert charge(ORDER) == "paid"
        assert settled(shop, charge)["result"] == "paid"
        assert shop.charges == ["42"]


@each_row("away", [False, True])
def test_an_effect_that_was_forbidden_is_no_failure_of_the_function(away: bool) -> None:
    """Its table is away, or its lease ends: nothing was done, whatever its failures mean."""
    shop = Shop()

    @idempotent(
        table="keys", key="order.id", lease=30, effects="marked", name="charge", failures="replay",
        probe=lambda *_: NotDone(), client=shop.client, clock=shop.clock,
    )  # fmt: skip
    def charge(order: dict[str, Any], _context: Any = None) -> str:
        if not shop.runs and away:
            shop.table.fail(Fault.REFUSE, times=3)
        elif not shop.runs:
            shop.clock.advance(29)
        shop.runs += 1
        effect()
        shop.charges.append(order["id"])
        return "paid"

    with shop.client, shop.elsewhere_client:
        with pytest.raises(DedupUnavailable if away else LeaseLost):
            charge(ORDER)
        assert settled(shop, charge)["verdict"] == "not_run"
        assert charge(ORDER, context(shop.clock, voids=1)) == "paid"


@each_row("told", [1, 1000, 999_999_999_999])
def test_no_number_of_voids_burns_a_key(told: int) -> None:
    """Whoever shares a key may say any number; an honest call still learns one that it can say."""
    start = start_run(None, Claim("they", "p", 30.0, voids=told), 0.0)
    assert isinstance(start, Start)
    record = release_record(start.record)
    for _ in range(5):
        record = void_record(record, told)
        refused = decide(LoadedRecord(record, "1"), Claim("we", "p", 30.0), 0.0)
        assert isinstance(refused, Refuse)
        headers = dict(request_headers("k", 1.0, voids=refused.voids))
        heard = sent_in({name.lower(): text for name, text in headers.items()}).voids
        again = decide(LoadedRecord(record, "1"), Claim("we", "p", 30.0, voids=heard), 0.0)
        assert isinstance(again, Start)
        assert again.record.voids == refused.voids < 2000
        record = release_record(again.record)
