from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
import responses

from leeward._http.messages import Failure, Phase, Request, Response
from leeward._http.wire import Wire
from leeward.adapter import Capability
from leeward.adapter.http_functions import Address
from leeward.adapter.opening import LazyPlans, PlanDriver, TargetInfo
from leeward.adapter.resolver import FunctionAddress, Resolved, Source, Token
from leeward.calls import Invoke
from leeward.clock import SystemClock
from leeward.errors import Outcome
from leeward_azure.driver import LIMITS, PLANS
from leeward_azure.functions.discovery import lookup_source
from leeward_azure.identity.credentials import Bearer
from leeward_azure.settings.services import KEPT
from leeward_contract_tests.rows import each_row
from tests.azure.sources import NOW, no_azure, refused, target

GROUP: dict[str, Any] = {
    "function_app": "shop",
    "resource_group": "shop-rg",
    "subscription_id": "0000-1111",
}
BASE = (
    "https://management.azure.com/subscriptions/0000-1111/resourceGroups/shop-rg/providers"
    "/Microsoft.Web/sites/shop"
)
SITE = {
    "name": "shop",
    "properties": {"defaultHostName": "Shop-a1b2.westeurope-01.azurewebsites.net"},
}
ORIGIN = "https://shop-a1b2.westeurope-01.azurewebsites.net"
TEMPLATE = f"{ORIGIN}/v1/orders/send"
KEYS = {"properties": {"default": "canary-key", "another": "canary-other"}}


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take Azure's variables away."""
    no_azure(monkeypatch)


@pytest.fixture
def arm() -> Iterator[responses.RequestsMock]:
    """Give a Resource Manager that knows nothing yet."""
    with responses.RequestsMock() as mocked:
        yield mocked


def function(template: str | None = TEMPLATE, level: str = "function", **binding: Any) -> Any:
    trigger = {"type": "httpTrigger", "authLevel": level, "name": "req"} | binding
    return {
        "properties": {
            "name": "send",
            "invoke_url_template": template,
            "config": {"bindings": [{"type": "http", "direction": "out"}, trigger]},
            "isDisabled": False,
        }
    }


def tokens(what: Any, timeout: float) -> Resolved:
    assert what == Token("https://management.azure.com/.default")
    return Resolved(Bearer("canary-token"), NOW, NOW + 600)


def source(fetch: Source = tokens, **options: Any) -> Source:
    settings, config = target(**GROUP | options)
    return lookup_source(settings, config, fetch, lambda: NOW)


def look_up(**options: Any) -> Address:
    found = source(**options)(FunctionAddress("send"), 5.0)
    assert (found.fetched_at, found.expires_at) == (NOW, NOW + KEPT)
    address: Address = found.value
    assert "canary" not in repr(address)
    return address


def paths(arm: responses.RequestsMock) -> list[str]:
    return [str(call.request.url).partition("?")[0].removeprefix(BASE) for call in arm.calls]


def test_host_route_and_key(arm: responses.RequestsMock) -> None:
    """Three requests with a management token give all that a call needs."""
    arm.get(BASE, json=SITE)
    arm.get(f"{BASE}/functions/send", json=function())
    arm.post(f"{BASE}/functions/send/listkeys", json=KEYS)
    assert look_up() == Address(ORIGIN, "/v1/orders/send", None, True, "canary-key")
    assert paths(arm) == ["", "/functions/send", "/functions/send/listkeys"]
    shown = {call.request.headers["Authorization"] for call in arm.calls}
    assert shown == {"Bearer canary-token"}


def test_which_key(arm: responses.RequestsMock) -> None:
    """The default one, else the first by name; without one, the app's."""
    arm.get(BASE, json=SITE)
    arm.get(f"{BASE}/functions/send", json=function())
    arm.post(f"{BASE}/functions/send/listkeys", json={"properties": {"b": "k-b", "a": "k-a"}})
    assert look_up().key == "k-a"
    arm.post(f"{BASE}/functions/send/listkeys", json={"properties": {}})
    arm.post(f"{BASE}/host/default/listkeys", json={"functionKeys": {"default": "k-host"}})
    assert look_up().key == "k-host"


