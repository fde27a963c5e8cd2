"""``leeward unknown``: the calls that clients have left, settled one by one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from leeward import Client
from leeward._operations import unknowns
from leeward._operations.unknowns import UnknownCall, item_of
from leeward.calls import Result, Settle
from leeward.cli import unknown_calls
from leeward.cli.commands import unknown as command
from leeward.errors import Outcome
from leeward.local import Local
from leeward_contract_tests.rows import each_row
from tests.cli.conftest import Leeward
from tests.registers import trust_registers


@pytest.fixture(autouse=True)
def old_registers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the functions have kept their records for long."""
    trust_registers(monkeypatch)


FILE = """
unknowns = "open"
[targets.local]
app = "MODULE:app"
[functions.charge]
effect = "keyed"
"""

BANK = """
from leeward import App
from leeward.app import idempotent

app = App("bank")

@app.function(effect="keyed")
@idempotent(table="keys", principal=None, name="charge")
def charge(order):
    if order == "broken":
        raise ConnectionError("canary")
    return {"paid": "canary"}

@app.function(effect="keyed")
@idempotent(table="keys", key="order.id", principal=None, name="refund")
def refund(order):
    return order["id"]
"""


class Desk:
    """A directory whose table has unknown calls."""

    def __init__(self, place: Path) -> None:
        module = f"bank_{uuid4().hex}"  # an app of its own: it keeps its client
        self.place, self.file = place, FILE.replace("MODULE", module)
        place.joinpath(f"{module}.py").write_text(BANK)
        place.joinpath("leeward.toml").write_text(self.file)

    def client(self) -> Client:
        return Client(Local(path=self.place / ".leeward" / "local.sqlite3"))

    def leave(self, *calls: UnknownCall) -> None:
        with self.client() as cloud:
            for call in calls:
                cloud.store_data("open", item_of(call, "id"))

    def ids(self) -> set[str]:
        """Return what is still in the table."""
        with self.client() as cloud:
            names = ("1", "2", "3", "4", "5")
            return {name for name in names if cloud.load_data("open", name) is not None}


