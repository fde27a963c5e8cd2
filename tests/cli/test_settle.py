"""``leeward settle``: what became of a call, from the function's own record."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from leeward import Client
from leeward.calls import Result, Settle
from leeward.entropy import new_id
from leeward.errors import Outcome
from leeward_contract_tests.rows import each_row
from tests.cli.conftest import Leeward
from tests.cli.provider import Script
from tests.registers import let_registers_age

Scripting = Callable[..., Script]

KEYED = """
[functions.charge]
effect = "keyed"
"""

BANK = """
from leeward import App
from leeward.app import idempotent

app = App("bank")

@app.function(effect="keyed")
@idempotent(table="keys", key="order.id", principal=None, name="charge")
def charge(order):
    if order.get("refused"):
        raise ConnectionError("canary")
    return {"paid": order["id"]}
"""


@pytest.fixture
def keyed(bare: Path) -> None:
    """Say that the function has records."""
    bare.joinpath("leeward.toml").write_text(KEYED)


def answer(**fields: Any) -> Result[Any]:
    return Result.ok({"key": "k-1", **fields})


@pytest.mark.usefixtures("keyed")
def test_the_question_has_what_the_command_line_says(leeward: Leeward, scripted: Scripting) -> None:
    """The key, the payload, and the age of the call; nothing of it is run."""
    script = scripted(answer(verdict="ran", result=7, kept=True))
    done = leeward(
        *("settle", "charge", "k-1", "--payload", '{"id": 4.5}', "--timeout", "7"),
        *("--sent", "2025-01-31T12:00:00Z"),
    )
    assert (done.code, done.out.strip()) == (0, "7")
    assert isinstance(script.call, Settle)
    question = json.loads(script.call.payload)
    assert (question["settle"], question["payload"]) == ("k-1", {"id": 4.5})
    assert question["age"] > 86_400
    assert 0 < script.timeout <= 7


@pytest.mark.usefixtures("keyed")
def test_a_key_that_leeward_has_made_says_how_old_it_is(
    leeward: Leeward, scripted: Scripting
) -> None:
    """So that --sent may be left out."""
    script = scripted(Result.ok({"verdict": "unknown"}))
    assert leeward("settle", "charge", new_id(1_000_000_000)).code == 8
    question = json.loads(script.call.payload)
    assert question["age"] > 500_000_000
    assert "payload" not in question


@each_row(
    "fields, code, told",
    {
        "ran": ({"verdict": "ran", "kept": True, "result": {"paid": "42"}}, 0, "It ran."),
        "ran, not kept": ({"verdict": "ran", "kept": False}, 0, "its result was not kept"),
        "failed": (
            {"verdict": "ran", "kept": False, "failure": {"errorType": "CardRefused"}},
            6,
            "failed: CardRefused",
        ),
        "not run": ({"verdict": "not_run", "voids": 2}, 7, "never will"),
        "running": ({"verdict": "running", "retry_after": 9.0}, 10, "It still runs"),
        "unknown": ({"verdict": "unknown", "reason": "cannot_tell"}, 8, "its probe cannot tell"),
        "of a function of others": ({"verdict": "unknown", "reason": "Zzz"}, 8, "can tell: Zzz"),
        "no answer": ({"verdict": "perhaps"}, 8, "has not answered"),
    },
)
@pytest.mark.usefixtures("keyed")
def test_a_script_goes_by_the_exit_code(
    leeward: Leeward, scripted: Scripting, fields: dict[str, Any], code: int, told: str
) -> None:
    """It is the one that the call itself would have had."""
    scripted(*[answer(**fields)] * 20)
    asked = ("settle", "charge", "k-1", "--timeout", "0.2", "--target", "scripted")
    done = leeward(*asked)
    assert (done.code, told in " ".join((done.out + done.err).split())) == (code, True), done
    scripted(*[answer(**fields)] * 20)
    shown = json.loads(leeward(*asked, "--json").out)
    expected = fields["verdict"] if fields["verdict"] != "perhaps" else "unknown"
    assert (shown["verdict"], shown["target"]) == (expected, "scripted")
    assert shown["voids"] == fields.get("voids", 0)


def test_a_function_that_may_run_the_question_is_not_asked(
    leeward: Leeward, scripted: Scripting
) -> None:
    """What would let it answer is said."""
    script = scripted()
    done = leeward("settle", "send-receipt", "k-1")
    told = " ".join(done.out.split())
    assert (done.code, "effect = 'keyed', or probe, in [functions.send-receipt]" in told) == (
        8,
        True,
    )
    assert script.driver is not None
    assert script.driver.calls == []


@each_row(
    "args, told",
    {
        "a time without a zone": (("k-1", "--sent", "2026-01-31T12:00:00"), "--sent has no time"),
        "no time": (("k-1", "--sent", "yesterday"), "--sent is not an ISO 8601 time"),
        "no JSON": (("k-1", "--payload", "{"), "PAYLOAD is not JSON"),
        "no key": (("",), "idempotency_key"),
    },
)
def test_a_wrong_argument_is_named(
    leeward: Leeward, scripted: Scripting, args: tuple[str, ...], told: str
) -> None:
    """Before anything is asked."""
    scripted()
    done = leeward("settle", "charge", *args)
    assert (done.code, told in " ".join(done.err.split())) == (2, True), done


def test_a_refused_question_is_an_error(leeward: Leeward, scripted: Scripting, bare: Path) -> None:
    """The function is not there, say."""
    bare.joinpath("leeward.toml").write_text(KEYED)
    scripted(Result(Outcome.NOT_FOUND))
    done = leeward("settle", "charge", "k-1", "--json")
    assert (done.code, json.loads(done.err)["error"]["type"]) == (3, "NotFound")


def test_an_app_on_this_machine_settles_its_keys(leeward: Leeward, bare: Path) -> None:
    """A key without a record is void then: what comes late is refused, a new call runs."""
    bare.joinpath("settle_bank.py").write_text(BANK)
    bare.joinpath("leeward.toml").write_text(f'{KEYED}[targets.local]\napp = "settle_bank:app"')
    sent = ("--sent", datetime.now(UTC).isoformat(), "--target", "local")

    settle = ("settle", "charge", "k", "--payload", '{"id": "1"}', *sent)
    early = leeward(*settle)
    assert (early.code, "it keeps records since" in " ".join(early.out.split())) == (8, True), early
    with Client("local") as client:
        let_registers_age(client, "bank/charge")
    lost = leeward(*settle, "--json")
    assert (lost.code, json.loads(lost.out)["voids"]) == (7, 1)
    without = leeward("settle", "charge", "k", *sent)
    assert (without.code, "with the payload of the call" in " ".join(without.err.split())) == (
        6,
        True,
    )

    assert leeward("invoke", "charge", '{"id": "2"}').code == 0
    ran = leeward("settle", "charge", "k", "--payload", '{"id": "2"}')
    assert (ran.code, json.loads(ran.out)) == (0, {"paid": "2"})
    assert leeward("invoke", "charge", '{"id": "3", "refused": true}').code == 6
    open_ = leeward("settle", "charge", "k", "--payload", '{"id": "3", "refused": true}')
    assert (open_.code, "it has no probe" in open_.out) == (8, True)
