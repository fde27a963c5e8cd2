"""What a call does about the record that its key has."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.app.idempotency.record import (
    Claim,
    Earlier,
    KeyRecord,
    KeyState,
    LoadedRecord,
    Reason,
    RecordedFailure,
    Refuse,
    Replay,
    ReplayFailure,
    Start,
    complete_record,
    decide,
    fail_record,
    leave_unknown,
    release_record,
    with_effects,
)
from leeward.cli.key_records import refuse_by_hand
from tests.app.idempotent.shop import first_record

NOW = 1_750_000_000.0
ME = Claim("me", "payload", 60.0)
READY = Claim("me", "payload", 60.0, run_unknown=True)
FIRST = first_record(Claim("they", "payload", 60.0), NOW)
UNMARKED = first_record(Claim("they", "payload", 60.0, effects_marked=True), NOW)
ASKS = ME._replace(question="?")
WAITING = first_record(ASKS._replace(owner="they"), NOW)
CARD = RecordedFailure("CardDeclined", ("no funds",))
AGAIN = RecordedFailure("HalfDone", (), rerun=True)

DECISIONS: dict[str, tuple[KeyRecord | None, Claim, float, Any]] = {
    "a result": (complete_record(FIRST, {"ok": 1}), ME, 0, Replay({"ok": 1})),
    "a result not kept": (complete_record(FIRST, 1)._replace(kept=False), ME, 0, Reason.NOT_KEPT),
    "a failure to tell again": (fail_record(FIRST, CARD), ME, 0, ReplayFailure(CARD)),
    "a failure to run again": (fail_record(FIRST, AGAIN), ME, 0, Earlier.FAILED),
    "another payload": (
        complete_record(FIRST, 1),
        ME._replace(payload="other"),
        0,
        Reason.MISMATCH,
    ),
    "another payload, and it runs": (FIRST, ME._replace(payload="other"), 0, Reason.MISMATCH),
    "another payload, and the key is free": (
        release_record(FIRST),
        ME._replace(payload="o"),
        0,
        None,
    ),
    "it runs": (FIRST, ME, 59.5, Refuse(Reason.RUNNING, 0.5)),
    "it runs, and has time": (FIRST, ME, 0, Refuse(Reason.RUNNING, 5.0)),
    "its lease is over": (FIRST, ME, 60.0, Reason.UNKNOWN),
    "its lease is over, and I can deal with that": (FIRST, READY, 60.0, Earlier.LAPSED),
    "its lease is over by my clock of the day": (
        FIRST._replace(lease_until=NOW),
        READY,
        55.0,
        Refuse(Reason.RUNNING, 5.0),
    ),
    "its lease is over by my clock of the day, and no effect has begun": (
        UNMARKED._replace(lease_until=NOW),
        ME,
        0,
        Earlier.LAPSED,
    ),
    "its lease is over before any effect": (UNMARKED, ME, 60.0, Earlier.LAPSED),
    "its lease is over after an effect": (with_effects(UNMARKED), ME, 60.0, Reason.UNKNOWN),
    "nobody knows": (leave_unknown(FIRST, CARD), ME, 0, Reason.UNKNOWN),
    "nobody knows, and I can deal with that": (
        leave_unknown(FIRST, CARD),
        READY,
        0,
        Earlier.UNKNOWN,
    ),
    "the key is free": (release_record(FIRST), ME, 0, None),
    "it waits for a person": (WAITING, ASKS, 0, Refuse(Reason.WAITING, 60.0)),
    "it waits, and I need no approval": (WAITING, ME, 0, Refuse(Reason.WAITING, 60.0)),
    "it waits, and I come late": (
        WAITING._replace(voids=1),
        ASKS,
        0,
        Refuse(Reason.VOIDED, voids=1),
    ),
    "another payload waits": (WAITING, ASKS._replace(payload="other"), 0, Reason.MISMATCH),
    "a person has refused it": (refuse_by_hand(WAITING, "maria"), ASKS, 0, Reason.REFUSED),
    "an item of another program": (None, READY, 0, Reason.UNKNOWN),
}


def test_what_a_call_does_about_a_record(subtests: pytest.Subtests) -> None:
    """Each state, and each way of meeting it; who takes over has a higher fence and a new lease."""
    for name, (record, claim, after, expected) in DECISIONS.items():
        with subtests.test(name):
            now = NOW + after
            decision = decide(LoadedRecord(record, "7"), claim, now)
            if isinstance(expected, Reason):
                assert isinstance(decision, Refuse)
                assert decision._replace(error=None) == Refuse(expected)
            elif isinstance(expected, Earlier) or expected is None:
                assert isinstance(decision, Start)
                assert (decision.revision, decision.earlier) == ("7", expected)
                new = decision.record
                assert (new.owner, new.fence, new.lease_until) == ("me", 2, now + 60)
                assert (new.state, new.failure) == (KeyState.IN_PROGRESS, None)
            else:
                assert decision == expected
