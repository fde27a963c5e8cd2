"""The page for when nobody knows: its code runs, its tables and documents are those of the code."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from leeward import (
    App,
    Client,
    OutcomeUnknown,
    Settled,
    Verdict,
)
from leeward.app import idempotent
from leeward.app.idempotency import CannotTell, Done, NotDone, current_run
from leeward.app.idempotency.settling import Doubt
from leeward.calls import Call, Load, Result, Settle, Store
from leeward.config import load_config
from leeward.envelope import QUESTION, request_headers, settle_question
from leeward.local import Local
from leeward.settling import OTHER_TARGET, read_answer
from leeward.testing import Fault, FaultyDriver
from leeward.values import Effect
from tests.docs.test_pages import DOCS, ROOT, blocks, table

PAGE = DOCS / "settle.md"
TEXT = PAGE.read_text(encoding="utf-8")
FIRST, PROBE, STRIPE, FOREIGN, WRITE = blocks(PAGE, "python")


SOURCES = [
    *(ROOT / "src/leeward/_operations").glob("settling*.py"),
    ROOT / "src/leeward/settling.py",
    ROOT / "src/leeward/app/handlers.py",
]
UNKNOWN = re.compile(r"""(?:Verdict.UNKNOWN, |"unknown", ")reason"?[=:] ?"(\w+)\"""")
"""Where a client, or a handler, says why nobody can tell."""


def run(code: str, **names: Any) -> dict[str, Any]:
    """Run an example of the page; return its names."""
    space: dict[str, Any] = {"__name__": "page", **names}
    exec(compile(code, "settle.md", "exec", dont_inherit=True), space)
    return space


def test_its_first_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost request did not run, a lost answer did, and one payment is all."""
    monkeypatch.chdir(tmp_path)
    assert run(FIRST)["paid"] == ["42"]


def test_its_example_of_a_write_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost write did not happen, and one whose answer was lost did."""
    monkeypatch.chdir(tmp_path)
    assert run(WRITE)["revision"]


def test_its_verdicts_and_reasons_are_those_of_the_code() -> None:
    """None is left out, and none is invented."""
    verdicts = [row[0] for row in table("settle.md", "`settled.verdict`")]
    assert verdicts == [verdict.name for verdict in Verdict]
    lines = [line for line in TEXT.splitlines() if line.startswith("| `")]
    documented = {line.split("`")[1] for line in lines}
    written = (
        {reason for path in SOURCES for reason in UNKNOWN.findall(path.read_text(encoding="utf-8"))}
        | {doubt.value for doubt in Doubt}
        | {OTHER_TARGET}
    )
    assert written <= documented
    assert {row[0] for row in table("settle.md", "`settled.reason`")} <= written


def test_its_configuration_loads(tmp_path: Path) -> None:
    """What becomes of unknown calls, and the probe of a function without records."""
    path = tmp_path / "leeward.toml"
    keyed, left, known, probed = blocks(PAGE, "toml")
    path.write_text(keyed)
    assert load_config(file=path, env={}).functions["take-payment"].effect is Effect.KEYED
    path.write_text(left)
    assert load_config(file=path, env={}).unknowns == "leeward-unknowns"
    path.write_text(known)
    assert load_config(file=path, env={}).functions["take-payment"].on_unknown == "settle"
    path.write_text(probed)
    assert load_config(file=path, env={}).functions["pay"].probe == "payment-status"


def read(key: str, said: Any) -> Settled:
    """Return what a client makes of an answer."""
    settled = read_answer(key, Result.ok(said))
    assert settled is not None
    return settled


class Bank:
    """What the example of a probe asks."""

    def __init__(self) -> None:
        self.charges: dict[str, str] = {}
        self.answers = False

    def charge(self, order: dict[str, str]) -> str:
        self.charges[order["card"]] = f"ch-{order['id']}"
        raise ConnectionError

    def find(self, card: str) -> dict[str, str] | None:
        return {"id": self.charges[card]} if card in self.charges else None

    def is_complete(self) -> bool:
        return self.answers


