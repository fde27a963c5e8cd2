"""Play a plan against hand-made answers, through the very course that runners take."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from leeward.calls import Call, Result
from leeward.http.course import Fetch, Supplied, course
from leeward.http.messages import Failure, Request, Response
from leeward.http.plans import Drop, Planner
from leeward_azure.credentials import AccountKey, Bearer, Credential

NOW = 1_767_225_600.0
"""2026-01-01T00:00:00Z."""
MIDNIGHT = "Thu, 01 Jan 2026 00:00:00 GMT"
LATER = "Thu, 01 Jan 2026 01:00:00 GMT"

KEY = AccountKey("c2VjcmV0IG9mIHRoZSB0ZXN0cw==")
FRESH = Bearer("fresh-token-of-the-tests")
"""What is given once the first credential has been refused."""


class Played(NamedTuple):
    """What came of a plan.

    Attributes:
        result: of the attempt.
        sent: the requests, in order.
        learnt: what is known afterwards.
        dropped: origins whose connections were given up.
    """

    result: Result[Any]
    sent: list[Request]
    learnt: dict[str, Any]
    dropped: list[str]


def play(
    planner: Planner,
    call: Call,
    *answers: Response | Failure,
    learnt: dict[str, Any] | None = None,
    credential: Credential = KEY,
    timeout: float = 10.0,
) -> Played:
    """Run a plan over `answers`, one for each request; no more and no fewer may be sent."""
    learnt = {} if learnt is None else learnt
    going = course(planner, call, NOW, timeout, learnt)
    given = list(answers)
    sent: list[Request] = []
    dropped: list[str] = []
    try:
        step = next(going)
        while True:
            if isinstance(step, Fetch):
                found = credential if step.refused is None else FRESH
                step = going.send(Supplied(NOW, timeout, found))
            elif isinstance(step, Drop):
                dropped.append(step.origin)
                step = going.send(Supplied(NOW, timeout, None))
            else:
                sent.append(step.request)
                step = going.send(Supplied(NOW, timeout, given.pop(0)))
    except StopIteration as end:
        assert given == []
        return Played(end.value, sent, learnt, dropped)


def answer(body: Any = b"", status: int = 200, **headers: str) -> Response:
    """Make an answer: JSON of `body`, unless that is bytes; ``_`` stands for ``-`` in headers."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    ids = {"x-ms-activity-id": "request-1", "x-ms-request-id": "request-1", "date": MIDNIGHT}
    return Response(status, ids | named, raw)


def headers_of(request: Request) -> dict[str, str]:
    """Give the headers by lower-case name; none may stand there twice."""
    found = {name.lower(): value for name, value in request.headers}
    assert len(found) == len(request.headers)
    return found


def document(request: Request) -> Any:
    """Give the JSON of a request."""
    return json.loads(request.body)
