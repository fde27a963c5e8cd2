"""Play a plan against hand-made answers, through the very course that runners take."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from leeward.calls import Call, Result
from leeward.http.course import Carry, Fetch, Supplied, course
from leeward.http.messages import Failure, Request, Response
from leeward.http.plans import Planner
from leeward_aws.credentials import Credentials
from leeward_aws.settings import Settings

NOW = 1_767_225_600.0
"""2026-01-01T00:00:00Z."""
MIDNIGHT = "Thu, 01 Jan 2026 00:00:00 GMT"
LATER = "Thu, 01 Jan 2026 01:00:00 GMT"

KEYS = Credentials("AKIDEXAMPLE", "secret-of-the-tests", "token-of-the-tests")
FRESH = Credentials("AKIDFRESH", "fresh-secret-of-the-tests")
"""What is given once `KEYS` have been refused."""

SETTINGS = Settings(
    "eu-west-1",
    {
        "lambda": "https://lambda.eu-west-1.amazonaws.com",
        "events": "https://events.eu-west-1.amazonaws.com",
        "dynamodb": "https://dynamodb.eu-west-1.amazonaws.com",
    },
)


class Played(NamedTuple):
    """What came of a plan: its result, the requests that it sent, and what it has learnt."""

    result: Result[Any]
    sent: list[Request]
    learnt: dict[str, Any]


def play(
    planner: Planner,
    call: Call,
    *answers: Response | Failure,
    learnt: dict[str, Any] | None = None,
    timeout: float = 10.0,
) -> Played:
    """Run a plan over `answers`, one for each request; no more and no fewer may be sent."""
    learnt = {} if learnt is None else learnt
    going = course(planner, call, NOW, timeout, learnt)
    given = list(answers)
    sent: list[Request] = []
    step = next(going)
    try:
        while True:
            if isinstance(step, Fetch):
                assert step.scope == "aws"
                keys = KEYS if step.refused is None else FRESH
                step = going.send(Supplied(NOW, timeout, keys))
            else:
                assert isinstance(step, Carry)
                sent.append(step.request)
                step = going.send(Supplied(NOW, timeout, given.pop(0)))
    except StopIteration as end:
        assert given == []
        return Played(end.value, sent, learnt)


def answer(body: Any = None, status: int = 200, **headers: str) -> Response:
    """Make an answer: JSON of `body`, unless that is bytes; ``_`` stands for ``-`` in headers."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, {"x-amzn-requestid": "request-1", "date": MIDNIGHT} | named, raw)


def refusal(code: str, status: int = 400, **headers: str) -> Response:
    """Make an answer that names an error in its body."""
    return answer({"__type": f"com.amazonaws#{code}"}, status, **headers)


def header(request: Request, name: str) -> str:
    """Give the one header of this name."""
    (value,) = (each for key, each in request.headers if key.lower() == name.lower())
    return value


def document(request: Request) -> Any:
    """Give the JSON of a request."""
    return json.loads(request.body)
