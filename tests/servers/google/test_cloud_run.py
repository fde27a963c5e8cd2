from __future__ import annotations

import time
from base64 import b64decode
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.servers.google import tokens
from tests.servers.google.asking import Said, ask
from tests.servers.google.cloud_run import BODY_BYTES, CloudRun, State
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


def test_a_function_gets_the_request_without_its_credential(odd: Odd) -> None:
    """Path, query, headers and body arrive; of the token no signature, of the name nothing."""
    said = _call(odd, "context/more?a=b%20c", b"\x00\xff", {"X-A": "b"}).json
    assert (said["method"], said["path"]) == ("POST", "/context/more?a=b%20c")
    assert b64decode(said["body"]) == b"\x00\xff"
    assert said["headers"]["x-a"] == "b"
    assert said["headers"]["authorization"].endswith(".SIGNATURE_REMOVED_BY_GOOGLE")
    assert odd.cloud_run.begun[-1] == ("odd", b"\x00\xff")


def test_an_instance_that_dies_leaves_503(odd: Odd) -> None:
    """The request was with the function; the next one gets another instance."""
    before = len(odd.cloud_run.begun)
    said = _call(odd, "leave")
    assert (said.status, "x-google-status" in said.headers) == (503, False)
    assert len(odd.cloud_run.begun) == before + 1
    deadline = time.monotonic() + 10
    while (said := _call(odd, "teapot")).status != 418 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert said.status == 418


def test_cloud_run_stops_waiting_but_not_the_function(odd: Odd) -> None:
    """After the service's timeout the answer is 504."""
    assert _call(odd, "sleep?seconds=0.5", name="hasty").status == 504
    assert _call(odd, "sleep?seconds=0.5").body == b"woke"


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


def test_instances_may_run_out(odd: Odd, usual: CloudRun) -> None:
    """What is beyond them is refused while they are busy, and only then."""
    usual.instances = 1
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(_call, odd, "sleep?seconds=0.5")
        usual.wait_until(lambda: usual.running == 1)
        assert _call(odd, "teapot").status == 429
        assert slow.result().body == b"woke"
    assert _call(odd, "teapot").status == 418


def test_bodies_have_a_limit(odd: Odd) -> None:
    """A request beyond it is not passed on, an answer beyond it is not passed back."""
    assert _call(odd, "teapot", bytes(BODY_BYTES + 1)).status == 413
    assert _call(odd, f"large?bytes={BODY_BYTES + 1}").status == 500
    assert len(_call(odd, f"large?bytes={BODY_BYTES}").body) == BODY_BYTES