@pytest.fixture
def desk(bare: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A machine may be so slow that two seconds are not enough to close."""
    monkeypatch.setattr(unknowns, "CLOSE_SECONDS", 60.0)
    return Desk(bare)


def lost(id: str, key: str, *, now: float, **fields: Any) -> UnknownCall:
    """Return a call of ``charge`` whose answer was lost ten seconds ago."""
    facts = {"effect": "keyed", "shared_dedup": False}
    time = now - 10 + float(id) / 10
    call = UnknownCall(id, "invoke", "charge", (key,), ("local",), time, time, facts=facts)
    return call._replace(**fields)


@pytest.fixture
def now() -> float:
    import time

    return time.time()


def test_unknown_calls_are_listed_and_settled_from_the_record(
    desk: Desk, leeward: Leeward, now: float
) -> None:
    """What ran, and what never arrived: then it is void, and a late delivery is refused."""
    assert leeward("invoke", "charge", '"x"', "--idempotency-key", "ran").code == 0
    desk.leave(lost("2", "ran", now=now), lost("1", "never", now=now))

    listed = json.loads(leeward("unknown", "list", "--json").out)
    assert [(call["id"], call["key"]) for call in listed["unknown"]] == [
        ("1", ["never"]),
        ("2", ["ran"]),
    ]
    assert not listed["more"]
    assert 5 < listed["unknown"][0]["age"] < 60
    assert "There are more" in leeward("unknown", "list", "--limit", "1").err
    text = leeward("unknown", "list").out
    assert "charge" in text
    assert "never" in text

    done = leeward("unknown", "settle", "--all", "--json")
    told = json.loads(done.out)
    assert (done.code, told["left"]) == (0, [])
    ends = {call["id"]: (call["verdict"], call["removed"]) for call in told["settled"]}
    assert ends == {"1": ("not_run", True), "2": ("ran", True)}
    assert "canary" not in done.out, "a result may be secret"
    assert desk.ids() == set()
    assert leeward("unknown", "list").err.strip() == "No unknown calls."
    assert leeward("keys", "list", "keys", "--state", "void").out.count("charge:never") == 1


def test_what_nobody_can_tell_stays(desk: Desk, leeward: Leeward, now: float) -> None:
    """The exit code says so, and each says why: one may have run where nobody is asked."""
    assert leeward("invoke", "charge", '"broken"', "--idempotency-key", "open").code == 6
    (raised,) = json.loads(leeward("unknown", "list", "--json").out)["unknown"]
    assert (raised["key"], raised["error"]) == (["open"], "FunctionError")
    desk.leave(
        lost("2", "never", now=now),
        lost("3", "k", now=now, targets=("local", "aws:nowhere")),
        lost("4", "e-1", now=now, verb="publish", subject="bus", facts={"source": "shop"}),
        lost("5", "old", now=now, sent=now - 9e6),
    )
    done = leeward("unknown", "settle", "--all", "--json")
    told = json.loads(done.out)
    assert (done.code, [call["id"] for call in told["settled"]]) == (8, ["2"])
    left = {call["id"]: call.get("error") or call["reason"] for call in told["left"]}
    assert left == {
        raised["id"]: "unknown",
        "3": "InvalidRequest: the call was made at aws:nowhere, where this client makes none; "
        "settle it with a client that has this target",
        "4": "what was sent is not in the table",
        "5": "expired",
    }
    assert desk.ids() == {"3", "4", "5"}
    text = leeward("unknown", "settle", "--all")
    assert "it has no probe" in " ".join(text.out.split())
    assert "0 settled, 4 still unknown." in text.err
    assert text.code == 8


def test_a_function_that_reads_its_key_in_the_payload_is_given_it(
    desk: Desk, leeward: Leeward, now: float
) -> None:
    """By the operator, or by the table if the payload is kept there."""
    facts = {"effect": "keyed", "shared_dedup": False}
    row = lost("1", "key-of-the-call", now=now, subject="refund", facts=facts)
    desk.place.joinpath("leeward.toml").write_text(
        f'{desk.file}[functions.refund]\neffect = "keyed"\n'
    )
    desk.leave(row, row._replace(id="2", body=b'{"id":"43"}'))
    without = json.loads(leeward("unknown", "settle", "--all", "--json").out)
    assert [call["id"] for call in without["settled"]] == ["2"]
    assert without["left"][0]["error"].endswith("say leeward unknown settle 1 --payload JSON")
    done = leeward("unknown", "settle", "1", "--payload", '{"id": "42"}', "--json")
    assert (done.code, json.loads(done.out)["settled"][0]["voids"]) == (0, 1)
    done = leeward("keys", "list", "keys", "--state", "void")
    assert done.code == 0, done
    assert {"refund:42", "refund:43"} <= {*done.out.split()}, done


def test_they_are_forgotten_by_name_or_all(desk: Desk, leeward: Leeward, now: float) -> None:
    """Only what is named, and all only if it is said twice."""
    desk.leave(*(lost(str(n), f"k{n}", now=now) for n in (1, 2, 3)))
    assert leeward("unknown", "forget", "1").out.strip() == "1 forgotten."
    assert desk.ids() == {"2", "3"}
    assert leeward("unknown", "forget", "--all").code == 2
    assert desk.ids() == {"2", "3"}
    done = leeward("unknown", "forget", "--all", "--force", "--json")
    assert json.loads(done.out) == {"forgotten": 2}
    assert desk.ids() == set()


def test_an_item_of_others_in_the_table_stays(desk: Desk, leeward: Leeward, now: float) -> None:
    """It is neither listed nor removed."""
    desk.leave(lost("1", "never", now=now))
    with desk.client() as cloud:
        cloud.store_data("open", {"id": "2", "note": "mine"})
    assert len(json.loads(leeward("unknown", "list", "--json").out)["unknown"]) == 1
    assert leeward("unknown", "forget", "--all", "--force").code == 0
    assert desk.ids() == {"2"}


@each_row(
    "args, code, told",
    {
        "none": (("settle",), 2, "name the calls by ID, or say --all"),
        "both": (("settle", "1", "--all"), 2, "name the calls by ID"),
        "not there": (("settle", "9"), 3, "no unknown call has the id 9"),
        "forget what is not there": (("forget", "9"), 3, "leeward unknown list"),
        "a payload of several": (("settle", "--all", "--payload", "1"), 2, "--payload is for one"),
        "no JSON": (("settle", "1", "--payload", "{"), 2, "PAYLOAD is not JSON"),
    },
)
def test_a_wrong_command_changes_nothing(
    desk: Desk, leeward: Leeward, now: float, args: tuple[str, ...], code: int, told: str
) -> None:
    """Each is told what to say."""
    desk.leave(lost("1", "never", now=now))
    done = leeward("unknown", *args)
    assert (done.code, told in " ".join(done.err.split())) == (code, True), done
    assert desk.ids() == {"1"}


def test_without_a_table_the_file_is_named(leeward: Leeward, bare: Path) -> None:
    """With the line that it lacks."""
    for words in (("list",), ("settle", "--all"), ("forget", "1")):
        done = leeward("unknown", *words)
        assert (done.code, 'unknowns = "TABLE"' in " ".join(done.err.split())) == (2, True), done


def test_a_person_is_told_how_far_it_is(
    desk: Desk, leeward: Leeward, now: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program is not."""
    monkeypatch.setattr(command, "STEP", 2)
    desk.leave(*(lost(str(n), f"k{n}", now=now) for n in range(1, 6)))
    told = leeward("unknown", "settle", "--all").err
    assert "2 of 5, 0 still unknown" in told
    assert "4 of 5, 0 still unknown" in told
    desk.leave(*(lost(str(n), f"k{n}", now=now) for n in range(1, 6)))
    assert leeward("unknown", "settle", "--all", "--json").err == ""


def test_whoever_interrupts_it_is_told_what_is_settled(
    desk: Desk, leeward: Leeward, now: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the table no more."""
    settle: Callable[..., Any] = unknown_calls.settle_unknown
    calls = iter(range(9))

    def interrupted(*arguments: Any) -> Any:
        if next(calls) == 1:
            raise KeyboardInterrupt
        return settle(*arguments)

    monkeypatch.setattr(command, "settle_unknown", interrupted)
    desk.leave(*(lost(str(n), f"k{n}", now=now) for n in (1, 2)))
    done = leeward("unknown", "settle", "--all", "--json")
    assert done.code == 130
    assert [call["id"] for call in json.loads(done.out)["settled"]] == ["1"]
    assert desk.ids() == {"2"}


def test_a_call_whose_row_cannot_be_removed_is_settled_and_settled_again(
    desk: Desk, leeward: Leeward, now: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The verdict is the same."""
    desk.leave(lost("1", "never", now=now))
    perform = Local.perform

    def refuse(self: Local, call: Any, timeout: float) -> Result[Any]:
        if call.verb == "delete":
            return Result(Outcome.AUTH)
        return perform(self, call, timeout)

    monkeypatch.setattr(Local, "perform", refuse)
    for voids in (1, 2):
        told = json.loads(leeward("unknown", "settle", "--all", "--json").out)
        (end,) = told["settled"]
        assert (end["verdict"], end["voids"], end["removed"]) == ("not_run", voids, False)


def test_a_client_leaves_what_the_command_settles(
    desk: Desk, leeward: Leeward, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the lost answer to the verdict, with nothing in between."""
    perform = Local.perform
    asked: list[Any] = []

    def lose(self: Local, call: Any, timeout: float) -> Result[Any]:
        result = perform(self, call, timeout)
        if isinstance(call, Settle):
            asked.append(call)
        return Result(Outcome.AMBIGUOUS) if call.verb == "invoke" else result

    monkeypatch.setattr(Local, "perform", lose)
    call = leeward("invoke", "charge", '"x"', "--timeout", "1", "--json")
    error = json.loads(call.err)["error"]
    assert (call.code, error["idempotency_key"] in error["message"]) == (8, True)
    assert f"leeward settle charge {error['idempotency_key']}" in error["message"]
    (left,) = json.loads(leeward("unknown", "list", "--json").out)["unknown"]
    assert left["key"] == [error["idempotency_key"]]
    done = json.loads(leeward("unknown", "settle", left["id"], "--json").out)
    assert [end["verdict"] for end in done["settled"]] == ["ran"]
    assert len(asked) == 1
