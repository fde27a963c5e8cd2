from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import responses
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
)
from azure.identity import CredentialUnavailableError

from leeward._http.messages import Failure, Phase, Request, Response
from leeward._http.options import TransportOptions
from leeward._http.threads import CurlTransport
from leeward.adapter.http_functions import Address
from leeward.adapter.resolver import FunctionAddress, Source, Token
from leeward.adapter.tokens import LARGEST
from leeward.errors import ConfigError, Outcome
from leeward_azure.identity.credentials import (
    AccountKey,
    Bearer,
    SasToken,
    ServiceCredential,
)
from leeward_azure.identity.sources import describe_source, endpoint_of, source_of
from leeward_azure.identity.vendor import VendorChain
from leeward_azure.settings.options import Settings
from leeward_contract_tests.rows import each_row
from tests.azure.sources import COSMOS, KEY, NOW, TOKEN, http, no_azure, refused, target
from tests.http.wire import Wire, answer

TOPICS = "https://{topic}.westeurope-1.eventgrid.azure.net"
QUEUE = "https://shop.queue.core.windows.net"
ENTRA = COSMOS | {
    "eventgrid_topic_url": TOPICS,
    "storage_queue_url": QUEUE,
    "function_app": "shop",
    "function_scope": "api://shop/.default",
}
SCOPES: dict[Hashable, str] = {
    ServiceCredential("cosmos"): "https://shop.documents.azure.com",
    ServiceCredential("eventgrid"): "https://eventgrid.azure.net",
    ServiceCredential("queue"): "https://storage.azure.com",
    ServiceCredential("management"): "https://management.azure.com",
    FunctionAddress("send"): "api://shop",
}
SECRETS = "AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take Azure's variables away."""
    no_azure(monkeypatch)


@pytest.fixture
def transport() -> Iterator[CurlTransport]:
    """Give a transport, closed in the end."""
    opened = CurlTransport(TransportOptions())
    yield opened
    opened.close()


class Canned:
    """A transport that keeps requests and answers all of them alike."""

    def __init__(self, answered: Response | Failure) -> None:
        self.answered = answered
        self.sent: list[Request] = []

    def send(self, request: Request, timeout: float) -> Response | Failure:
        self.sent.append(request)
        return self.answered

    def drop(self, origin: str) -> None:
        pass

    def close(self) -> None:
        pass


def document(**changes: Any) -> Response:
    import json

    told = {name: value for name, value in (TOKEN | changes).items() if value is not None}
    return Response(200, body=json.dumps(told).encode())


def endpoint_env(origin: str = "http://127.0.0.1:41741") -> dict[str, str]:
    return {"IDENTITY_ENDPOINT": f"{origin}/msi/token", "IDENTITY_HEADER": "canary-word"}


def managed(answered: Response | Failure, **options: Any) -> tuple[Source, Canned]:
    """Give the source of a target with a managed identity, and what carries its requests."""
    canned = Canned(answered)
    settings, config = target(endpoint_env(), **ENTRA | options)
    return source_of(settings, config, canned, now=lambda: NOW), canned


# What is configured.


def test_keys_go_before_entra() -> None:
    """A key or a signature is given at once, without an end, and nothing is sent."""
    settings, config = target(
        endpoint_env(),
        **COSMOS,
        cosmos_key=KEY,
        eventgrid_topic_url=TOPICS,
        eventgrid_sas="r=1&s=2",
        storage_connection_string=f"AccountName=shop;AccountKey={KEY}",
        function_app="shop",
        function_key="canary-all",
        function_keys={"pay": "canary-pay"},
        routes={"pay": "orders/pay"},
    )
    canned = Canned(Response(500))
    source = source_of(settings, config, canned, now=lambda: NOW)
    origin = "https://shop.azurewebsites.net"
    for what, secret in {
        ServiceCredential("cosmos"): AccountKey(KEY),
        ServiceCredential("eventgrid"): SasToken("r=1&s=2"),
        ServiceCredential("queue"): AccountKey(KEY),
        FunctionAddress("pay"): Address(origin, "/api/orders/pay", key="canary-pay"),
        FunctionAddress("send"): Address(origin, "/api/send", key="canary-all"),
    }.items():
        assert source(what, 5.0) == (secret, NOW, None)
    assert canned.sent == []


