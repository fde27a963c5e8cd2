"""Play a plan whose credentials and answers take their time, by a clock that nobody waits for."""

from __future__ import annotations

from typing import Any, NamedTuple

from leeward.adapter.plan_runner import Carry, Supplied, course
from leeward.adapter.plans import Planner
from leeward.calls import Call, Result
from leeward.http.messages import Request


class Played(NamedTuple):
    """What came of a plan: its result, the requests that it sent, and what it has learnt."""

    result: Result[Any]
    sent: list[Request]
    learnt: dict[str, Any]


def play_slowly(
    planner: Planner,
    call: Call,
    *answers: tuple[float, Any],
    now: float,
    timeout: float,
    learnt: dict[str, Any] | None = None,
) -> Played:
    """Run a plan over `answers`, credentials among them: the seconds that each takes, and what.

    Args:
        planner: makes the plan.
        call: what to do.
        answers: one for each step; no more and no fewer may be asked for.
        now: Unix seconds, at the start.
        timeout: seconds for everything.
        learnt: what is known.
    """
    learnt = {} if learnt is None else learnt
    going = course(planner, call, now, timeout, learnt)
    passed = 0.0
    given = list(answers)
    sent: list[Request] = []
    try:
        step = next(going)
        while True:
            if isinstance(step, Carry):
                sent.append(step.request)
            seconds, answer = given.pop(0)
            passed += seconds
            step = going.send(Supplied(now + passed, timeout - passed, answer))
    except StopIteration as end:
        assert given == []
        return Played(end.value, sent, learnt)
