"""Calls that a person has to approve before they run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from leeward import App, Client, ConfigError, FunctionError, Verdict
from leeward.app.idempotency import (
    ApprovalPending,
    ApprovalRefused,
    CannotTell,
    KeyReused,
    NotDone,
    idempotent,
)
from leeward.app.idempotency.digests import payload_digest
from leeward.app.idempotency.record import (
    LATEST_DELIVERY,
    Approval,
    Claim,
    KeyRecord,
    KeyState,
    LoadedRecord,
    Reason,
    RecordedFailure,
    Refuse,
    Start,
)
from leeward.app.idempotency.record import decide as look
from leeward.app.idempotency.store import item_of, record_in
from leeward.cli.key_records import approve_by_hand, refuse_by_hand
from leeward.clock import SystemClock
from leeward.envelope import CLOCKS
from leeward.local import Local
from leeward.values import Record
from leeward_contract_tests.rows import each_row
from tests.app.idempotent.shop import ORDER, Shop, first_record, settled
from tests.registers import let_registers_age

Decide = Callable[[KeyRecord, str], KeyRecord | None]


def decide(shop: Shop, how: Decide, key: str = "42") -> None:
    """Let a person decide, as the command does."""
    loaded = shop.client.load_data("keys", f"charge:{key}")
    assert loaded is not None
    record = record_in(loaded, shop.clock).record
    decided = record and how(record, "maria")
    assert decided is not None
    shop.client.store_data(
        "keys", item_of(decided, f"charge:{key}", shop.clock), if_revision=loaded.revision
    )


def test_a_call_waits_until_it_is_approved_and_runs_once(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """A log asks a person, once; it says when to ask again, and what to type; repeats get it."""
    charge = shop.charging(approval=lambda order: f"Charge {order['total']}?")
    for _ in range(2):
        with pytest.raises(ApprovalPending, match="leeward keys show keys [0-9a-f]{12}") as it:
            charge(ORDER)
    (logged,) = (each.getMessage() for each in caplog.records if "approval" in each.msg)
    assert logged.startswith("approval_wanted function='charge' table='keys' record='")
    assert it.value.record.partition(" ")[2] in logged
    assert (it.value.status, it.value.reason, it.value.retry_after) == (409, "waiting", 60.0)
    assert it.value.retryable
    record = shop.record()
    assert record is not None
    assert (record["state"], record["effects"], record["fence"]) == ("waiting", False, 0)
    assert record["approval"] == {"question": "Charge 9.9?", "by": None}
    decide(shop, approve_by_hand)
    assert [charge(ORDER), charge(ORDER)] == [{"charged": "42", "number": 1}] * 2
    record = shop.record()
    assert record is not None
    assert (record["fence"], record["approval"]["by"]) == (1, "maria")


def test_what_was_approved_can_be_refused_until_it_runs(shop: Shop) -> None:
    """Whoever decides may think again."""
    charge = shop.charging(approval=True)
    with pytest.raises(ApprovalPending):
        charge(ORDER)
    decide(shop, approve_by_hand)
    decide(shop, refuse_by_hand)
    with pytest.raises(ApprovalRefused):
        charge(ORDER)
    assert shop.runs == 0


def test_only_calls_that_need_one_wait(shop: Shop) -> None:
    """The function says which, and says it of the arguments."""
    charge = shop.charging(approval=lambda order: order["total"] > 5)
    assert charge({"id": "1", "total": 5})["charged"] == "1"
    with pytest.raises(ApprovalPending):
        charge({"id": "2", "total": 6})
    assert shop.charges == ["1"]


def test_an_approval_is_for_one_payload_and_stays_for_it(shop: Shop) -> None:
    """Another payload with the key is refused, before the decision and after it."""
    charge = shop.charging(approval=lambda order: order["total"] > 5)
    with pytest.raises(ApprovalPending):
        charge(ORDER)
    for total in (1_000_000, 1):
        with pytest.raises(KeyReused):
            charge({"id": "42", "total": total})
    decide(shop, approve_by_hand)
    for total in (1_000_000, 1):
        with pytest.raises(KeyReused):
            charge({"id": "42", "total": total})
        with pytest.raises(KeyReused):
            settled(shop, charge, given=({"id": "42", "total": total},))
    assert charge(ORDER)["number"] == 1


def test_a_run_that_is_proved_to_have_done_nothing_is_not_asked_for_again(shop: Shop) -> None:
    """The approval stays with the key: the next call runs."""
    charge = shop.charging(approval=True, effects="marked", before=ValueError("no route"))
    with pytest.raises(ApprovalPending):
        charge(ORDER)
    decide(shop, approve_by_hand)
    for _ in range(2):
        with pytest.raises(ValueError, match="no route"):
            charge(ORDER)
    assert shop.runs == 2


def test_an_approval_is_for_a_payload_that_can_be_compared() -> None:
    """An older leeward has digested the payload otherwise: a person decides again."""
    claim = Claim("me", payload_digest({"order": ORDER}), 60.0, question="?")
    kept = first_record(claim._replace(payload="2:0"), 0.0)
    approved = approve_by_hand(kept, "maria")
    assert look(LoadedRecord(approved, "7"), claim, 0.0) == Start(first_record(claim, 0.0), "7")


@pytest.mark.threat("S17")
@each_row("unknown", ["refuse", "run"])
def test_a_settle_that_learns_nothing_opens_no_way_around_the_approval(
    shop: Shop, unknown: str
) -> None:
    """Its probe cannot tell, and later says that nothing was done; or a repeat may run anyway."""
    answers: list[Any] = [CannotTell(), NotDone(), NotDone()]
    charge = shop.charging(approval=True, probe=lambda *_: answers.pop(0), unknown=unknown)
    order = {**ORDER, "id": unknown}
    assert settled(shop, charge, age=None, given=(order,))["reason"] == "cannot_tell"
    assert shop.client.load_data("keys", f"charge:{unknown}") is None
    for _ in range(2):
        with pytest.raises(ApprovalPending):
            charge(order)
    assert shop.runs == 0


@each_row("state", [KeyState.UNKNOWN, KeyState.FAILED, KeyState.IN_PROGRESS])
def test_what_may_have_run_without_an_approval_does_not_go_on_without_one(state: KeyState) -> None:
    """Nobody can approve what may be done already: a person settles it first."""
    before = first_record(Claim("they", "p", 60.0), 0.0)
    again = RecordedFailure("HalfDone", rerun=True)
    before = before._replace(state=state, failure=again if state is KeyState.FAILED else None)
    claim = Claim("me", "p", 60.0, run_unknown=True, question="?")
    refused = look(LoadedRecord(before, "7"), claim, 60.0)
    assert refused == Refuse(Reason.UNKNOWN)
    approved = before._replace(approval=Approval("?", "maria"))
    assert isinstance(look(LoadedRecord(approved, "7"), claim, 60.0), Start)


def test_a_dead_run_that_needed_no_approval_waits_if_the_next_call_needs_one(shop: Shop) -> None:
    """Somebody has lowered the limit: what has had no effect is asked for."""
    dies: Any = SystemExit()
    with pytest.raises(SystemExit):
        shop.charging(effects="marked", before=dies)(ORDER)
    shop.clock.advance(60)
    charge = shop.charging(effects="marked", approval=True)
    with pytest.raises(ApprovalPending):
        charge(ORDER)
    decide(shop, approve_by_hand)
    assert charge(ORDER) == {"charged": "42", "number": 1}


def test_a_question_and_its_answer_outlive_the_keys_of_the_function(shop: Shop) -> None:
    """A person has 31 days; then the call asks again, and does not run."""
    charge = shop.charging(approval=True, keep=60.0)
    with pytest.raises(ApprovalPending):
        charge(ORDER)
    shop.clock.advance(LATEST_DELIVERY - 60)
    assert shop.record() is not None
    shop.clock.advance(CLOCKS + 120)
    assert shop.record() is None
    with pytest.raises(ApprovalPending):
        charge(ORDER)


def test_a_caller_learns_that_its_call_waits_and_that_settling_it_drops_the_question() -> None:
    """It did not run: so no other target is tried, and the client does not call again."""
    app, runs = App("shop"), list[str]()

    @app.function(effect="keyed")
    @idempotent(table="keys", key="order.id", principal=None, name="charge", approval=True)
    def charge(order: dict[str, Any]) -> str:
        runs.append(order["id"])
        return "charged"

    with Client(Local(), app=app) as client:
        with pytest.raises(FunctionError) as caught:
            client.invoke("charge", ORDER)
        error = caught.value
        assert (error.error_type, error.reason, error.ran) == ("ApprovalPending", "waiting", "no")
        assert (error.retryable, error.retry_after, len(error.attempts)) == (True, 60.0, 1)
        let_registers_age(client, "shop/charge")
        settled = client.settle(
            "42", function="charge", payload=ORDER, targets="local", sent=time.time()
        )
        assert (settled.verdict, settled.voids) == (Verdict.NOT_RUN, 1)
        kept = client.load_data("keys", "charge:42")
        assert kept is not None
        assert (kept.item["state"], "approval" in kept.item) == ("void", False)
        with pytest.raises(FunctionError, match="ApprovalPending"):  # a new call asks again
            client.invoke("charge", ORDER)
        kept = client.load_data("keys", "charge:42")
        assert kept is not None
        record = record_in(kept, SystemClock()).record
        assert record is not None
        refused = refuse_by_hand(record, "maria")
        assert refused is not None
        client.store_data("keys", item_of(refused, "charge:42", SystemClock()))
        assert (
            client.settle(
                "42", function="charge", payload=ORDER, targets="local", sent=time.time()
            ).verdict
            is Verdict.NOT_RUN
        )
        with pytest.raises(FunctionError, match="ApprovalRefused"):
            client.invoke("charge", ORDER)
    assert runs == []


def test_an_older_leeward_refuses_what_it_cannot_read() -> None:
    """A state that it does not know is not a record to it: it never runs."""
    item = {"state": "postponed", "owner": "", "fence": 0, "lease_until": 0, "payload": "p"}
    assert record_in(Record({**item, "effects": False}, "7", ""), SystemClock()).record is None


@each_row(
    "options, told",
    {
        "a text": ({"approval": "yes"}, "must be True, or a plain function"),
        "run_and_flag": ({"approval": True, "unreachable": "run_and_flag"}, "run_and_flag"),
        "a number": ({"approval": lambda order: 7}, "not int"),
        "too long": ({"approval": lambda order: "?" * 1001}, "not a text of 1001"),
    },
)
def test_a_mistake_is_named_before_anything_runs(
    shop: Shop, options: dict[str, Any], told: str
) -> None:
    """When the function is decorated, or when it is called."""
    with pytest.raises(ConfigError, match=told):
        shop.charging(**options)(ORDER)
    assert shop.runs == 0
