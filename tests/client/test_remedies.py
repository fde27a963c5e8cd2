"""The last sentence of an error fits what happened: it follows from the reason."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from leeward import CallError, Client, Outcome, Overloaded, TargetUnusable
from leeward._operations.errors import _REMEDIES, error_of
from leeward._sqlite.errors import GONE, MEANINGS
from leeward.calls import Result, Scan
from leeward.local import Local
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
