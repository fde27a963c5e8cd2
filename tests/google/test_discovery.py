from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import responses

from leeward._http.messages import Failure, Request, Response
from leeward._http.wire import Wire
from leeward.adapter import Capability
from leeward.adapter.http_functions import Address
from leeward.adapter.opening import LazyPlans, PlanDriver, TargetInfo
from leeward.adapter.resolver import FunctionAddress, Resolved, Source
from leeward.calls import Invoke
from leeward.errors import Outcome
from leeward_google.driver import LIMITS, PLANS
from leeward_google.functions.discovery import lookup_source
from leeward_google.identity.credentials import ACCESS_TOKEN, Bearer, Project
from leeward_google.identity.sources import source_of
from leeward_google.settings.services import KEPT, FunctionUrl
from tests.google.sources import NOW, Canned, no_google, refused, target

HOST = "https://cloudfunctions.googleapis.com:443"
PATH = "/v2/projects/shop-1/locations/us-central1/functions/send"
URL = "https://send-a1b2c3-uc.a.run.app"
SEND = FunctionAddress("send")
BASE: dict[str, Any] = {"project": "shop-1", "region": "us-central1"}


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take Google's variables away, and give an empty home."""
    no_google(monkeypatch, tmp_path)


@pytest.fixture
def api() -> Iterator[responses.RequestsMock]:
    """Give a Cloud Functions API that knows nothing yet."""
    with responses.RequestsMock() as mocked:
        yield mocked


def function(uri: str = URL, **more: Any) -> dict[str, Any]:
    """Give a function as the API tells it."""
    told = {"name": PATH[4:], "environment": "GEN_2", "state": "ACTIVE"}
    return told | {"serviceConfig": {"uri": uri}} | more


def tokens(what: Any, timeout: float) -> Resolved:
    if what == Project():
        return Resolved("shop-1", NOW)
    assert what == ACCESS_TOKEN
    return Resolved(Bearer("canary-token", "pays"), NOW, NOW + 600)


def source(fetch: Source = tokens, **options: Any) -> Source:
    settings, config = target(**BASE | options)
    return lookup_source(settings, config, fetch, lambda: NOW)


def test_a_look_up_finds_the_url(api: responses.RequestsMock) -> None:
    """One request with an access token gives all that a call needs."""
    api.get(HOST + PATH, json=function())
    found = source()(SEND, 5.0)
    assert found == (Address(URL, "/", None, True), NOW, NOW + KEPT)
    (call,) = api.calls
    assert call.request.headers["Authorization"] == "Bearer canary-token"
    assert call.request.headers["x-goog-user-project"] == "pays"


def test_the_project_may_be_that_of_the_credentials(api: responses.RequestsMock) -> None:
    """It is asked for where the configuration has none."""
    api.get(HOST + PATH, json=function())
    settings, config = target(region="us-central1")
    fetch = lookup_source(settings, config, tokens, lambda: NOW)
    assert fetch(SEND, 5.0).value.origin == URL


def test_a_function_of_the_first_generation(api: responses.RequestsMock) -> None:
    """It has a URL under its project's host."""
    url = "https://us-central1-shop-1.cloudfunctions.net/send"
    api.get(HOST + PATH, json=function("", url=url, environment="GEN_1"))
    found = source()(SEND, 5.0).value
    assert found == Address(url[:-5], "/send", None, True)


ROWS: dict[int, tuple[Outcome, str]] = {
    400: (Outcome.AUTH, "BadRequest"),
    401: (Outcome.AUTH, "Unauthorized"),
    403: (Outcome.AUTH, "Forbidden"),
    404: (Outcome.NOT_FOUND, "NotFound"),
    409: (Outcome.AUTH, "Conflict"),
    429: (Outcome.NOT_SENT, "TooManyRequests"),
    500: (Outcome.NOT_SENT, "InternalServerError"),
    503: (Outcome.NOT_SENT, "ServiceUnavailable"),
    504: (Outcome.NOT_SENT, "GatewayTimeout"),
}


@pytest.mark.parametrize("status", ROWS)
def test_what_a_status_means(api: responses.RequestsMock, status: int) -> None:
    """A refusal is told from an outage, and its text is not repeated."""
    api.get(HOST + PATH, status=status, json={"error": {"code": status, "message": "canary"}})
    found = refused(source(), SEND)
    assert (found.outcome, found.code) == ROWS[status]
    assert len(api.calls) == 1 or status == 401


