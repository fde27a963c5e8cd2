"""Ask Azure: the one place where a request is authorised and sent, and a refusal judged.

A verb's plan makes the request and reads the good answer; everything between is here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from typing import Any, Final, NamedTuple, TypeAlias

from leeward.driver import Result
from leeward.errors import Outcome
from leeward.http.course import result_of
from leeward.http.jsonbody import DEEPEST, Undecodable, decode
from leeward.http.messages import Failure, Request, Response
from leeward.http.plans import CLOCK_SKEW, SKEWED, Learn, Need, Send, Step, View
from leeward_azure.credentials import AccountKey, Credential
from leeward_azure.dates import ahead_of
from leeward_azure.errors import Judged, Meaning, judge_cosmos, judge_events
from leeward_azure.signing import Headers

TOLERATED: Final = 720.0
"""Seconds by which a clock may be wrong before it is to blame for a refused signature. Cosmos DB
takes 15 minutes; a fifth less than that, as the clocks of its front ends differ too."""

LONGEST_WAIT: Final = 86_400.0
"""Seconds; a server that asks for more than a day is not believed."""

UNDECODABLE: Final = "undecodable"
"""AMBIGUOUS: a success whose body is not what the service documents."""
UNEXPECTED: Final = "unexpected_status"
"""AMBIGUOUS: a success, and not the one that this call ends with."""

_NO_RESPONSE: Final = Response(0)


class Service(NamedTuple):
    """What is particular about asking one service.

    Attributes:
        scope: of the credential; it is given as one of `leeward_azure.credentials`.
        judge: says what an error answer means.
        request_id: the header with the service's id of the request.
        dated: whether a signature by an `AccountKey` holds for some minutes only.
    """

    scope: str
    judge: Callable[[Response], Judged]
    request_id: str
    dated: bool = False


COSMOS: Final = Service("cosmos", judge_cosmos, "x-ms-activity-id", dated=True)
EVENTS: Final = Service("eventgrid", judge_events, "x-ms-request-id")

Authorize: TypeAlias = Callable[[Credential, float], Headers]
"""Gives the headers that a credential makes, at a time in Unix seconds."""


class Answer(NamedTuple):
    """What came back.

    Attributes:
        response: of the service; its status is 0 where there is none.
        refusal: how the attempt has ended; None if the status is a success.
    """

    response: Response
    refusal: Result[Any] | None


Asking: TypeAlias = Generator[Step, Any, Answer]


def ask(
    service: Service, request: Request, authorize: Authorize, view: View, *, effect: bool = True
) -> Asking:
    """Authorise and send `request`, and judge the answer if it is no success.

    A signature that was refused although only the clock is wrong ends as AUTH with the reason
    `SKEWED`; the plan has then learnt the service's time, and can be run again.

    Args:
        service: who is asked.
        request: without a word on who sends it.
        authorize: says that.
        view: of the plan.
        effect: False for a look-up. A plan gets the failure of a look-up as a refusal.
    """
    skew: float = view.learnt.get(CLOCK_SKEW, 0.0)  # what view.now holds; it may change meanwhile
    credential: Credential = yield Need(service.scope)
    headers = request.headers + authorize(credential, view.now)
    response: Response | Failure = yield Send(request._replace(headers=headers), effect)
    if isinstance(response, Failure):
        return Answer(_NO_RESPONSE, result_of(response))
    if 200 <= response.status < 300:
        return Answer(response, None)
    judged = service.judge(response)
    wrong_by = 0.0
    if service.dated and isinstance(credential, AccountKey):
        wrong_by = _clock_error(response, judged, view.now)
    if wrong_by:
        yield Learn(CLOCK_SKEW, skew + wrong_by)
        judged = judged._replace(meaning=Meaning(Outcome.AUTH, SKEWED))
    return Answer(response, _refusal(service, response, judged, view.now))


def looked_up(answer: Answer) -> Answer:
    """Give the answer to a look-up that came before the request that counts.

    As long as only this was sent, nothing has been done, whatever became of it: a refusal that
    would be AMBIGUOUS is NOT_SENT.
    """
    refusal = answer.refusal
    if refusal is None or refusal.outcome is not Outcome.AMBIGUOUS:
        return answer
    return Answer(answer.response, refusal._replace(outcome=Outcome.NOT_SENT, executed=None))


def object_of(response: Response, deepest: int = DEEPEST) -> dict[str, Any]:
    """Give the JSON object in the body of an answer.

    Raises:
        Undecodable: there is none.
    """
    document = decode(response.body, deepest=deepest)
    if not isinstance(document, dict):
        raise Undecodable("the JSON is no object")
    return document


def lost(
    service: Service, response: Response, reason: str, cause: BaseException | None = None
) -> Result[Any]:
    """Give the result of a success that cannot be trusted, or read."""
    return Result(
        Outcome.AMBIGUOUS,
        code=f"http.{response.status}",
        reason=reason,
        request_id=response.headers.get(service.request_id),
        executed=True,
        cause=cause,
    )


def retry_after(response: Response, now: float) -> float | None:
    """Give the seconds that a service asks to wait; None for none, or for nonsense."""
    headers = response.headers
    milliseconds = _number(headers.get("x-ms-retry-after-ms", ""))
    if milliseconds is not None:
        seconds: float | None = milliseconds / 1000
    else:
        text = headers.get("retry-after", "")
        seconds = _number(text)
        if seconds is None:
            seconds = ahead_of(text, now)
    return seconds if seconds is not None and 0 <= seconds <= LONGEST_WAIT else None


def _refusal(service: Service, response: Response, judged: Judged, now: float) -> Result[Any]:
    return Result(
        judged.meaning.outcome,
        code=judged.code,
        reason=judged.meaning.reason,
        request_id=response.headers.get(service.request_id),
        retry_after=retry_after(response, now),
    )


def _clock_error(response: Response, judged: Judged, now: float) -> float:
    """Give the seconds by which the clock is wrong, if that may be why a signature was refused."""
    if judged.meaning.outcome is not Outcome.AUTH:
        return 0.0
    seconds = ahead_of(response.headers.get("date", ""), now) or 0.0
    return seconds if abs(seconds) > TOLERATED else 0.0


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text.strip()) else None
