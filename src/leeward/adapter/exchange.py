"""What the adapters' one place of asking has in common: answers, and those that are no proof.

Each adapter's `asking` authorises a request, sends it and judges a refusal, in its cloud's way.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any, Final, NamedTuple, TypeAlias

from leeward.adapter.http_dates import ahead_of
from leeward.adapter.plans import Step
from leeward.calls import Result
from leeward.errors import Outcome
from leeward.http.messages import Response
from leeward.json_text import DEEPEST, Undecodable, decode

LONGEST_WAIT: Final = 86_400.0
"""Seconds; a server that asks for more than a day is not believed."""

UNDECODABLE: Final = "undecodable"
"""AMBIGUOUS: a success whose body is not what the service documents."""
UNEXPECTED: Final = "unexpected_status"
"""AMBIGUOUS: a success, and not the one that this call ends with."""

NO_RESPONSE: Final = Response(0)
"""In the place of an answer that did not come."""


class Answer(NamedTuple):
    """What came back.

    Attributes:
        response: of the service; its status is 0 where there is none.
        refusal: how the attempt has ended; None if the status is a success.
    """

    response: Response
    refusal: Result[Any] | None


Asking: TypeAlias = Generator[Step, Any, Answer]


def looked_up(answer: Answer) -> Answer:
    """Return the answer to a look-up that came before the request that counts.

    As long as only this was sent, nothing has been done, whatever became of it: a refusal that
    would be AMBIGUOUS is NOT_SENT.
    """
    refusal = answer.refusal
    if refusal is None or refusal.outcome is not Outcome.AMBIGUOUS:
        return answer
    return Answer(answer.response, refusal._replace(outcome=Outcome.NOT_SENT, executed=None))


def object_of(response: Response, deepest: int = DEEPEST) -> dict[str, Any]:
    """Return the JSON object in the body of an answer.

    Raises:
        Undecodable: there is none.
    """
    document = decode(response.body, deepest=deepest)
    if not isinstance(document, dict):
        raise Undecodable("the JSON is no object")
    return document


def lost(
    response: Response,
    reason: str,
    cause: BaseException | None = None,
    *,
    request_id: str | None = None,
) -> Result[Any]:
    """Return the result of an answer that cannot be trusted, or read."""
    return Result(
        Outcome.AMBIGUOUS,
        code=f"http.{response.status}",
        reason=reason,
        request_id=request_id,
        executed=True if 200 <= response.status < 300 else None,
        cause=cause,
    )


def seconds_in(text: str, now: float) -> float | None:
    """Read how long to wait: seconds, or a time of HTTP (RFC 9110, 10.2.3); None for nonsense."""
    seconds = number_in(text)
    return believed(ahead_of(text, now) if seconds is None else seconds)


def number_in(text: str) -> float | None:
    """Read a number of seconds or milliseconds; None for anything else."""
    found = text.strip()
    return float(found) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", found) else None


def believed(seconds: float | None) -> float | None:
    """Return a wait as it is, if it is one that can be meant."""
    return seconds if seconds is not None and 0 <= seconds <= LONGEST_WAIT else None
