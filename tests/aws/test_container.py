from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from leeward._http.options import TransportOptions
from leeward._http.threads import CurlTransport
from leeward.adapter.tokens import LARGEST
from leeward.errors import ConfigError, Outcome
from leeward_aws.identity.sources import address_of, container_source
from leeward_contract_tests.rows import each_row
from tests.aws.sources import GIVEN, NOW, fetched, http, refused
from tests.http.wire import Wire, answer, hang, once

FULL = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
TOKEN = "AWS_CONTAINER_AUTHORIZATION_TOKEN"


@pytest.fixture
def transport() -> Iterator[CurlTransport]:
    """Give a transport, closed in the end."""
    opened = CurlTransport(TransportOptions())
    yield opened
    opened.close()


def env_of(wire: Wire) -> dict[str, str]:
    return {FULL: f"{wire.origin()}/v1/credentials?a=1"}


def test_credentials_of_an_endpoint(transport: CurlTransport) -> None:
    """Each fetch is one request, and gives the keys, the token and their end."""
    with Wire(answer(http(200, GIVEN))) as wire:
        source = container_source(env_of(wire), transport, lambda: NOW)
        for _ in range(2):
            assert fetched(source) == ("AKCONTAINER", "canary-secret", "canary-token", NOW + 3600)
        assert len(wire.requests) == 2
        assert wire.requests[0].startswith(b"GET /v1/credentials?a=1 HTTP/1.1\r\n")
        assert b"authorization" not in wire.requests[0].lower()


def test_the_token_is_read_at_each_fetch(transport: CurlTransport, tmp_path: Path) -> None:
    """A rotated file is noticed, and goes before the variable with the token itself."""
    file = tmp_path / "token"
    with Wire(answer(http(200, GIVEN))) as wire:
        env = env_of(wire) | {TOKEN: "Bearer canary-0"}
        source = container_source(env, transport, lambda: NOW)
        source("", 5.0)
        env[f"{TOKEN}_FILE"] = str(file)
        for token in ("canary-1", "canary-2"):
            file.write_text(token)
            source("", 5.0)
        shown = [request.partition(b"Authorization: ")[2] for request in wire.requests]
        assert [line.partition(b"\r\n")[0] for line in shown] == [
            b"Bearer canary-0",
            b"canary-1",
            b"canary-2",
        ]


@pytest.mark.parametrize("token", ["canary\n", "canary\r\nX-Evil: 1", "", "canäry"])
def test_a_token_that_no_header_can_carry(
    transport: CurlTransport, tmp_path: Path, token: str
) -> None:
    """It is refused before anything is sent, and not shown."""
    file = tmp_path / "token"
    file.write_text(token)
    with Wire(answer(http(200, GIVEN))) as wire:
        env = env_of(wire) | {f"{TOKEN}_FILE": str(file)}
        found = refused(container_source(env, transport, lambda: NOW))
        assert (found.outcome, found.code) == (Outcome.AUTH, "misconfigured")
        file.unlink()
        found = refused(container_source(env, transport, lambda: NOW))
        assert isinstance(found.__cause__, FileNotFoundError)
        assert wire.requests == []


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (500, Outcome.NOT_SENT),
        (503, Outcome.NOT_SENT),
        (429, Outcome.NOT_SENT),
        (400, Outcome.AUTH),
        (403, Outcome.AUTH),
        (404, Outcome.AUTH),
        (307, Outcome.AUTH),
        (201, Outcome.AUTH),
    ],
)
def test_a_status_other_than_200(transport: CurlTransport, status: int, outcome: Outcome) -> None:
    """A busy endpoint could not be asked; any other has refused. The body is not repeated."""
    with Wire(answer(http(status, {"message": "canary"}))) as wire:
        found = refused(container_source(env_of(wire), transport, lambda: NOW))
        assert (found.outcome, found.code) == (outcome, f"http.{status}")
        assert len(wire.requests) == 1


