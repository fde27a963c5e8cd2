"""Calls that concern a run of a workflow: its one target, and what became of a lost start."""

from __future__ import annotations

from typing import Any

import pytest

from leeward._routing import FailoverDriver
from leeward._routing.execution import result_of
from leeward._routing.outcomes import WRITE, EffectRules, rules_of
from leeward._routing.readback import ReadBackVerdict, judge, question_of
from leeward._routing.targets import Targets, candidates
from leeward.calls import AbortRun, FoundRun, GetRun, Result, StartRun
from leeward.errors import Outcome
from leeward.testing import FakeClock
from tests.scripted import AMBIGUOUS, Scripted

START = StartRun("orders", "run-1", b'{"n": 1}', "digest", repeatable=True)
ONCE = START._replace(repeatable=False)
LOOK, ABORT = GetRun("orders", "run-1"), AbortRun("orders", "run-1")
FOUND = FoundRun("running", b'{"n":1.0}', 100.0)


def test_a_run_has_one_target() -> None:
    """That which was chosen for runs, else the first one; no other is asked."""
    for call in (START, LOOK, ABORT):
        rules = rules_of(call)
        assert candidates(Targets(("a", "b")), call, rules) == ("a",)
        assert candidates(Targets(("a", "b"), runs="b"), call, rules) == ("b",)


def test_what_may_be_asked_of_a_run_again() -> None:
    """A start where the target keeps two of one id apart, and whatever starts nothing."""
    once = EffectRules(same=False, elsewhere=False, read_back=True)
    look = EffectRules(same=True, elsewhere=False)
    assert [rules_of(call) for call in (START, ONCE, LOOK, ABORT)] == [WRITE, once, look, look]


@pytest.mark.parametrize(
    ("there", "verdict"),
    [
        (FOUND, ReadBackVerdict.OURS),
        (FOUND._replace(input=b'{"n": 2}'), ReadBackVerdict.LOST),
        (FOUND._replace(input=None), ReadBackVerdict.LOST),
        (None, ReadBackVerdict.OPEN),
    ],
)
def test_what_a_look_at_the_run_proves(there: FoundRun | None, verdict: ReadBackVerdict) -> None:
    """Its input tells whose start it is; where there is none, nothing is proved."""
    assert question_of(START) == LOOK
    assert judge(START, Result.ok(there)) is verdict
    assert judge(START, Result(Outcome.AMBIGUOUS)) is ReadBackVerdict.OPEN


@pytest.mark.parametrize(
    ("call", "value", "sound"),
    [
        (START, FOUND, True),
        (START, None, False),
        (LOOK, FOUND, True),
        (LOOK, None, True),
        (LOOK, "running", False),
        (ABORT, True, True),
        (ABORT, None, True),
        (ABORT, False, False),
        (ABORT, FOUND, False),
    ],
)
def test_a_value_that_no_driver_may_give_is_unsound(call: Any, value: Any, sound: bool) -> None:
    """Then nobody knows what happened."""
    expected = Outcome.OK if sound else Outcome.AMBIGUOUS
    assert result_of(call, Result.ok(value)).outcome is expected


def test_a_start_whose_answer_was_lost_is_looked_up() -> None:
    """And gives the run that is there."""
    a, b = Scripted("a", AMBIGUOUS, Result.ok(FOUND)), Scripted("b")
    result = FailoverDriver([a, b], clock=FakeClock()).perform(ONCE, 10.0)
    assert (result.outcome, result.value, result.resolved) == (Outcome.OK, FOUND, True)
    assert [call.verb for call in a.calls] == ["start_run", "get_run"]
    assert b.calls == []
