from __future__ import annotations

import json
import time
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
import requests

from tests.servers.azure import tokens
from tests.servers.azure.clients import ONCE
from tests.servers.azure.identity import CLIENT, CLIENT_SECRET, HEADER, TENANT, Identity
from tests.servers.certificates import Authority
from tests.servers.faultproxy import FaultProxy

library: Any = import_module("azure.identity")
AuthenticationError: type[Exception] = import_module(
    "azure.core.exceptions"
).ClientAuthenticationError

SCOPE = f"{tokens.COSMOS}/.default"


@pytest.fixture
def managed(identity: Identity, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give azure-identity's managed identity, as in an app."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", identity.endpoint)
    monkeypatch.setenv("IDENTITY_HEADER", HEADER)
    with library.ManagedIdentityCredential(**ONCE) as credential:
        yield credential


def _ask(identity: Identity, header: str = HEADER, **query: str) -> tuple[int, Any]:
    answer = requests.get(
        identity.endpoint,
        params={"api-version": "2019-08-01", "resource": tokens.COSMOS} | query,
        headers={"X-IDENTITY-HEADER": header},
        timeout=60,
    )
    return answer.status_code, json.loads(answer.content or b"null")


def test_the_managed_identity_gets_a_token(managed: Any) -> None:
    """azure-identity finds the endpoint, and the servers believe what it gets there."""
    token = managed.get_token(SCOPE)
    tokens.check(token.token, {tokens.COSMOS}, time.time())
    assert 0 < token.expires_on - time.time() <= 3600


def test_an_identity_that_is_unknown_gets_none(identity: Identity, managed: Any) -> None:
    """azure-identity says so, in its own way."""
    identity.refuses = True
    with pytest.raises(AuthenticationError):
        managed.get_token(SCOPE)


def test_the_endpoint_wants_its_header(identity: Identity) -> None:
    """So that no request that was forged by a function's input gets a token."""
    assert _ask(identity)[0] == 200
    assert _ask(identity, header="wrong")[0] == 401
    assert _ask(identity, **{"api-version": "2017-09-01"})[0] == 400


def test_tokens_can_be_wrong(identity: Identity) -> None:
    """They may be old already, or for someone else; or there is no server."""
    identity.seconds = -1
    status, said = _ask(identity)
    assert status == 200
    with pytest.raises(tokens.Untrusted, match="expired"):
        tokens.check(said["access_token"], {tokens.COSMOS}, time.time())
    identity.seconds, identity.audience = 60, "https://other.example"
    with pytest.raises(tokens.Untrusted, match="audience"):
        tokens.check(_ask(identity)[1]["access_token"], {tokens.COSMOS}, time.time())
    identity.down = True
    assert _ask(identity) == (503, None)


@pytest.mark.parametrize("secret", [CLIENT_SECRET, "wrong"])
def test_a_client_with_a_secret_gets_a_token(identity: Identity, secret: str) -> None:
    """azure-identity asks Entra ID, over TLS; a wrong secret gets none."""
    authority = Authority()
    with (
        FaultProxy(identity.address, authority) as proxy,
        authority._ca.cert_pem.tempfile() as pem,
        library.ClientSecretCredential(
            TENANT,
            CLIENT,
            secret,
            authority=proxy.url,
            disable_instance_discovery=True,
            connection_verify=pem,
            **ONCE,
        ) as credential,
    ):
        if secret == CLIENT_SECRET:
            token = credential.get_token(SCOPE).token
            tokens.check(token, {tokens.COSMOS}, time.time())
        else:
            with pytest.raises(AuthenticationError):
                credential.get_token(SCOPE)


def test_a_forged_token_is_not_believed(identity: Identity) -> None:
    """Its claims are what is signed."""
    head, _, mac = identity.token(tokens.COSMOS).split(".")
    claims = identity.token(tokens.EVENT_GRID).split(".")[1]
    with pytest.raises(tokens.Untrusted, match="signature"):
        tokens.check(f"{head}.{claims}.{mac}", {tokens.EVENT_GRID}, time.time())
