from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from tests.servers.aws.calls import ClientError, refusal
from tests.servers.aws.clients import client
from tests.servers.aws.function import Function
from tests.servers.aws.invoke_api import Place
from tests.servers.aws.lambda_server import TEST_KEYS, LambdaServer
from tests.servers.aws.ministack import ACCOUNT
from tests.servers.aws.signatures import Key
from tests.servers.client import RawClient
from tests.servers.loopback import PATIENCE

REGION = "eu-west-1"

DRY = {"FunctionName": "odd:$LATEST", "InvocationType": "DryRun"}


@pytest.fixture
def functions() -> Iterator[LambdaServer]:
    """Give a Lambda of this test's own, so that it may change the clock."""
    with LambdaServer(Place(ACCOUNT, REGION)) as server:
        server.deploy(Function("odd", "odd.context", PATIENCE))
        yield server


def _refusal(
    server: LambdaServer, keys: tuple[str, str] = ("test", "test"), region: str = REGION
) -> tuple[int, str]:
    with closing(client("lambda", server.url, region, *keys)) as caller:
        return refusal(lambda: caller.invoke(**DRY))


@pytest.mark.parametrize(
    ("keys", "region", "code"),
    [
        (("nobody", "test"), REGION, "UnrecognizedClientException"),
        (("test", "guessed"), REGION, "InvalidSignatureException"),
        (("test", "test"), "us-east-1", "InvalidSignatureException"),
    ],
)
def test_a_wrong_key_is_refused(
    functions: LambdaServer, keys: tuple[str, str], region: str, code: str
) -> None:
    """Who is not known, or does not know the secret, is told so in AWS's codes."""
    assert _refusal(functions, keys, region) == (403, code)
    assert (functions.count, functions.begun) == (1, ())


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (Key("test", token="another"), "UnrecognizedClientException"),
        (Key("test", until=1.0), "ExpiredTokenException"),
    ],
)
def test_temporary_keys_are_checked(functions: LambdaServer, key: Key, code: str) -> None:
    """A wrong token is unknown, and a key past its end is expired."""
    functions.keys = {"test": key}
    assert _refusal(functions) == (403, code)
    functions.keys = TEST_KEYS


@pytest.mark.parametrize("skew", [-600.0, 600.0])
def test_a_wrong_clock_is_refused(functions: LambdaServer, skew: float) -> None:
    """The answer's Date tells how wrong the client's clock is."""
    functions.clock = lambda: time.time() + skew
    with closing(client("lambda", functions.url, REGION)) as caller:
        with pytest.raises(ClientError) as raised:
            caller.invoke(**DRY)
        assert refusal(lambda: caller.invoke(**DRY)) == (403, "InvalidSignatureException")
    response: dict[str, Any] = vars(raised.value)["response"]
    date = response["ResponseMetadata"]["HTTPHeaders"]["date"]
    assert abs(parsedate_to_datetime(date).timestamp() - time.time() - skew) < 60


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        (b"", b"MissingAuthenticationTokenException"),
        (b"Authorization: AWS4-HMAC-SHA256 Credential=test\r\n", b"IncompleteSignatureException"),
    ],
)
def test_a_request_without_a_whole_signature_is_refused(
    functions: LambdaServer, headers: bytes, code: bytes
) -> None:
    """A request that is not signed is told so."""
    with RawClient(functions.address) as raw:
        raw.send(
            b"POST /2015-03-31/functions/odd/invocations HTTP/1.1\r\nHost: h\r\n"
            b"Connection: close\r\n" + headers + b"\r\n"
        )
        heard = raw.read_to_the_end().data
    assert heard.startswith(b"HTTP/1.1 403 ")
    assert b"\r\nx-amzn-ErrorType: " + code in heard
