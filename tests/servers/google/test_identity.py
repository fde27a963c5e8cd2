from __future__ import annotations

import json
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.servers.google import tokens
from tests.servers.google.asking import ask
from tests.servers.google.clients import on_google_cloud
from tests.servers.google.identity import SUBJECT_TOKEN, Identity
from tests.servers.google.tokens import ACCOUNT, CLOUD_PLATFORM, Unscoped, Untrusted

AUDIENCE = "https://f.example/f"
SERVICE = "pubsub.googleapis.com"
METADATA = "/computeMetadata/v1/instance/service-accounts/default/"
FLAVOR = {"Metadata-Flavor": "Google"}


def _request() -> Any:
    return import_module("google.auth.transport.requests").Request()


def _believed(token: str, scope: str = CLOUD_PLATFORM, ahead: float = 0) -> str:
    return tokens.read_access_token(token, SERVICE, {scope}, time.time() + ahead)


@pytest.fixture
def account(identity: Identity, tmp_path: Path) -> Any:
    """Give google-auth's class of credentials, with the file of the service account."""
    path = tmp_path / "key.json"
    identity.write_service_account(path)
    return path


def test_google_auth_finds_the_metadata_server(identity: Identity) -> None:
    """By default credentials it gets a project, and a token that services believe."""
    with on_google_cloud(identity.env), _request().session:
        request = _request()
        credentials, project = import_module("google.auth").default(request=request)
        credentials.refresh(request)
        request.session.close()
    assert project == identity.project
    assert _believed(credentials.token) == ACCOUNT
    with pytest.raises(Untrusted):
        _believed(credentials.token, ahead=3601)


def test_google_auth_gets_an_id_token_of_the_metadata_server(identity: Identity) -> None:
    """It is for the audience that was asked for, and signed by Google."""
    with on_google_cloud(identity.env):
        request = _request()
        token = import_module("google.oauth2.id_token").fetch_id_token(request, AUDIENCE)
        request.session.close()
    assert tokens.read_id_token(token, {AUDIENCE}) == ACCOUNT
    with pytest.raises(Untrusted, match="audience"):
        tokens.read_id_token(token, {"https://g.example"})


def test_google_auth_signs_in_with_a_service_account(identity: Identity, account: Path) -> None:
    """Its file leads to the token endpoint here, for tokens of both kinds."""
    module = import_module("google.oauth2.service_account")
    request = _request()
    access = module.Credentials.from_service_account_file(account, scopes=[CLOUD_PLATFORM])
    access.refresh(request)
    ids = module.IDTokenCredentials.from_service_account_file(account, target_audience=AUDIENCE)
    ids.refresh(request)
    request.session.close()
    assert _believed(access.token) == ACCOUNT
    assert tokens.read_id_token(ids.token, {AUDIENCE}) == ACCOUNT
    assert [each.target for each in identity.executed] == ["/token"] * 2


def test_a_service_account_may_sign_by_itself(account: Path) -> None:
    """A JWT with a scope, or for the host of a service, counts as an access token there."""
    module = import_module("google.oauth2.service_account")
    made = module.Credentials.from_service_account_file(account)
    for credentials in (
        made.with_scopes([CLOUD_PLATFORM]).with_always_use_jwt_access(True),
        made.with_always_use_jwt_access(True),
    ):
        credentials._create_self_signed_jwt(f"https://{SERVICE}/")
        credentials.refresh(None)
        assert _believed(credentials.token) == ACCOUNT
    made = made.with_always_use_jwt_access(True)
    made._create_self_signed_jwt("https://firestore.googleapis.com/")
    made.refresh(None)
    with pytest.raises(Untrusted, match="audience"):
        _believed(made.token)