def test_an_endpoint_out_of_reach(transport: CurlTransport) -> None:
    """A refused connection, and one that ends without an answer, say that nobody could be asked."""
    with Wire(once(b"")) as wire:
        env = env_of(wire)
        assert refused(container_source(env, transport, lambda: NOW)).outcome is Outcome.NOT_SENT
    found = refused(container_source(env, transport, lambda: NOW))
    assert found.outcome is Outcome.NOT_SENT
    assert found.__cause__ is not None


def test_the_timeout_is_kept(transport: CurlTransport) -> None:
    """An endpoint that is silent, or drips, is given up after the time given."""

    def drip(peer: Any) -> None:
        peer.read()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n")
        while not peer.wait(0.02):
            peer.send(b" ")

    for script in (hang, drip):
        with Wire(script) as wire:
            source = container_source(env_of(wire), transport, lambda: NOW)
            found = refused(lambda scope, _, source=source: source(scope, 0.3))  # type: ignore[misc]
            assert found.outcome is Outcome.NOT_SENT


@each_row(
    "body",
    [
        b"",
        b"canary",
        b"[]",
        b"null",
        b'{"AccessKeyId": "AK",' + json.dumps(GIVEN).encode()[1:],
        b"[" * 60000,
        json.dumps(GIVEN).encode() + b" " * LARGEST,
        b"\xff\xfe\xfd",
        *({**GIVEN, "Expiration": end} for end in (None, 1, "canary", "")),
        *({key: value for key, value in GIVEN.items() if key != left} for left in GIVEN),
        *({**GIVEN, key: value} for key in list(GIVEN)[:3] for value in ("", 1, "canary \n")),
    ],
)
def test_an_answer_that_is_none(transport: CurlTransport, body: Any) -> None:
    """Garbage and missing parts give no credentials, and nothing of them is repeated."""
    with Wire(answer(http(200, body))) as wire:
        found = refused(container_source(env_of(wire), transport, lambda: NOW))
        assert found.outcome is Outcome.AUTH
        assert found.code == "undecodable"


def test_expired_credentials_are_none(transport: CurlTransport) -> None:
    """What the endpoint gives after its own end is of no use."""
    with Wire(answer(http(200, GIVEN))) as wire:
        found = refused(container_source(env_of(wire), transport, lambda: NOW + 3600))
        assert (found.outcome, found.code) == (Outcome.AUTH, "expired_credentials")


HOSTS = [
    "localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "[::1]", "169.254.170.2",
    "169.254.170.23", "[fd00:ec2::23]", "[FD00:EC2::23]", "169.254.169.254", "10.0.0.1",
    "example.com", "localhost.example.com", "127.0.0.1.example.com", "128.0.0.1", "[::2]",
    "2130706433", "0x7f000001", "0177.0.0.1", "[fd00:ec2::254]", "0.0.0.0", "169.254.170.24",
]  # fmt: skip


@each_row("host", HOSTS)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_hosts_are_those_that_botocore_allows(scheme: str, host: str) -> None:
    """Without TLS, only this machine and the containers' own addresses are asked."""
    url = f"{scheme}://{host}:8080/x"
    fetcher = import_module("botocore.utils").ContainerMetadataFetcher()
    try:
        fetcher._validate_allowed_url(url)
    except ValueError:
        with pytest.raises(ConfigError, match=f"^{FULL} must lead to https"):
            address_of({FULL: url})
    else:
        assert address_of({FULL: url}) == (f"{scheme}://{host.lower()}:8080", "/x")


@each_row(
    "url",
    [
        "canary", "ftp://localhost/canary", "http://user:canary@localhost/", "http://localhost/#c",
        "http://localhost:0/canary", "http://localhost:65536/", "http:///canary",
        "http://localhost\\@canary.example/", "http://localhost/can ary", "http://localhost/ä",
        "http://localhost/canary\r\nX: 1", "http://localhost:1:2/", "//localhost/canary",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(url: str) -> None:
    """The message names the variable and never shows the address, which may hold a secret."""
    with pytest.raises(ConfigError, match=f"^{FULL} ") as caught:
        address_of({FULL: url})
    assert "canary" not in str(caught.value)
