"""Ask AWS: the one place where a request is signed and sent, and a refusal judged.

A verb's plan makes the request and reads the good answer; everything between is here.
"""

from __future__ import annotations

import re
from binascii import crc32
from collections.abc import Generator
from typing import Any, Final, NamedTuple, TypeAlias

from leeward.driver import Result
from leeward.errors import Outcome
from leeward.http.course import result_of
from leeward.http.jsonbody import DEEPEST, Undecodable, decode
from leeward.http.messages import Failure, Request, Response
from leeward.http.plans import CLOCK_SKEW, SKEWED, Learn, Need, Send, Step, View
from leeward_aws.credentials import Credentials
from leeward_aws.endpoints import Service
from leeward_aws.errors import MAY_BE_SKEW, Meaning, error_code, error_message, outcome_of
from leeward_aws.settings import Settings
from leeward_aws.signing import Scope, sign, skew_of

CREDENTIALS: Final = "aws"
"""The scope of the one credential that all services take; it is given as `Credentials`."""

TOLERATED: Final = 240.0
"""Seconds by which a clock may be wrong before it is to blame for a refused signature. Services
take five minutes; AWS's own SDK for Go (its package `aws/retry`) looks from four minutes on."""

LONGEST_WAIT: Final = 86_400.0
"""Seconds; a server that asks for more than a day is not believed."""

UNDECODABLE: Final = "undecodable"
"""AMBIGUOUS: a success whose body is not what the service documents."""
DAMAGED: Final = "damaged"
"""AMBIGUOUS: the body does not have the checksum that came with it."""
UNEXPECTED: Final = "unexpected_status"
"""AMBIGUOUS: a success, and not the one that this call ends with."""

_NO_RESPONSE: Final = Response(0)


class Door(NamedTuple):
    """Where one service of one target is asked.

    Attributes:
        service: for its table of errors.
        origin: ``https://host``.
        scope: of the signatures.
    """

    service: Service
    origin: str
    scope: Scope


class Answer(NamedTuple):
    """What came back.

    Attributes:
        response: of the service; its status is 0 where there is none.
        refusal: how the attempt has ended; None if the status is a success.
    """

    response: Response
    refusal: Result[Any] | None


Asking: TypeAlias = Generator[Step, Any, Answer]


def door_to(service: Service, settings: Settings) -> Door:
    """Give the door of `service` for a target with these settings."""
    return Door(service, settings.endpoints[service], Scope(service, settings.region))


def ask(door: Door, request: Request, view: View, *, effect: bool = True) -> Asking:
    """Sign and send `request`, and judge the answer if it is no success.

    A signature that was refused although only the clock is wrong ends as AUTH with the reason
    `SKEWED`; the plan has then learnt the service's time, and can be run again.

    Args:
        door: who is asked.
        request: without a signature.
        view: of the plan.
        effect: False for a look-up. A plan gets the failure of a look-up as a refusal.
    """
    skew: float = view.learnt.get(CLOCK_SKEW, 0.0)  # what view.now holds; it may change meanwhile
    credentials: Credentials = yield Need(CREDENTIALS)
    signed = sign(request, credentials, door.scope, view.now)
    response: Response | Failure = yield Send(signed, effect)
    if isinstance(response, Failure):
        return Answer(_NO_RESPONSE, result_of(response))
    if _is_damaged(response):
        return Answer(response, lost(response, DAMAGED))
    if 200 <= response.status < 300:
        return Answer(response, None)
    code = error_code(response)
    wrong_by = _clock_error(response, code, view.now)
    if wrong_by:
        yield Learn(CLOCK_SKEW, skew + wrong_by)
        return Answer(response, _refusal(response, code, Meaning(Outcome.AUTH, SKEWED), view.now))
    meaning = outcome_of(door.service, response.status, code, error_message(response))
    return Answer(response, _refusal(response, code, meaning, view.now))


def look_up(door: Door, request: Request, view: View) -> Asking:
    """Ask something before the request that counts.

    As long as only this was sent, nothing has been done, whatever became of it: a refusal that
    would be AMBIGUOUS is NOT_SENT.
    """
    answer = yield from ask(door, request, view, effect=False)
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


def lost(response: Response, reason: str, cause: BaseException | None = None) -> Result[Any]:
    """Give the result of an answer that cannot be trusted, or read."""
    return Result(
        Outcome.AMBIGUOUS,
        code=f"http.{response.status}",
        reason=reason,
        request_id=request_id(response),
        executed=True if 200 <= response.status < 300 else None,
        cause=cause,
    )


def request_id(response: Response) -> str | None:
    """Give the service's id of the request."""
    return response.headers.get("x-amzn-requestid")


def _refusal(response: Response, code: str | None, meaning: Meaning, now: float) -> Result[Any]:
    return Result(
        meaning.outcome,
        code=code or f"http.{response.status}",
        reason=meaning.reason,
        request_id=request_id(response),
        retry_after=_retry_after(response, now),
    )


def _clock_error(response: Response, code: str | None, now: float) -> float:
    """Give the seconds by which the clock is wrong, if that is why the signature was refused."""
    if code not in MAY_BE_SKEW:
        return 0.0
    seconds = skew_of(response.headers.get("date", ""), now)
    return seconds if abs(seconds) > TOLERATED else 0.0


def _is_damaged(response: Response) -> bool:
    """Compare the checksum that DynamoDB sends, of the body as it was on the wire."""
    told = response.headers.get("x-amz-crc32")
    if told is None or "content-encoding" in response.headers:
        return False
    return told.strip() != str(crc32(response.body))


def _retry_after(response: Response, now: float) -> float | None:
    """Give the seconds that the service asks to wait; None for none, or for nonsense."""
    headers = response.headers
    if "x-amz-retry-after" in headers:
        milliseconds = _number(headers["x-amz-retry-after"])
        seconds = None if milliseconds is None else milliseconds / 1000
    else:
        text = headers.get("retry-after") or _told_in_body(response)
        seconds = _number(text)
        if seconds is None and text:
            seconds = skew_of(text, now) or None
    return seconds if seconds is not None and 0 <= seconds <= LONGEST_WAIT else None


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text.strip()) else None


def _told_in_body(response: Response) -> str:
    """Give what Lambda's throttling says, where the header did not come through."""
    if b"retryAfterSeconds" not in response.body:
        return ""
    try:
        return str(object_of(response).get("retryAfterSeconds"))
    except Undecodable:
        return ""
