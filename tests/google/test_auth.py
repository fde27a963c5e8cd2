from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import responses

from leeward._http.messages import Failure, Phase, Response
from leeward.adapter.http_functions import Address
from leeward.adapter.resolver import FunctionAddress, Source
from leeward.adapter.tokens import LARGEST
from leeward.errors import Outcome
from leeward_contract_tests.rows import each_row
from leeward_google.identity.credentials import ACCESS_TOKEN, SCOPE, Bearer, Project
from leeward_google.identity.sources import PROBE_SECONDS, describe_source, source_of
from tests.google.sources import (
    ACCOUNT,
    IMPERSONATION,
    NOW,
    USER,
    Canned,
    jwt,
    metadata,
    no_google,
    refused,
    service_account,
    target,
    written,
)
from tests.house.workspace import ROOT

RUN = "https://send-a1b2c3-uc.a.run.app"
PAY = "https://us-central1-shop-1.cloudfunctions.net/pay"
FUNCTIONS: dict[str, Any] = {"functions": {"send": RUN, "pay": PAY}}
ON_RUN = {"K_SERVICE": "shop"}
TOKEN = {"access_token": "canary-token", "expires_in": 3599, "token_type": "Bearer"}
TOKEN_URL = "https://oauth2.googleapis.com/token"
HOMES = {"HOME", "CLOUDSDK_CONFIG"}
LONG_AGO = 1_700_000_000.0
CLOSED = Failure(Phase.CONNECT, False, "curl.7")
AT_END = datetime.fromtimestamp(NOW + 600, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take Google's variables away, and give an empty home."""
    no_google(monkeypatch, tmp_path)


@pytest.fixture
def mocked() -> Iterator[responses.RequestsMock]:
    """Give what answers google-auth's requests; it knows nothing yet."""
    with responses.RequestsMock() as found:
        yield found


def source(
    *answers: Response | Failure,
    env: dict[str, str] | None = None,
    passed: Sequence[float] = (0.0,),
    **options: Any,
) -> tuple[Source, Canned]:
    """Give the source of a target, and what carries its requests, `passed[0]` seconds later."""
    canned = Canned(*(answers or (CLOSED,)))
    found, config = target(env, **FUNCTIONS | options)
    # google-auth has a clock of its own; by this one, its tokens still hold.
    now = LONG_AGO if found.identity.file or config.env.keys() & HOMES else NOW
    return source_of(found, config, canned, now=lambda: now + passed[0]), canned


def on_run(*answers: Response | Failure, **options: Any) -> tuple[Source, Canned]:
    return source(*answers, env=ON_RUN, **options)


# What is configured.


def test_a_public_function_needs_no_credential() -> None:
    """Nothing is asked, wherever credentials would come from."""
    fetch, canned = on_run(authenticate=False)
    assert fetch(FunctionAddress("pay"), 5.0) == (Address(PAY[:-4], "/pay"), NOW, None)
    assert canned.sent == []


# The metadata server.


def test_the_requests_are_the_vendors(mocked: responses.RequestsMock) -> None:
    """google-auth asks the same server in the same way."""
    from google.auth import compute_engine
    from google.auth.transport.requests import Request

    base = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default"
    flavor = {"Metadata-Flavor": "Google"}
    mocked.get(f"{base}/", json={"email": ACCOUNT, "scopes": []}, headers=flavor)
    mocked.get(f"{base}/token", json=TOKEN, headers=flavor)
    mocked.get(f"{base}/identity", body=jwt(), headers=flavor, content_type="text/html")
    with requests.Session() as session:
        asker: Any = Request(session)
        kind: Any = compute_engine.Credentials
        kind(scopes=[SCOPE]).refresh(asker)
        home: Any = compute_engine
        home.IDTokenCredentials(asker, RUN, use_metadata_identity_endpoint=True).refresh(asker)
    theirs = [call.request for call in mocked.calls if not str(call.request.url).endswith("true")]
    fetch, canned = on_run(metadata(TOKEN), metadata(jwt()))
    fetch(ACCESS_TOKEN, 5.0)
    fetch(FunctionAddress("send"), 5.0)
    assert len(theirs) == len(canned.sent) == 2
    for their, our in zip(theirs, canned.sent, strict=True):
        one, other = urlsplit(str(their.url)), urlsplit(our.target)
        assert one.path == other.path
        assert parse_qs(one.query) == parse_qs(other.query)
        assert their.headers["metadata-flavor"] == dict(our.headers)["Metadata-Flavor"]


@each_row(
    "status, outcome",
    [
        (302, Outcome.AUTH),
        (400, Outcome.AUTH),
        (403, Outcome.AUTH),
        (404, Outcome.AUTH),
        (429, Outcome.NOT_SENT),
        (500, Outcome.NOT_SENT),
        (503, Outcome.NOT_SENT),
    ],
)
@pytest.mark.parametrize("what", [ACCESS_TOKEN, FunctionAddress("send"), Project()], ids=str)
def test_a_status_other_than_200(what: Any, status: int, outcome: Outcome) -> None:
    """A busy server could not be asked; any other has refused."""
    fetch, _ = on_run(metadata("canary", status))
    found = refused(fetch, what)
    assert (found.outcome, found.code) == (outcome, f"http.{status}")
    assert ("set credentials_file" in str(found)) is (outcome is Outcome.AUTH)


@each_row(
    "what, answered, code",
    [
        (ACCESS_TOKEN, metadata(TOKEN, flavor=None), "not_google"),
        (ACCESS_TOKEN, metadata(TOKEN, flavor="canary"), "not_google"),
        (Project(), metadata("shop-1", flavor=None), "not_google"),
        (ACCESS_TOKEN, metadata("canary"), "undecodable"),
        (ACCESS_TOKEN, metadata([]), "undecodable"),
        (ACCESS_TOKEN, metadata(TOKEN | {"access_token": None}), "undecodable"),
        (ACCESS_TOKEN, metadata(TOKEN | {"access_token": "canary\r\nX: y"}), "undecodable"),
        (ACCESS_TOKEN, metadata(TOKEN | {"expires_in": "soon"}), "undecodable"),
        (ACCESS_TOKEN, metadata(TOKEN | {"expires_in": 0}), "expired_credentials"),
        (ACCESS_TOKEN, metadata("x" * (LARGEST + 1)), "undecodable"),
        (FunctionAddress("send"), metadata("canary"), "undecodable"),
        (FunctionAddress("send"), metadata("canary.canary.canary"), "undecodable"),
        (FunctionAddress("send"), metadata(jwt(exp="canary")), "undecodable"),
        (FunctionAddress("send"), metadata(jwt(exp=int(NOW))), "expired_credentials"),
        (Project(), metadata("<html>canary"), "undecodable"),
    ],
)
def test_an_answer_that_is_not_what_was_asked_for(what: Any, answered: Response, code: str) -> None:
    """It is refused without repeating it."""
    fetch, _ = on_run(answered)
    found = refused(fetch, what)
    assert (found.outcome, found.code) == (Outcome.AUTH, code)


def test_the_hardened_mode_asks_apart_and_at_the_usual_address() -> None:
    """The target keeps to the public internet, and no variable leads anywhere."""
    sent: list[str] = []

    def send(self: Any, request: Any, timeout: float) -> Response:
        sent.append(request.origin)
        return metadata(TOKEN)

    closed = Canned(CLOSED)
    found, config = target(trust_env=False, identity="metadata", project="shop-1")
    config = config._replace(env={})
    fetch = source_of(found, config, closed, now=lambda: NOW)
    with mock.patch("leeward._http.threads.CurlTransport.send", send):
        assert fetch(ACCESS_TOKEN, 5.0).value == Bearer("canary-token")
    assert (sent, closed.sent) == (["http://169.254.169.254"], [])


# Where nothing says that there is a metadata server.


def test_no_credentials_at_all() -> None:
    """A server that never answers is none, and the message says what to set."""
    fetch, canned = source(CLOSED)
    found = refused(fetch, ACCESS_TOKEN)
    assert (found.outcome, found.code) == (Outcome.AUTH, "no_credentials")
    assert "GOOGLE_APPLICATION_CREDENTIALS" in str(found)
    assert len(canned.sent) == 1
    fetch, canned = source(env={"NO_GCE_CHECK": "true"})
    assert refused(fetch, ACCESS_TOKEN).code == "no_credentials"
    assert canned.sent == []


def test_a_machine_where_the_address_hangs() -> None:
    """A server that may not be there is waited for only briefly, like google-auth does."""
    from google.auth.compute_engine import _metadata

    seconds = [0.0]
    fetch, canned = source(CLOSED, passed=seconds)
    for timeout, later in ((0.1, 0.0), (30.0, 0.0), (30.0, 59.0), (1.0, 1.0), (30.0, 0.0)):
        seconds[0] += later
        assert refused(fetch, ACCESS_TOKEN, timeout).code == "no_credentials"
    # One that had no time to answer proves nothing; one that had is believed for a minute.
    assert canned.timeouts == [0.1, PROBE_SECONDS, 1.0]
    assert PROBE_SECONDS == _metadata._METADATA_DEFAULT_TIMEOUT


# Acting as a service account.

LENT = Response(200, body=json.dumps({"accessToken": "canary-as", "expireTime": AT_END}).encode())


def test_an_id_token_of_another() -> None:
    """So also somebody gets one who has none of their own; the project stays the own one."""
    lent = Response(200, body=json.dumps({"token": jwt()}).encode())
    fetch, canned = on_run(metadata(TOKEN), lent, metadata("shop-1"), impersonate=ACCOUNT)
    assert fetch(FunctionAddress("send"), 5.0).value == Address(RUN, "/", jwt())
    request = canned.sent[1]
    asked = IMPERSONATION.replace("generateAccessToken", "generateIdToken")
    assert request.origin + request.target == asked
    assert json.loads(request.body) == {"delegates": [], "audience": RUN, "includeEmail": True}
    assert fetch(Project(), 5.0).value == "shop-1"


def test_the_requests_for_another_are_the_vendors(mocked: responses.RequestsMock) -> None:
    """google-auth asks IAM credentials for the same in the same way."""
    from google.auth import impersonated_credentials
    from google.auth.transport.requests import Request
    from google.oauth2 import credentials

    known: Any = credentials
    own = known.Credentials("canary-token")
    identity = IMPERSONATION.replace("generateAccessToken", "generateIdToken")
    mocked.post(IMPERSONATION, json={"accessToken": "x", "expireTime": AT_END})
    mocked.post(identity, json={"token": jwt()})
    made: Any = impersonated_credentials.Credentials
    kind: Any = impersonated_credentials.IDTokenCredentials
    with requests.Session() as session:
        asker: Any = Request(session)
        there = made(own, ACCOUNT, [SCOPE], lifetime=3600)
        there.refresh(asker)
        kind(there, RUN, include_email=True).refresh(asker)
    lent = Response(200, body=json.dumps({"token": jwt()}).encode())
    fetch, canned = source(LENT, lent, access_token="canary-token", impersonate=ACCOUNT)
    fetch(ACCESS_TOKEN, 5.0)
    fetch(FunctionAddress("send"), 5.0)
    for call, our in zip(mocked.calls, canned.sent, strict=True):
        assert call.request.url == our.origin + our.target
        ours, theirs = json.loads(our.body), json.loads(call.request.body or "")
        assert ours == theirs | {"delegates": theirs["delegates"] or []}
        shown = call.request.headers["authorization"]
        assert shown == dict(our.headers)["Authorization"]


@each_row(
    "answered, outcome, code",
    [
        (Response(403, body=b"canary"), Outcome.AUTH, "http.403"),
        (Response(404), Outcome.AUTH, "http.404"),
        (Response(429), Outcome.NOT_SENT, "http.429"),
        (Response(503), Outcome.NOT_SENT, "http.503"),
        (Failure(Phase.RECEIVE, True, "deadline"), Outcome.NOT_SENT, "deadline"),
        (Response(200, body=b"canary"), Outcome.AUTH, "undecodable"),
        (Response(200, body=b'{"accessToken": "canary"}'), Outcome.AUTH, "undecodable"),
        (
            Response(200, body=b'{"accessToken": "a", "expireTime": "2027-01-15T08:30:00"}'),
            Outcome.AUTH,
            "undecodable",
        ),
    ],
)
def test_a_refusal_of_iam_credentials(
    answered: Response | Failure, outcome: Outcome, code: str
) -> None:
    """An outage is told from a refusal, and nothing is repeated."""
    fetch, _ = source(answered, access_token="canary-token", impersonate=ACCOUNT)
    found = refused(fetch, ACCESS_TOKEN)
    assert (found.outcome, found.code) == (outcome, code)


# Credentials files.


def test_an_id_token_of_a_service_account(tmp_path: Path, mocked: responses.RequestsMock) -> None:
    """The token endpoint gives one for what the key has signed, with the audience in it."""
    from google.auth import jwt as vendor

    mocked.post(TOKEN_URL, json={"id_token": jwt()})
    fetch, _ = source(credentials_file=written(tmp_path, service_account()))
    found = fetch(FunctionAddress("pay"), 5.0)
    assert found.value == Address(PAY[:-4], "/pay", jwt())
    assert found.expires_at == NOW + 3600
    form = parse_qs(str(mocked.calls[0].request.body).removeprefix("b'").removesuffix("'"))
    decode: Any = vendor.decode
    assert decode(form["assertion"][0], verify=False)["target_audience"] == PAY


@pytest.mark.parametrize("variable", ["GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG", "HOME"])
def test_where_a_file_is_found(
    variable: str, tmp_path: Path, mocked: responses.RequestsMock
) -> None:
    """A variable names it, or gcloud has written it; it goes before the metadata server."""
    mocked.post(TOKEN_URL, json=TOKEN)
    name = "application_default_credentials.json"
    folder = tmp_path / ".config" / "gcloud" if variable == "HOME" else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(USER | {"quota_project_id": "pays"}))
    whole = variable == "GOOGLE_APPLICATION_CREDENTIALS"
    env = {variable: str(folder / name) if whole else str(tmp_path)}
    fetch, canned = source(env=ON_RUN | env)
    assert fetch(ACCESS_TOKEN, 5.0).value == Bearer("canary-token", "pays")
    assert canned.sent == []
    fetch, canned = source(metadata(TOKEN), env=ON_RUN | env, identity="metadata")
    assert fetch(ACCESS_TOKEN, 5.0).value == Bearer("canary-token")


