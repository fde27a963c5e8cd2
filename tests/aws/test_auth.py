from __future__ import annotations

import itertools
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from leeward._http.options import TransportOptions
from leeward._http.threads import CurlTransport
from leeward.errors import ConfigError, Outcome
from leeward_aws.identity.sources import describe_source, source_of
from leeward_contract_tests.rows import each_row
from tests.aws.sources import (
    GIVEN,
    KEYS,
    NOW,
    empty_home,
    fetched,
    http,
    refused,
    target,
    write_profiles,
)
from tests.http.wire import Wire, answer

FULL = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
DEFAULT = "[default]\naws_access_key_id = AKFILE\naws_secret_access_key = canary-file\n"
DEV = "[dev]\naws_access_key_id = AKDEV\naws_secret_access_key = canary-dev\n"


@pytest.fixture
def transport() -> Iterator[CurlTransport]:
    """Give a transport, closed in the end."""
    opened = CurlTransport(TransportOptions())
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give a home without AWS's files, and take AWS's variables away."""
    return empty_home(monkeypatch, tmp_path)


def test_keys_in_the_environment_are_read_at_each_fetch(transport: CurlTransport) -> None:
    """Changed variables count at the next fetch; a half and a missing key are AUTH."""
    env = dict(KEYS)
    settings, config = target(env)
    source = source_of(settings, config, transport, now=lambda: NOW)
    assert fetched(source) == ("AKENV", "canary-env", None, None)
    env["AWS_SECRET_ACCESS_KEY"] = "canary-other"
    assert fetched(source)[1] == "canary-other"
    env["AWS_SECRET_ACCESS_KEY"] = ""
    found = refused(source)
    assert (found.outcome, found.code) == (Outcome.AUTH, "misconfigured")
    env.clear()
    found = refused(source)
    assert (found.outcome, found.code) == (Outcome.AUTH, "no_credentials")


def test_keys_in_the_environment_end(transport: CurlTransport) -> None:
    """AWS_CREDENTIAL_EXPIRATION is the end; after it the message says to renew them."""
    env = KEYS | {"AWS_SESSION_TOKEN": "canary-t", "AWS_CREDENTIAL_EXPIRATION": "2027-01-15T09:00Z"}
    settings, config = target(env)
    now = [NOW]
    source = source_of(settings, config, transport, now=lambda: now[0])
    assert fetched(source) == ("AKENV", "canary-env", "canary-t", NOW + 3600)
    now[0] += 3600
    found = refused(source)
    assert (found.outcome, found.code) == (Outcome.AUTH, "expired_credentials")
    assert "AWS_CREDENTIAL_EXPIRATION" in str(found)


@pytest.mark.parametrize(
    "env",
    [
        {"AWS_ACCESS_KEY_ID": "AK"},
        {"AWS_SECRET_ACCESS_KEY": "canary"},
        {FULL: "http://example.com/canary"},
    ],
)
def test_a_wrong_environment_is_refused_at_opening(
    transport: CurlTransport, env: dict[str, str]
) -> None:
    """Half a key, and an endpoint that must not be asked, are found before any call."""
    settings, config = target(env)
    with pytest.raises(ConfigError) as caught:
        source_of(settings, config, transport)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "profile", "container", "file", "option"),
    list(itertools.product([False, True], repeat=5))[1:],
)
def test_the_order_is_that_of_botocore(
    home: Path,
    transport: CurlTransport,
    monkeypatch: pytest.MonkeyPatch,
    keys: bool,
    profile: bool,
    container: bool,
    file: bool,
    option: bool,
) -> None:
    """Whatever combination of sources is there, the keys are those that boto3 would take."""
    if file or profile or option:
        write_profiles(home, (DEFAULT if file else "") + (DEV if profile or option else ""))
    with Wire(answer(http(200, GIVEN | {"Expiration": "2100-01-01T00:00:00Z"}))) as wire:
        env = KEYS if keys else {}
        env = env | ({"AWS_PROFILE": "dev"} if profile else {})
        env = env | ({FULL: f"{wire.origin()}/x"} if container else {})
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        session = import_module("botocore.session").Session(profile="dev" if option else None)
        theirs = session.get_credentials()
        options: dict[str, Any] = {"profile": "dev"} if option else {}
        settings, config = target(env, **options)
        source = source_of(settings, config, transport, now=lambda: NOW)
        if theirs is None:
            assert refused(source).code == "no_credentials"
        else:
            assert fetched(source)[:2] == (theirs.access_key, theirs.secret_key)


@each_row(
    "env, options, said",
    [
        (KEYS, {}, "environment"),
        (KEYS | {"AWS_PROFILE": "dev"}, {}, "environment"),
        (KEYS, {"profile": "prod"}, "profile prod"),
        ({"AWS_PROFILE": "dev"}, {}, "profile dev"),
        ({"AWS_PROFILE": "dev", "AWS_DEFAULT_PROFILE": "old"}, {}, "profile old"),
        ({FULL: "http://localhost/"}, {}, "container"),
        ({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/x"}, {}, "container"),
        ({FULL: "http://localhost/", "AWS_WEB_IDENTITY_TOKEN_FILE": "/t"}, {}, "vendor chain"),
        ({FULL: "http://localhost/", "AWS_PROFILE": "dev"}, {}, "profile dev"),
        ({FULL: "http://localhost/", "AWS_CREDENTIAL_FILE": "/x"}, {}, "vendor chain"),
        ({FULL: "http://localhost/", "AWS_CONFIG_FILE": "/nowhere"}, {}, "container"),
        ({}, {}, "vendor chain"),
    ],
)
def test_what_is_shown(env: dict[str, str], options: dict[str, Any], said: str) -> None:
    """A word or two say where credentials come from."""
    assert describe_source(*target(env, **options)) == said


@pytest.mark.parametrize("place", ["~/.aws/credentials", "~/.aws/config", "~/.boto", "$X/file"])
def test_a_shared_file_goes_before_the_container(
    home: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Where a file may hold credentials, the vendor's chain reads it."""
    monkeypatch.setenv("X", str(home / "x"))
    env = {FULL: "http://localhost/"}
    if "$" in place:
        env["AWS_SHARED_CREDENTIALS_FILE"] = place
    assert describe_source(*target(env)) == "container"
    path = Path(place.replace("~", str(home)).replace("$X", str(home / "x")))
    path.parent.mkdir(exist_ok=True)
    path.touch()
    assert describe_source(*target(env)) == "vendor chain"


def test_the_hardened_mode_wants_a_profile(transport: CurlTransport) -> None:
    """Without it there is no source, and the message says what to set; variables do not count."""
    settings, config = target(KEYS, trust_env=False)
    with pytest.raises(ConfigError, match=r'set profile in \[targets\."aws:us-east-1"\]$'):
        source_of(settings, config, transport)
    assert describe_source(*target(KEYS, trust_env=False, profile="dev")) == "profile dev"