def test_what_is_found_is_checked_like_what_is_configured(api: responses.RequestsMock) -> None:
    """No token goes to a foreign host in the hardened mode, nor in clear text in any."""
    api.get(HOST + PATH, json=function("https://evil.example"))
    hardened: dict[str, Any] = {"trust_env": False, "identity": "metadata"}
    found = refused(source(**hardened), SEND)
    assert (found.outcome, found.code) == (Outcome.AUTH, "untrusted_host")
    api.replace(responses.GET, HOST + PATH, json=function())
    assert source(**hardened)(SEND, 5.0).value.origin == URL
    api.replace(responses.GET, HOST + PATH, json=function("http://send.example"))
    assert refused(source(), SEND).code == "untrusted_host"


class Carrier:
    """Stands for Cloud Run, which knows one host, and for a function there."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.sent: list[Request] = []

    def send(self, request: Request, timeout: float) -> Response | Failure:
        self.sent.append(request)
        if request.origin == f"https://{self.host}":
            mark = dict(request.headers)["x-leeward-call"]
            return Response(200, {"x-leeward": mark}, b"1")
        return Response(404, body=b"<title>404 Page not found</title>")

    def drop(self, origin: str) -> None:
        pass

    def close(self) -> None:
        pass


def test_a_driver_looks_up_once_and_again_after_a_404(api: responses.RequestsMock) -> None:
    """The address is kept from call to call; a function that has moved costs one look-up more."""
    for name in ("one", "two", "two"):
        api.get(HOST + PATH, json=function(f"https://{name}.a.run.app"))
    settings, config = target(**BASE, access_token="canary", id_token="canary")
    carrier, facts = (
        Carrier("one.a.run.app"),
        TargetInfo("google", frozenset(Capability), LIMITS, {}),
    )
    wire = Wire(lambda: carrier, None)  # type: ignore[arg-type]
    fetch = source_of(settings, config, carrier)
    driver = PlanDriver(facts, LazyPlans(PLANS, settings), fetch, wire)
    call = Invoke("send", b"1", "key", marks=True)
    assert [driver.perform(call, 10.0).outcome for _ in range(3)] == [Outcome.OK] * 3
    assert len(api.calls) == 1
    carrier.host = "two.a.run.app"
    assert [driver.perform(call, 10.0).outcome for _ in range(2)] == [Outcome.OK] * 2
    assert (len(api.calls), len(carrier.sent)) == (2, 6)
    carrier.host = "three.a.run.app"  # and the API does not know it either
    assert driver.perform(call, 10.0).outcome is Outcome.NOT_FOUND
    assert (len(api.calls), len(carrier.sent)) == (3, 7)
    driver.close()


def test_an_address_and_its_token_come_together(api: responses.RequestsMock) -> None:
    """A configured function is not looked up; one that is gets a token for what was found."""
    api.get(HOST + PATH, json=function())
    settings, config = target(**BASE, functions={"pay": "https://pay.a.run.app"}, access_token="t")
    settings = settings._replace(identity=settings.identity._replace(id_token="canary"))
    fetch = source_of(settings, config, Canned(Response(500)))
    assert fetch(FunctionAddress("pay"), 5.0).value == Address(
        "https://pay.a.run.app", "/", "canary"
    )
    assert len(api.calls) == 0
    assert fetch(FunctionAddress("send"), 5.0).value == Address(URL, "/", "canary", True)
    assert fetch(FunctionUrl("send"), 5.0).value.token is None


def test_without_google_cloud_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install."""
    monkeypatch.setitem(sys.modules, "google.cloud.functions_v2", None)
    found = refused(source(), SEND)
    assert (found.outcome, found.code) == (Outcome.AUTH, "google_cloud_functions_missing")
    assert "leeward-google[discovery]" in str(found)


def test_the_address_of_a_public_function_ends_too(api: responses.RequestsMock) -> None:
    """It is looked up again after a while, though no token of its goes out of date."""
    api.get(HOST + PATH, json=function())
    settings, config = target(**BASE, access_token="canary", authenticate=False)
    fetch = source_of(settings, config, Canned(Response(500)), now=lambda: NOW)
    assert fetch(SEND, 5.0) == (Address(URL, "/", None, True), NOW, NOW + KEPT)
