"""Whose a key is: nobody meets the record of another caller."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from leeward import App, Client, ConfigError, Context
from leeward.app.context import call_within
from leeward.app.idempotency import PrincipalMissing, idempotent
from leeward.app.idempotency.digests import VARIABLE, own_secret, record_id
from leeward.app.signatures import IDEMPOTENCY
from leeward.local import Local
from leeward_aws.runtime.gateway import principal_of
from leeward_contract_tests.rows import each_row
from tests.app.aws_events import http_1, http_2
from tests.app.idempotent.shop import ORDER, Shop, context

_SECRET = "0123456789abcdef0123456789abcdef"

Call = Callable[[str | None, dict[str, Any]], tuple[int, dict[str, Any]]]
"""Sends a payload as somebody; returns status and answer."""


def paying(shop: Shop) -> App:
    """Return an app that charges once for each principal and order."""
    app = App("shop")

    @app.function(effect="keyed")
    @idempotent(
        table="keys", key="order.id", principal="platform", name="charge", client=shop.client
    )
    def charge(order: dict[str, Any], context: Context) -> dict[str, Any]:
        shop.charges.append((context.principal, order["id"]))
        return {"card": f"card of {context.principal}"}

    return app


def on_aws(app: App, authorizer: Callable[[str], dict[str, Any]], form: Any = http_2) -> Call:
    """Return what calls the app behind API Gateway, where `authorizer` adds to the context."""
    handler = app.handler("aws")

    def call(who: str | None, order: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        forged = {"x-ms-client-principal-id": "alice", "authorization": "Bearer alice"}
        event = form("/charge", json.dumps(order), headers=forged)
        if who is not None:
            event["requestContext"] |= authorizer(who)
        lambda_context = SimpleNamespace(
            function_name="charge",
            aws_request_id="r",
            client_context=None,
            get_remaining_time_in_millis=lambda: 9000,
        )
        answer = handler(event, lambda_context)
        return answer["statusCode"], json.loads(answer["body"])

    return call


def on_azure(app: App) -> Call:
    """Return what calls the app behind the authentication of App Service."""
    made = app.handler("azure").get_functions()
    function = next(each for each in made if each.get_function_name() == "charge")

    def call(who: str | None, order: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        headers = {"content-type": "application/json"}
        if who is not None:
            headers |= {"X-MS-CLIENT-PRINCIPAL-ID": who, "X-MS-CLIENT-PRINCIPAL-IDP": "aad"}
        from azure.functions import HttpRequest

        asked = HttpRequest("POST", "/api/charge", headers=headers, body=json.dumps(order).encode())
        answer = function.get_user_function()(asked, SimpleNamespace(invocation_id="1"))
        return answer.status_code, json.loads(answer.get_body())

    return call


AUTHORIZERS: dict[str, tuple[Any, Callable[[str], dict[str, Any]]]] = {
    "a JWT": (
        http_2,
        lambda who: {"authorizer": {"jwt": {"claims": {"iss": "https://id", "sub": who}}}},
    ),
    "a user pool": (http_1, lambda who: {"authorizer": {"claims": {"sub": who}}}),
    "an authorizer's own word": (http_1, lambda who: {"authorizer": {"principalId": who}}),
    "IAM": (http_2, lambda who: {"authorizer": {"iam": {"userArn": f"arn:aws:iam::1:user/{who}"}}}),
    "IAM, form 1.0": (http_1, lambda who: {"identity": {"userArn": f"arn:aws:iam::1:user/{who}"}}),
    "an identity pool, one role for all": (
        http_2,
        lambda who: {
            "authorizer": {"iam": {"userArn": "arn", "cognitoIdentity": {"identityId": who}}}
        },
    ),
    "the same, form 1.0": (
        http_1,
        lambda who: {"identity": {"userArn": "arn", "cognitoIdentityId": who}},
    ),
}


def check_apart(shop: Shop, call: Call) -> None:
    """Check that Bob gets nothing by Alice's key: no result, no refusal, no place of hers."""
    assert call("bob", {"id": "1"})[0] == 200  # he was here first with this key
    assert call("alice", {"id": "1"}) == call("alice", {"id": "1"})
    mine = call("alice", ORDER)
    assert mine[0] == 200
    status, his = call("bob", ORDER)
    assert status == 200
    assert his != mine[1]
    assert call("bob", {**ORDER, "total": 1})[0] == 422  # of his own record, not of hers
    status, told = call(None, ORDER)
    assert (status, told["reason"], told["ran"]) == (401, "principal_missing", "no")
    assert call("alice", ORDER) == mine
    assert len(shop.charges) == 4


@pytest.mark.threat("S17")
@each_row("form, authorizer", AUTHORIZERS)
def test_nobody_meets_the_record_of_another_on_aws(
    form: Any, authorizer: Callable[[str], dict[str, Any]]
) -> None:
    """Whatever has found out who calls; of a caller of whom nothing is known nothing runs."""
    shop = Shop()
    with shop.client:
        check_apart(shop, on_aws(paying(shop), authorizer, form))


