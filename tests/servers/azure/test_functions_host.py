from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.servers.azure.functions_host import (
    HOST_KEY,
    MASTER_KEY,
    FunctionsHost,
    State,
)
from tests.servers.azure.identity import Identity
from tests.servers.azure.worker_process import DEPLOYED

KEY = {"x-functions-key": HOST_KEY}


@pytest.fixture(autouse=True)
def _as_before(odd: FunctionsHost) -> Iterator[None]:
    limit = odd.body_bytes
    yield
    odd.state, odd.outstanding, odd.body_bytes = State.RUNNING, None, limit
    odd.disabled.clear()
    odd.keys.clear()


def _post(
    host: FunctionsHost, route: str, json: object = None, **headers: str
) -> requests.Response:
    return requests.post(f"{host.url}/api/{route}", json=json, headers=headers or KEY, timeout=60)


def _is_bare(answer: requests.Response, status: int) -> bool:
    return (answer.status_code, answer.content) == (status, b"")


def test_a_key_opens_what_it_is_for(odd: FunctionsHost) -> None:
    """The host's key opens functions, a function's its own, and the master's everything."""
    odd.keys["text"] = "its-own"
    opens = {
        (route, key): not _is_bare(_post(odd, route, **{"x-functions-key": key}), 401)
        for route in ("text", "nothing", "for_the_master", "open_to_all")
        for key in (HOST_KEY, "its-own", MASTER_KEY, "wrong")
    }
    assert {each for each, does in opens.items() if not does} == {
        ("text", "wrong"),
        ("nothing", "its-own"),
        ("nothing", "wrong"),
        ("for_the_master", HOST_KEY),
        ("for_the_master", "its-own"),
        ("for_the_master", "wrong"),
    }
    assert _post(odd, f"text?code={HOST_KEY}", other="no key").status_code == 200
    assert not any(each.payload for each in odd.begun[-1:])


def test_what_is_not_there_is_a_bare_404(odd: FunctionsHost) -> None:
    """A route that is unknown, a function that is disabled, a method that is none of its own."""
    odd.disabled.add("text")
    assert _is_bare(_post(odd, "absent"), 404)
    assert _is_bare(_post(odd, "text"), 404)
    assert _is_bare(requests.get(f"{odd.url}/api/sleep", headers=KEY, timeout=60), 404)
    assert _is_bare(requests.post(f"{odd.url}/text", headers=KEY, timeout=60), 404)


@pytest.mark.parametrize(
    ("state", "status", "says"),
    [
        (State.NOT_RUNNING, 503, "Function host is not running."),
        (State.OFFLINE, 503, "Host Offline"),
        (State.STOPPED, 403, "stopped"),
    ],
)
def test_an_app_that_does_not_run_says_so(
    odd: FunctionsHost, state: State, status: int, says: str
) -> None:
    """Whatever is asked, no function begins."""
    odd.state = state
    before = len(odd.begun)
    answer = _post(odd, "text")
    assert answer.status_code == status
    assert says in answer.text
    assert len(odd.begun) == before


def test_app_service_authentication_wants_a_token(identity: Identity) -> None:
    """Only one for the app's own audience, as long as it is good; keys are wanted besides."""
    ours = "api://ours"
    with FunctionsHost(DEPLOYED / "odd", audience=ours) as host:
        for token, status in (
            (identity.token(ours), 200),
            (identity.token("api://other"), 401),
            (identity.token(ours, -1), 401),
            ("a.b.c", 401),
        ):
            answer = _post(host, "open_to_all", Authorization=f"Bearer {token}")
            assert answer.status_code == status
            assert ("www-authenticate" in answer.headers) == (status == 401)
        bearer = f"Bearer {identity.token(ours)}"
        refused = _post(host, "text", Authorization=bearer)
        assert _is_bare(refused, 401)
        assert "www-authenticate" not in refused.headers
