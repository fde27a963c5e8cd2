"""``leeward keys``: the records of idempotent functions, and settling one by hand."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leeward import App, Client, FunctionError, OutcomeUnknown
from leeward.app import idempotent
from leeward.app.idempotency import current_run
from leeward.app.idempotency.record import LATEST_DELIVERY, KeyState
from leeward.calls import Invoke, Result
from leeward.cli.key_records import change_key, find_key, void_by_hand
from leeward.errors import InvalidRequest, Outcome
from leeward.local import Local
from leeward.values import Effect
from leeward.views.calls import version_of
from leeward_contract_tests.rows import each_row
from tests.cli.conftest import Leeward
from tests.registers import let_registers_age


class Bank:
    """An app that charges, in the default file of the working directory."""

    def __init__(self, path: Path) -> None:
        self.app = App("shop")
        self.runs: list[str] = []

        @self.app.function(effect="keyed")
        @idempotent(table="keys", key="order.id", principal=None, name="charge")
        def charge(order: dict[str, str]) -> str:
            self.runs.append(order["id"])
            run = current_run()
            assert run is not None
            run.note(f"ch_{len(self.runs)}")
            if len(self.runs) <= 2:
                raise ConnectionError("canary")
            return "charged"

        @self.app.function(effect="keyed")
        @idempotent(
            table="keys", key="order.id", principal=None, name="refund",
            approval=lambda order: f"Refund {order['id']}?{order.get('why', '')}",
        )  # fmt: skip
        def refund(order: dict[str, str]) -> str:
            self.runs.append(f"refund {order['id']}")
            return "refunded"

        self.client = Client(Local(path=path), app=self.app)

    def charge(self, id: str) -> Any:
        return self.client.invoke("charge", {"id": id}, idempotency_key="key-of-the-call").value

    def deliver(self, id: str, voids: int) -> Result[Any]:
        """Deliver a call that knows of `voids` voids of its key."""
        (driver,) = self.client._operations.drivers.values()
        payload = json.dumps({"id": id}).encode()
        return driver.perform(Invoke("charge", payload, "k", Effect.KEYED, voids=voids), 5)

    def state(self, id: str) -> str:
        kept = self.client.load_data("keys", f"charge:{id}")
        assert kept is not None
        return str(kept.item["state"])


class Operator:
    """Who reads a record, and changes what was read."""

    def __init__(self, leeward: Leeward) -> None:
        self.leeward = leeward

    def version(self, record: str) -> str:
        shown = self.leeward("keys", "show", "keys", record, "--json")
        return str(json.loads(shown.out)["key"]["version"]) if shown.code == 0 else "0" * 12

    def change(self, verb: str, record: str, *words: str) -> Any:
        """Run a command; the version stands behind its last argument, before its options."""
        at = next((n for n, word in enumerate(words) if word.startswith("--")), len(words))
        own = (*words[:at], self.version(record), *words[at:])
        return self.leeward("keys", verb, "keys", record, *own)


@pytest.fixture
def operator(leeward: Leeward) -> Operator:
    """Return somebody who reads before anything is changed."""
    return Operator(leeward)


@pytest.fixture
def bank(bare: Path) -> Iterator[Bank]:
    """Leave the records of two orders of which nobody knows whether they were charged."""
    made = Bank(bare / ".leeward" / "local.sqlite3")
    with made.client:
        for id in ("1", "2"):
            with pytest.raises(Exception, match="raised"):
                made.charge(id)
        yield made


def test_unknown_records_are_listed_and_settled(
    bank: Bank, leeward: Leeward, operator: Operator
) -> None:
    """By what the caller's error says of them, and not by the key of the call."""
    with pytest.raises(OutcomeUnknown, match="leeward keys show keys [0-9a-f]{12}") as caught:
        bank.charge("1")
    assert "key-of-the-call" not in str(caught.value)
    one = str(caught.value).partition("leeward keys show keys ")[2][:12]
    listed = json.loads(leeward("keys", "list", "keys", "--state", "unknown", "--json").out)
    assert not listed["more"]
    found = {each["id"]: each for each in listed["keys"]}
    assert [*found] == ["charge:1", "charge:2"]
    assert (found["charge:1"]["record"], found["charge:1"]["error"]) == (one, "ConnectionError")
    assert json.loads(leeward("keys", "list", "keys", "--function", "other", "--json").out) == {
        "keys": [],
        "more": False,
    }
    assert "There are more" in leeward("keys", "list", "keys", "--limit", "1").err

    done = operator.change("settle", one, "ran", "--result", '{"number": 9.90}', "--json")
    assert (done.code, json.loads(done.out)["key"]["state"]) == (0, "completed")
    assert operator.change("settle", "charge:2", "did-not-run").code == 0
    assert str(bank.charge("1")) == "{'number': 9.9}"
    assert bank.charge("2") == "charged"
    assert bank.runs == ["1", "2", "2"]
    assert "canary" not in leeward("keys", "list", "keys").out


