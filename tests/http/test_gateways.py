"""What a gateway answers in place of a function: told as what may have run, whatever it looks like.

The table is in `tests.http.gateways`; ``docs/outcomes.md`` says the same in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from leeward import CallError, Client, FunctionError, OutcomeUnknown
from leeward.adapter._plan_run import Learnt
from leeward.adapter.wire import Response
from leeward.calls import Invoke
from leeward.errors import Outcome
from leeward.values import Effect
from leeward_azure.functions.plans import PROOFS as AZURE
from leeward_contract_tests.rows import each_row
from leeward_google.functions.plans import PROOFS as GOOGLE
from tests.http.gateways import HTML, REFUSALS, STAYS, Refusal
from tests.http.relays import PLATFORMS, URL, call
from tests.urls.served import Foreign, client_of

PROOFS = {"azure": AZURE, "google": GOOGLE, "http": ()}


class Gateway(Foreign):
    """Runs each call, and answers with what `refusal` says."""

    refusal: Refusal

    def __init__(self) -> None:
        super().__init__(lambda _headers, _body: self.refusal.response())


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    """Start a gateway."""
    server = Gateway()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def second() -> Iterator[Foreign]:
    """Start another target, where all is well."""

    def answer(headers: Mapping[str, str], body: bytes) -> Response:
        return Response(200, {"content-type": "application/json"}, b"1")

    server = Foreign(answer)
    yield server
    server.stop()


def told(client: Client, effect: Effect) -> CallError | str | None:
    """Return what a caller is told: an error, or the target that has answered."""
    try:
        return client.invoke("charge", 9, effect=effect, timeout=5).target
    except CallError as error:
        return error


def test_the_table_is_large() -> None:
    """No two rows are alike, and every status of a gateway is there."""
    assert len(REFUSALS) >= 100
    assert len({each.gateway for each in REFUSALS}) == len(REFUSALS)
    statuses = {each.status for each in REFUSALS}
    assert {302, 400, 401, 403, 404, 405, 408, 413, 415, 429, 500, 502, 503, 504} <= statuses


@each_row("refusal", {each.gateway: each for each in REFUSALS})
def test_a_gateway_proves_nothing(gateway: Gateway, second: Foreign, refusal: Refusal) -> None:
    """The function has run, and nobody is told that it did not, nor that it raised."""
    gateway.refusal = refusal._replace(headers={**refusal.headers, "retry-after": "0"})
    with client_of(gateway.url, second.url) as client:
        for effect in (Effect.UNSAFE, Effect.IDEMPOTENT):
            gateway.done.clear()
            second.done.clear()
            end = told(client, effect)
            if refusal.kind == STAYS:
                assert isinstance(end, FunctionError)
                assert (end.ran, end.reason) == ("maybe", "unmarked_refusal")
                assert "by the function, or by a gateway in front of it" in str(end)
                assert (len(gateway.done), second.done) == (1, [])
            elif effect is Effect.UNSAFE:
                assert isinstance(end, OutcomeUnknown)
                assert (end.executed, end.reason) == (None, "unmarked")
                assert "or a gateway in front of it" in str(end)
                assert (len(gateway.done), second.done) == (1, [])
            else:
                assert (end, len(second.done)) == ("http:b", 1)
            assert "did not run" not in str(end)


@each_row("platform", [*PLATFORMS, "http"])
@each_row("marks", [False, True])
def test_a_gateway_before_a_platform_proves_nothing_either(platform: str, marks: bool) -> None:
    """What is not the platform's own answer is nobody's, whatever was declared of the function."""
    for refusal in REFUSALS:
        where = {**PLATFORMS, "http": URL}[platform]
        response = refusal.response()
        result = call(where, response, Learnt(), Invoke("charge", b"{}", "k", marks=marks)).result
        if result.outcome not in (Outcome.APP_ERROR, Outcome.AMBIGUOUS):
            # Declared to mark all its answers, it did not give this: it is the platform's page.
            assert marks
            assert any(each.holds(response) for each in PROOFS[platform]), refusal.gateway
        elif result.outcome is Outcome.APP_ERROR and refusal.status < 500:
            assert refusal.kind == STAYS
            assert result.fault is not None
            assert result.fault.ran == "maybe"


def test_a_login_page_is_no_proof_that_the_function_ran(gateway: Gateway, second: Foreign) -> None:
    """It comes with 200, after a redirect that a gateway has followed itself."""
    gateway.refusal = Refusal("a login", 200, HTML, b"<html>Sign in</html>", STAYS)
    with client_of(gateway.url, second.url) as client:
        end = told(client, Effect.UNSAFE)
    assert isinstance(end, OutcomeUnknown)
    assert end.executed is None