def test_its_probe_finds_the_charge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the card that the run has noted."""
    monkeypatch.chdir(tmp_path)
    bank, app = Bank(), App("shop")
    space = run(PROBE, bank=bank)
    assert space["find_charge"]("42", None, ()) == CannotTell()
    bank.answers = True
    assert space["find_charge"]("42", None, ("card",)) == NotDone()
    pay = idempotent(
        table="keys", key="order.id", principal=None, effects="marked", probe=space["find_charge"]
    )(space["take_payment"].__wrapped__)
    app.function(name="pay", effect="keyed")(pay)
    order = {"id": "42", "card": "visa-1"}
    with Client(Local(), app=app) as client:
        with pytest.raises(Exception, match="pay"):
            client.invoke("pay", order, idempotency_key="k", on_unknown="raise")
        settled = client.settle("k", function="pay", payload=order)
        assert (settled.verdict, settled.result) == (Verdict.RAN, {"charge": "ch-42"})
    assert current_run() is None


def test_its_probe_of_stripe_reads_a_list() -> None:
    """A payment that is there, one that is under way, a page of several, and nothing."""
    read = run(STRIPE)["read"]

    def listed(*statuses: str, has_more: bool = False, key: str = "k") -> dict[str, Any]:
        data = [{"id": "pi", "metadata": {"key": key}, "status": status} for status in statuses]
        return {"data": data, "has_more": has_more}

    assert read(listed("canceled", "succeeded"), "k") == Done({"payment": "pi"})
    assert read(listed("processing"), "k") == CannotTell()
    assert read(listed("succeeded", key="other"), "k") == NotDone()
    assert read(listed(has_more=True), "k") == CannotTell()
    assert read(listed(), "k") == NotDone()


def test_its_protocol_is_that_of_the_code() -> None:
    """Headers, question and answers."""
    (shown,) = blocks(PAGE, "text")
    headers = dict(line.split(": ") for line in shown.splitlines())
    assert headers.pop("Content-Type") == QUESTION
    sent = request_headers("order-42", 29.873, None, "9b2e4c1d70a35f68", 1, settles=True)
    assert headers == dict(sent)
    probed, asked, answers = blocks(PAGE, "json")
    question = settle_question("order-42", 12.5, b'{"id": "42"}', alone=True)
    assert json.loads(asked) == json.loads(question)
    assert json.loads(probed).keys() == {"key", "payload"}
    said = [read("order-42", json.loads(line)) for line in answers.splitlines()]
    assert [each.verdict for each in said] == [
        Verdict.RAN, Verdict.RAN, Verdict.NOT_RUN, Verdict.RUNNING, Verdict.UNKNOWN
    ]  # fmt: skip
    assert said[0].result == {"paid": "42"}
    assert said[1].failure is not None
    assert (said[1].kept, said[1].failure.type) == (False, "CardRefused")
    assert (said[2].voids, said[3].retry_after, said[4].reason) == (2, 2.0, "bank_down")


def test_its_function_keeps_the_promise() -> None:
    """Not run is true of what was sent before; whoever knows of the void may run."""
    serve = run(FOREIGN)["serve"]
    paid: list[str] = []

    def charge(order: dict[str, str]) -> dict[str, str]:
        if order["id"] == "dies":
            raise SystemExit
        paid.append(order["id"])
        return {"paid": order["id"]}

    def ask(key: str, voids: int = 0) -> tuple[Verdict, Any, int]:
        headers = _lower(request_headers(key, 5.0, voids=voids, settles=True))
        status, said = serve(headers, settle_question(key, 1.0, None), charge)
        assert status == 200
        settled = read(key, said)
        return settled.verdict, settled.result, settled.voids

    def call(key: str, voids: int = 0) -> int:
        headers = _lower(request_headers(key, 5.0, voids=voids))
        status: int = serve(headers, json.dumps({"id": key}).encode(), charge)[0]
        return status

    assert [ask("k"), ask("k")] == [(Verdict.NOT_RUN, None, 1), (Verdict.NOT_RUN, None, 2)]
    assert ask("late", 4) == (Verdict.NOT_RUN, None, 5)
    assert [call("k"), call("k", 1), call("k", 2), call("k", 2)] == [409, 409, 200, 409]
    assert ask("k", 1) == (Verdict.RAN, {"paid": "k"}, 0)
    with pytest.raises(SystemExit):
        call("dies")
    assert ask("dies")[0] is Verdict.UNKNOWN
    assert paid == ["k"]


@pytest.mark.parametrize("fault", [Fault.LOSE_REQUEST, Fault.LOSE_ANSWER])
def test_it_costs_what_it_says(fault: Fault) -> None:
    """One request, one conditional write; and one read where the write finds a record."""
    app, cloud, store = App("shop"), FaultyDriver(Local("local:a")), FaultyDriver(Local("local:b"))
    with Client(store) as records:

        @app.function(effect="keyed")
        @idempotent(table="keys", principal=None, lease=70, client=records)
        def pay(order: dict[str, str]) -> str:
            return order["id"]

        with Client(cloud, app=app) as client:
            cloud.fail(fault, verb="invoke")
            with pytest.raises(OutcomeUnknown) as raised:
                client.invoke("pay", {"id": "42"}, on_unknown="raise", timeout=1)
            cloud.heal()
            cloud.calls.clear()
            store.calls.clear()
            client.settle(raised.value)
    assert [type(call) for call in cloud.calls] == [Settle]
    expected: list[type[Call]] = [Store] if fault is Fault.LOSE_REQUEST else [Store, Load]
    assert [type(call) for call in store.calls] == expected
    assert isinstance(store.calls[0], Store)
    assert store.calls[0].if_absent


def _lower(headers: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers}