def test_of_a_run_whose_result_nobody_knows_repeats_are_told_that(
    bank: Bank, operator: Operator
) -> None:
    """It has run, and does not run again; the record has the time that it had."""
    before = bank.client.load_data("keys", "charge:1")
    assert operator.change("settle", "charge:1", "ran").code == 0
    after = bank.client.load_data("keys", "charge:1")
    assert before is not None
    assert after is not None
    assert before.expires_at is not None
    assert after.expires_at is not None
    assert abs((after.expires_at - before.expires_at).total_seconds()) < 60
    with pytest.raises(OutcomeUnknown, match="its record is keys [0-9a-f]{12}") as caught:
        bank.charge("1")
    assert (caught.value.reason, caught.value.executed) == ("not_kept", True)


@each_row(
    "args, code, told",
    {
        "not there": (("0123456789ab", "ran"), 3, "has no record"),
        "settled": (("charge:3", "did-not-run"), 2, "is completed"),
        "somebody else's": (("mine", "ran"), 2, "not one of leeward's"),
        "a result of nothing": (("charge:1", "did-not-run", "--result", "1"), 2, "--result"),
        "not JSON": (("charge:1", "ran", "--result", "{"), 2, "RESULT is not JSON"),
        "no such word": (("charge:1", "maybe"), 2, "did-not-run"),
    },
)
def test_only_what_nobody_knows_is_settled(
    bank: Bank, operator: Operator, args: tuple[str, ...], code: int, told: str
) -> None:
    """Whatever else is there stays as it is."""
    bank.runs += ["0", "0"]
    bank.charge("3")
    bank.client.store_data("keys", {"id": "mine"})
    done = operator.change("settle", *args)
    assert (done.code, told in " ".join(done.err.split())) == (code, True), done
    kept = bank.client.load_data("keys", "charge:1")
    assert kept is not None
    assert kept.item["state"] == "unknown"


def test_a_record_is_shown_with_all_its_facts_and_its_result_only_on_demand(
    bank: Bank, leeward: Leeward
) -> None:
    """With what a call does that meets it, and the commands that end the doubt."""
    done = leeward("keys", "show", "keys", "charge:1", "--json")
    (shown,) = json.loads(done.out).values()
    assert done.code == 0
    facts = ("id", "function", "state", "effects", "error", "fence", "voids", "notes", "kept")
    assert [shown[fact] for fact in facts] == [
        *("charge:1", "charge", "unknown", True, "ConnectionError", 1, 0, ["ch_1"], False),
    ]
    assert 0 <= shown["age"] < 60
    assert len(shown["owner"]) == 24
    for verb in ("settle", "release", "void"):
        assert f"leeward keys {verb} keys {shown['record']}" in shown["next"]
    assert shown["next"].count(shown["version"]) == 3

    text = leeward("keys", "show", "keys", shown["record"])
    assert "ch_1" in text.out
    assert "Nobody knows" in text.err

    bank.runs += ["0"]
    bank.charge("3")
    assert "charged" not in leeward("keys", "show", "keys", "charge:3").out
    assert '"charged"' in leeward("keys", "show", "keys", "charge:3", "--result").out
    told = json.loads(leeward("keys", "show", "keys", "charge:3", "--result", "--json").out)["key"]
    assert (told["kept"], told["result"]) == (True, "charged")
    bank.client.store_data("keys", {"id": "mine"})
    other = json.loads(leeward("keys", "show", "keys", "mine", "--json").out)["key"]
    assert (other["state"], "next" in other) == (None, False)


def test_after_a_release_a_late_delivery_runs_and_after_a_void_never(
    bank: Bank, operator: Operator
) -> None:
    """A new call, which knows of the void, runs in both cases."""
    freed = operator.change("release", "charge:1")
    assert (freed.code, "so does a delivery that comes late" in freed.err) == (0, True)
    assert bank.deliver("1", voids=0).outcome is Outcome.OK

    voided = operator.change("void", "charge:2", "--json")
    done = json.loads(voided.out)
    assert (done["key"]["state"], done["key"]["voids"], done["key"]["owner"]) == ("void", 1, None)
    assert "is refused" in done["next"]
    late = bank.deliver("2", voids=0)
    assert (late.outcome, late.reason) == (Outcome.REJECTED, "voided")
    assert bank.state("2") == "void"
    kept = bank.client.load_data("keys", "charge:2")
    assert kept is not None
    assert kept.expires_at is not None
    assert kept.expires_at.timestamp() >= bank.client._operations.clock.now() + LATEST_DELIVERY
    assert bank.deliver("2", voids=1).outcome is Outcome.OK
    assert bank.runs == ["1", "2", "1", "2"]