# The managed identity.


@each_row("what", list(SCOPES))
def test_a_token_for_each_service(what: Hashable) -> None:
    """One request with the word of the platform asks for the service's own audience."""
    source, canned = managed(document())
    found = source(what, 5.0)
    secret = found.value.token if isinstance(found.value, Address) else found.value
    assert secret in ("canary-token", Bearer("canary-token"))
    assert (found.fetched_at, found.expires_at) == (NOW, NOW + 3600)
    assert "canary" not in repr(found) + repr(found.value)
    (request,) = canned.sent
    assert request[:2] == ("GET", "http://127.0.0.1:41741")
    assert dict(request.headers)["X-IDENTITY-HEADER"] == "canary-word"
    asked = urlsplit(request.target)
    assert asked.path == "/msi/token"
    assert parse_qs(asked.query) == {"api-version": ["2019-08-01"], "resource": [SCOPES[what]]}


def test_the_request_is_the_vendors(monkeypatch: pytest.MonkeyPatch) -> None:
    """azure-identity asks the same endpoint in the same way."""
    from azure.identity import ManagedIdentityCredential

    for name, value in endpoint_env().items():
        monkeypatch.setenv(name, value)
    with responses.RequestsMock() as mocked:
        mocked.get("http://127.0.0.1:41741/msi/token", json=TOKEN | {"expires_in": "3600"})
        with ManagedIdentityCredential(client_id="own") as credential:
            credential.get_token("https://storage.azure.com/.default")
        theirs = mocked.calls[0].request
    source, canned = managed(document(), client_id="own")
    source(ServiceCredential("queue"), 5.0)
    (ours,) = canned.sent
    split = urlsplit(theirs.url or "")
    assert parse_qs(split.query) == parse_qs(urlsplit(ours.target).query)
    assert theirs.headers["X-IDENTITY-HEADER"] == dict(ours.headers)["X-IDENTITY-HEADER"]


@each_row(
    "status, outcome",
    [
        (400, Outcome.AUTH),
        (401, Outcome.AUTH),
        (403, Outcome.AUTH),
        (404, Outcome.AUTH),
        (302, Outcome.AUTH),
        (429, Outcome.NOT_SENT),
        (500, Outcome.NOT_SENT),
        (503, Outcome.NOT_SENT),
    ],
)
def test_a_status_other_than_200(status: int, outcome: Outcome) -> None:
    """A busy endpoint could not be asked; any other has refused."""
    source, _ = managed(Response(status, body=b"canary"))
    found = refused(source, ServiceCredential("queue"))
    assert (found.outcome, found.code) == (outcome, f"http.{status}")


@pytest.mark.parametrize(
    ("changes", "end"),
    [
        ({"expires_on": int(NOW) + 60}, NOW + 60),
        ({"expires_on": None, "expires_in": "120"}, NOW + 120),
        ({"expires_on": "01/15/2027 9:00 AM", "expires_in": 30}, NOW + 30),
    ],
)
def test_when_a_token_ends(changes: dict[str, Any], end: float) -> None:
    """In Unix seconds, as text or number; else so many seconds from now."""
    source, _ = managed(document(**changes))
    assert source(ServiceCredential("queue"), 5.0).expires_at == end


@each_row(
    "answered, code",
    [
        (document(access_token=None), "undecodable"),
        (document(access_token=7), "undecodable"),
        (document(access_token="canary\r\nX: y"), "undecodable"),
        (document(access_token=""), "undecodable"),
        (document(expires_on=None), "undecodable"),
        (document(expires_on="-1"), "undecodable"),
        (document(expires_on=str(int(NOW))), "expired_credentials"),
        (Response(200, body=b"canary"), "undecodable"),
        (Response(200, body=b"[]"), "undecodable"),
        (Response(200, body=b'"' + b"x" * LARGEST + b'"'), "undecodable"),
        (Response(200, body=b'{"access_token":"a","access_token":"b"}'), "undecodable"),
    ],
)
def test_an_answer_that_is_no_token(answered: Response, code: str) -> None:
    """It is refused without repeating it."""
    source, _ = managed(answered)
    found = refused(source, ServiceCredential("queue"))
    assert (found.outcome, found.code) == (Outcome.AUTH, code)