@each_row(
    "site, found, keys, code",
    [
        ({"properties": {}}, function(), KEYS, "host_missing"),
        ({"properties": {"defaultHostName": "a/b"}}, function(), KEYS, "host_missing"),
        (SITE, function(f"{ORIGIN}/api/orders/{{id}}"), KEYS, "route_has_parameters"),
        (SITE, function(f"{ORIGIN}/api/../admin"), KEYS, "route_has_parameters"),
        (SITE, {"properties": {"config": {"bindings": []}}}, KEYS, "no_http_trigger"),
        (SITE, {"properties": {}}, KEYS, "no_http_trigger"),
        (SITE, function(type="queueTrigger"), KEYS, "no_http_trigger"),
        (SITE, {"properties": function()["properties"] | {"isDisabled": True}}, KEYS, "disabled"),
        (SITE, function(), {"properties": {"default": "canary key"}}, "key_missing"),
        (SITE, function(), {"properties": {}}, "key_missing"),
    ],
)
def test_a_function_that_cannot_be_called(site: Any, found: Any, keys: Any, code: str) -> None:
    """Each has its code, and is NOT_FOUND: another target may have a function of this name."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as arm:
        arm.get(BASE, json=site)
        arm.get(f"{BASE}/functions/send", json=found)
        arm.post(f"{BASE}/functions/send/listkeys", json=keys)
        arm.post(f"{BASE}/host/default/listkeys", json={"functionKeys": {}})
        refusal = refused(source(), FunctionAddress("send"))
    assert (refusal.outcome, refusal.code) == (Outcome.NOT_FOUND, code)


ROWS: dict[int, tuple[Outcome, str]] = {
    400: (Outcome.AUTH, "http.400"),
    401: (Outcome.AUTH, "http.401"),
    403: (Outcome.AUTH, "http.403"),
    404: (Outcome.NOT_FOUND, "ResourceNotFound"),
    409: (Outcome.AUTH, "http.409"),
    429: (Outcome.NOT_SENT, "HttpResponseError"),
    500: (Outcome.NOT_SENT, "HttpResponseError"),
    503: (Outcome.NOT_SENT, "HttpResponseError"),
}


@pytest.mark.parametrize("status", ROWS)
def test_what_a_status_means(arm: responses.RequestsMock, status: int) -> None:
    """A refusal is told from an outage; each takes one request, and its text is not repeated."""
    told = {"error": {"code": "Canary", "message": "canary"}}
    arm.get(BASE, status=status, json=told)
    refusal = refused(source(), FunctionAddress("send"))
    assert (refusal.outcome, refusal.code) == ROWS[status]
    assert len(arm.calls) == 1


def test_the_hardened_mode_calls_no_foreign_host(arm: responses.RequestsMock) -> None:
    """A host that the Resource Manager gives is checked like a configured one."""
    hardened: dict[str, Any] = {"trust_env": False, "identity": "managed", "function_key": "k"}
    own: dict[str, Any] = {"routes": {"send": "send"}}
    arm.get(BASE, json={"properties": {"defaultHostName": "evil.example"}})
    refusal = refused(source(**hardened, **own), FunctionAddress("send"))
    assert (refusal.outcome, refusal.code) == (Outcome.AUTH, "untrusted_host")
    arm.replace(responses.GET, BASE, json=SITE)
    assert look_up(**hardened, **own).origin == ORIGIN


class Tokens:
    """A source of tokens, each another one and good for ten minutes."""

    def __init__(self) -> None:
        self.now = NOW
        self.given = 0

    def __call__(self, what: Any, timeout: float) -> Resolved:
        self.given += 1
        return Resolved(Bearer(f"token-{self.given}"), self.now, self.now + 600)

    def source(self, **options: Any) -> Source:
        settings, config = target(**GROUP | options)
        return lookup_source(settings, config, self, lambda: self.now)


OWN: dict[str, Any] = {"routes": {"send": "send", "pay": "pay"}, "function_key": "k"}


def shown(arm: responses.RequestsMock) -> list[str]:
    return [str(call.request.headers["Authorization"]) for call in arm.calls]


def test_a_refused_token_is_replaced_once(arm: responses.RequestsMock) -> None:
    """The look-up is made again with the new one, which is kept; after that the refusal stands."""
    tokens = Tokens()
    fetch = tokens.source(**OWN)
    arm.get(BASE, json=SITE)
    fetch(FunctionAddress("send"), 5.0)
    arm.reset()
    arm.get(BASE, status=401, json={})
    arm.get(BASE, json=SITE)
    assert fetch(FunctionAddress("send"), 5.0).value.origin == ORIGIN
    fetch(FunctionAddress("pay"), 5.0)
    assert shown(arm) == ["Bearer token-1", "Bearer token-2", "Bearer token-2"]
    arm.reset()
    arm.get(BASE, status=401, json={})
    refusal = refused(fetch, FunctionAddress("send"))
    assert (refusal.outcome, refusal.code) == (Outcome.AUTH, "http.401")
    assert shown(arm) == ["Bearer token-2", "Bearer token-3"]


def test_a_sovereign_cloud(arm: responses.RequestsMock) -> None:
    """Its own Resource Manager is asked, with a token for that."""
    seen = []

    def fetch(what: Any, timeout: float) -> Resolved:
        seen.append(what.scope)
        return Resolved(Bearer("t"), NOW, NOW + 600)

    there = BASE.replace("management.azure.com", "management.usgovcloudapi.net")
    arm.get(there, json={"properties": {"defaultHostName": "shop.azurewebsites.us"}})
    own = {"routes": {"send": "send"}, "function_key": "k"}
    options = own | {"authority_host": "login.microsoftonline.us"}
    found = source(fetch, **options)(FunctionAddress("send"), 5.0)
    assert found.value.origin == "https://shop.azurewebsites.us"
    assert set(seen) == {"https://management.core.usgovcloudapi.net/.default"}


class Carrier:
    """Stands for the function's host, which takes one key, and for a function behind it."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.sent: list[Request] = []

    def send(self, request: Request, timeout: float) -> Response | Failure:
        self.sent.append(request)
        headers = dict(request.headers)
        if headers["x-functions-key"] != self.key:
            return Response(401)
        return Response(200, {"x-leeward": headers["x-leeward-call"]}, b"1")

    def drop(self, origin: str) -> None:
        pass

    def close(self) -> None:
        pass


