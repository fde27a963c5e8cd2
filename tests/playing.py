"""Play a plan against hand-made answers, through the very course that runners take."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from leeward.adapter.plan_runner import Fetch, Supplied, course
from leeward.adapter.plans import Drop, Planner
from leeward.calls import Call, Result
from leeward.http.messages import Failure, Request, Response

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
        needed: the scopes of the credentials that were asked for.
        dropped: origins whose connections were given up.
    """

    result: Result[Any]
    sent: list[Request]
    learnt: dict[str, Any]
    needed: list[str]
    dropped: list[str]


def play(
    planner: Planner,
    call: Call,
    *answers: Response | Failure,
    credential: Any,
    fresh: Any,
    learnt: dict[str, Any] | None = None,
    timeout: float = 10.0,
) -> Played:
    """Run a plan over `answers`, one for each request; no more and no fewer may be sent.

    It is given `credential`, and `fresh` once that has been refused.
    """
    learnt = {} if learnt is None else learnt
    going = course(planner, call, NOW, timeout, learnt)
    given = list(answers)
    played = Played(Result.ok(None), [], learnt, [], [])
    answer: Any = None
    try:
        step = next(going)
        while True:
            match step:
                case Fetch():
                    played.needed.append(step.scope)
                    answer = credential if step.refused is None else fresh
                case Drop():
                    played.dropped.append(step.origin)
                    answer = None
                case _:
                    played.sent.append(step.request)
                    answer = given.pop(0)
            step = going.send(Supplied(NOW, timeout, answer))
    except StopIteration as end:
        assert given == []
        return played._replace(result=end.value)


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