def test_a_user_has_no_id_token(tmp_path: Path) -> None:
    """The message says what to do, and nobody is asked in vain."""
    fetch, canned = source(credentials_file=written(tmp_path, USER))
    found = refused(fetch, FunctionAddress("send"))
    assert (found.outcome, found.code) == (Outcome.AUTH, "no_id_token")
    assert "set impersonate" in str(found)
    assert "authenticate = false" in str(found)
    assert refused(fetch, Project()).code == "no_project"
    assert canned.sent == []


def test_a_user_who_acts_as_a_service_account(
    tmp_path: Path, mocked: responses.RequestsMock
) -> None:
    """Then there is one."""
    mocked.post(TOKEN_URL, json=TOKEN)
    lent = Response(200, body=json.dumps({"token": jwt()}).encode())
    path = written(tmp_path, USER)
    fetch, canned = source(lent, credentials_file=path, impersonate=ACCOUNT)
    assert fetch(FunctionAddress("send"), 5.0).value.token == jwt()
    assert dict(canned.sent[0].headers)["Authorization"] == "Bearer canary-token"


def test_a_file_that_says_to_act_as_a_service_account(
    tmp_path: Path, mocked: responses.RequestsMock
) -> None:
    """So does the one of ``gcloud auth application-default login --impersonate-...``."""
    mocked.post(TOKEN_URL, json=TOKEN)
    info = {
        "type": "impersonated_service_account",
        "service_account_impersonation_url": IMPERSONATION,
        "delegates": ["between@shop-1.iam.gserviceaccount.com"],
        "source_credentials": USER,
        "quota_project_id": "pays",
    }
    fetch, canned = source(LENT, credentials_file=written(tmp_path, info))
    assert fetch(ACCESS_TOKEN, 5.0).value == Bearer("canary-as", "pays")
    request = canned.sent[0]
    assert request.origin + request.target == IMPERSONATION
    between = "projects/-/serviceAccounts/between@shop-1.iam.gserviceaccount.com"
    assert json.loads(request.body)["delegates"] == [between]