def test_a_driver_looks_up_once_and_again_after_a_401(arm: responses.RequestsMock) -> None:
    """The address is kept from call to call; a key that was changed costs one look-up more."""
    arm.get(BASE, json=SITE)
    arm.get(f"{BASE}/functions/send", json=function())
    for key in ("one", "two"):
        arm.post(f"{BASE}/functions/send/listkeys", json={"properties": {"default": key}})
    settings, config = target(**GROUP)
    carrier, facts = Carrier("one"), TargetInfo("azure", frozenset(Capability), LIMITS, {})
    wire = Wire(lambda: carrier, None)  # type: ignore[arg-type]
    fetch = lookup_source(settings, config, tokens, lambda: NOW)
    driver = PlanDriver(facts, LazyPlans(PLANS, settings), fetch, wire)
    call = Invoke("send", b"1", "key", marks=True)
    assert [driver.perform(call, 10.0).outcome for _ in range(3)] == [Outcome.OK] * 3
    assert len(arm.calls) == 3
    carrier.key = "two"
    assert [driver.perform(call, 10.0).outcome for _ in range(2)] == [Outcome.OK] * 2
    assert (len(arm.calls), len(carrier.sent)) == (6, 6)
    carrier.key = "three"  # and the Resource Manager does not know it either
    assert driver.perform(call, 10.0).outcome is Outcome.AUTH
    assert (len(arm.calls), len(carrier.sent)) == (9, 7)
    driver.close()


class Moved:
    """Stands for an app under a new host name; the old one does not resolve any more."""

    def __init__(self, origin: str) -> None:
        self.origin = origin

    def send(self, request: Request, timeout: float) -> Response | Failure:
        if request.origin != self.origin:
            return Failure(Phase.CONNECT, sent=False, code="curl.6")
        return Response(200, body=b"1")

    def drop(self, origin: str) -> None:
        pass

    def close(self) -> None:
        pass


class Moving(SystemClock):
    """A clock that can be put forward."""

    ahead = 0.0

    def now(self) -> float:
        return NOW + self.ahead


def test_an_app_that_moved_is_found_again(arm: responses.RequestsMock) -> None:
    """Nothing can refuse the old address, so it ends by itself."""
    arm.get(BASE, json=SITE)
    settings, config = target(**GROUP, **OWN)
    clock, carrier = Moving(), Moved(ORIGIN)
    fetch = lookup_source(settings, config, tokens, clock.now)
    wire = Wire(lambda: carrier, None)  # type: ignore[arg-type]
    facts = TargetInfo("azure", frozenset(Capability), LIMITS, {})
    native: Any = None
    driver = PlanDriver(facts, LazyPlans(PLANS, settings), fetch, wire, native=native, clock=clock)
    call = Invoke("send", b"1", "key", marks=True)
    assert driver.perform(call, 10.0).outcome is Outcome.OK
    arm.replace(responses.GET, BASE, json={"properties": {"defaultHostName": "new.example"}})
    carrier.origin = "https://new.example"
    assert driver.perform(call, 10.0).outcome is Outcome.NOT_SENT
    clock.ahead = KEPT
    assert driver.perform(call, 10.0).outcome is Outcome.OK
    driver.close()


def test_without_azure_mgmt_web(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install."""
    monkeypatch.setitem(sys.modules, "azure.mgmt.web", None)
    refusal = refused(source(), FunctionAddress("send"))
    assert (refusal.outcome, refusal.code) == (Outcome.AUTH, "azure_mgmt_web_missing")
    assert "leeward-azure[discovery]" in str(refusal)
