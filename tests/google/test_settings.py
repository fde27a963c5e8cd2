from __future__ import annotations

from typing import Any

import pytest

from leeward.errors import ConfigError
from leeward_contract_tests.rows import each_row
from leeward_google.settings.endpoints import is_own_host
from leeward_google.settings.services import (
    Events,
    Functions,
    Tables,
    Topics,
    audience_of,
    find_address,
)
from tests.google.sources import ACCOUNT, settings

RUN = "https://send-a1b2c3-uc.a.run.app"
NET = "https://{region}-{project}.cloudfunctions.net/{name}"
QUEUE = "projects/shop-1/locations/us-central1/queues/calls"
HARD: dict[str, Any] = {"trust_env": False, "identity": "metadata", "project": "shop-1"}


def refusal(env: dict[str, str] | None = None, **options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        settings(env, **options)
    return str(caught.value)


def test_nothing_but_a_project_is_needed() -> None:
    """Events, queues and tables go to Google's own hosts; functions are not there."""
    found = settings(project="shop-1")
    assert found.events == Events("https://pubsub.googleapis.com")
    assert found.queued == Topics("https://pubsub.googleapis.com")
    assert found.tables == Tables("https://firestore.googleapis.com", "(default)")
    assert (found.functions, found.region, found.http.public_only) == (None, None, False)
    assert settings().project is None


def test_functions_in_full() -> None:
    """A template is filled in but for the name, and a function's own URL goes before it."""
    found = settings(
        project="shop-1",
        region="us-central1",
        function_url=NET,
        functions={"send": f"{RUN}/receipts"},
        function_audience="https://audience.example",
    ).functions
    assert found == Functions(
        "https://us-central1-shop-1.cloudfunctions.net/{name}",
        {"send": f"{RUN}/receipts"},
        "us-central1",
        "https://audience.example",
    )
    assert find_address("send", found) == (RUN, "/receipts", None, False, None)
    there = ("https://us-central1-shop-1.cloudfunctions.net", "/pay", None, False, None)
    assert find_address("pay", found) == there
    public = settings(functions={"send": RUN}, authenticate=False).functions
    assert public == Functions(urls={"send": RUN}, authenticate=False)


@each_row(
    "url, audience",
    [
        (RUN, RUN),
        (f"{RUN}/a/b", RUN),
        ("https://us-central1-shop-1.cloudfunctions.net/pay", None),
        ("https://us-central1-shop-1.cloudfunctions.net/pay/more", None),
        ("https://Functions.example.com:8443/pay", "https://functions.example.com:8443"),
    ],
)
def test_the_audience_of_a_url(url: str, audience: str | None) -> None:
    """It is the URL without its path, unless the path alone tells the function."""
    found = settings(functions={"pay": url}).functions
    assert found is not None
    address = find_address("pay", found)
    assert address is not None
    net = "https://us-central1-shop-1.cloudfunctions.net/pay"
    assert audience_of(address, found) == (audience or net)
    assert audience_of(address, found._replace(audience="x")) == "x"


@each_row(
    "options, told",
    [
        ({"project": "a/b"}, "id of a project"),
        ({"project": ""}, "is empty"),
        ({"region": "us central"}, "name of a region"),
        ({"function_url": NET}, "set project"),
        ({"function_url": NET, "project": "p"}, "set region"),
        ({"function_url": RUN}, "must have {name}"),
        ({"function_url": "https://canary@{name}.run.app"}, "without user"),
        ({"function_url": "https://x.run.app/{name}?canary"}, "without user, query"),
        ({"function_url": "https://x.run.app/../{name}"}, "must be a URL"),
        ({"function_url": "ftp://{name}"}, "must be a URL"),
        ({"function_url": "https://{name}.run.app/{other}"}, "must be a URL"),
        ({"function_url": "http://{name}.example"}, "clear text"),
        ({"functions": {"f": 1}}, "non-empty string"),
        ({"functions": {"f": "http://a.example"}}, "clear text"),
        ({"functions": {"f": "https://a:65536"}}, "must be a URL"),
        ({"function_audience": "x"}, "no effect without function_url"),
        ({"authenticate": False}, "no effect without function_url"),
        (
            {"functions": {"f": RUN}, "function_audience": "x", "authenticate": False},
            "no effect with authenticate",
        ),
        ({"functions": {"f": RUN}, "function_audience": "a b"}, "white space"),
        ({"enqueue_topics": {"f": "a/b"}}, "must be the name of a topic"),
        ({"enqueue_topics": {"f": "goog-x"}}, "must be the name of a topic"),
        ({"tasks_queue": QUEUE}, "no effect without function_url or functions or region"),
        ({"tasks_queue": "calls", "region": "us-central1"}, "whole name"),
        ({"tasks_queue": QUEUE, "region": "us-central1"}, "tasks_service_account"),
        (
            {"tasks_queue": QUEUE, "region": "us-central1", "tasks_service_account": "x"},
            "e-mail address",
        ),
        (
            {"tasks_queue": QUEUE, "region": "us-central1", "enqueue_topics": {}},
            "exclude each other",
        ),
        ({"tasks_service_account": ACCOUNT}, "no effect without tasks_queue"),
        ({"pubsub_endpoint": "http://pubsub.example"}, "clear text"),
        ({"firestore_endpoint": "https://a/b"}, "without user, path"),
        ({"functions_endpoint": "http://a.example"}, "clear text"),
        ({"tasks_endpoint": "https://a"}, "no effect without tasks_queue"),
        ({"iam_endpoint": "http://a.example"}, "clear text"),
        ({"database": "a/b"}, "id of a database"),
        ({"identity": "managed"}, "'default' or 'metadata'"),
        ({"impersonate": "canary me"}, "e-mail address"),
        ({"access_token": "canary\n"}, "holds white space"),
        ({"id_token": "canary \u00e4"}, "holds white space"),
        ({"access_token": "canary", "credentials_file": "/x"}, "exclude each other"),
        ({"id_token": "canary", "identity": "metadata"}, "exclude each other"),
        ({"credentials_file": "/x", "identity": "metadata"}, "exclude each other"),
        ({"quota_project": "a b"}, "id of a project"),
    ],
)
def test_a_wrong_setting(options: dict[str, Any], told: str) -> None:
    """The message names the option and the remedy, and repeats no secret."""
    message = refusal(**options)
    assert told in message
    assert "canary" not in message
    assert any(option in message for option in options)


@pytest.mark.row(5)
@each_row("end", ["{", "#", "/..", "//", "\\"])
def test_a_mistyped_url_is_refused_at_once(end: str) -> None:
    """Whatever its length; its pattern once took twice as long for each letter more."""
    assert "must be a URL" in refusal(functions={"f": f"{RUN}/{'a' * 10_000}{end}"})
    assert settings(functions={"f": f"{RUN}/{'a' * 10_000}"}).functions is not None


def test_who_asks() -> None:
    """Options go before variables, and no secret is shown."""
    env = {
        "GOOGLE_APPLICATION_CREDENTIALS": "/env.json",
        "GOOGLE_CLOUD_QUOTA_PROJECT": "env-quota",
        "REQUESTS_CA_BUNDLE": "/env.pem",
    }
    found = settings(env, impersonate=ACCOUNT)
    assert found.identity[3:] == (
        "/env.json",
        False,
        ACCOUNT,
        "env-quota",
        "https://iamcredentials.googleapis.com",
    )
    assert found.http.ca_bundle == "/env.pem"
    found = settings(env, credentials_file="/own.json", quota_project="own", ca_bundle="/own.pem")
    assert (found.identity.file, found.identity.quota_project) == ("/own.json", "own")
    assert settings(env, identity="metadata").identity.file is None
    assert settings(env, identity="default").identity.file == "/env.json"
    found = settings(env, access_token="canary-1", id_token="canary-2")
    assert found.identity[:2] == ("canary-1", "canary-2")
    assert "canary" not in repr(found)


# The hardened mode.

OWN: dict[str, Any] = {
    "pubsub_endpoint": "https://us-central1-pubsub.googleapis.com",
    "firestore_endpoint": "https://firestore.us-central1.rep.googleapis.com",
    "functions_endpoint": "https://cloudfunctions.googleapis.com",
    "iam_endpoint": "https://iamcredentials.googleapis.com",
    "function_url": "https://us-central1-shop-1.cloudfunctions.net/{name}",
}


@each_row("option", list(OWN))
def test_the_hardened_mode_takes_googles_own_hosts(option: str) -> None:
    """Each service has its own; connections go to the public internet alone."""
    assert settings(**HARD, **{option: OWN[option]}).http.public_only
    assert not settings(**HARD, **{option: OWN[option]}, allow_private=True).http.public_only


@pytest.mark.parametrize("option", OWN)
@each_row(
    "place",
    [
        "http://{}",
        "https://evil.example",
        "https://{}.evil.example",
        "https://{}:8443",
        "https://127.0.0.1",
        "https://2130706433",
        "https://[::1]",
        "https://googleapis.com",
        "https://evil.storage.googleapis.com",
        "https://169.254.169.254",
    ],
)
def test_the_hardened_mode_refuses_other_hosts(option: str, place: str) -> None:
    """A look-alike, an address, another port, and http are refused, each by its option."""
    host, slash, path = OWN[option].partition("//")[2].partition("/")
    url = place.replace("{}", host) + (f"{slash}{path}" if slash else "")
    message = refusal(**HARD | {option: url})
    assert option in message
    assert "trust_env" in message


def test_the_hardened_mode_checks_each_functions_url() -> None:
    """One that is not Google's own has to be listed."""
    assert "'pay'" in refusal(**HARD, functions={"pay": "https://functions.example.com"})
    listed = ["functions.example.com"]
    url = {"pay": "https://functions.example.com"}
    assert settings(**HARD, functions=url, allowed_hosts=listed).functions is not None
    assert "no effect while trust_env is true" in refusal(allowed_hosts=listed)


def test_a_name_in_a_hosts_name_is_checked_like_a_host() -> None:
    """In the hardened mode a template counts by the host that a function would have."""
    assert settings(**HARD, function_url="https://{name}-a1-uc.a.run.app").functions is not None
    bad = "https://{name}.run.app.evil.example"
    assert "function_url" in refusal(**HARD, function_url=bad)


def test_the_hardened_mode_wants_a_word_on_identity() -> None:
    """Somebody must say where credentials come from, and no variable does."""
    assert "identity = 'metadata'" in refusal(trust_env=False, project="p")
    assert "identity = 'metadata'" in refusal(trust_env=False, project="p", identity="default")
    ways: list[dict[str, Any]] = [{"credentials_file": "/x"}, {"access_token": "t"}, HARD]
    for options in ways:
        assert settings(**options | {"trust_env": False}).http.public_only
    told = refusal(trust_env=False, credentials_file="/x", allow_external_account=True)
    assert "allow_external_account" in told


@each_row(
    "host, service, own",
    [
        ("pubsub.googleapis.com", "pubsub", True),
        ("us-east1-pubsub.googleapis.com", "pubsub", True),
        ("pubsub.us-east1.rep.googleapis.com", "pubsub", True),
        ("firestore.googleapis.com", "pubsub", False),
        ("a.pubsub.googleapis.com", "pubsub", False),
        ("pubsub.googleapis.com.", "pubsub", False),
        ("pubsub.storage.googleapis.com", "pubsub", False),
        ("send-1-uc.a.run.app", "functions", True),
        ("run.app", "functions", False),
        ("xrun.app", "functions", False),
        ("cloudfunctions.net", "functions", False),
    ],
)
def test_whose_a_host_is(host: str, service: Any, own: bool) -> None:
    """An API has its own name alone, perhaps with a region's."""
    assert is_own_host(host, service) == own