def federated(tmp_path: Path, **changes: Any) -> dict[str, Any]:
    """Give what is in a file of workload identity federation."""
    subject = tmp_path / "subject"
    subject.write_text("canary-subject")
    return {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": {"file": str(subject)},
        "service_account_impersonation_url": IMPERSONATION,
    } | changes


def test_workload_identity_federation(tmp_path: Path, mocked: responses.RequestsMock) -> None:
    """The subject's token is exchanged, and that acts as the service account, for both tokens."""
    kind = "urn:ietf:params:oauth:token-type:access_token"
    mocked.post("https://sts.googleapis.com/v1/token", json=TOKEN | {"issued_token_type": kind})
    lent = Response(200, body=json.dumps({"token": jwt()}).encode())
    fetch, canned = source(LENT, lent, credentials_file=written(tmp_path, federated(tmp_path)))
    assert fetch(ACCESS_TOKEN, 5.0).value == Bearer("canary-as")
    assert fetch(FunctionAddress("send"), 5.0).value.token == jwt()
    assert [each.target.rpartition(":")[2] for each in canned.sent] == [
        "generateAccessToken",
        "generateIdToken",
    ]
    assert "canary-subject" in str(mocked.calls[0].request.body)


def test_federation_without_a_service_account_has_no_id_token(tmp_path: Path) -> None:
    """As with a user, the message names what to set."""
    info = federated(tmp_path)
    del info["service_account_impersonation_url"]
    fetch, _ = source(credentials_file=written(tmp_path, info))
    assert refused(fetch, FunctionAddress("send")).code == "no_id_token"


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (400, {"error": "invalid_grant", "error_description": "canary"}, Outcome.AUTH),
        (401, {"error": "canary"}, Outcome.AUTH),
        (302, {}, Outcome.AUTH),
        (403, b"canary", Outcome.AUTH),
        (200, {"canary": 1}, Outcome.AUTH),
        (404, b"canary", Outcome.AUTH),
    ],
)
@pytest.mark.parametrize("kind", ["user", "account"])
def test_a_refusal_of_the_token_endpoint(
    kind: str,
    status: int,
    body: Any,
    outcome: Outcome,
    tmp_path: Path,
    mocked: responses.RequestsMock,
) -> None:
    """It is AUTH, repeats nothing, and a redirect is not followed."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Location": "https://evil.example/"} if status == 302 else {}
    mocked.post(TOKEN_URL, status=status, body=text, headers=headers)
    info, what = (
        (USER, ACCESS_TOKEN) if kind == "user" else (service_account(), FunctionAddress("send"))
    )
    fetch, _ = source(credentials_file=written(tmp_path, info))
    found = refused(fetch, what)
    assert found.outcome is outcome
    assert found.__cause__ is not None or found.code == "undecodable"


@pytest.mark.parametrize(
    ("info", "code"),
    [
        ("canary", "credentials_file_unusable"),
        ([], "credentials_file_unusable"),
        ({}, "credentials_file_unusable"),
        ({"type": "canary"}, "credentials_file_unusable"),
        ({"type": "service_account", "canary": 1}, "credentials_file_unusable"),
        ({"type": "authorized_user"}, "credentials_file_unusable"),
        ({"type": "external_account", "audience": "x"}, "credentials_file_unusable"),
        ({"type": "impersonated_service_account"}, "credentials_file_unusable"),
        (
            {
                "type": "impersonated_service_account",
                "service_account_impersonation_url": IMPERSONATION + "x",
                "source_credentials": USER,
            },
            "credentials_file_unusable",
        ),
        (
            {
                "type": "impersonated_service_account",
                "service_account_impersonation_url": IMPERSONATION,
                "source_credentials": "canary",
            },
            "credentials_file_unusable",
        ),
        (service_account() | {"private_key": "canary"}, "credentials_file_unusable"),
    ],
)
def test_a_file_that_is_none(info: Any, code: str, tmp_path: Path) -> None:
    """It is refused without repeating it."""
    fetch, canned = source(credentials_file=written(tmp_path, info))
    found = refused(fetch, ACCESS_TOKEN)
    assert (found.outcome, found.code) == (Outcome.AUTH, code)
    assert canned.sent == []


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """It is not there at the first call, and may be later."""
    path = tmp_path / "credentials.json"
    fetch, _ = source(credentials_file=str(path))
    found = refused(fetch, ACCESS_TOKEN)
    assert found.code == "credentials_file_unreadable"
    assert str(path) in str(found), "which file"
    assert "credentials_file, or GOOGLE_APPLICATION_CREDENTIALS" in str(found), "what names it"
    written(tmp_path, service_account())
    assert fetch(ACCESS_TOKEN, 5.0).expires_at


# Files from outside: no request, and no program.

EVIL = "https://evil.example/token"
MALICIOUS: dict[str, dict[str, Any]] = {
    "token_url": {"token_url": EVIL},
    "token_url over http": {"token_url": "http://sts.googleapis.com/v1/token"},
    "token_url that looks alike": {"token_url": "https://sts.googleapis.com.evil.example/"},
    "token_url with a user": {"token_url": "https://sts.googleapis.com@evil.example/"},
    "token_url with a backslash": {"token_url": "https://evil.example\\@sts.googleapis.com/"},
    "token_url of a bucket": {"token_url": "https://evil.storage.googleapis.com/"},
    "token_url of another kind": {"token_url": 7},
    "token_info_url": {"token_info_url": EVIL},
    "impersonation": {
        "service_account_impersonation_url": IMPERSONATION.replace("googleapis.com", "evil.example")
    },
    "source url": {"credential_source": {"url": EVIL}},
    "source url on this machine": {"credential_source": {"url": "http://127.0.0.1/token"}},
    "source url of another kind": {"credential_source": {"url": ["canary"]}},
    "source of another kind": {"credential_source": "canary"},
    "universe": {"universe_domain": "evil.example"},
    "executable": {
        "credential_source": {"executable": {"command": "touch CANARY", "timeout_millis": 5000}}
    },
    "amazon": {
        "subject_token_type": "urn:ietf:params:aws:token-type:aws4_request",
        "credential_source": {
            "environment_id": "aws1",
            "url": EVIL,
            "regional_cred_verification_url": "https://sts.{region}.amazonaws.com?Action=X",
        },
    },
    "amazon's token service": {
        "subject_token_type": "urn:ietf:params:aws:token-type:aws4_request",
        "credential_source": {
            "environment_id": "aws1",
            "regional_cred_verification_url": "https://sts.{region}.evil.example?Action=X",
        },
    },
}


@pytest.mark.threat("S5")
@each_row("name, hardened", [(name, hardened) for name in MALICIOUS for hardened in (False, True)])
def test_a_file_that_leads_elsewhere(
    name: str, hardened: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused: nobody is asked, and no program is started."""
    monkeypatch.setenv("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1")
    monkeypatch.chdir(tmp_path)
    info = federated(tmp_path, **MALICIOUS[name])
    fetch, canned = source(credentials_file=written(tmp_path, info), trust_env=not hardened)
    with (
        mock.patch.object(requests.Session, "send", side_effect=AssertionError) as asked,
        mock.patch.object(subprocess, "Popen", side_effect=AssertionError) as started,
    ):
        for what in ACCESS_TOKEN, FunctionAddress("send"):
            found = refused(fetch, what)
            assert found.outcome is Outcome.AUTH
            assert found.code in ("credentials_file_refused", "credentials_file_unusable")
    assert (asked.call_count, started.call_count, canned.sent) == (0, 0, [])
    assert not (tmp_path / "CANARY").exists()


