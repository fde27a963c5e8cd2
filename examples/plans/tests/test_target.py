"""From the configuration to the first call: options, tokens, and the entry point."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leeward import AuthError, Client, Config, ConfigError, Outcome
from leeward.adapter import Driver, TargetConfig
from leeward.adapter.options import table_of
from leeward.calls import Invoke
from leeward.config import TargetName
from leeward_stratus.driver import OPTIONS, open_driver

from .cloud import CLIENT, StratusCloud

DOUBLE = Invoke("double", b"21", "the-key")


@pytest.fixture
def cloud() -> Iterator[StratusCloud]:
    """Return a cloud with one function."""
    cloud = StratusCloud({"double": lambda payload: payload * 2}, {})
    yield cloud
    cloud.stop()


def target(options: dict[str, Any], *, trust_env: bool = True) -> Driver:
    return open_driver(TargetConfig("stratus", "stratus", None, options, {}, trust_env))


def test_a_client_finds_it_by_name(cloud: StratusCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry point of the installed package is loaded, and the call goes to the cloud."""
    monkeypatch.setenv("STRATUS_SECRET", CLIENT["client_secret"])
    options = {"url": cloud.url, "client_id": CLIENT["client_id"]}
    config = Config(order=(TargetName("stratus"),), options={"stratus": options})
    with Client(config=config) as client:
        assert client.invoke("double", 21).value == 42
        (status,) = client.targets()
    assert status.settings["url"] == cloud.url
    assert CLIENT["client_secret"] not in str(status)


def test_one_token_serves_all_calls_until_it_is_refused(cloud: StratusCloud) -> None:
    """Then the call is sent once more, with another one."""
    driver = target({"url": cloud.url, **CLIENT})
    assert [driver.perform(DOUBLE, 5.0).value for _ in range(3)] == [42] * 3
    assert cloud.given == 1
    cloud.revoke()
    assert driver.perform(DOUBLE, 5.0).value == 42
    assert cloud.given == 2
    driver.close()


def test_a_client_that_stratus_does_not_know(cloud: StratusCloud) -> None:
    """Nothing is sent, and the message has the remedy and not the secret."""
    options = {"url": cloud.url, "client_id": "shop", "client_secret": "canary"}
    with Client(target(options)) as client, pytest.raises(AuthError) as caught:
        client.invoke("double", 21)
    assert "check client_id and client_secret" in str(caught.value)
    assert "canary" not in str(caught.value)
    (attempt,) = caught.value.attempts
    assert (attempt.outcome, attempt.code) == (Outcome.AUTH, "http.401")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "'url' is missing"),
        ({"url": "https://eu.stratus.example"}, "or the variable STRATUS_ID"),
        ({"url": "http://eu.stratus.example", **CLIENT}, "in clear text"),
        ({"url": "eu.stratus.example", **CLIENT}, "such as https://stratus.example"),
        ({"url": "https://a.example", **CLIENT, "client_secret": "two words"}, "white space"),
        ({"url": "https://eu.stratus.example", **CLIENT, "region": "eu"}, "unknown key 'region'"),
    ],
)
def test_a_wrong_configuration_is_refused(options: dict[str, Any], told: str) -> None:
    """The message names the section, and what to do."""
    with pytest.raises(ConfigError, match=told) as caught:
        target(options)
    assert '[targets."stratus"]' in str(caught.value)


def test_the_hardened_mode_knows_stratus_alone() -> None:
    """Unless the operator vouches for another host."""
    target({"url": "https://eu.stratus.example", **CLIENT}, trust_env=False).close()
    elsewhere = {"url": "https://proxy.example", **CLIENT}
    with pytest.raises(ConfigError, match="allowed_hosts"):
        target(elsewhere, trust_env=False)
    target({**elsewhere, "allowed_hosts": ["proxy.example"]}, trust_env=False).close()


def test_the_readme_has_the_options() -> None:
    """The table is made of their rows."""
    readme = Path(__file__).parents[1] / "README.md"
    assert f"\n\n{table_of(OPTIONS)}\n\n" in readme.read_text(encoding="utf-8")
