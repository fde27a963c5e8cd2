"""A call that may have run at several targets is settled at each of them."""

from __future__ import annotations

from typing import Any

import pytest

from leeward import (
    Client,
    Config,
    Effect,
    InvalidRequest,
    NotFound,
    Outcome,
    OutcomeUnknown,
    Settled,
    Verdict,
)
from leeward.calls import Result, Settle
from leeward.config import FunctionConfig
from leeward.entropy import new_id
from leeward.envelope import BY_GROUP, BY_TARGET
from leeward.testing import FakeClock
from leeward_contract_tests.rows import each_row
from tests.scripted import AMBIGUOUS, Scripted

MOVES = FunctionConfig(Effect.IDEMPOTENT, marks=True)
"""A function that moves on after an unknown attempt, and keeps records."""


KEYED = FunctionConfig(Effect.KEYED)
SHARED = FunctionConfig(Effect.KEYED, shared_dedup=True)


NOT_FOUND = Result[Any](Outcome.NOT_FOUND)


def said(verdict: str, dedup: str = BY_TARGET, **facts: Any) -> Result[Any]:
    """Return the answer of one target."""
    return Result.ok({"verdict": verdict, "key": "k", **facts}, dedup=dedup)


def settled(first: Result[Any], second: Result[Any]) -> tuple[Settled, list[str]]:
    """Return what two targets say together, and which were asked."""
    a, b = Scripted("a", *[AMBIGUOUS] * 2, first), Scripted("b", AMBIGUOUS, second)
    with Client([a, b], config=Config(functions={"pay": MOVES}), clock=FakeClock()) as client:
        with pytest.raises(OutcomeUnknown) as raised:
            client.invoke("pay", idempotency_key="k")
        found = client.settle(raised.value, timeout=5)
    asked = [each.target for each in (a, b) for call in each.calls if isinstance(call, Settle)]
    return found, asked


@each_row(
    "first, second, verdict, asked",
    [
        (said("not_run", voids=1), said("not_run", voids=2), Verdict.NOT_RUN, ["a", "b"]),
        (said("not_run", voids=1), said("ran", result=7), Verdict.RAN, ["a", "b"]),
        (said("ran", result=7), said("not_run"), Verdict.RAN, ["a"]),
        (said("not_run"), said("unknown", reason="unknown"), Verdict.UNKNOWN, ["a", "b"]),
        (said("unknown", reason="unknown"), said("ran", result=7), Verdict.RAN, ["a", "b"]),
        (said("not_run"), NOT_FOUND, Verdict.UNKNOWN, ["a", "b"]),
        (NOT_FOUND, said("ran", result=7), Verdict.RAN, ["a", "b"]),
    ],
)
def test_a_target_settles_only_what_it_knows_of(
    first: Result[Any], second: Result[Any], verdict: Verdict, asked: list[str]
) -> None:
    """It has not run if all of them say so: a function may be gone from where it ran."""
    found, targets = settled(first, second)
    assert (found.verdict, targets) == (verdict, asked)
    if verdict is Verdict.RAN:
        assert found.result == 7
    if asked == ["a", "b"] and verdict is Verdict.NOT_RUN:
        assert found.voids == 2, "the next call knows of the voids of each"


@each_row(
    "config, first, second, verdict, asked",
    [
        (MOVES, said("not_run", voids=1), said("ran", result=7), Verdict.RAN, ["a", "b"]),
        (MOVES, NOT_FOUND, said("ran", result=7), Verdict.RAN, ["a", "b"]),
        (MOVES, said("not_run", voids=1), NOT_FOUND, Verdict.UNKNOWN, ["a", "b"]),
        (MOVES, NOT_FOUND, said("not_run", voids=1), Verdict.UNKNOWN, ["a", "b"]),
        (KEYED, said("not_run", voids=1), said("ran", result=7), Verdict.RAN, ["a", "b"]),
        (KEYED, said("not_run", voids=1), said("not_run"), Verdict.UNKNOWN, ["a", "b"]),
        (
            KEYED,
            said("not_run", BY_GROUP),
            said("not_run", BY_GROUP),
            Verdict.NOT_RUN,
            ["a", "b"],
        ),
        (SHARED, said("not_run", BY_GROUP, voids=1), said("ran"), Verdict.NOT_RUN, ["a"]),
        (SHARED, said("not_run", voids=1), said("ran"), Verdict.UNKNOWN, ["a"]),
    ],
)
def test_a_key_is_looked_for_wherever_its_call_may_have_been_made(
    config: FunctionConfig, first: Result[Any], second: Result[Any], verdict: Verdict, asked: Any
) -> None:
    """Or its records are for all: the order, or the client, may have been another one.

    A target that lacks the function may have had it, or may get it before the call arrives.
    """
    a, b = Scripted("a", first), Scripted("b", second)
    with Client([a, b], config=Config(functions={"pay": config}), clock=FakeClock()) as client:
        assert client.settle("k", function="pay", sent=0.0).verdict is verdict
    assert [each.target for each in (a, b) for _ in each.calls] == asked


@each_row(
    "last, verdict",
    [
        (said("ran", result=7), Verdict.RAN),
        (said("unknown", reason="unknown"), Verdict.UNKNOWN),
        (said("not_run", voids=3), Verdict.NOT_RUN),
    ],
)
def test_the_last_of_three_targets_is_asked_too(last: Result[Any], verdict: Verdict) -> None:
    """What the first two say is not enough."""
    not_run = said("not_run", voids=1)
    targets = [Scripted("a", not_run), Scripted("b", not_run), Scripted("c", last)]
    with Client(targets, config=Config(functions={"pay": MOVES}), clock=FakeClock()) as client:
        found = client.settle("k", function="pay", sent=0.0, targets=["a", "b", "c"])
        assert found.verdict is verdict
    assert [len(each.calls) for each in targets] == [1, 1, 1]


@each_row("targets", [None, ["a"]])
def test_a_call_whose_targets_nobody_names_may_have_run_elsewhere(targets: Any) -> None:
    """It ran at b; the order was turned since, or a is alone in it."""
    a = Scripted("a", said("not_run", voids=1))
    with Client([a], config=Config(functions={"pay": KEYED}), clock=FakeClock()) as client:
        found = client.settle("k", function="pay", sent=0.0, targets=targets)
    if targets:
        assert found.verdict is Verdict.NOT_RUN
    else:
        assert (found.verdict, found.reason) == (Verdict.UNKNOWN, "other_target")


def test_a_function_that_no_target_has_is_not_settled() -> None:
    """That is a mistake, and no verdict."""
    targets = [Scripted("a", NOT_FOUND), Scripted("b", NOT_FOUND)]
    config = Config(functions={"pay": MOVES})
    with Client(targets, config=config) as client, pytest.raises(NotFound):
        client.settle("k", function="pay", sent=0.0)


def test_no_call_is_of_the_future() -> None:
    """It would be younger than any record, and so not run, although its record is gone."""
    clock, a = FakeClock(), Scripted("a", *[said("not_run", voids=1)] * 2)
    ahead = new_id(clock.now() + 86_400)
    with Client([a], config=Config(functions={"pay": KEYED}), clock=clock) as client:
        for sent in (float("nan"), clock.now() * 1000, clock.now() + 3601, -1):
            with pytest.raises(InvalidRequest, match="not in the future"):
                client.settle("k", function="pay", sent=sent)
        for key in ("k", ahead):
            client.settle(key, function="pay")
    asked = [call.payload for call in a.calls if isinstance(call, Settle)]
    assert [b"age" in each for each in asked] == [False, False]
