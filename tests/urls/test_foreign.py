"""Services of other frameworks by URL: what their answers prove, and when another one is asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest

from leeward import (
    Client,
    FunctionError,
    OutcomeUnknown,
    TargetUnavailable,
    Verdict,
)
from leeward.adapter.http_functions import outcome_of
from leeward.adapter.wire import Response
from leeward.config import Config, FunctionConfig
from leeward.errors import Outcome
from leeward_contract_tests.rows import each_row
from leeward_http.settings import settings_from
from tests.urls.served import Foreign, client_of, config_of

Headers = Mapping[str, str]
Open = Callable[[Callable[[Headers, bytes], Response]], Foreign]
JSON = {"content-type": "application/json"}
URL = "https://pay.example/{function}"


def well(headers: Headers, body: bytes) -> Response:
    """Answer as a service that works."""
    return Response(200, JSON, b'{"paid": ' + body + b"}")


def says(status: int, body: bytes = b"", **headers: str) -> Callable[[Headers, bytes], Response]:
    """Return what answers so to every call."""
    return lambda _headers, _body: Response(status, headers, body)


@pytest.fixture
def service() -> Iterator[Open]:
    """Return what starts a service."""
    with ExitStack() as stack:

        def start(answer: Callable[[Headers, bytes], Response]) -> Foreign:
            service = Foreign(answer)
            stack.callback(service.stop)
            return service

        yield start


@pytest.fixture
def clients() -> Iterator[Callable[..., Client]]:
    """Return what opens clients over services, by their order."""
    with ExitStack() as stack:

        def start(*services: Foreign, **options: Any) -> Client:
            urls = [service.url for service in services]
            return stack.enter_context(client_of(*urls, **options))

        yield start


def test_a_call_is_one_post_of_json(service: Open, clients: Callable[..., Client]) -> None:
    """With the key, the deadline and the mark that it asks for, and the headers of the settings."""
    shop = service(well)
    client = clients(shop, headers={"X-Tenant": "blue"}, token="t-1", token_header="X-Api-Key")
    result = client.invoke("charge", 9, idempotency_key="order-42", timeout=30)
    assert (result.value, result.target, shop.done) == ({"paid": 9}, "http:a", ["/charge"])
    sent = shop.headers
    assert (sent["content-type"], sent["idempotency-key"]) == ("application/json", "order-42")
    assert 0 < int(sent["x-leeward-deadline-ms"]) <= 30_000
    assert (sent["x-tenant"], sent["x-api-key"], sent.get("authorization")) == (
        "blue",
        "t-1",
        None,
    )
    assert len(sent["x-leeward-call"]) == 16


@each_row("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_refusal_of_a_foreign_service_proves_nothing(status: int) -> None:
    """Anybody on the way may give it when the function has begun: no other target is asked."""
    with ExitStack() as stack:
        first, second = Foreign(says(status, b"busy")), Foreign(well)
        stack.callback(first.stop)
        stack.callback(second.stop)
        client = stack.enter_context(client_of(first.url, second.url))
        with pytest.raises(OutcomeUnknown):
            client.invoke("charge", 9)
        assert (len(first.done), second.done) == (1, [])
        assert client.invoke("charge", 9, effect="idempotent").target == "http:b"


def test_a_refusal_that_was_declared_moves_on(
    service: Open, clients: Callable[..., Client]
) -> None:
    """Of the function that it was declared of; and not with the mark of somebody else's call."""
    first, second = service(says(429, b"slow down")), service(well)
    client = clients(first, second, refusals={"charge": "429 503"})
    assert client.invoke("charge", 9).target == "http:b"
    with pytest.raises(OutcomeUnknown):
        client.invoke("ship", 9)
    relayed = service(says(429, b"{}", **{"x-leeward": "0123456789abcdef;handler"}))
    with pytest.raises(FunctionError):
        clients(relayed, second, refusals={"charge": "429"}).invoke("charge", 9)
    assert len(second.done) == 1


@each_row(
    "status, outcome",
    [
        (400, Outcome.CALLER),
        (401, Outcome.AUTH),
        (403, Outcome.AUTH),
        (404, Outcome.NOT_FOUND),
        (413, Outcome.CALLER),
        (429, Outcome.REJECTED),
        (503, Outcome.REJECTED),
    ],
)
def test_a_declared_refusal_means_what_its_status_says(status: int, outcome: Outcome) -> None:
    """Only that of a service which is busy may be better elsewhere."""
    proofs = settings_from(config_of(url=URL, refusals={"charge": str(status)})).refusals["charge"]
    response = Response(status, {}, b"no")
    assert outcome_of(response, proofs, marks=False).outcome is outcome
    assert outcome_of(response, (), marks=False).outcome in (Outcome.AMBIGUOUS, Outcome.APP_ERROR)


