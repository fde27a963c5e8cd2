"""Play a plan whose credentials and answers take their time, by a clock that nobody waits for."""

from __future__ import annotations

from typing import Any, NamedTuple

from leeward._http.messages import Request
from leeward.adapter._plan_run import PlanRun
from leeward.adapter.plans import Planner, Send
from leeward.calls import Call, Result
from tests.playing import remembered


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
    known = remembered(learnt)
    run = PlanRun(planner, call, known, now, timeout)
    passed = 0.0
    given = list(answers)
    sent: list[Request] = []
    step = run.start()
    while not isinstance(step, Result):
        if isinstance(step, Send):
            sent.append(run.request)
        seconds, answer = given.pop(0)
        passed += seconds
        step = run.advance(answer, now + passed, timeout - passed)
    assert given == []
    if learnt is not None:
        learnt.clear()
        learnt.update(known)
    return Played(step, sent, known)
