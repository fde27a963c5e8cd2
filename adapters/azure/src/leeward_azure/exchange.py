"""Ask Azure: the one place where a request is authorised and sent, and a refusal judged.

A verb's plan makes the request and reads the good answer; everything between is here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

from leeward.adapter import Result
from leeward.adapter import exchange as asking
from leeward.adapter.classification import Classification
from leeward.adapter.exchange import NO_RESPONSE, Answer, Asking, believed, number_in, seconds_in
from leeward.adapter.http_dates import ahead_of
from leeward.adapter.plan_runner import result_of
from leeward.adapter.plans import SKEWED, Fresh, Need, Send, TheirTime, View
from leeward.errors import Outcome
from leeward.http.messages import Failure, Request, Response
from leeward_azure.errors import Judged, judge_cosmos, judge_events
from leeward_azure.identity.credentials import AccountKey, Credential
from leeward_azure.identity.signing import Headers

TOLERATED: Final = 720.0
"""Seconds by which a clock may be wrong before it is to blame for a refused signature. Cosmos DB
takes 15 minutes; a fifth less than that, as the clocks of its front ends differ too."""


class Service(NamedTuple):
    """What is particular about asking one service.

    Attributes:
        scope: of the credential; it is given as one of `leeward_azure.identity.credentials`.
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


def ask(service: Service, request: Request, authorize: Authorize, *, effect: bool = True) -> Asking:
    """Authorise and send `request`, and judge the answer if it is no success.

    A signature that was refused although only the clock is wrong ends as AUTH with the reason
    `SKEWED`; the plan has then told the service's time, and can be run again.

    Args:
        service: who is asked.
        request: without a word on who sends it.
        authorize: says that.
        effect: False for a look-up. A plan gets the failure of a look-up as a refusal.
    """
    credential: Credential = yield Need(service.scope)
    before: View = yield Fresh()
    headers = request.headers + authorize(credential, before.now)
    response: Response | Failure = yield Send(request._replace(headers=headers), effect)
    if isinstance(response, Failure):
        return Answer(NO_RESPONSE, result_of(response))
    if 200 <= response.status < 300:
        return Answer(response, None)
    judged = service.judge(response)
    theirs = None
    if service.dated and isinstance(credential, AccountKey):
        theirs = _their_time(response, judged, before.now)
    if theirs is not None:
        yield TheirTime(theirs)
        judged = judged._replace(meaning=Classification(Outcome.AUTH, SKEWED))
    after: View = yield Fresh()
    return Answer(response, _refusal(service, response, judged, after.now))


def lost(
    service: Service, response: Response, reason: str, cause: BaseException | None = None
) -> Result[Any]:
    """Return the result of a success that cannot be trusted, or read."""
    request_id = response.headers.get(service.request_id)
    return asking.lost(response, reason, cause, request_id=request_id)


def retry_after(response: Response, now: float) -> float | None:
    """Return the seconds that a service asks to wait; None for none, or for nonsense."""
    milliseconds = number_in(response.headers.get("x-ms-retry-after-ms", ""))
    if milliseconds is not None:
        return believed(milliseconds / 1000)
    return seconds_in(response.headers.get("retry-after", ""), now)


def _refusal(service: Service, response: Response, judged: Judged, now: float) -> Result[Any]:
    return Result(
        judged.meaning.outcome,
        code=judged.code,
        reason=judged.meaning.reason,
        request_id=response.headers.get(service.request_id),
        retry_after=retry_after(response, now),
    )


def _their_time(response: Response, judged: Judged, dated: float) -> float | None:
    """Return the service's time, if a request `dated` so may be refused because of it."""
    if judged.meaning.outcome is not Outcome.AUTH:
        return None
    theirs = ahead_of(response.headers.get("date", ""), 0.0)
    return theirs if theirs is not None and abs(theirs - dated) > TOLERATED else None