@pytest.mark.threat("S5")
def test_a_key_whose_signature_would_go_elsewhere(tmp_path: Path) -> None:
    """The same holds for a service account's file, and for one inside another."""
    info = service_account() | {"token_uri": EVIL}
    universe = service_account() | {"universe_domain": "evil.example"}
    inside = {
        "type": "impersonated_service_account",
        "service_account_impersonation_url": IMPERSONATION,
        "source_credentials": info,
    }
    for each in info, universe, inside:
        fetch, _ = source(credentials_file=written(tmp_path, each))
        assert refused(fetch, FunctionAddress("send")).code == "credentials_file_refused"


def test_the_operators_word_for_such_a_file(tmp_path: Path, mocked: responses.RequestsMock) -> None:
    """With `allow_external_account` it is used as it is."""
    mocked.post(EVIL, json={"id_token": jwt()})
    path = written(tmp_path, service_account() | {"token_uri": EVIL})
    fetch, _ = source(credentials_file=path, allow_external_account=True)
    assert fetch(FunctionAddress("send"), 5.0).value.token == jwt()


@pytest.mark.parametrize("host", ["169.254.169.254", "[fd00:ec2::254]"])
def test_a_file_for_another_clouds_machine(host: str, tmp_path: Path) -> None:
    """What gcloud writes for Amazon's and Microsoft's machines leads to their metadata service."""
    from leeward_google.identity.credential_files import check

    source = {
        "environment_id": "aws1",
        "region_url": f"http://{host}/latest/meta-data/placement/availability-zone",
        "url": f"http://{host}/latest/meta-data/iam/security-credentials",
        "imdsv2_session_token_url": f"http://{host}/latest/api/token",
        "regional_cred_verification_url": "https://sts.{region}.amazonaws.com?Action=Get",
    }
    check(federated(tmp_path, credential_source=source))
    url = f"http://{host}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=x"
    check(federated(tmp_path, credential_source={"url": url}))


