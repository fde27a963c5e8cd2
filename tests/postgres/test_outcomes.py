"""The table of errors, row by row: what each proves, and how far the exchange may have come."""

from __future__ import annotations

import pytest

from leeward.errors import Outcome
from leeward_contract_tests.rows import each_row
from leeward_postgres.outcomes import (
    CLASSIFICATIONS,
    ENDING,
    Stage,
    code_of_refusal,
    result_of_error,
)

ROLLED_BACK = {
    "22003": Outcome.CALLER,
    "22P02": Outcome.CALLER,
    "22P05": Outcome.CALLER,
    "25006": Outcome.UNUSABLE,
    "25P03": Outcome.REJECTED,
    "28000": Outcome.AUTH,
    "28P01": Outcome.AUTH,
    "3D000": Outcome.UNUSABLE,
    "3F000": Outcome.UNUSABLE,
    "40001": Outcome.REJECTED,
    "40P01": Outcome.REJECTED,
    "42501": Outcome.AUTH,
    "42703": Outcome.UNUSABLE,
    "42883": Outcome.UNUSABLE,
    "42P01": Outcome.UNUSABLE,
    "53000": Outcome.REJECTED,
    "53100": Outcome.UNUSABLE,
    "53200": Outcome.REJECTED,
    "53300": Outcome.REJECTED,
    "53400": Outcome.REJECTED,
    "54000": Outcome.CALLER,
    "55P03": Outcome.REJECTED,
    "57014": Outcome.REJECTED,
    "tls": Outcome.NOT_SENT,
    "no_tls": Outcome.NOT_SENT,
    "LW003": Outcome.UNUSABLE,
    "LW004": Outcome.UNUSABLE,
    "LW005": Outcome.UNUSABLE,
    "LW006": Outcome.UNUSABLE,
}
"""What each code ends with, wherever the server says it of a statement."""

UNKNOWN = ("XX000", "58030", "08006", "08P01", "0A000", "42601", "57P01", "57P02", "99999", None)
"""Codes that prove nothing of a statement that commits itself; the last is a lost connection."""


def test_every_row_of_the_table_is_here() -> None:
    """A new code has to say what it ends with."""
    assert {code: row.outcome for code, row in CLASSIFICATIONS.items()} == ROLLED_BACK


@each_row("code, outcome", list(ROLLED_BACK.items()))
def test_an_error_of_a_statement_is_a_proof(code: str, outcome: Outcome) -> None:
    """At each stage, for the server has rolled back."""
    for stage in Stage:
        result = result_of_error(code, stage)
        assert (result.outcome, result.code) == (outcome, code)


@each_row("code", UNKNOWN)
def test_anything_else_proves_what_the_stage_proves(code: str | None) -> None:
    """Without a commit nothing takes effect; with one, nobody knows."""
    told = [result_of_error(code, stage, is_fatal=True).outcome for stage in Stage]
    assert told == [Outcome.NOT_SENT, Outcome.NOT_SENT, Outcome.AMBIGUOUS]
    assert "no connection" in (result_of_error(code, Stage.UNSENT).message or "")
    assert result_of_error(code, Stage.COMMITTING).outcome is Outcome.AMBIGUOUS


@each_row("code", sorted(ROLLED_BACK))
def test_what_ends_the_session_proves_nothing_of_a_commit(code: str) -> None:
    """The severity FATAL may come behind a commit, whatever the code."""
    assert result_of_error(code, Stage.COMMITTING, is_fatal=True).outcome is Outcome.AMBIGUOUS
    assert result_of_error(code, Stage.OPEN, is_fatal=True).outcome is ROLLED_BACK[code]


def test_the_codes_that_end_a_session_are_documented_ones() -> None:
    """Those of class 57P, and the time-out of an idle transaction."""
    assert all(code.startswith("57P") or code == "25P03" for code in ENDING)


@each_row(
    "words, code",
    [
        ("FATAL:  sorry, too many clients already", "53300"),
        ("FATAL:  remaining connection slots are reserved for roles with SUPERUSER", "53300"),
        ('FATAL:  too many connections for role "few"', "53300"),
        ('FATAL:  password authentication failed for user "shop"', "28P01"),
        ("fe_sendauth: no password supplied", "28P01"),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.7"', "28P01"),
        ('FATAL:  role "nobody" does not exist', "28000"),
        ('FATAL:  database "shop" does not exist', "3D000"),
        ('FATAL:  permission denied for database "shop"', "42501"),
        ("FATAL:  the database system is starting up", "57P03"),
        ("FATAL:  the database system is not yet accepting connections", "57P03"),
        ('connection to server at "10.0.0.7", port 5432 failed: session is read-only', "25006"),
        ("Connection refused", None),
        ("FATAL:  Passwort-Authentifizierung fehlgeschlagen", None),
    ],
)
def test_a_refused_connection_is_known_by_its_words(words: str, code: str | None) -> None:
    """Words that are not known are still a connection that never was."""
    assert code_of_refusal(f"connection failed: {words}") == code
    assert result_of_error(code, Stage.UNSENT).outcome is not Outcome.AMBIGUOUS


@pytest.mark.parametrize("code", ["57P01", "08006"])
def test_a_lost_connection_before_the_commit_ran_nothing(code: str) -> None:
    """The transaction cannot be committed any more by anybody."""
    assert result_of_error(code, Stage.OPEN).outcome is Outcome.NOT_SENT
