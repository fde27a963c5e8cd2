"""Ask a service: the one place where a request is authorised and sent, and a refusal judged.

A verb's plan makes the request and reads the good answer; everything between is here. What differs
between services is a value: `Service`.

The time as HTTP has it (RFC 9110, 5.6.7) is written by hand, because `strftime` speaks the language
of the locale.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator, Hashable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from leeward._http.messages import Failure, Request, Response
from leeward.adapter._plan_run import before_effect, result_of
from leeward.adapter.classification import Classification
from leeward.adapter.plans import SKEWED, Need, Plan, Send, Step, TheirTime, View
from leeward.calls import Result, UnreadableItem
from leeward.errors import Outcome
from leeward.json_text import DEEPEST, Undecodable, decode
from leeward.records import NamedTuple

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


_DAYS: Final = "Mon Tue Wed Thu Fri Sat Sun".split()
_MONTHS: Final = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()

_TWO: Final = "([0-9]{2})"
_DATE: Final = rf"[A-Z][a-z]{{2}}, {_TWO} ([A-Z][a-z]{{2}}) ([0-9]{{4}}) {_TWO}:{_TWO}:{_TWO} GMT"
"""Compiled when it is first needed: most programs never need it."""


@lru_cache(maxsize=8)
def http_date(second: int) -> str:
    """Write a time, in whole Unix seconds."""
    year, month, day, hour, minute, seconds, weekday, *_ = time.gmtime(second)
    clock = f"{hour:02}:{minute:02}:{seconds:02}"
    return f"{_DAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year:04} {clock} GMT"


def ahead_of(text: str, now: float) -> float | None:
    """Return the seconds from `now`, in Unix seconds, to the time in `text`.

    None if that is not a time in the form that servers are to send.
    """
    match = re.fullmatch(_DATE, text)
    if match is None or match[2] not in _MONTHS:
        return None
    from datetime import UTC, datetime

    day, year, hour, minute, second = map(int, match.group(1, 3, 4, 5, 6))
    try:
        there = datetime(year, _MONTHS.index(match[2]) + 1, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return there.timestamp() - now


LONGEST_WAIT: Final = 86_400.0
"""Seconds; a server that asks for more than a day is not believed."""

UNDECODABLE: Final = "undecodable"
"""AMBIGUOUS: a success whose body is not what the service documents."""
UNEXPECTED: Final = "unexpected_status"
"""AMBIGUOUS: a success, and not the one that this call ends with."""
UNREADABLE: Final = "undecodable"
"""UNUSABLE: another program has stored something that leeward cannot read."""
DAMAGED: Final = "damaged"
"""AMBIGUOUS: the body does not have the checksum that came with it."""

JSON: Final = (("Content-Type", "application/json"),)
"""The headers of a request whose body is JSON."""

NO_RESPONSE: Final = Response(0)
"""In the place of an answer that did not come."""


class ServiceAnswer(NamedTuple):
    """What came back.

    Attributes:
        response: of the service; its status is 0 where there is none.
        refusal: how the attempt has ended; None if the status is a success.
    """

    response: Response
    refusal: Result[Any] | None

    def as_look_up(self) -> ServiceAnswer:
        """Return the answer to a look-up that came before the request that counts.

        As long as only this was sent, nothing has been done, whatever became of it: a refusal that
        would be AMBIGUOUS is NOT_SENT.
        """
        refusal = self.refusal
        return self if refusal is None else ServiceAnswer(self.response, before_effect(refusal))


ServiceExchange: TypeAlias = Generator[Step, Any, ServiceAnswer]

Authorize: TypeAlias = Callable[[Request, Any, float], Request]
"""Return a request with the proof of who sends it, from a credential and a time in Unix seconds."""


def _as_it_is(request: Request, _credential: Any, _now: float) -> Request:
    return request


def _never(*_: Any) -> bool:
    return False


class Service(NamedTuple):
    """How one service is asked.

    Attributes:
        need: what a plan has to `Need` for its credential; None where nobody has to sign.
        refusal: how an attempt ends whose answer is not a success, from the answer and the time of
            that answer in Unix seconds.
        request_id: the header with the service's id of the request; empty for none.
        authorize: adds the proof of who sends a request; the credential is None without a `need`.
        may_be_skew: whether a refusal may come of a wrong clock, from it and the credential.
        tolerated_skew: seconds by which a clock may be wrong before it is to blame.
        is_damaged: whether the body does not have the checksum that came with it.
    """

    need: Hashable | None
    refusal: Callable[[Response, float], Result[Any]]
    request_id: str = ""
    authorize: Authorize = _as_it_is
    may_be_skew: Callable[[Result[Any], Any], bool] = _never
    tolerated_skew: float = 0.0
    is_damaged: Callable[[Response], bool] = _never

    def exchange(
        self,
        request: Request | Callable[[], Request],
        view: View,
        *,
        authorize: Authorize | None = None,
        effect: bool = True,
    ) -> ServiceExchange:
        """Authorise and send a request, and judge the answer if it is not a success.

        A proof that was refused although only the clock is wrong ends as AUTH with the reason
        `SKEWED`; the plan has then told the service's time, and is run again.

        Args:
            request: without a word on who sends it; or what makes it at the moment of sending.
            view: of the plan.
            authorize: in place of the service's own.
            effect: False for a look-up. A plan gets the failure of a look-up as a refusal.
        """
        credential = None if self.need is None else (yield Need(self.need))
        signed_at = view.now
        plain = request() if callable(request) else request
        signed = (authorize or self.authorize)(plain, credential, signed_at)
        response: Response | Failure = yield Send(signed, effect)
        if isinstance(response, Failure):
            return ServiceAnswer(NO_RESPONSE, result_of(response))
        if self.is_damaged(response):
            return ServiceAnswer(response, ambiguous(response, DAMAGED, request_id=self.request_id))
        if 200 <= response.status < 300:
            return ServiceAnswer(response, None)
        refusal = self.refusal(response, view.now)
        if self.may_be_skew(refusal, credential):
            theirs = ahead_of(response.headers.get("date", ""), 0.0)
            if theirs is not None and abs(theirs - signed_at) > self.tolerated_skew:
                yield TheirTime(theirs)
                refusal = refusal._replace(outcome=Outcome.AUTH, reason=SKEWED)
        return ServiceAnswer(response, refusal)

    def exchange_json(
        self, request: Request, view: View, read: Callable[[dict[str, Any]], Any] | None = None
    ) -> Plan:
        """Do a whole plan of one request whose good answer is an object of JSON, for `read_answer`.

        Without `read` the call has no value, and its good answer may be anything.
        """
        answer = yield from self.exchange(request, view)
        if read is None:
            return self.read_answer(answer)
        return self.read_answer(answer, lambda response: read(object_of(response)))

    def read_answer(
        self,
        answer: ServiceAnswer,
        read: Callable[[Response], Any] | None = None,
        *,
        status: int | None = None,
    ) -> Result[Any]:
        """Return the result of an answer: its refusal, or what a success says.

        Args:
            answer: of it.
            read: takes the value of the call out of a success. Where it raises ValueError,
                TypeError or KeyError, see `misread`. None for a call without a value.
            status: of the one success that the call ends with; None for whichever.
        """
        response, refusal = answer
        if refusal is not None:
            return refusal
        if status not in (None, response.status):
            return ambiguous(response, UNEXPECTED, request_id=self.request_id)
        try:
            value = None if read is None else read(response)
        except (ValueError, TypeError, KeyError) as error:
            return misread(response, error, request_id=self.request_id)
        return Result.ok(value, request_id=response.headers.get(self.request_id))


def by_headers(proof: Callable[[Any, float], tuple[tuple[str, str], ...]]) -> Authorize:
    """Return what adds the headers that `proof` makes of a credential and a time."""

    def authorize(request: Request, credential: Any, now: float) -> Request:
        return request._replace(headers=request.headers + proof(credential, now))

    return authorize


def bearer(token: str, _now: float = 0.0) -> tuple[tuple[str, str], ...]:
    """Return the header with a token that nothing else has to prove (RFC 6750)."""
    return (("Authorization", f"Bearer {token}"),)


def result_of_refusal(
    response: Response,
    now: float,
    meaning: Classification,
    code: str | None,
    request_id: str = "",
    *,
    wait: Callable[[Response, float], float | None] | None = None,
) -> Result[Any]:
    """Return the result of a refusal, at `now` in Unix seconds, by its `meaning`.

    `code` is the service's own name of it, None for one by its status; `request_id` the header with
    the service's id of the request; `wait` returns the seconds to wait, as `retry_after` does.
    """
    return Result(
        meaning.outcome,
        code=code or f"http.{response.status}",
        reason=meaning.reason,
        request_id=response.headers.get(request_id),
        retry_after=(wait or retry_after)(response, now),
    )


def object_of(response: Response, deepest: int = DEEPEST) -> dict[str, Any]:
    """Return the JSON object in the body of an answer; raise `Undecodable` if there is none."""
    document = decode(response.body, deepest=deepest)
    if not isinstance(document, dict):
        raise Undecodable("the JSON is not an object")
    return document


def error_in(response: Response) -> dict[str, Any]:
    """Return the JSON object in the body of a refusal; an empty one if there is none."""
    try:
        return object_of(response)
    except Undecodable:
        return {}


def ambiguous(
    response: Response, reason: str, cause: BaseException | None = None, *, request_id: str = ""
) -> Result[Any]:
    """Return the result of an answer that cannot be trusted, or read, for a `reason`.

    `cause` is what reading it raised, `request_id` the header with the service's id of the request.
    """
    return Result(
        Outcome.AMBIGUOUS,
        code=f"http.{response.status}",
        reason=reason,
        request_id=response.headers.get(request_id),
        executed=True if 200 <= response.status < 300 else None,
        cause=cause,
    )


def misread(response: Response, error: Exception, *, request_id: str = "") -> Result[Any]:
    """Return the result of a success that cannot be read, as `error` says.

    UNUSABLE for an `UnreadableItem`: another program has written it. Otherwise the answer is not
    what the service documents: AMBIGUOUS, and it ran. `request_id` is as of `ambiguous`.
    """
    if isinstance(error, UnreadableItem):
        return Result(
            Outcome.UNUSABLE,
            message="an item cannot be read by leeward: another program has written it",
            reason=UNREADABLE,
            cause=error,
        )
    return ambiguous(response, UNDECODABLE, error, request_id=request_id)


def retry_after(response: Response, now: float) -> float | None:
    """Return the seconds that the header Retry-After asks to wait; None for none, or nonsense."""
    return wait_in(response.headers.get("retry-after", "").strip(), now)


def wait_in(text: str, now: float) -> float | None:
    """Read how long to wait: seconds, or a time of HTTP (RFC 9110, 10.2.3); None for nonsense."""
    seconds = number_in(text)
    return plausible_wait(ahead_of(text, now) if seconds is None else seconds)


def number_in(text: str) -> float | None:
    """Read a number of seconds or milliseconds; None for anything else."""
    number = text.strip()
    return float(number) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", number) else None


def plausible_wait(seconds: float | None) -> float | None:
    """Return a wait as it is, if it is one that can be meant."""
    return seconds if seconds is not None and 0 <= seconds <= LONGEST_WAIT else None


def document_in(body: bytes) -> Element:
    """Return the root of an XML document, with names that have no namespace.

    A document type is refused: entities are what makes XML dangerous, and no service sends one.

    Raises:
        Undecodable: it is not such a document.
    """
    from xml.etree.ElementTree import ParseError, fromstring

    if b"<!" in body:
        raise Undecodable("the XML has a document type, or another declaration")
    try:
        root = fromstring(body)  # noqa: S314 - without a document type there are no entities
    except (ParseError, ValueError, LookupError) as error:
        raise Undecodable("the body is not XML") from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root
