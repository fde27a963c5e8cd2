from __future__ import annotations

from typing import Any

import pytest

from leeward._http.messages import Failure, Request, Response
from leeward.adapter.http_functions import MAYBE_RAN, Address
from leeward.adapter.plans import STALE_CREDENTIALS
from leeward.calls import TOO_LARGE, Invoke, Result
from leeward.envelope import BY_HANDLER, mark_of
from leeward.errors import Outcome
from leeward_contract_tests.rows import each_row
from leeward_google.functions.plans import NO_INSTANCE, functions
from leeward_google.settings.services import Functions
from tests.google.playing import answer, headers_of
from tests.playing import call_function

ORIGIN = "https://send-a1b2c3-uc.a.run.app"
PLAN = functions(Functions(urls={"pay 1": f"{ORIGIN}/pay"}, region="us-central1"))["invoke"]
CALL = Invoke("send-receipt", b'{"order":"42"}', "key-1", marks=True)

ADDRESS = Address(ORIGIN, "/", "canary-token")
FOUND = ADDRESS._replace(looked_up=True)
MARKED: dict[str, Any] = {"x_leeward": mark_of("send-receipt", "key-1") + BY_HANDLER}
ASKED: dict[str, Any] = {"www_authenticate": 'Bearer error="invalid_token"'}


def invoke(
    *answers: Response | Failure, addresses: tuple[Address, ...] = (ADDRESS,), call: Invoke = CALL
) -> tuple[Result[Any], list[Request]]:
    return call_function(PLAN, call, *answers, addresses=addresses)


def result_of(answered: Response | Failure, **options: Any) -> Result[Any]:
    return invoke(answered, **options)[0]


# One row, one test: 5.2 of the reference, answers without the mark of a function that has one.

NONE = b"<h1>Error</h1><p>The request was aborted because there was no available instance.</p>"
RATE = b"Rate exceeded.\n"
NO_TOKEN = b"<html><head><title>401 Unauthorized</title></head></html>"
FORBIDDEN = b"<html><head><title>403 Forbidden</title></head></html>"
PAGE = b"<html><head><title>404 Page not found</title></head></html>"
LARGE = b"<html><head><title>413 Request Entity Too Large</title></head></html>"
CRASHED = {"x_google_status": "crash"}

UNKNOWN = (Outcome.AMBIGUOUS, "unmarked")
STAYS = (Outcome.APP_ERROR, "unmarked_refusal")

ROWS: dict[str, tuple[int, bytes, dict[str, Any], Outcome, str | None]] = {
    "redirect": (302, b"", {}, *STAYS),
    "a 400 of whoever": (400, b"", {}, *STAYS),
    "a 400 of the function's own": (400, b'{"a":1}', {}, *STAYS),
    "no or wrong token": (401, NO_TOKEN, {}, Outcome.AUTH, None),
    "a 401 of whoever": (401, b"", {}, *STAYS),
    "wrong audience": (401, b"", ASKED, Outcome.AUTH, STALE_CREDENTIALS),
    "no invoker": (403, FORBIDDEN, {}, Outcome.AUTH, None),
    "a 403 of whoever": (403, b"<html>Forbidden</html>", {}, *STAYS),
    "no such service": (404, PAGE, {}, Outcome.NOT_FOUND, None),
    "a 404 of the function's own": (404, b"{}", {}, *STAYS),
    "a 404 of whoever": (404, b"no such order", {}, *STAYS),
    "method": (405, b"", {}, *STAYS),
    "request timeout": (408, b"", {}, *UNKNOWN),
    "a 409 of the function's own": (409, b"{}", {}, *STAYS),
    "length required": (411, b"", {}, *STAYS),
    "too large": (413, LARGE, {}, Outcome.CALLER, TOO_LARGE),
    "an answer that is too large": (413, b"", {}, *STAYS),
    "url too long": (414, b"", {}, *STAYS),
    "media type": (415, b"", {}, *STAYS),
    "a 418 of the function's own": (418, b"", {}, *STAYS),
    "unprocessable": (422, b"{}", {}, *STAYS),
    "too early": (425, b"", {}, *UNKNOWN),
    "no instance, throttled": (429, NONE, {}, Outcome.REJECTED, NO_INSTANCE),
    "rate exceeded": (429, RATE, {}, Outcome.REJECTED, NO_INSTANCE),
    "a 429 of whoever": (429, b"slow down", {}, *UNKNOWN),
    "a 429 that repeats one": (429, b'{"from":"Rate exceeded."}', {}, *UNKNOWN),
    "an empty 429": (429, b"", {}, *UNKNOWN),
    "headers too large": (431, b"", {}, *STAYS),
    "crash": (500, b"<html>", CRASHED, Outcome.APP_ERROR, None),
    "no instance": (500, NONE, {}, Outcome.REJECTED, NO_INSTANCE),
    "a 500 of whoever": (500, b"<html>", {}, *UNKNOWN),
    "not implemented": (501, b"", {}, *UNKNOWN),
    "bad gateway": (502, b"", {}, *UNKNOWN),
    "unavailable": (503, b"Service Unavailable", {}, *UNKNOWN),
    "a 503 with a crash in it": (503, b"", CRASHED, *UNKNOWN),
    "timeout, and it goes on": (504, b"upstream request timeout", {}, *UNKNOWN),
}


