"""Calls that concern an object: its bucket's home, and what became of a lost write."""

from __future__ import annotations

import pytest

from leeward._routing.execution import result_of
from leeward._routing.outcomes import WRITE, rules_of
from leeward._routing.readback import ReadBackVerdict, judge, question_of
from leeward._routing.targets import Targets, candidates
from leeward.calls import (
    DeleteObject,
    FoundObject,
    GetObject,
    HeadObject,
    ListObjects,
    PutObject,
    Result,
)
from leeward.errors import ConfigError, Outcome

PUT = PutObject("b", "n", b"x", "sum", "w-1")
DELETE = DeleteObject("b", "n")


def found(write_id: str | None, revision: str = "r-1") -> FoundObject:
    values = dict.fromkeys(FoundObject._fields) | {"write_id": write_id, "revision": revision}
    return FoundObject(**values)  # type: ignore[arg-type]


def test_a_bucket_has_one_home() -> None:
    """No other target is asked; without one, the call is refused."""
    targets = Targets(("a", "b"), bucket_homes={"b": "b"})
    for call in (PUT, DELETE, HeadObject("b", "n"), ListObjects("b")):
        assert candidates(targets, call, rules_of(call)) == ("b",)
    with pytest.raises(ConfigError, match="bucket"):
        candidates(Targets(("a", "b")), PUT, WRITE)


@pytest.mark.parametrize(
    ("call", "there", "verdict"),
    [
        (PUT, found("w-1"), ReadBackVerdict.OURS),
        (PUT, found("w-2"), ReadBackVerdict.OPEN),
        (PUT, None, ReadBackVerdict.OPEN),
        (PUT._replace(if_absent=True), None, ReadBackVerdict.OPEN),
        (PUT._replace(if_absent=True), found("w-2"), ReadBackVerdict.LOST),
        (PUT._replace(if_revision="r-1"), found("w-2"), ReadBackVerdict.OPEN),
        (PUT._replace(if_revision="r-0"), found("w-2"), ReadBackVerdict.LOST),
        (PUT._replace(if_revision="r-0"), None, ReadBackVerdict.LOST),
        (DELETE, None, ReadBackVerdict.OURS),
        (DELETE, found("w-2"), ReadBackVerdict.OPEN),
    ],
)
def test_what_a_look_at_the_object_proves(
    call: PutObject | DeleteObject, there: FoundObject | None, verdict: ReadBackVerdict
) -> None:
    """The write id tells whose write it is; a look-up that failed proves nothing."""
    assert question_of(call) == HeadObject("b", "n")
    assert judge(call, Result.ok(there)) is verdict
    assert judge(call, Result(Outcome.NOT_SENT)) is ReadBackVerdict.OPEN


@pytest.mark.parametrize(
    ("call", "value", "sound"),
    [
        (PUT, "r-1", True),
        (PUT, 7, False),
        (GetObject("b", "n", 0, 1), None, True),
        (GetObject("b", "n", 0, 1), "bytes", False),
        (HeadObject("b", "n"), found("w-1"), True),
        (DELETE, None, True),
    ],
)
def test_only_what_a_call_gives_is_an_answer(call: PutObject, value: object, sound: bool) -> None:
    """Anything else leaves the outcome unknown."""
    outcome = result_of(call, Result.ok(value)).outcome
    assert outcome is (Outcome.OK if sound else Outcome.AMBIGUOUS)
