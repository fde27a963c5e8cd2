from __future__ import annotations

from typing import Any

import pytest

from leeward._http.messages import Failure, Request, Response
from leeward.adapter.http_functions import MAYBE_RAN, Address
from leeward.calls import TOO_LARGE, Invoke, Result
from leeward.envelope import BY_HANDLER, mark_of
from leeward.errors import InvalidRequest, Outcome
from leeward_azure.functions.plans import OFFLINE, STOPPED, functions
from leeward_azure.settings.services import Functions
from leeward_contract_tests.rows import each_row
from tests.azure.playing import LATER, NOW, answer, headers_of
from tests.http.slowly import play_slowly
from tests.playing import call_function

CONFIGURED = Functions("https://shop.azurewebsites.net", routes={"pay": "orders/pay"})
PLAN = functions(CONFIGURED)["invoke"]
CALL = Invoke("send-receipt", b'{"order":"42"}', "key-1", marks=True)

ADDRESS = Address("https://shop.azurewebsites.net", "/api/send-receipt", key="canary-key")
FOUND = ADDRESS._replace(looked_up=True)
MARKED = {"x_leeward": mark_of("send-receipt", "key-1") + BY_HANDLER}
ASKED = {"www_authenticate": "Bearer"}


def invoke(
    *answers: Response | Failure, addresses: tuple[Address, ...] = (ADDRESS,), call: Invoke = CALL
) -> tuple[Result[Any], list[Request]]:
    return call_function(PLAN, call, *answers, addresses=addresses)


def result_of(answered: Response | Failure, **options: Any) -> Result[Any]:
    return invoke(answered, **options)[0]


def test_the_deadline_and_a_wait_are_told_by_the_time_as_it_is() -> None:
    """A look-up of the address took some of it, and the answer more."""
    busy = answer(b"", 429, retry_after=LATER)
    played = play_slowly(PLAN, CALL, (4.0, ADDRESS), (2.0, busy), now=NOW, timeout=10.0)
    assert headers_of(played.sent[0])["x-leeward-deadline-ms"] == "6000"
    assert played.result.retry_after == 3594.0


def test_a_token_goes_beside_the_key_or_in_its_place() -> None:
    """A token is a bearer's; a function that is open to all gets neither."""
    both = ADDRESS._replace(token="canary-token")
    for address, shown in (
        (both, ("canary-key", "Bearer canary-token")),
        (both._replace(key=None), (None, "Bearer canary-token")),
        (ADDRESS._replace(key=None), (None, None)),
    ):
        _, (request,) = invoke(answer(1), addresses=(address,))
        headers = headers_of(request)
        assert (headers.get("x-functions-key"), headers.get("authorization")) == shown


@each_row("name", ["", "a/b", "..", "1a", "a b", "a%2e", "ä", "a" * 128, "a?code=x"])
def test_a_name_that_is_no_functions(name: str) -> None:
    """It is refused before anything is asked for, and the message says what to do."""
    with pytest.raises(InvalidRequest, match="routes"):
        invoke(call=CALL._replace(function=name))


@each_row("body", [b"<html>", b"{", b"NaN", b'{"a":1,"a":2}', b"\xff", b" "])
def test_a_success_that_cannot_be_read(body: bytes) -> None:
    """It ran if it has the mark, and what it said is lost; else a gateway may have given it."""
    result = result_of(answer(body, 200, **MARKED))
    assert (result.outcome, result.executed) == (Outcome.AMBIGUOUS, True)
    assert result_of(answer(body)).executed is None
    assert (result.reason, result.code) == ("undecodable", "http.200")


# One row, one test: 4.2 of the reference, answers without the mark of a function that has one.

STOPPED_PAGE = b"<h1>Error 403 - This web app is stopped.</h1>"
OFFLINE_PAGE = b"<html><head><title>Host Offline</title></head></html>"
KUDU_PAGE = b"<!-- Created by kudu -->"
NO_APP = b"<html><title>404 Web Site not found.</title></html>"
NOT_STARTED = b"Function host is not running."

UNKNOWN = (Outcome.AMBIGUOUS, "unmarked")
REFUSED = (Outcome.APP_ERROR, "unmarked_refusal")

