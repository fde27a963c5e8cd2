"""Play a plan against hand-made answers, by the very `PlanRun` that runners drive."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from leeward._http.messages import Failure, Request, Response
from leeward.adapter._plan_run import Learnt, PlanRun
from leeward.adapter.plans import Drop, Need, Planner
from leeward.adapter.resolver import FunctionAddress
from leeward.calls import Call, Invoke, Result

NOW = 1_767_225_600.0
"""2026-01-01T00:00:00Z."""
MIDNIGHT = "Thu, 01 Jan 2026 00:00:00 GMT"
LATER = "Thu, 01 Jan 2026 01:00:00 GMT"


class Played(NamedTuple):
    """What came of a plan.

    Attributes:
        result: of the attempt.
        sent: the requests, in order.
        learnt: what is known afterwards.
        needed: what the plan needed, in order.
        dropped: origins whose connections were given up.
    """

    result: Result[Any]
    sent: list[Request]
    learnt: dict[str, Any]
    needed: list[Any]
    dropped: list[str]


def play(
    planner: Planner,
    call: Call,
    *answers: Response | Failure,
    credential: Any,
    fresh: Any = None,
    learnt: dict[str, Any] | None = None,
    timeout: float = 10.0,
    now: float = NOW,
) -> Played:
    """Run a plan over `answers`, one for each request; no more and no fewer may be sent.

    It is given `credential`, and `fresh` once that has been refused; or whatever `credential`
    returns, if that is a function of what is needed and of what was refused.
    """
    known = remembered(learnt)
    run = PlanRun(planner, call, known, now, timeout)
    given = list(answers)
    played = Played(Result.ok(None), [], known, [], [])
    step = run.start()
    while not isinstance(step, Result):
        answer: Any = None
        if isinstance(step, Need):
            played.needed.append(step.what)
            if callable(credential):
                answer = credential(step.what, run.refused)
            else:
                answer = credential if run.refused is None else fresh
        elif isinstance(step, Drop):
            played.dropped.append(step.origin)
        else:
            played.sent.append(run.request)
            answer = given.pop(0)
        step = run.advance(answer, now, timeout)
    assert given == []
    if learnt is not None:
        learnt.clear()
        learnt.update(known)
    return played._replace(result=step)


def remembered(facts: dict[str, Any] | None) -> Learnt:
    """Return what is known before a plan."""
    known = Learnt()
    known.update(facts or {})
    return known


def headers_of(request: Request) -> dict[str, str]:
    """Give the headers by lower-case name; none may stand there twice."""
    found = {name.lower(): value for name, value in request.headers}
    assert len(found) == len(request.headers)
    return found


def document(request: Request) -> Any:
    """Give the JSON of a request."""
    return json.loads(request.body)


def json_answer(body: Any, status: int, given: dict[str, str], headers: dict[str, str]) -> Response:
    """Make an answer: JSON of `body`, unless that is bytes.

    It has the headers of `given`, and over them `headers`, where ``_`` stands for ``-``.
    """
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, given | {n.replace("_", "-"): each for n, each in headers.items()}, raw)


def call_function(
    planner: Planner, call: Invoke, *answers: Response | Failure, addresses: tuple[Any, ...]
) -> tuple[Result[Any], list[Request]]:
    """Run the plan of a call over `answers`; give its result, and the requests.

    Args:
        planner: makes the plan.
        call: of a function.
        answers: one for each request.
        addresses: of the function: the one after a refusal is the next one, if there is one.
    """
    places = list(addresses)

    def place(what: Any, _refused: Any) -> Any:
        assert what == FunctionAddress(call.function)
        return places.pop(0) if len(places) > 1 else places[0]

    played = play(planner, call, *answers, credential=place)
    return played.result, played.sent