@pytest.mark.threat("S5")
def test_the_hardened_mode_takes_no_external_account(tmp_path: Path) -> None:
    """However harmless it looks; a service account's file is taken."""
    path = written(tmp_path, federated(tmp_path))
    fetch, _ = source(credentials_file=path, trust_env=False)
    found = refused(fetch, ACCESS_TOKEN)
    assert (found.code, "trust_env" in str(found)) == ("credentials_file_refused", True)
    fetch, _ = source(credentials_file=written(tmp_path, service_account()), trust_env=False)
    assert fetch(ACCESS_TOKEN, 5.0).value.token


@each_row(
    "env, options, said",
    [
        (ON_RUN, {}, "metadata server"),
        ({"FUNCTION_TARGET": "f"}, {}, "metadata server"),
        ({"GCE_METADATA_HOST": "a"}, {}, "metadata server"),
        ({}, {}, "metadata server, if there is one"),
        ({}, {"identity": "metadata"}, "metadata server"),
        (ON_RUN | {"NO_GCE_CHECK": "True"}, {}, "none"),
        (ON_RUN | {"GOOGLE_APPLICATION_CREDENTIALS": "/x"}, {}, "credentials file"),
        (ON_RUN, {"credentials_file": "/x"}, "credentials file"),
        (ON_RUN, {"access_token": "t"}, "configured"),
        (ON_RUN, {"impersonate": ACCOUNT}, f"metadata server, acting as {ACCOUNT}"),
    ],
)
def test_where_credentials_come_from(
    env: dict[str, str], options: dict[str, Any], said: str
) -> None:
    """What goes before the metadata server in google-auth does so here."""
    assert describe_source(*target(env, **options)) == said


# What is imported.

SCRIPT = """
import os, sys
from leeward.adapter import TargetConfig
from leeward.calls import Enqueue, Invoke, Load, Key
from leeward_google.driver import open_driver
options = dict(pair.split("=", 1) for pair in os.environ.pop("OPTIONS").split("|") if pair)
driver = open_driver(TargetConfig("google", "google", None, options, os.environ))
if "function_url" in options:
    print(driver.perform(Invoke("send", b"1", "key"), 10.0).value)
else:
    print(driver.perform(Enqueue("send", b"1", "key"), 10.0).outcome.value)
driver.close()
tops = {name.partition(".")[0] for name in sys.modules}
print(sorted(tops & {"google", "grpc", "requests", "urllib3", "cryptography", "responses"}))
"""


def run(env: dict[str, str], home: Path, **options: str) -> list[str]:
    paths = f"{ROOT / 'src'}:{ROOT / 'adapters/google/src'}"
    pairs = "|".join(f"{name}={value}" for name, value in options.items())
    child = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={"HOME": str(home), "PYTHONPATH": paths, "OPTIONS": pairs, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    return child.stdout.splitlines()
