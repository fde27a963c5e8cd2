from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import pytest

from tests.servers.google import tokens
from tests.servers.google.asking import Said, ask
from tests.servers.google.cloud_run import CloudRun, State
from tests.servers.google.conftest import Odd


def _call(
    odd: Odd,
    rest: str,
    body: object = None,
    headers: Mapping[str, str] = {},
    name: str = "odd",
) -> Said:
    token = _token(odd.cloud_run.url_of(name))
    return ask(odd.cloud_run.address, "POST", f"/{name}/{rest}", body, headers, token=token)


def _token(audience: str, until: float = 2e9) -> str:
    return tokens.mint_id_token(audience, until)


@pytest.fixture
def usual(odd: Odd) -> Iterator[CloudRun]:
    """Give Cloud Run, whose settings are as before at the end."""
    yield odd.cloud_run
    odd.cloud_run.state = State.RUNNING
    odd.cloud_run.instances = None
    odd.cloud_run.invokers = None


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Authorization": "Bearer noise"}, 401),
        ({"Authorization": f"Bearer {_token('https://else.example')}"}, 401),
        ({"Authorization": f"Bearer {_token('URL', time.time() - 10)}"}, 401),
        ({"Authorization": f"Bearer {tokens.mint_access_token(2e9)}"}, 401),
        ({"Authorization": f"Bearer {_token('URL')}", "X-Serverless-Authorization": "a"}, 401),
        ({"Authorization": "mine", "X-Serverless-Authorization": f"Bearer {_token('URL')}"}, 200),
    ],
    ids=["none", "noise", "other audience", "expired", "access token", "wrong first", "beside"],
)
def test_a_wrong_token_is_refused(odd: Odd, headers: dict[str, str], status: int) -> None:
    """Without one it is 403, with a bad one 401; the other header goes first. No function runs."""
    odd.cloud_run.bases.add("URL")
    before = len(odd.cloud_run.begun)
    said = ask(odd.cloud_run.address, "POST", "/odd/context", b"", headers)
    assert said.status == status
    assert ("www-authenticate" in said.headers) is (status == 401)
    assert len(odd.cloud_run.begun) - before == (status == 200)


def test_an_audience_is_the_service_or_its_function(odd: Odd) -> None:
    """That of another function, or of this one with a path, is wrong."""
    base = odd.cloud_run.url
    for audience, status in (
        (base, 418),
        (f"{base}/odd", 418),
        (f"{base}/told", 401),
        (f"{base}/odd/teapot", 401),
    ):
        said = ask(odd.cloud_run.address, "GET", "/odd/teapot", token=_token(audience))
        assert said.status == status


@pytest.mark.parametrize(
    ("state", "status", "text"),
    [
        (State.NO_INSTANCE, 429, b"no available instance"),
        (State.NO_INSTANCE_500, 500, b"no available instance"),
        (State.RATE_EXCEEDED, 429, b"Rate exceeded"),
        (State.BAD_GATEWAY, 502, b"error"),
        (State.UNAVAILABLE, 503, b"Unavailable"),
    ],
)
def test_a_service_may_be_unavailable(
    odd: Odd, usual: CloudRun, state: State, status: int, text: bytes
) -> None:
    """The answer is the front's, and no function runs."""
    usual.state = state
    before = len(usual.begun)
    said = _call(odd, "teapot")
    assert (said.status, text in said.body) == (status, True)
    assert len(usual.begun) == before
