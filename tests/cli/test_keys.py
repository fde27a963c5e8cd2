"""``leeward keys``: the records of idempotent functions, and settling one by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leeward import App, Client, OutcomeUnknown
from leeward.app import idempotent
from leeward.local import Local
from leeward_contract_tests.rows import each_row
from tests.cli.conftest import Leeward


class Bank:
    """An app that charges, in the default file of the working directory."""

    def __init__(self, path: Path) -> None:
        self.app = App("shop")
        self.runs: list[str] = []

        @self.app.function(effect="keyed")
        @idempotent(table="keys", key="order.id", principal=None, name="charge")
        def charge(order: dict[str, str]) -> str:
            self.runs.append(order["id"])
            if len(self.runs) <= 2:
                raise ConnectionError("canary")
            return "charged"

        self.client = Client(Local(path=path), app=self.app)

    def charge(self, id: str) -> Any:
        return self.client.invoke("charge", {"id": id}, idempotency_key="key-of-the-call").value


@pytest.fixture
def bank(bare: Path) -> Iterator[Bank]:
    """Leave the records of two orders of which nobody knows whether they were charged."""
    made = Bank(bare / ".leeward" / "local.sqlite3")
    with made.client:
        for id in ("1", "2"):
            with pytest.raises(Exception, match="raised"):
                made.charge(id)
        yield made


def test_unknown_records_are_listed_and_settled(bank: Bank, leeward: Leeward) -> None:
    """By what the caller's error says of them, and not by the key of the call."""
    with pytest.raises(OutcomeUnknown, match="leeward keys settle keys [0-9a-f]{12}") as caught:
        bank.charge("1")
    assert "key-of-the-call" not in str(caught.value)
    one = str(caught.value).partition("leeward keys settle keys ")[2][:12]
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

    done = leeward("keys", "settle", "keys", one, "ran", "--result", '{"number": 9.90}', "--json")
    assert (done.code, json.loads(done.out)["key"]["state"]) == (0, "completed")
    assert leeward("keys", "settle", "keys", "charge:2", "did-not-run").code == 0
    assert str(bank.charge("1")) == "{'number': 9.9}"
    assert bank.charge("2") == "charged"
    assert bank.runs == ["1", "2", "2"]
    assert "canary" not in leeward("keys", "list", "keys").out


def test_of_a_run_whose_result_nobody_knows_repeats_are_told_that(
    bank: Bank, leeward: Leeward
) -> None:
    """It has run, and does not run again; the record has the time that it had."""
    before = bank.client.load_data("keys", "charge:1")
    assert leeward("keys", "settle", "keys", "charge:1", "ran").code == 0
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
    bank: Bank, leeward: Leeward, args: tuple[str, ...], code: int, told: str
) -> None:
    """Whatever else is there stays as it is."""
    bank.runs += ["0", "0"]
    bank.charge("3")
    bank.client.store_data("keys", {"id": "mine"})
    done = leeward("keys", "settle", "keys", *args)
    assert (done.code, told in " ".join(done.err.split())) == (code, True), done
    kept = bank.client.load_data("keys", "charge:1")
    assert kept is not None
    assert kept.item["state"] == "unknown"