@pytest.mark.threat("S17")
def test_a_record_is_read_by_its_own_function_and_caller_alone(shop: Shop) -> None:
    """One table, one key, one payload: by calling, and by every form of the question."""
    functions = {}
    for name in ("pay", "refund"):

        @idempotent(
            table="keys",
            key="order",
            principal="platform",
            client=shop.client,
            clock=shop.clock,
            name=name,
        )
        def act(order: str, name: str = name) -> str:
            shop.charges.append(order)
            return f"secret {len(shop.charges)} of {name}"

        functions[name] = act
    everybody = [(name, who) for name in functions for who in ("alice", "bob", "alice\n", "ALICE")]

    def as_caller(who: str) -> Context:
        caller = context(shop.clock)
        caller.principal = who
        return caller

    own = {each: call_within(as_caller(each[1]), functions[each[0]], "42") for each in everybody}
    for name, who in everybody:
        for age, arguments in ((None, ("42",)), (1.0, ("42",)), (1e9, ("42",)), (None, ("43",))):
            told = getattr(functions[name], IDEMPOTENCY).settle(age, arguments, as_caller(who))
            assert told.get("result") in (None, own[name, who]), (name, who)
        assert call_within(as_caller(who), functions[name], "42") == own[name, who]
    assert len({*own.values()}) == len(everybody) == len(shop.charges)


def test_a_name_of_an_authorizers_own_is_nobody_elses() -> None:
    """Behind another route the same function may know callers by a token, or by IAM."""
    for other in (AUTHORIZERS["a JWT"][1]("alice"), AUTHORIZERS["IAM"][1]("alice")):
        known = principal_of(other)
        assert known is not None
        assert principal_of({"authorizer": {"principalId": known}}) != known


@pytest.mark.threat("S17")
@pytest.mark.vendors
def test_nobody_meets_the_record_of_another_on_azure(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where authentication is switched on; else anybody may send its headers."""
    call = on_azure(paying(shop))
    monkeypatch.delenv("WEBSITE_AUTH_ENABLED", raising=False)
    assert call("alice", ORDER)[0] == 401
    monkeypatch.setenv("WEBSITE_AUTH_ENABLED", "True")
    check_apart(shop, call)


@pytest.mark.threat("S17")
def test_a_function_of_an_app_says_whose_its_keys_are(shop: Shop) -> None:
    """Anybody may call it by HTTP; a handler of events need not say it."""

    @idempotent(table="keys", key="order.id", client=shop.client, name="charge")
    def charge(order: dict[str, Any]) -> None:
        shop.charges.append(order["id"])

    app = App("shop")
    with pytest.raises(ConfigError, match="does not say whose its keys are"):
        app.function()(charge)
    app.on_event("orders")(charge)
    for wrong in (7, "header:x-user"):
        with pytest.raises(ConfigError, match="principal of .* must be None, 'platform' or a"):
            shop.charging(principal=wrong)


def test_a_function_finds_the_principal_out(shop: Shop) -> None:
    """Of the context of the call; it is never run for nobody, nor outside of a call."""
    charge = shop.charging(principal=lambda call: call.headers.get("x-tenant"))

    def call(**headers: str) -> Any:
        found = {name.replace("_", "-"): value for name, value in headers.items()}
        return call_within(context(shop.clock, headers=found), charge, ORDER)

    assert [call(x_tenant=who)["number"] for who in ("a", "b", "a")] == [1, 2, 1]
    for nobody in ({}, {"x_tenant": ""}):
        with pytest.raises(PrincipalMissing):
            call(**nobody)
    with pytest.raises(PrincipalMissing):
        charge(ORDER)
    app = App("shop")
    app.function(name="pay")(shop.charging(principal="platform", name="pay"))
    with Client(Local(), app=app) as client:
        assert client.invoke("pay", ORDER).value["number"] == 3  # whoever runs the process


@pytest.mark.threat("S17")
def test_with_a_secret_no_key_is_in_the_table(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Nor a digest that one could try keys or payloads with; another secret knows none of them."""
    request.addfinalizer(own_secret.cache_clear)
    charge = shop.charging()
    charge(ORDER)
    own_secret.cache_clear()  # as of another process
    monkeypatch.setenv(VARIABLE, _SECRET)
    assert [charge(ORDER)["number"] for _ in range(2)] == [2, 2]
    id = record_id("charge", "42", secret=_SECRET.encode())
    plain, found = shop.record(), shop.client.load_data("keys", id)
    assert plain is not None
    assert found is not None
    assert found.item["id"].startswith("charge:hmac:")
    assert found.item["payload"] != plain["payload"]
    monkeypatch.setenv(VARIABLE, "short")
    own_secret.cache_clear()
    with pytest.raises(ConfigError, match="at least 32 characters"):
        charge(ORDER)
