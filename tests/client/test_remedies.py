"""The last sentence of an error fits what happened: it follows from the reason."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from leeward import CallError, Client, Outcome, Overloaded, TargetUnusable
from leeward._operations.errors import _REMEDIES, error_of
from leeward._sqlite.errors import GONE, MEANINGS
from leeward.calls import Enqueue, FunctionFault, Invoke, Result, Scan
from leeward.envelope import BY_TARGET, NOT_RECOGNISED, RUNNING, UNKNOWN, VOIDED
from leeward.local import Local
from leeward.values import Effect
from leeward_contract_tests.rows import each_row
from tests.scripted import Scripted


def test_a_path_that_cannot_be_made_is_named_with_its_remedy() -> None:
    """No account and no quota is to blame for a directory that is not there."""
    path = "/proc/nope/x.sqlite3"
    with Client(Local(path=path)) as client, pytest.raises(TargetUnusable) as raised:
        client.store_data("orders", {"id": "42"})
    assert path in str(raised.value)
    assert str(raised.value).endswith(_REMEDIES["cannot_open"])
    assert "quota" not in str(raised.value)
    assert isinstance(raised.value.__cause__, OSError)


def test_a_closed_target_is_to_be_replaced() -> None:
    """Fewer calls at once would not help."""
    cloud = Local()
    with Client(cloud) as client:
        cloud.close()
        with pytest.raises(Overloaded, match="open a new one") as raised:
            client.invoke("send-receipt")
    assert raised.value.reason == "closed"
    assert "fewer calls" not in str(raised.value)


def test_a_file_that_is_no_database_is_to_be_replaced(tmp_path: Path) -> None:
    """The error names the file."""
    path = tmp_path / "x.sqlite3"
    path.write_bytes(b"this is no database" * 100)
    path.chmod(0o600)
    with Client(Local(path=path)) as client, pytest.raises(TargetUnusable) as raised:
        client.load_data("orders", "42")
    assert str(path) in str(raised.value)
    assert str(raised.value).endswith(_REMEDIES["not_a_database"])


def test_every_lasting_fault_of_a_database_has_a_remedy() -> None:
    """What SQLite tells for long is never blamed on an account."""
    lasting = {reason for outcome, reason, _ in MEANINGS.values() if outcome is Outcome.UNUSABLE}
    assert lasting | {GONE} <= _REMEDIES.keys()
    assert sqlite3.SQLITE_CANTOPEN in MEANINGS


def test_another_reason_keeps_the_remedy_of_its_outcome() -> None:
    """A provider's own word changes nothing."""
    driver = Scripted("a", Result(Outcome.UNUSABLE, reason="suspended"))
    with Client(driver) as client, pytest.raises(CallError, match="the account, a quota"):
        client.load_data("orders", "42")


def test_what_only_reads_has_changed_nothing() -> None:
    """Whatever became of it: nobody has to look before writing again."""
    told = str(error_of(Scan("orders"), Result(Outcome.AMBIGUOUS, target="local")))
    assert told.endswith("Nothing was changed; read again.")


CHARGE = Invoke("charge", b"1", "order 42", Effect.KEYED)
LOST = Result[object](Outcome.AMBIGUOUS, target="a")
REFUSED = FunctionFault("RepeatRefused", "an earlier call ... its record: keys 0123456789ab")
RAISED = FunctionFault("ValueError", ran="maybe")
COMMAND = "client.settle(error), or leeward settle charge 'order 42'."


@each_row(
    "call, result, told",
    {
        "keyed": (CHARGE, LOST, COMMAND),
        "queued": (Enqueue("charge", b"1", "order 42", Effect.KEYED), LOST, COMMAND),
        "unsafe, and marks its answers": (
            CHARGE._replace(effect=Effect.UNSAFE, marks=True),
            LOST,
            f"Find out what happened before calling again: {COMMAND}",
        ),
        "it still runs": (
            CHARGE,
            LOST._replace(reason=RUNNING, fault=REFUSED),
            "client.settle(error) waits for its end.",
        ),
        "its record is known": (
            CHARGE,
            LOST._replace(reason=UNKNOWN, fault=REFUSED),
            "then settle its record: leeward keys show keys 0123456789ab says how.",
        ),
        "it raised, and may have had its effect": (
            CHARGE,
            Result(Outcome.APP_ERROR, target="a", fault=RAISED, dedup=BY_TARGET),
            COMMAND,
        ),
        "it was settled as not run": (
            CHARGE,
            Result(Outcome.NOT_SENT, target="a", reason=VOIDED),
            "It did not run, and will not; calling again, with the same key or another, is safe.",
        ),
        "it was voided each time": (
            CHARGE,
            Result(Outcome.REJECTED, target="a", reason=VOIDED, fault=REFUSED),
            "(RepeatRefused). It did not run; find out who settles it, and call again.",
        ),
    },
)
def test_an_unknown_outcome_names_what_settles_it(
    call: Invoke | Enqueue, result: Result[object], told: str
) -> None:
    """As a method, and as a command with the words that the shell needs."""
    assert str(error_of(call, result)).endswith(told)


@each_row(
    "call, result",
    {
        "unsafe": (CHARGE._replace(effect=Effect.UNSAFE), LOST),
        "harmless": (CHARGE._replace(effect=Effect.IDEMPOTENT), LOST),
        "has no records": (
            CHARGE._replace(effect=Effect.UNSAFE, marks=True),
            LOST._replace(dedup=NOT_RECOGNISED),
        ),
        "raised, and has no records": (
            CHARGE,
            Result(Outcome.APP_ERROR, target="a", fault=RAISED, dedup=NOT_RECOGNISED),
        ),
    },
)
def test_a_function_without_records_is_not_to_be_asked(
    call: Invoke, result: Result[object]
) -> None:
    """It could run the question."""
    assert "settle" not in str(error_of(call, result))
