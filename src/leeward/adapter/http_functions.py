"""Call a function over HTTP, whatever platform it runs on, and know who answered.

Any status, header and text may come from the function's own code, which may pass on what it has
been told by somebody else; and any may come from a gateway in front of it, after the function has
begun. So without the mark of the call nothing is proved: neither that the function ran, nor that it
did not. Who answered is told by what cannot come from anybody else:

* **the handler**: its answers have the mark of the call (`leeward.envelope`), and say whether it
  is leeward's, whose word counts on whether the function ran;
* **the platform**: a `Proof` that its adapter names, such as a page of its own, of a function that
  marks its answers;
* else **nobody knows**.

`BY_PLATFORM` and `outcome_of` are the whole table; ``docs/outcomes.md`` shows it, and says when a
function counts as one that marks its answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from leeward._http.messages import Request, Response
from leeward.adapter.classification import (
    AMBIGUOUS,
    APP_ERROR,
    AUTH,
    CALLER,
    NOT_FOUND,
    REJECTED,
    TOO_LARGE,
    Classification,
)
from leeward.adapter.plans import STALE_CREDENTIALS, Learn, Need, Plan, Send, View
from leeward.adapter.repeats import read_failure, worth_of
from leeward.adapter.resolver import FunctionAddress
from leeward.adapter.service import UNDECODABLE, bearer, retry_after
from leeward.calls import UNMARKED, UNMARKED_REFUSAL, Invoke, Result, Settle
from leeward.envelope import (
    BY_HANDLER,
    DEDUP,
    MARK,
    QUESTION,
    UNBOUND,
    mark_of,
    read_fault,
    request_headers,
)
from leeward.errors import Outcome
from leeward.json_text import Undecodable, decode
from leeward.masking import show_only
from leeward.records import NamedTuple
from leeward.values import FunctionFault

BY_PLATFORM: Final[Mapping[int, Classification]] = {
    **dict.fromkeys((400, 405, 411, 414, 415, 431), CALLER),
    401: AUTH,
    403: AUTH,
    404: NOT_FOUND,
    413: TOO_LARGE,
    429: REJECTED,
}
"""What the statuses of a platform mean where a `Proof` does not say: all come before it runs."""

_UNMARKED: Final = Classification(Outcome.AMBIGUOUS, UNMARKED)
_UNMARKED_REFUSAL: Final = Classification(Outcome.APP_ERROR, UNMARKED_REFUSAL)
MAYBE_RAN: Final = FunctionFault(ran="maybe")
"""All that such a refusal says of the function."""
_REFUSALS: Final = frozenset({Outcome.AUTH, Outcome.NOT_FOUND, Outcome.CALLER})
_LATER: Final = frozenset({408, 425, 429})
"""Statuses below 500 that say nothing of the request: the same one may go well later (RFC 9110,
15.5.9; RFC 8470, 5.2; RFC 6585, 4)."""
_UNMARKS: Final = "unmarks "
"""With the name of a function behind it, what is learnt of one that was said to mark all."""


class Proof(NamedTuple):
    """By what the platform's own answers are known.

    Attributes:
        statuses: with which it comes.
        meaning: what it means; None for what `BY_PLATFORM` has.
        header: a header that it has, in lower case, and how its value begins, in lower case.
        header_is: the same, and what its value is as a whole.
        page: its body is a page of HTML, from its first byte to its last, and has this in it, in
            lower case, with the tag before it: what an element begins with.
        whole: all that its body is, but for white space around it.
        bare: it has no body, and does not say of what type that would be.
        by_anyone: it proves the same of a function that does not mark its answers, because the
            platform lets no function answer so.
    """

    statuses: frozenset[int]
    meaning: Classification | None = None
    header: tuple[str, str] | None = None
    header_is: tuple[str, str] | None = None
    page: bytes | None = None
    whole: bytes | None = None
    bare: bool = False
    by_anyone: bool = False

    def holds(self, response: Response) -> bool:
        """Return whether `response` is an answer of this kind."""
        if response.status not in self.statuses:
            return False
        if self.header is not None:
            name, beginning = self.header
            value = response.headers.get(name)
            if value is None or not value.lower().startswith(beginning):
                return False
        if self.header_is is not None:
            name, whole = self.header_is
            if response.headers.get(name, "").lower() != whole:
                return False
        if self.page is not None and self.page not in _page_in(response):
            return False
        if self.whole is not None and response.body.strip() != self.whole:
            return False
        return not (self.bare and (response.body or "content-type" in response.headers))


@show_only("origin looked_up")
class Address(NamedTuple):
    """Where a function is called, and with what.

    Attributes:
        origin: of its URL.
        target: the path, and a query, which may be a key.
        token: a token for it, or None.
        looked_up: it was looked up, so it may have changed since.
        key: where a platform has such things, a key of the function, or None.
    """

    origin: str
    target: str
    token: str | None = None
    looked_up: bool = False
    key: str | None = None


def by_token(address: Address) -> tuple[tuple[str, str], ...]:
    """Return the header with the token of an address; none where it has no token."""
    return () if address.token is None else bearer(address.token)


class FunctionPlatform(NamedTuple):
    """What is particular about calling functions on one platform.

    Attributes:
        proofs: by which its own answers are known; the first one that holds counts.
        request_id: the platform's id of the request.
        credentials: the headers that prove who calls, for an address.
        retry_after: seconds that an answer asks to wait, from it and the time in Unix seconds.
    """

    proofs: tuple[Proof, ...]
    request_id: Callable[[Response], str | None]
    credentials: Callable[[Address], tuple[tuple[str, str], ...]] = by_token
    retry_after: Callable[[Response, float], float | None] = retry_after


def invoke(
    platform: FunctionPlatform, call: Invoke | Settle, view: View, address: Address | None = None
) -> Plan:
    """Call a function on a platform, and wait for its answer.

    Without an `address` the plan needs the `FunctionAddress`, which the adapter's source gives.
    """
    if address is None:
        reply: Address = yield Need(FunctionAddress(call.function))
        address = reply
    mark = mark_of(call.function, call.idempotency_key)
    settles = call.verb == "settle"
    headers = (
        ("Content-Type", QUESTION if settles else "application/json"),
        *request_headers(
            call.idempotency_key,
            view.timeout,
            call.trace,
            mark,
            call.voids,
            settles=settles,
            demand=call.demand if isinstance(call, Invoke) else "",
        ),
        *platform.credentials(address),
    )
    request = Request("POST", address.origin, address.target, headers, call.payload)
    response: Response = yield Send(request)
    request_id = platform.request_id(response)
    said = response.headers.get(MARK)
    by_handler = said == mark + BY_HANDLER
    is_marked = by_handler or said == mark or (call.marks and said == UNBOUND)
    is_success = 200 <= response.status < 300
    if call.marks and not is_marked and (is_success or said is not None):
        yield Learn(_UNMARKS + call.function, True)
    if is_success and settles and not is_marked:  # it may be what somebody else has answered
        return Result.ok(None, request_id=request_id)
    if is_success:
        return _value_of(response, request_id, by_handler=by_handler, is_marked=is_marked)
    code, wait = f"http.{response.status}", platform.retry_after(response, view.now)
    if is_marked:
        result = _failure_of(response, wait, by_handler=by_handler)
        return result._replace(code=code, request_id=request_id)
    marks = call.marks and _UNMARKS + call.function not in view.learnt
    meaning = outcome_of(response, platform.proofs, marks=marks)
    may_have_run_it = meaning is _UNMARKED and response.status == 500
    if settles and (meaning is _UNMARKED_REFUSAL or may_have_run_it):
        meaning = APP_ERROR  # who may have taken the question for a call is asked no second time
    if meaning.reason not in (UNMARKED, UNMARKED_REFUSAL) and _may_be_stale(response, address):
        meaning = Classification(meaning.outcome, STALE_CREDENTIALS)
    return Result(
        meaning.outcome,
        code=code,
        reason=meaning.reason,
        request_id=request_id,
        retry_after=wait,
        fault=MAYBE_RAN if meaning is _UNMARKED_REFUSAL else None,
    )


def outcome_of(response: Response, proofs: tuple[Proof, ...], *, marks: bool) -> Classification:
    """Return what an answer without the mark of its call means, other than 2xx.

    Where nothing is proved, what refuses this request alone is APP_ERROR, `UNMARKED_REFUSAL`: no
    other target would take it. So is what a function passes on, with the mark of another call. The
    rest is AMBIGUOUS, `UNMARKED`. The function is declared to mark its answers if `marks` says so.
    """
    status = response.status
    if MARK in response.headers:
        return _UNMARKED_REFUSAL
    proof = next((proof for proof in proofs if proof.holds(response)), None)
    if proof is None:
        return _UNMARKED if status >= 500 or status in _LATER else _UNMARKED_REFUSAL
    meaning = proof.meaning or BY_PLATFORM.get(status, AMBIGUOUS)
    if marks or proof.by_anyone:
        return meaning
    return _UNMARKED_REFUSAL if meaning.outcome in _REFUSALS else _UNMARKED


def _value_of(
    response: Response, request_id: str | None, *, by_handler: bool, is_marked: bool
) -> Result[Any]:
    """Read a success; what is not marked may be the page of a gateway. 204 and no body are None."""
    try:
        value = decode(response.body) if response.body else None
    except Undecodable as error:
        return Result(
            Outcome.AMBIGUOUS,
            code=f"http.{response.status}",
            reason=UNDECODABLE,
            request_id=request_id,
            executed=True if is_marked else None,
            cause=error,
        )
    dedup = worth_of(response.headers.get(DEDUP)) if by_handler else None
    return Result.ok(value, request_id=request_id, dedup=dedup)


def _failure_of(response: Response, retry_after: float | None, *, by_handler: bool) -> Result[Any]:
    """Read what a function says of a call that has failed, or that it has refused.

    Of another framework's, what it says of a failure may be what it was told itself.
    """
    if not by_handler:
        fault = read_fault(response.body)
        return Result(APP_ERROR.outcome, retry_after=retry_after, fault=fault)
    try:
        failure = decode(response.body)
    except Undecodable:
        failure = None
    return read_failure(failure, response.headers.get(DEDUP), retry_after)


def _page_in(response: Response) -> bytes:
    """Return a page of HTML in lower case, without white space behind tags; empty for no page."""
    body = response.body.strip().lower()
    kind = response.headers.get("content-type", "text/html").lower()
    if not (kind.startswith("text/html") and body.startswith(b"<") and body.endswith(b">")):
        return b""
    return b">".join(part.lstrip() for part in body.split(b">"))


def _may_be_stale(response: Response, address: Address) -> bool:
    """Return whether another address, key or token may mend a refusal of the platform.

    The call is then sent once more. There always is another token, so there the platform has to
    have asked for one.
    """
    if response.status == 401 and address.token is not None:
        return "www-authenticate" in response.headers
    return response.status in (401, 404) and address.looked_up
