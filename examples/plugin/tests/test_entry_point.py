"""Installed, the adapter is found by its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from leeward import Client, Config, ConfigError
from leeward.config import TargetName

from .cloud import TOKEN, NimbusCloud


@pytest.fixture
def cloud() -> Iterator[NimbusCloud]:
    """Return a cloud with one function."""
    cloud = NimbusCloud({"double": lambda payload: payload * 2}, {})
    yield cloud
    cloud.stop()


def _config(options: Mapping[str, Any], **settings: Any) -> Config:
    return Config(order=(TargetName("nimbus"),), options={"nimbus": options}, **settings)


def test_a_client_finds_it_by_name(cloud: NimbusCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """`Client("nimbus")` loads the entry point, and the call goes to the cloud."""
    monkeypatch.setenv("NIMBUS_TOKEN", TOKEN)
    config = Config(options={"nimbus": {"url": f"{cloud.url}/"}})
    with Client("nimbus", config=config) as client:
        result = client.invoke("double", 21)
        (status,) = client.targets()
    assert (result.value, result.target) == (42, "nimbus")
    assert status.settings == {"url": cloud.url}


@pytest.mark.parametrize(
    ("options", "token"),
    [
        ({}, TOKEN),
        ({"url": "https://nimbus.example"}, None),
        ({"url": "http://nimbus.example"}, TOKEN),
        ({"url": "http://127.0.0.1.example:80"}, TOKEN),
        ({"url": 7}, TOKEN),
        ({"url": "https://nimbus.example", "region": "eu"}, TOKEN),
    ],
)
def test_a_wrong_configuration_is_refused(
    monkeypatch: pytest.MonkeyPatch, options: Mapping[str, Any], token: str | None
) -> None:
    """Without an https URL or a token, and with an unknown key, nothing is opened."""
    monkeypatch.delenv("NIMBUS_TOKEN", raising=False)
    if token is not None:
        monkeypatch.setenv("NIMBUS_TOKEN", token)
    with pytest.raises(ConfigError, match="nimbus"):
        Client(config=_config(options))


def test_the_hardened_mode_takes_no_token_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With `trust_env = false` the variable does not count, and the option does."""
    monkeypatch.setenv("NIMBUS_TOKEN", TOKEN)
    options = {"url": "https://nimbus.example"}
    with pytest.raises(ConfigError, match="nimbus"):
        Client(config=_config(options, trust_env=False))
    Client(config=_config({**options, "token": TOKEN}, trust_env=False)).close()