ROWS: dict[str, tuple[int, bytes, Outcome, str | None]] = {
    "redirect": (302, b"", *REFUSED),
    "bad request": (400, b"", Outcome.CALLER, None),
    "no or wrong key": (401, b"", Outcome.AUTH, None),
    "a 401 of the function's own": (401, b"{}", *REFUSED),
    "a 401 of whoever": (401, b"no", *REFUSED),
    "forbidden": (403, b"<html>IP forbidden</html>", Outcome.AUTH, None),
    "stopped app": (403, STOPPED_PAGE, Outcome.REJECTED, STOPPED),
    "no such route": (404, b"", Outcome.NOT_FOUND, None),
    "no such app": (404, NO_APP, Outcome.NOT_FOUND, None),
    "method": (405, b"", Outcome.CALLER, None),
    "request timeout": (408, b"", *UNKNOWN),
    "a 409 of the function's own": (409, b"{}", *REFUSED),
    "length required": (411, b"", Outcome.CALLER, None),
    "too large": (413, b"", Outcome.CALLER, TOO_LARGE),
    "url too long": (414, b"", Outcome.CALLER, None),
    "media type": (415, b"", Outcome.CALLER, None),
    "a 418 of the function's own": (418, b"", *REFUSED),
    "unprocessable": (422, b"{}", *REFUSED),
    "a 404 of the function's own": (404, b'{"order":"42"}', *REFUSED),
    "a 404 of whoever": (404, b"<html>not here</html>", *REFUSED),
    "a 403 of whoever": (403, b"<html>no</html>", *REFUSED),
    "a 400 of whoever": (400, b"bad", *REFUSED),
    "too early": (425, b"", *UNKNOWN),
    "host throttle": (429, b"", Outcome.REJECTED, None),
    "a 429 of whoever": (429, b"slow down", *UNKNOWN),
    "headers too large": (431, b"", Outcome.CALLER, None),
    "function raised": (500, b"", Outcome.APP_ERROR, None),
    "a 500 of the function's own": (500, b'{"error":1}', *UNKNOWN),
    "a 500 of whoever": (500, b"<html>oops</html>", *UNKNOWN),
    "not implemented": (501, b"", *UNKNOWN),
    "worker died, or 230 seconds": (502, b"", *UNKNOWN),
    "host not up": (503, NOT_STARTED, Outcome.REJECTED, OFFLINE),
    "host offline": (503, OFFLINE_PAGE, Outcome.REJECTED, OFFLINE),
    "being deployed": (503, KUDU_PAGE, Outcome.REJECTED, OFFLINE),
    "unavailable": (503, b"", *UNKNOWN),
    "unavailable, with a page": (503, b"The service is unavailable.", *UNKNOWN),
    "gateway timeout": (504, b"", *UNKNOWN),
}


@each_row("row", list(ROWS))
def test_an_unmarked_answer(row: str) -> None:
    """Each of the platform's answers has its outcome; the status is the code."""
    status, body, outcome, reason = ROWS[row]
    result = result_of(answer(body, status))
    assert (result.outcome, result.reason, result.code) == (outcome, reason, f"http.{status}")
    maybe = MAYBE_RAN if reason == "unmarked_refusal" else None
    assert (result.request_id, result.executed, result.fault) == ("request-1", None, maybe)


def test_an_unmarked_body_is_not_read_for_a_fault() -> None:
    """Without the mark it may be anybody's, so nothing of it is repeated."""
    result = result_of(answer({"errorType": "Canary"}, 500))
    assert (result.fault, "Canary" in repr(result)) == (None, False)


@pytest.mark.parametrize(("text", "seconds"), [("7", 7.0), (LATER, 3600.0), ("-1", None)])
def test_retry_after(text: str, seconds: float | None) -> None:
    """Seconds and dates count, marked or not; nonsense does not."""
    assert result_of(answer(b"", 429, retry_after=text)).retry_after == seconds
    assert result_of(answer(b"", 503, retry_after=text, **MARKED)).retry_after == seconds


# Addresses that have gone stale.


def test_a_configured_key_is_not_tried_twice() -> None:
    """A 401 with a key of the configuration ends the call: there is no other one."""
    result, sent = invoke(answer(b"", 401), addresses=(ADDRESS, ADDRESS))
    assert (result.outcome, result.reason, len(sent)) == (Outcome.AUTH, None, 1)


def test_a_key_that_was_looked_up_is_looked_up_again() -> None:
    """After a 401 of the host, the call is sent once more with a new key."""
    new = FOUND._replace(key="canary-new")
    result, sent = invoke(answer(b"", 401), answer(1), addresses=(FOUND, new))
    assert result.value == 1
    assert [headers_of(each)["x-functions-key"] for each in sent] == ["canary-key", "canary-new"]


def test_a_look_up_that_gives_the_same_sends_nothing() -> None:
    """A function's own 401, empty and unmarked, does not run it twice."""
    result, sent = invoke(answer(b"", 401), addresses=(FOUND, FOUND))
    assert (result.outcome, len(sent)) == (Outcome.AUTH, 1)


def test_a_404_of_an_address_that_was_looked_up_says_that_it_may_be_stale() -> None:
    """The host's empty 404 does; one with a page, and one of a configured address, do not."""
    assert result_of(answer(b"", 404), addresses=(FOUND,)).outcome is Outcome.NOT_FOUND
    assert result_of(answer(NO_APP, 404), addresses=(FOUND,)).reason is None
    assert result_of(answer(b"", 404)).reason is None


def test_a_refused_token_is_replaced_once() -> None:
    """Where the platform asks for a token, the call is sent once more with a fresh one."""
    old, new = (ADDRESS._replace(token=token) for token in ("canary-old", "canary-new"))
    refusals = answer(b"", 401, **ASKED), answer(b"", 401, **ASKED)
    result, sent = invoke(*refusals, addresses=(old, new))
    assert (result.outcome, len(sent)) == (Outcome.AUTH, 2)


@pytest.mark.parametrize("address", [ADDRESS, FOUND])
def test_a_401_that_asks_for_no_token_is_not_sent_again_with_another(address: Address) -> None:
    """There is always another token, so a function's own 401 must not run it twice."""
    old, new = (address._replace(token=token) for token in ("canary-old", "canary-new"))
    result, sent = invoke(answer(b"", 401), addresses=(old, new))
    assert (result.outcome, result.reason, len(sent)) == (Outcome.AUTH, None, 1)


def test_a_marked_401_is_not_sent_again() -> None:
    """The function's own refusal is its answer."""
    new = FOUND._replace(key="canary-new")
    result, sent = invoke(answer(b"", 401, **MARKED), addresses=(FOUND, new))
    assert (result.outcome, len(sent)) == (Outcome.APP_ERROR, 1)
