"""Ask AWS: the one place where a request is signed and sent, and a refusal judged.

A verb's plan makes the request and reads the good answer; everything between is here.
"""

from __future__ import annotations

from binascii import crc32
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

from leeward.adapter import Result
from leeward.adapter import exchange as asking
from leeward.adapter.classification import Classification
from leeward.adapter.exchange import (
    NO_RESPONSE,
    Answer,
    Asking,
    believed,
    number_in,
    object_of,
    seconds_in,
)
from leeward.adapter.http_dates import ahead_of
from leeward.adapter.plan_runner import result_of
from leeward.adapter.plans import SKEWED, Fresh, Need, Send, TheirTime, View
from leeward.errors import Outcome
from leeward.http.messages import Failure, Request, Response
from leeward.json_text import Undecodable
from leeward_aws.errors import MAY_BE_SKEW, error_code, error_message, outcome_of
from leeward_aws.identity.credentials import Credentials
from leeward_aws.identity.signing import Scope, sign
from leeward_aws.settings.endpoints import Service
from leeward_aws.settings.options import Settings

CREDENTIALS: Final = "aws"
"""The scope of the one credential that all services take; it is given as `Credentials`."""

TOLERATED: Final = 240.0
"""Seconds by which a clock may be wrong before it is to blame for a refused signature. Services
take five minutes; AWS's own SDK for Go (its package `aws/retry`) looks from four minutes on."""

DAMAGED: Final = "damaged"
"""AMBIGUOUS: the body does not have the checksum that came with it."""


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


def door_to(service: Service, settings: Settings) -> Door:
    """Return the door of `service` for a target with these settings."""
    return Door(service, settings.endpoints[service], Scope(service, settings.region))


Asked: TypeAlias = Request | Callable[[View], Request]
"""A request; or what makes it from the view of the moment at which it is sent."""


def ask(door: Door, asked: Asked, *, effect: bool = True) -> Asking:
    """Sign and send a request, and judge the answer if it is no success.

    A signature that was refused although only the clock is wrong ends as AUTH with the reason
    `SKEWED`; the plan has then told the service's time, and can be run again.

    Args:
        door: who is asked.
        asked: the request, without a signature.
        effect: False for a look-up. A plan gets the failure of a look-up as a refusal.
    """
    credentials: Credentials = yield Need(CREDENTIALS)
    before: View = yield Fresh()
    request = asked(before) if callable(asked) else asked
    signed = sign(request, credentials, door.scope, before.now)
    response: Response | Failure = yield Send(signed, effect)
    if isinstance(response, Failure):
        return Answer(NO_RESPONSE, result_of(response))
    if _is_damaged(response):
        return Answer(response, lost(response, DAMAGED))
    if 200 <= response.status < 300:
        return Answer(response, None)
    code = error_code(response)
    if _is_clock_wrong(response, code, before.now):
        yield TheirTime(ahead_of(response.headers["date"], 0.0) or 0.0)
        meaning = Classification(Outcome.AUTH, SKEWED)
    else:
        meaning = outcome_of(door.service, response.status, code, error_message(response))
    after: View = yield Fresh()
    return Answer(response, _refusal(response, code, meaning, after.now))


def look_up(door: Door, asked: Asked) -> Asking:
    """Ask something before the request that counts."""
    return asking.looked_up((yield from ask(door, asked, effect=False)))


def lost(response: Response, reason: str, cause: BaseException | None = None) -> Result[Any]:
    """Return the result of an answer that cannot be trusted, or read."""
    return asking.lost(response, reason, cause, request_id=request_id(response))


def request_id(response: Response) -> str | None:
    """Return the service's id of the request."""
    return response.headers.get("x-amzn-requestid")


def _refusal(
    response: Response, code: str | None, meaning: Classification, now: float
) -> Result[Any]:
    return Result(
        meaning.outcome,
        code=code or f"http.{response.status}",
        reason=meaning.reason,
        request_id=request_id(response),
        retry_after=_retry_after(response, now),
    )


def _is_clock_wrong(response: Response, code: str | None, signed_at: float) -> bool:
    """Return whether a wrong clock is why the service refused the signature."""
    if code not in MAY_BE_SKEW:
        return False
    return abs(ahead_of(response.headers.get("date", ""), signed_at) or 0.0) > TOLERATED


def _is_damaged(response: Response) -> bool:
    """Compare the checksum that DynamoDB sends, of the body as it was on the wire."""
    told = response.headers.get("x-amz-crc32")
    if told is None or "content-encoding" in response.headers:
        return False
    return told.strip() != str(crc32(response.body))


def _retry_after(response: Response, now: float) -> float | None:
    """Return the seconds that the service asks to wait; None for none, or for nonsense."""
    headers = response.headers
    if "x-amz-retry-after" in headers:
        milliseconds = number_in(headers["x-amz-retry-after"])
        return believed(None if milliseconds is None else milliseconds / 1000)
    return seconds_in(headers.get("retry-after") or _told_in_body(response), now)


def _told_in_body(response: Response) -> str:
    """Return what Lambda's throttling says, where the header did not come through."""
    if b"retryAfterSeconds" not in response.body:
        return ""
    try:
        return str(object_of(response).get("retryAfterSeconds"))
    except Undecodable:
        return ""