@each_row(
    "url",
    [
        "http://evil.example/token",
        "http://10.0.0.1/token",
        "http://168.63.129.16/token",
        "http://127.0.0.1.evil.example/",
        "http://canary@127.0.0.1/",
        "http://127.0.0.1/?canary=1",
        "ftp://127.0.0.1/",
        "http://127.0.0.1:99999/",
        "canary",
    ],
)
@pytest.mark.row(9)
@pytest.mark.threat("S1")
def test_an_endpoint_that_must_not_be_asked(url: str) -> None:
    """Opening refuses it by the variable's name, and repeats nothing of it."""
    settings, config = target({"IDENTITY_ENDPOINT": url, "IDENTITY_HEADER": "x"}, **ENTRA)
    with pytest.raises(ConfigError, match="^IDENTITY_ENDPOINT") as caught:
        source_of(settings, config, Canned(document()))
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "origin",
    ["http://localhost:1", "http://[::1]:1", "http://169.254.131.2:8081", "https://msi.example"],
)
def test_an_endpoint_that_may_be_asked(origin: str) -> None:
    """This machine, its own link, and https."""
    found = endpoint_of(endpoint_env(origin), target(**COSMOS)[1])
    assert found is not None
    assert found.address.origin == origin
    assert "canary" not in repr(found)


def test_on_a_virtual_machine() -> None:
    """With `managed` and no endpoint, the metadata service is asked; a starting one is busy."""
    for status, outcome in (404, Outcome.NOT_SENT), (410, Outcome.NOT_SENT), (400, Outcome.AUTH):
        canned = Canned(Response(status))
        settings, config = target(**ENTRA, identity="managed")
        assert (
            refused(source_of(settings, config, canned), ServiceCredential("queue")).outcome
            is outcome
        )
        (request,) = canned.sent
        assert request.origin == "http://169.254.169.254"
        assert ("Metadata", "true") in request.headers
        assert "api-version=2018-02-01&resource=https%3A%2F%2Fstorage.azure.com" in request.target


def test_the_hardened_mode_asks_apart(transport: CurlTransport) -> None:
    """Where the target keeps to the public internet, its identity is still found on the machine."""
    closed = Canned(Failure(Phase.CONNECT, False, "not_public"))
    with Wire(answer(http(200, TOKEN))) as wire:
        settings, config = target(trust_env=False, **ENTRA, identity="managed")
        env = endpoint_env(wire.origin())
        source = source_of(settings, config, closed, now=lambda: NOW, platform=env)
        assert source(ServiceCredential("queue"), 5.0).value == Bearer("canary-token")
        assert (len(wire.requests), closed.sent) == (1, [])


@pytest.mark.row(9)
@pytest.mark.threat("S1")
def test_the_hardened_mode_asks_near_alone() -> None:
    """Whoever writes the variables leads it to no host of theirs; the operator's list may."""
    options = COSMOS | {"identity": "managed"}
    for origin in ("http://localhost:1", "http://169.254.131.2:8081", "https://[::1]:8"):
        settings, config = target(trust_env=False, **options)
        source_of(settings, config, Canned(document()), platform=endpoint_env(origin))
    env = endpoint_env("https://evil.example")
    with pytest.raises(ConfigError, match="^IDENTITY_ENDPOINT names a host.*allowed_hosts"):
        source_of(settings, config, Canned(document()), platform=env)
    with pytest.raises(ConfigError, match="^IDENTITY_ENDPOINT"):
        describe_source(settings, config, platform=env)
    settings, config = target(trust_env=False, **options, allowed_hosts=["msi.example"])
    env = endpoint_env("https://msi.example")
    assert describe_source(settings, config, platform=env) == {"tables": "managed identity"}


def test_the_hardened_mode_has_no_other_source() -> None:
    """Without `managed`, a token is refused with the remedy, whatever the environment says."""
    settings, config = target(trust_env=False, **COSMOS, cosmos_key=KEY)
    source = source_of(settings, config, Canned(document()), platform=endpoint_env())
    assert source(ServiceCredential("cosmos"), 5.0).value == AccountKey(KEY)
    found = refused(source, ServiceCredential("management"))
    assert (found.outcome, found.code) == (Outcome.AUTH, "no_credentials")
    assert "identity = 'managed'" in str(found)


# Which source it is.