@pytest.mark.threat("S2")
def test_no_redirect_is_followed(service: Open, clients: Callable[..., Client]) -> None:
    """The payload and the token go where they were configured to go, and nowhere else."""
    other = service(well)
    first = service(says(307, location=f"{other.url}/charge"))
    with pytest.raises(FunctionError, match="http.307"):
        clients(first, token="secret").invoke("charge", 9)
    assert other.done == []


def test_a_service_that_is_gone_moves_on(service: Open, clients: Callable[..., Client]) -> None:
    """Nobody took the call, so an unsafe one goes to the next; alone it was not sent."""
    first, second = service(well), service(well)
    client = clients(first, second)
    first.stop()
    result = client.invoke("charge", 9)
    assert (result.target, first.done, second.done) == ("http:b", [], ["/charge"])
    *before, last = [attempt.outcome for attempt in result.attempts]
    assert ({*before}, last) == ({Outcome.NOT_SENT}, Outcome.OK)
    second.stop()
    with pytest.raises(TargetUnavailable, match="did not run"):
        clients(second).invoke("charge", 9)


def test_what_is_no_json_is_unknown(service: Open, clients: Callable[..., Client]) -> None:
    """A success without JSON is not a value; it may be the page of a gateway."""
    with pytest.raises(OutcomeUnknown) as raised:
        clients(service(says(200, b"<p>thanks</p>"))).invoke("charge", 9)
    assert raised.value.executed is None


class Ledger:
    """A service that follows the protocol of settling, written by hand as another framework's.

    It has one record for each key: done, or void. The first answer to a call is lost on request.
    """

    def __init__(self) -> None:
        self.results: dict[str, Any] = {}
        self.voids: dict[str, int] = {}

    def answer(self, headers: Headers, body: bytes) -> Response:
        """Answer a question, or carry out a call, and mark the answer."""
        key, known = headers["idempotency-key"], int(headers.get("x-leeward-voids", "0"))
        if "x-leeward-settle" in headers:
            if key in self.results:
                document = {"verdict": "ran", "key": key, "result": self.results[key]}
            else:
                self.voids[key] = self.voids.get(key, 0) + 1
                document = {"verdict": "not_run", "key": key, "voids": self.voids[key]}
        elif known < self.voids.get(key, 0):
            return Response(409, {**JSON, "x-leeward": headers["x-leeward-call"]}, b"{}")
        else:
            document = self.results.setdefault(key, {"paid": json.loads(body)})
        marked = {**JSON, "x-leeward": headers["x-leeward-call"]}
        return Response(200, marked, json.dumps(document).encode())


@pytest.mark.parametrize("is_settled_by_the_call", [False, True])
def test_a_service_that_follows_the_protocol_is_settled(
    service: Open, clients: Callable[..., Client], is_settled_by_the_call: bool
) -> None:
    """A lost answer is looked up in the service's own record; a call that never came is voided."""
    ledger = Ledger()
    shop = service(ledger.answer)
    on_unknown = "settle" if is_settled_by_the_call else None
    function = FunctionConfig(marks=True, on_unknown=on_unknown)
    client = clients(shop, config=Config(functions={"charge": function}))
    if is_settled_by_the_call:
        with shop.lose_answers(1):
            result = client.invoke("charge", 9, idempotency_key="order-1")
        assert (result.value, len(ledger.results)) == ({"paid": 9}, 1)
        return
    with shop.lose_answers(1), pytest.raises(OutcomeUnknown) as lost:
        client.invoke("charge", 9, idempotency_key="order-1")
    settled = client.settle(lost.value)
    assert (settled.verdict, settled.result) == (Verdict.RAN, {"paid": 9})
    never = client.settle("order-2", function="charge", sent=0.0, targets=lost.value.target)
    assert never.verdict is Verdict.NOT_RUN
    with pytest.raises(FunctionError):
        client.invoke("charge", 9, idempotency_key="order-2")
    assert list(ledger.results) == ["order-1"]