def test_a_released_key_can_be_voided_and_keeps_its_voids_when_it_is_released(
    bank: Bank, operator: Operator
) -> None:
    """What was not run for ever stays so."""
    assert operator.change("release", "charge:1").code == 0
    assert operator.change("void", "charge:1").code == 0
    bank.runs.clear()
    assert bank.deliver("1", voids=1).outcome is Outcome.APP_ERROR, "it runs, and raises"
    assert bank.state("1") == "unknown"
    assert operator.change("release", "charge:1").code == 0
    assert bank.deliver("1", voids=0).reason == "voided"


@each_row(
    "verb, state, told",
    {
        f"{verb} {state.value}": (verb, state, told)
        for verb in ("release", "void", "settle")
        for state, told in {
            KeyState.IN_PROGRESS: "It runs. Its lease ends in",
            KeyState.COMPLETED: "It has run. Repeats get",
            KeyState.FAILED: "It has failed. Repeats get the same failure.",
            KeyState.RELEASED: "It has not run. The next call runs",
            KeyState.VOID: "a new call with its key runs",
            KeyState.WAITING: "waits for a person",
            KeyState.REFUSED: "A person has refused it",
        }.items()
        if (verb, state) != ("void", KeyState.RELEASED)
    },
)
def test_a_run_within_its_lease_and_what_is_settled_stay_as_they_are(
    bank: Bank, operator: Operator, verb: str, state: KeyState, told: str
) -> None:
    """Nothing forces it: what the record says next would be wrong."""
    kept = bank.client.load_data("keys", "charge:1")
    assert kept is not None
    until = int((bank.client._operations.clock.now() + 100) * 1000)
    changed = {**kept.item, "state": state.value, "lease_until": until}
    bank.client.store_data("keys", changed)
    words = ("did-not-run",) if verb == "settle" else ()
    done = operator.change(verb, "charge:1", *words)
    assert (done.code, told in " ".join(done.err.split())) == (2, True), done
    assert bank.state("1") == state.value


def test_a_call_that_waits_is_approved_or_refused_once(bank: Bank, leeward: Leeward) -> None:
    """Who decides sees the question, and names what was read; the record keeps who it was."""
    for id in ("7", "8"):
        with pytest.raises(FunctionError, match="ApprovalPending"):
            bank.client.invoke("refund", {"id": id})
    listed = json.loads(leeward("keys", "list", "keys", "--state", "waiting", "--json").out)["keys"]
    assert [each["question"] for each in listed] == ["Refund 7?", "Refund 8?"]
    assert "Refund 8?" in leeward("keys", "list", "keys", "--state", "waiting").out
    record, version = listed[0]["record"], listed[0]["version"]
    shown = leeward("keys", "show", "keys", "refund:7")
    assert "Refund 7?" in shown.out
    assert f"leeward keys approve keys {record} {version}\n" in shown.err

    done = leeward("keys", "approve", "keys", record, version, "--by", "maria", "--json")
    key = json.loads(done.out)["key"]
    assert (done.code, key["state"], key["decided_by"]) == (0, "approved", "maria")
    (approved,) = json.loads(leeward("keys", "list", "keys", "--state", "approved", "--json").out)[
        "keys"
    ]
    assert approved["record"] == record
    assert json.loads(leeward("keys", "list", "keys", "--state", "released", "--json").out) == {
        "keys": [],
        "more": False,
    }
    shown = leeward("keys", "show", "keys", record, "--json")
    assert json.loads(shown.out)["key"]["version"] == key["version"] != version
    assert leeward("keys", "refuse", "keys", "refund:8", listed[1]["version"]).code == 0
    assert bank.client.invoke("refund", {"id": "7"}).value == "refunded"
    with pytest.raises(FunctionError, match="ApprovalRefused"):
        bank.client.invoke("refund", {"id": "8"})

    for verb, id in (("approve", "7"), ("refuse", "7"), ("approve", "8")):
        shown = leeward("keys", "show", "keys", f"refund:{id}", "--json")
        version = json.loads(shown.out)["key"]["version"]
        done = leeward("keys", verb, "keys", f"refund:{id}", version)
        assert (done.code, "approve only one that waits" in " ".join(done.err.split())) == (2, True)
    assert bank.runs[2:] == ["refund 7"]
    nobody = leeward("keys", "approve", "keys", "refund:8", version, "--by", "")
    assert (nobody.code, "--by" in nobody.err) == (2, True)