@each_row(
    "env, options, said",
    [
        (endpoint_env(), {}, "managed identity"),
        (endpoint_env() | {"AZURE_CLIENT_ID": "x"}, {}, "managed identity"),
        (endpoint_env() | {"AZURE_TENANT_ID": "x"}, {}, "managed identity"),
        *((endpoint_env() | {name: "x"}, {}, "vendor chain") for name in SECRETS),
        (endpoint_env() | {"AZURE_TOKEN_CREDENTIALS": "prod"}, {}, "managed identity"),
        (endpoint_env() | {"AZURE_TOKEN_CREDENTIALS": "dev"}, {}, "vendor chain"),
        (endpoint_env() | {"AZURE_TOKEN_CREDENTIALS": "AzureCliCredential"}, {}, "vendor chain"),
        (
            endpoint_env()
            | {"AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential", SECRETS[0]: "x"},
            {},
            "managed identity",
        ),
        (endpoint_env() | {SECRETS[0]: "x"}, {"identity": "managed"}, "managed identity"),
        (endpoint_env() | {SECRETS[0]: "x"}, {"identity": "default"}, "vendor chain"),
        (endpoint_env(), {"identity": "default"}, "managed identity"),
        (endpoint_env() | {"IDENTITY_SERVER_THUMBPRINT": "x"}, {}, "vendor chain"),
        ({"IDENTITY_ENDPOINT": "http://localhost/"}, {}, "vendor chain"),
        ({}, {}, "vendor chain"),
        ({}, {"identity": "managed"}, "managed identity of the machine"),
    ],
)
def test_where_tokens_come_from(env: dict[str, str], options: dict[str, Any], said: str) -> None:
    """What goes before the managed identity in azure-identity does so here."""
    assert describe_source(*target(env, **COSMOS, **options)) == {"tables": said}


@pytest.mark.parametrize("secret", [False, True])
@pytest.mark.parametrize("choice", ["", "prod", "dev", "managedidentitycredential"])
def test_the_order_is_that_of_the_vendor(
    monkeypatch: pytest.MonkeyPatch, secret: bool, choice: str
) -> None:
    """Where leeward reads the endpoint itself, azure-identity would have taken it too."""
    from azure.identity import DefaultAzureCredential

    env = endpoint_env() | ({"AZURE_TOKEN_CREDENTIALS": choice} if choice else {})
    if secret:
        env |= {"AZURE_CLIENT_SECRET": "s", "AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c"}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with DefaultAzureCredential() as chain:
        names = [type(each).__name__ for each in chain.credentials]
    if not secret and names[0] == "EnvironmentCredential":
        names = names[1:]  # it finds nothing, and the next one is asked
    if names[0] == "WorkloadIdentityCredential" or names[0] == "FailedDACCredential":
        names = names[1:]
    taken = names[0] == "ManagedIdentityCredential"
    (said,) = describe_source(*target(env, **COSMOS)).values()
    assert (said == "managed identity") == taken


def test_what_is_shown_of_each_service() -> None:
    """A word or two say where the credential of each comes from."""
    env = endpoint_env()
    assert describe_source(*target(env, **ENTRA, function_key="k")) == {
        "functions": "key, managed identity",
        "queues": "managed identity",
        "events": "managed identity",
        "tables": "managed identity",
    }
    found = describe_source(
        *target(
            env,
            function_app="shop",
            resource_group="g",
            subscription_id="0",
            eventgrid_topic_url=TOPICS,
            eventgrid_sas="s",
            storage_connection_string="UseDevelopmentStorage=true",
        )
    )
    assert found["functions"] == "looked up by managed identity"
    assert (found["events"], found["queues"]) == ("signature", "key")
    assert describe_source(*target(function_app="shop")) == {"functions": "none"}


# The vendor's chain.


