"""Play a plan against hand-made answers, through the very course that runners take."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from leeward.calls import Call, Result
from leeward.http.course import Carry, Fetch, Supplied, course
from leeward.http.messages import Failure, Request, Response
from leeward.http.plans import Planner
from leeward_google.credentials import Bearer

NOW = 1_767_225_600.0
"""2026-01-01T00:00:00Z."""
LATER = "Thu, 01 Jan 2026 01:00:00 GMT"

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
TOKEN = Bearer("token-of-the-tests")
FRESH = Bearer("fresh-token-of-the-tests")
"""What is given once `TOKEN` has been refused."""


class Played(NamedTuple):
    """What came of a plan.

    Attributes:
        result: of the attempt.
        sent: the requests, in order.
        learnt: what is known afterwards.
        needed: the scopes of the credentials that were asked for.
    """

    result: Result[Any]
    sent: list[Request]
    learnt: dict[str, Any]
    needed: list[str]


def play(
    planner: Planner,
    call: Call,
    *answers: Response | Failure,
    learnt: dict[str, Any] | None = None,
    credential: Bearer = TOKEN,
    timeout: float = 10.0,
) -> Played:
    """Run a plan over `answers`, one for each request; no more and no fewer may be sent."""
    learnt = {} if learnt is None else learnt
    going = course(planner, call, NOW, timeout, learnt)
    given = list(answers)
    sent: list[Request] = []
    needed: list[str] = []
    try:
        step = next(going)
        while True:
            if isinstance(step, Fetch):
                needed.append(step.scope)
                found = credential if step.refused is None else FRESH
                step = going.send(Supplied(NOW, timeout, found))
            else:
                assert isinstance(step, Carry)
                sent.append(step.request)
                step = going.send(Supplied(NOW, timeout, given.pop(0)))
    except StopIteration as end:
        assert given == []
        return Played(end.value, sent, learnt, needed)


def answer(body: Any = None, status: int = 200, **headers: str) -> Response:
    """Make an answer: JSON of `body`, unless that is bytes; ``_`` stands for ``-`` in headers."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)


def error(word: str, status: int, message: str = "", *details: Any) -> dict[str, Any]:
    """Give the body of a refusal."""
    told = {"code": status, "message": message, "status": word}
    return {"error": told | ({"details": list(details)} if details else {})}


def refusal(word: str, status: int, message: str = "", *details: Any, **headers: str) -> Response:
    """Make the answer of a service that refuses."""
    return answer(error(word, status, message, *details), status, **headers)


def info(reason: str, domain: str = "googleapis.com") -> dict[str, str]:
    """Give the detail that tells the reason of a refusal."""
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": domain}


def headers_of(request: Request) -> dict[str, str]:
    """Give the headers by lower-case name; none may stand there twice."""
    found = {name.lower(): value for name, value in request.headers}
    assert len(found) == len(request.headers)
    return found


def document(request: Request) -> Any:
    """Give the JSON of a request."""
    return json.loads(request.body)