def test_google_auth_impersonates(
    identity: Identity, account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IAM gives an access token and an ID token of another account to who may act as it."""
    module = import_module("google.auth.impersonated_credentials")
    iam = import_module("google.auth.iam")
    base = f"{identity.url}/v1/projects/-/serviceAccounts/{{}}"
    monkeypatch.setattr(iam, "_IAM_ENDPOINT", f"{base}:generateAccessToken")
    monkeypatch.setattr(iam, "_IAM_IDTOKEN_ENDPOINT", f"{base}:generateIdToken")
    source = import_module("google.oauth2.service_account").Credentials
    request = _request()
    credentials = module.Credentials(
        source_credentials=source.from_service_account_file(account, scopes=[CLOUD_PLATFORM]),
        target_principal=ACCOUNT,
        target_scopes=[CLOUD_PLATFORM],
        iam_endpoint_override=base.format(ACCOUNT) + ":generateAccessToken",
    )
    credentials.refresh(request)
    ids = module.IDTokenCredentials(credentials, target_audience=AUDIENCE, include_email=True)
    ids.refresh(request)
    request.session.close()
    assert _believed(credentials.token) == ACCOUNT
    assert tokens.read_id_token(ids.token, {AUDIENCE}) == ACCOUNT


def test_google_auth_comes_from_another_cloud(identity: Identity, tmp_path: Path) -> None:
    """A token of elsewhere is exchanged, and the account impersonated."""
    (tmp_path / "token").write_text(SUBJECT_TOKEN)
    document = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/"
        "providers/q",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{identity.url}/v1/token",
        "service_account_impersonation_url": f"{identity.url}/v1/projects/-/serviceAccounts/"
        f"{ACCOUNT}:generateAccessToken",
        "credential_source": {"file": str(tmp_path / "token")},
    }
    credentials = import_module("google.auth.identity_pool").Credentials.from_info(
        document, scopes=[CLOUD_PLATFORM]
    )
    request = _request()
    credentials.refresh(request)
    request.session.close()
    assert _believed(credentials.token) == ACCOUNT


@pytest.mark.parametrize("what", ["token", "identity?audience=a", "", "email"])
def test_the_metadata_server_wants_its_header(identity: Identity, what: str) -> None:
    """Without it, or through a proxy that says so, nothing is told; the server names itself."""
    target = METADATA + what
    assert ask(identity.address, "GET", target).status == 403
    map_call = FLAVOR | {"X-Forwarded-For": "1.2.3.4"}
    assert ask(identity.address, "GET", target, headers=map_call).status == 403
    said = ask(identity.address, "GET", target, headers=FLAVOR)
    assert (said.status, said.headers["metadata-flavor"]) == (200, "Google")


def test_an_id_token_needs_an_audience(identity: Identity) -> None:
    """The metadata server says so with 400."""
    assert ask(identity.address, "GET", f"{METADATA}identity", headers=FLAVOR).status == 400


def test_what_is_told_can_be_set(identity: Identity) -> None:
    """Tokens may live short, be for another audience, or have other scopes."""
    identity.seconds, identity.audience, identity.scopes = 5, "other", ("narrow",)
    said = ask(identity.address, "GET", f"{METADATA}token", headers=FLAVOR).json
    assert said["expires_in"] == 5
    assert _believed(said["access_token"], "narrow") == ACCOUNT
    with pytest.raises(Unscoped):
        _believed(said["access_token"])
    told = ask(identity.address, "GET", f"{METADATA}identity?audience=a", headers=FLAVOR).body
    assert tokens.read_id_token(told.decode(), {"other"}) == ACCOUNT


def test_nobody_may_be_given_a_token(identity: Identity) -> None:
    """The metadata server knows no account, the token endpoint refuses, and IAM denies."""
    identity.refuses = True
    assert ask(identity.address, "GET", f"{METADATA}token", headers=FLAVOR).status == 404
    grant = b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=a"
    said = ask(identity.address, "POST", "/token", grant)
    assert (said.status, said.json["error"]) == (400, "invalid_grant")
    target = f"/v1/projects/-/serviceAccounts/{ACCOUNT}:generateIdToken"
    told = ask(identity.address, "POST", target, {}, token=identity.access_token())
    assert told.status == 403
    identity.down = True
    assert ask(identity.address, "POST", "/token", grant).status == 503


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "https://elsewhere.example/token"},
        {"iss": "somebody@else.example"},
        {"exp": -10},
        {"exp": 4000},
    ],
)
def test_a_wrong_assertion_is_refused(identity: Identity, changed: dict[str, Any]) -> None:
    """The token endpoint looks at the audience, the issuer and the time, from now in seconds."""
    now = int(time.time())
    if "exp" in changed:
        changed = {"exp": now + changed["exp"]}
    claims: dict[str, object] = {
        "iss": ACCOUNT,
        "aud": tokens.TOKEN_ENDPOINT,
        "scope": CLOUD_PLATFORM,
        "iat": now - 20,
        "exp": now + 1000,
    }
    assert _signed_in(identity, claims) == 200
    assert _signed_in(identity, claims | changed) == 400
    assert _signed_in(identity, claims, tokens.google_key()) == 400


def test_a_token_of_nobody_is_no_token() -> None:
    """Noise, and what another has sealed or signed, is not believed."""
    good = tokens.mint_access_token(time.time() + 100)
    for token in ("", "noise", "a.b.c", good[:-1] + "x", "ya29.", tokens.sign(_key(), {})):
        with pytest.raises(Untrusted):
            _believed(token)
        with pytest.raises(Untrusted):
            tokens.read_id_token(token, {AUDIENCE})


def _key() -> tokens.Key:
    return tokens.google_key()


def _signed_in(identity: Identity, claims: dict[str, object], key: tokens.Key | None = None) -> int:
    assertion = tokens.sign(key or tokens.account_key(), claims)
    form = f"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}"
    return ask(identity.address, "POST", "/token", form.encode()).status


def test_the_file_is_that_of_a_service_account(account: Path) -> None:
    """It has what Google puts into one."""
    document = json.loads(account.read_text())
    assert (document["type"], document["client_email"]) == ("service_account", ACCOUNT)