def test_who_decides_reads_the_whole_question(bank: Bank, leeward: Leeward) -> None:
    """What is padded is not hidden, and nothing is cut."""
    blanks = "\n\t \u2800\u3164" * 100
    padded = f"A refund of 5.00 to Alice{blanks}and {'really ' * 60}1000000 to Mallory"
    with pytest.raises(FunctionError, match="ApprovalPending"):
        bank.client.invoke("refund", {"id": "9", "why": padded})
    listed = leeward("keys", "list", "keys", "--state", "waiting", "--json")
    (key,) = json.loads(listed.out)["keys"]
    assert key["question"] == f"Refund 9?{padded}"
    record, version = key["record"], key["version"]
    for words in (["list", "keys"], ["show", "keys", record], ["approve", "keys", record, version]):
        out = " ".join(leeward("keys", *words).out.split())
        assert "Alice [500 blanks] and" in out, words
        assert "1000000 to Mallory" in out


def test_who_decides_decides_what_was_read(bank: Bank, leeward: Leeward) -> None:
    """Another call may wait, or have run, in the same record by now."""
    with pytest.raises(FunctionError, match="ApprovalPending"):
        bank.client.invoke("refund", {"id": "7"})
    read = json.loads(leeward("keys", "show", "keys", "refund:7", "--json").out)["key"]
    let_registers_age(bank.client, "shop/refund")
    asked: dict[str, Any] = {"function": "refund", "payload": {"id": "7"}, "targets": "local"}
    assert bank.client.settle("7", sent=time.time(), **asked).voids == 1
    with pytest.raises(FunctionError, match="ApprovalPending"):
        bank.client.invoke("refund", {"id": "7", "to": "somebody else"})
    for words in (["approve"], ["refuse"], ["settle", "ran"], ["release"], ["void"]):
        verb, *outcome = words
        done = leeward("keys", verb, "keys", read["record"], *outcome, read["version"])
        assert (done.code, "has changed since you have looked" in done.err) == (2, True)
        done = leeward("keys", verb, "keys", read["record"], *outcome)
        assert (done.code, "version" in done.err.lower()) == (2, True), done
    with pytest.raises(FunctionError, match="ApprovalPending"):
        bank.client.invoke("refund", {"id": "8?\nstate  released"})
    listed = leeward("keys", "list", "keys", "--state", "waiting").out
    assert listed.splitlines()[-1].endswith(r"Refund 8?\nstate  released?"), "one row for each"


def test_a_run_that_is_over_its_lease_by_this_clock_is_waited_for(
    bank: Bank, leeward: Leeward, operator: Operator
) -> None:
    """A process that was killed leaves its record so; or it lives, and its clock differs."""
    kept = bank.client.load_data("keys", "charge:1")
    assert kept is not None
    until = int((bank.client._operations.clock.now() - 60) * 1000)
    lapsed = {**kept.item, "state": "in_progress", "lease_until": until, "over_in": 1_200}
    bank.client.store_data("keys", lapsed)
    row = find_key(bank.client, "keys", "charge:1")
    with pytest.raises(InvalidRequest, match="may still act for 1 s"):
        change_key(bank.client, "keys", "charge:1", version_of(row), void_by_hand)
    done = operator.change("void", "charge:1")
    assert (done.code, "may still act: waiting 1 s" in done.err) == (0, True)
    assert bank.state("1") == "void"
    assert leeward("keys", "show", "keys", "nobody:1").code == 3


def test_a_call_that_is_settled_within_itself_names_the_record_too(bank: Bank) -> None:
    """Whether it is unknown or not kept: the answer to the question says where the record is."""
    (driver,) = bank.client._operations.drivers.values()
    perform, seen = driver.perform, list[str]()

    def lose(call: Any, timeout: float) -> Result[Any]:
        seen.append(call.verb)
        result = perform(call, timeout)
        return Result(Outcome.AMBIGUOUS) if call.verb == "invoke" else result

    driver.perform = lose  # type: ignore[method-assign]
    with pytest.raises(OutcomeUnknown, match="leeward keys show keys [0-9a-f]{12}"):
        bank.charge("1")
    assert "settle" in seen
    settled = bank.client.settle("k", function="charge", payload={"id": "1"})
    assert settled.record is not None
    assert settled.record.startswith("keys ")