@each_row("row", list(ROWS))
def test_an_unmarked_answer(row: str) -> None:
    """Each of the platform's answers has its outcome; the status is the code."""
    status, body, headers, outcome, reason = ROWS[row]
    answers = [answer(body, status, **headers)] * (2 if reason == STALE_CREDENTIALS else 1)
    new = ADDRESS._replace(token="canary-new")
    result, _ = invoke(*answers, addresses=(ADDRESS, new))
    told = None if reason == STALE_CREDENTIALS else reason
    assert (result.outcome, result.reason, result.code) == (outcome, told, f"http.{status}")
    maybe = MAYBE_RAN if reason == "unmarked_refusal" else None
    assert (result.executed, result.fault) == (None, maybe)


REFUSED = {"errorType": "RepeatRefused", "reason": "running", "errorMessage": "an earlier call"}


def test_what_a_function_says_of_a_key_is_read() -> None:
    """With the mark alone: a platform's 409 is nobody's word about a key."""
    known: dict[str, Any] = {**MARKED, "x_leeward_dedup": "group"}
    result = result_of(answer(REFUSED, 409, retry_after="4", **known))
    assert (result.outcome, result.reason, result.code) == (
        Outcome.AMBIGUOUS,
        "running",
        "http.409",
    )
    assert (result.retry_after, result.dedup, result.executed) == (4.0, "group", None)
    done = result_of(answer({**REFUSED, "reason": "not_kept"}, 409, **known))
    assert (done.outcome, done.reason, done.executed) == (Outcome.AMBIGUOUS, "not_kept", True)
    for body, headers in (
        (REFUSED, MARKED),
        (REFUSED, {"x_leeward_dedup": "group"}),
        ({**REFUSED, "errorType": "Problem"}, known),
        (b"<html>", known),
    ):
        assert result_of(answer(body, 409, **headers)).outcome is Outcome.APP_ERROR
    worth = [answer(1, 200, **known), answer(1, 200, **MARKED), answer(1, 200)]
    assert [result_of(each).dedup for each in worth] == ["group", "none", None]
    silent = [answer({}, 500, **known), answer({}, 503, **MARKED)]
    assert [result_of(each).dedup for each in silent] == ["group", None]


# Addresses that have gone stale.


def test_a_refused_token_is_replaced_once() -> None:
    """Where the front end asks for a token, the call is sent once more with a fresh one."""
    new = ADDRESS._replace(token="canary-new")
    result, sent = invoke(answer(b"", 401, **ASKED), answer(1), addresses=(ADDRESS, new))
    assert result.value == 1
    shown = [headers_of(each)["authorization"] for each in sent]
    assert shown == ["Bearer canary-token", "Bearer canary-new"]


@each_row("headers", [{}, {"www_authenticate": "Basic"}, MARKED | ASKED])
@pytest.mark.parametrize("address", [ADDRESS, FOUND])
def test_a_401_that_is_not_the_front_ends_is_not_sent_again(
    address: Address, headers: dict[str, str]
) -> None:
    """There always is another token, so a function's own 401 must not run it twice."""
    new = address._replace(token="canary-new")
    _, sent = invoke(answer(b"", 401, **headers), addresses=(address, new))
    assert len(sent) == 1


def test_a_function_that_has_moved_is_looked_up_again() -> None:
    """After the front end's own 404, the call goes to the new address."""
    moved = FOUND._replace(origin="https://send-new-uc.a.run.app")
    result, sent = invoke(answer(PAGE, 404), answer(1), addresses=(FOUND, moved))
    assert result.value == 1
    assert [each.origin for each in sent] == [ORIGIN, "https://send-new-uc.a.run.app"]


@pytest.mark.parametrize(
    ("address", "body"), [(ADDRESS, PAGE), (FOUND, b"{}"), (FOUND, b"no such order")]
)
def test_a_404_that_ends_the_call(address: Address, body: bytes) -> None:
    """A configured address has no other; a 404 without the page may be the function's own."""
    moved = address._replace(origin="https://send-new-uc.a.run.app")
    result, sent = invoke(answer(body, 404), addresses=(address, moved))
    assert result.outcome is not Outcome.OK
    told = None if body == PAGE else "unmarked_refusal"
    assert (result.reason, len(sent)) == (told, 1)
