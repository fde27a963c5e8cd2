"""Play the plans of AWS: its credentials, and its answers."""

from __future__ import annotations

from typing import Any

from leeward._http.messages import Failure, Request, Response
from leeward.adapter.plans import Planner
from leeward.calls import Call
from leeward_aws.identity.credentials import AccessKey, Credentials
from leeward_aws.settings.options import Settings
from tests import playing
from tests.playing import LATER, MIDNIGHT, NOW, Played, document, json_answer

__all__ = ["LATER", "MIDNIGHT", "NOW", "Played", "document"]

KEYS = Credentials("AKIDEXAMPLE", "secret-of-the-tests", "token-of-the-tests")
FRESH = Credentials("AKIDFRESH", "fresh-secret-of-the-tests")
"""What is given once `KEYS` have been refused."""

SETTINGS = Settings(
    "eu-west-1",
    {
        "lambda": "https://lambda.eu-west-1.amazonaws.com",
        "events": "https://events.eu-west-1.amazonaws.com",
        "dynamodb": "https://dynamodb.eu-west-1.amazonaws.com",
        "sqs": "https://sqs.eu-west-1.amazonaws.com",
        "states": "https://states.eu-west-1.amazonaws.com",
    },
)


def play(
    planner: Planner,
    call: Call,
    *answers: Response | Failure,
    learnt: dict[str, Any] | None = None,
    timeout: float = 10.0,
) -> Played:
    """Run a plan over `answers`; one credential serves all services."""
    played = playing.play(
        planner, call, *answers, credential=KEYS, fresh=FRESH, learnt=learnt, timeout=timeout
    )
    assert set(played.needed) <= {AccessKey()}
    return played


def answer(body: Any = None, status: int = 200, **headers: str) -> Response:
    """Make an answer: JSON of `body`, unless that is bytes; ``_`` stands for ``-`` in headers."""
    given = {"x-amzn-requestid": "request-1", "date": MIDNIGHT}
    return json_answer(body, status, given, headers)


def refusal(code: str, status: int = 400, **headers: str) -> Response:
    """Make an answer that names an error in its body."""
    return answer({"__type": f"com.amazonaws#{code}"}, status, **headers)


def header(request: Request, name: str) -> str:
    """Give the one header of this name."""
    (value,) = (each for key, each in request.headers if key.lower() == name.lower())
    return value