class Member:
    """A stand-in for a credential of the chain."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    def get_token(self, *scopes: str, **_: Any) -> Any:
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(found, Exception):
            raise found
        return found

    def drop(self, origin: str) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture
def chain(monkeypatch: pytest.MonkeyPatch) -> Callable[..., VendorChain]:
    """Give a function that makes a source of a chain with these members."""
    import azure.identity

    def make(*members: Member) -> VendorChain:
        class Chain(azure.identity.DefaultAzureCredential):
            def __init__(self, **_: Any) -> None:
                azure.identity.ChainedTokenCredential.__init__(self, *members)

        monkeypatch.setattr(azure.identity, "DefaultAzureCredential", Chain)
        return VendorChain(Settings(), lambda: NOW)

    return make


def access(text: str = "canary-token") -> Any:
    from azure.core.credentials import AccessToken

    return AccessToken(text, int(NOW) + 600)


def wrapped(cause: Exception) -> Exception:
    """Give what azure-identity makes of another library's exception."""
    try:
        try:
            raise cause
        except Exception as error:
            raise ClientAuthenticationError(message="canary") from error
    except ClientAuthenticationError as error:
        return error


NOTHING = Member(CredentialUnavailableError(message="canary"))


def http_error(status: int) -> Exception:
    answered: Any = SimpleNamespace(status_code=status, reason="canary", headers={})
    return HttpResponseError(message="canary", response=answered)


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        (ClientAuthenticationError(message="AADSTS700016: canary"), Outcome.AUTH, "AADSTS700016"),
        (ClientAuthenticationError(message="x"), Outcome.AUTH, "ClientAuthenticationError"),
        (ServiceRequestError("canary"), Outcome.NOT_SENT, "ServiceRequestError"),
        (wrapped(ServiceRequestError("x")), Outcome.NOT_SENT, "ClientAuthenticationError"),
        (wrapped(http_error(503)), Outcome.NOT_SENT, "ClientAuthenticationError"),
        (wrapped(http_error(429)), Outcome.NOT_SENT, "ClientAuthenticationError"),
        (wrapped(http_error(400)), Outcome.AUTH, "ClientAuthenticationError"),
        (ValueError("canary"), Outcome.AUTH, "ValueError"),
    ],
)
def test_what_an_error_of_the_chain_means(
    chain: Callable[..., VendorChain], error: Exception, outcome: Outcome, code: str
) -> None:
    """An outage is told from a refusal, by what the member raised and not by the chain's text."""
    found = refused(chain(NOTHING, Member(error), Member(access())), Token("s/.default"))
    assert (found.outcome, found.code) == (outcome, code)
    assert found.__cause__ is not None


def test_no_member_has_anything(chain: Callable[..., VendorChain]) -> None:
    """The message says what to set; once there was a token, its source is out of reach."""
    found = refused(chain(NOTHING, NOTHING), Token("s/.default"))
    assert (found.outcome, found.code) == (Outcome.AUTH, "no_credentials")
    assert "AZURE_CLIENT_SECRET" in str(found)
    source = chain(Member(access(), CredentialUnavailableError(message="canary")))
    source(Token("s/.default"), 5.0)
    assert refused(source, Token("s/.default")).outcome is Outcome.NOT_SENT


def test_a_service_principal_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real chain signs in at the authority that is set, and a refusal has its code."""
    tenant = "72f988bf-0000-0000-0000-2d7cd011db47"
    env = {"AZURE_CLIENT_ID": "c", "AZURE_TENANT_ID": tenant, "AZURE_CLIENT_SECRET": "canary"}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    base = f"https://login.microsoftonline.us/{tenant}"
    settings, config = target(env, **COSMOS, authority_host="login.microsoftonline.us")
    source = source_of(settings, config, Canned(Response(500)), now=lambda: NOW)
    with responses.RequestsMock() as mocked:
        common = {"tenant_discovery_endpoint": f"{base}/v2.0/.well-known/openid-configuration"}
        instance = "https://login.microsoftonline.us/common/discovery/instance"
        mocked.get(instance, json=common | {"metadata": []})
        mocked.get(
            f"{base}/v2.0/.well-known/openid-configuration",
            json={
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "issuer": f"{base}/v2.0",
            },
        )
        refusal = {"error": "invalid_client", "error_description": "AADSTS7000215: canary"}
        mocked.post(f"{base}/oauth2/v2.0/token", status=401, json=refusal)
        found = refused(source, ServiceCredential("cosmos"))
        assert (found.outcome, found.code) == (Outcome.AUTH, "AADSTS7000215")
        mocked.post(f"{base}/oauth2/v2.0/token", body=requests.ConnectionError("canary"))
        assert refused(source, ServiceCredential("cosmos")).outcome is Outcome.NOT_SENT


# What is imported.
