from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from pathlib import Path
from typing import Any

import pytest

from leeward.adapter.resolver import Unresolved
from leeward.errors import Outcome
from leeward_aws.identity.credentials import ACCESS_KEY, Credentials
from leeward_aws.native import native
from tests.aws.sources import KEYS, empty_home, http, target
from tests.http.wire import Wire
from tests.http.wire import answer as answering

OURS = Credentials("AKOURS", "canary-secret", "canary-token", 4_102_444_800.0)


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give a home without AWS's files, and take AWS's variables away."""
    return empty_home(monkeypatch, tmp_path)


@pytest.fixture
def make(home: Path) -> Iterator[Callable[..., Any]]:
    """Give a function that makes a client, closed in the end."""
    made: list[Any] = []

    def client(
        service: str,
        env: dict[str, str] | None = None,
        answer: Callable[[Hashable], Credentials] = lambda _: OURS,
        **options: Any,
    ) -> Any:
        settings, config = target(env, **options)
        made.append(native(service, settings, config, answer, str(home)))
        return made[-1]

    yield client
    for each in made:
        each.close()


def test_credentials_are_asked_for_at_each_request(make: Callable[..., Any]) -> None:
    """The client signs with what leeward has now, and not with keys of the environment."""
    now = [OURS]
    body = {"Item": {"id": {"S": "42"}}}
    with Wire(answering(http(200, body))) as wire:
        client = make("dynamodb", KEYS, lambda _: now[0], endpoint_url=wire.origin())
        for key in ("AKOURS", "AKNEW"):
            now[0] = OURS._replace(access_key=key)
            assert client.get_item(TableName="t", Key={"id": {"S": "42"}})["Item"] == body["Item"]
        first, second = wire.requests
    assert b"Credential=AKOURS/" in first
    assert b"/us-east-1/dynamodb/aws4_request" in first
    assert b"canary-token" in first
    assert b"canary-secret" not in first
    assert b"Credential=AKNEW/" in second


def test_no_credentials_come_out_of_the_call(make: Callable[..., Any]) -> None:
    """What stands in the way of leeward's credentials stands in the way of the client's calls."""

    def answer(what: Hashable) -> Credentials:
        assert what == ACCESS_KEY
        raise Unresolved(Outcome.AUTH, "no_credentials", "none")

    client = make("lambda", answer=answer, endpoint_url="http://127.0.0.1:1")
    with pytest.raises(Unresolved):
        client.list_functions()


@pytest.mark.parametrize(
    ("name", "service", "host"),
    [
        ("lambda", "lambda", "lambda.us-east-1.amazonaws.com"),
        ("events", "events", "events.us-east-1.amazonaws.com"),
        ("eventbridge", "events", "events.us-east-1.amazonaws.com"),
        ("dynamodb", "dynamodb", "dynamodb.us-east-1.amazonaws.com"),
        ("sqs", "sqs", "sqs.us-east-1.amazonaws.com"),
        ("kms", "kms", "kms.us-east-1.amazonaws.com"),
    ],
)
def test_clients_by_name(make: Callable[..., Any], name: str, service: str, host: str) -> None:
    """Leeward's services, under either name of EventBridge, and any other that boto3 knows."""
    for trust_env in (True, False):
        client = make(name, trust_env=trust_env)
        assert client.meta.service_model.service_name == service
        assert client.meta.endpoint_url == f"https://{host}"
        assert client.meta.region_name == "us-east-1"


def test_the_settings_of_the_target(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    """Endpoint, kinds of host and certificates are leeward's; no variable undoes them."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:9")
    assert make("lambda").meta.endpoint_url == "https://lambda.us-east-1.amazonaws.com"
    own = {"endpoint_url": "http://127.0.0.1:7", "endpoint_url_lambda": "http://127.0.0.1:8"}
    assert make("lambda", **own).meta.endpoint_url == "http://127.0.0.1:8"
    assert make("sqs", **own).meta.endpoint_url == "http://127.0.0.1:7"
    both = {"use_fips_endpoint": True, "use_dualstack_endpoint": True}
    assert make("lambda", **both).meta.endpoint_url == "https://lambda-fips.us-east-1.api.aws"
    ca = home / "ca.pem"
    assert make("lambda", ca_bundle=str(ca))._endpoint.http_session._verify == str(ca)


def test_a_hardened_client_follows_no_variable(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither endpoint nor proxy nor certificates of the environment count."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS", "HTTPS_PROXY", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    client = make("sqs", trust_env=False)
    assert client.meta.endpoint_url == "https://sqs.us-east-1.amazonaws.com"
    assert client._endpoint.http_session._verify is True
    assert client._endpoint.http_session._proxy_config._proxies == {}


def test_no_text_form_shows_a_secret(make: Callable[..., Any]) -> None:
    """The credentials that the client holds do not print what they give."""
    shared = make("lambda")._request_signer._credentials
    assert shared.get_deferred_property("secret_key")() == "canary-secret"
    assert shared.get_deferred_property("account_id")() is None
    assert (shared.access_key, shared.token) == ("AKOURS", "canary-token")
    assert "canary" not in f"{shared!r} {shared} {make('lambda')!r}"
