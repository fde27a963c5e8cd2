from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leeward.adapter import Capability, Driver, TargetConfig
from leeward.calls import Enqueue
from leeward.errors import Outcome
from leeward_aws.driver import LIMITS, open_driver
from tests.aws.sources import KEYS, empty_home, http
from tests.http.wire import Wire, answer

SESSION = KEYS | {"AWS_SESSION_TOKEN": "canary-session"}


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take AWS's variables and files away."""
    empty_home(monkeypatch, tmp_path)


def target(env: dict[str, str] | None = None, **options: Any) -> TargetConfig:
    return TargetConfig("aws:us-east-1", "aws", "us-east-1", options, env or KEYS)


def opened(env: dict[str, str] | None = None, **options: Any) -> Driver:
    return open_driver(target(env, **options))


def test_everything_but_order_is_declared() -> None:
    """EventBridge keeps none."""
    driver = opened()
    assert driver.capabilities == set(Capability) - {Capability.ORDERING, Capability.SETTLING}
    assert driver.limits == LIMITS
    driver.close()


def test_what_is_shown() -> None:
    """Region, endpoints, where credentials come from; never a secret."""
    env = SESSION | {"HTTPS_PROXY": "http://user:canary@proxy:8080", "SSL_CERT_FILE": "/ca.pem"}
    driver = opened(env)
    assert driver.describe() == {
        "region": "us-east-1",
        "endpoint.lambda": "https://lambda.us-east-1.amazonaws.com",
        "endpoint.events": "https://events.us-east-1.amazonaws.com",
        "endpoint.dynamodb": "https://dynamodb.us-east-1.amazonaws.com",
        "endpoint.s3": "https://s3.us-east-1.amazonaws.com",
        "endpoint.sqs": "https://sqs.us-east-1.amazonaws.com",
        "endpoint.states": "https://states.us-east-1.amazonaws.com",
        "endpoint.scheduler": "https://scheduler.us-east-1.amazonaws.com",
        "endpoint.logs": "https://logs.us-east-1.amazonaws.com",
        "credentials": "environment",
        "ca_file": "/ca.pem",
        "proxy": "proxy:8080",
        "max_in_flight": "64",
        "trust_env": "true",
    }
    driver.close()


@pytest.mark.parametrize("service", ["", "_lambda", "_dynamodb"])
@pytest.mark.row(10)
@pytest.mark.threat("S1")
def test_a_session_token_goes_over_http_to_this_machine_only(service: str) -> None:
    """It would go out with every request; the refusal says where to, and nothing is sent."""
    driver = opened(SESSION, **{f"endpoint_url{service}": "http://emulator.example:4566"})
    result = driver.perform(Enqueue("f", b"1", "key"), 10.0)
    assert (result.outcome, result.code) == (Outcome.AUTH, "token_in_clear_text")
    assert "http://emulator.example:4566 in clear text" in str(result.message)
    assert "canary" not in repr(result)
    driver.close()


@pytest.mark.parametrize("env", [SESSION, KEYS])
def test_what_stays_on_this_machine_may_be_shown(env: dict[str, str]) -> None:
    """An emulator here gets what it asks for."""
    with Wire(answer(http(202, b""))) as wire:
        driver = opened(env, endpoint_url=wire.origin())
        assert driver.perform(Enqueue("f", b"1", "key"), 10.0).outcome is Outcome.OK
        driver.close()
    assert (b"canary-session" in wire.requests[0]) == (env is SESSION)
