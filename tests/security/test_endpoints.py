"""In the hardened mode an endpoint by configuration leads to AWS, or where the operator says."""

from __future__ import annotations

import socket
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.adapter import TargetConfig
from leeward.errors import ConfigError
from leeward_aws.settings.endpoints import ServiceName, endpoint
from leeward_aws.settings.options import Settings, settings_from
from tests.security import tricks

pytestmark = pytest.mark.threat("S1")


def hardened(region: str = "us-east-1", **options: Any) -> Settings:
    """Read the settings of a target in the hardened mode."""
    return settings_from(TargetConfig(f"aws:{region}", "aws", region, options, {}, trust_env=False))


@pytest.fixture(autouse=True)
def _no_lookup(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing look up a name or make a socket: settings are read without I/O."""

    def refuse(*_: object) -> None:
        raise AssertionError("nothing may look up a name or connect")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "socket", refuse)


def test_the_corpus_is_large() -> None:
    """At least 200 ways to get a request to somewhere else, no two alike."""
    assert len(tricks.URLS) >= 200


def is_refused(option: str, **options: Any) -> bool:
    """Tell whether the settings are refused, and for this option."""
    try:
        hardened(**options)
    except ConfigError as error:
        return str(error).startswith(f"{option!r} in")
    return False


def test_no_trick_makes_an_endpoint() -> None:
    """Each is refused when the target is opened, before anything could connect.

    A private network that is allowed, or another host that is, change nothing about that.
    """
    name = "endpoint_url_lambda"
    wider = {"allow_private": True, "allowed_hosts": ["own.example:8443"]}
    assert [url for url in tricks.URLS if not is_refused(name, **{name: url})] == []
    assert [url for url in tricks.URLS if not is_refused(name, **{name: url, **wider})] == []


@pytest.mark.parametrize("url", ["http://\u212aelvin", "http\u017f://host", "http://ho\u017ft"])
def test_a_letter_that_folds_to_ascii_is_none(url: str) -> None:
    """The Kelvin sign's lower case is a k, and the long s matches s: refused, also if trusted."""
    options = {"endpoint_url": url}
    with pytest.raises(ConfigError, match="^'endpoint_url' in"):
        settings_from(TargetConfig("aws:us-east-1", "aws", "us-east-1", options, {}))


@given(st.text(max_size=30) | st.text("abz019-._:/@#?\\%[]xA", max_size=30))
def test_whatever_passes_is_listed(text: str) -> None:
    """No text in a host's place leads anywhere but to what the lists hold."""
    try:
        settings = hardened(endpoint_url_lambda=f"https://{text}", allowed_hosts=["z.a"])
    except ConfigError:
        return
    assert settings.endpoints["lambda"] == "https://z.a"


def test_what_is_aws_passes() -> None:
    """All hosts of the service in the region, and those of a private link."""
    services: dict[ServiceName, str] = {"lambda": "lambda", "events": "eventbridge"}
    for region, fips, dualstack in product(
        ("us-east-1", "cn-north-1", "us-gov-west-1"), (False, True), (False, True)
    ):
        for service, option in services.items():
            url = endpoint(service, region, fips=fips, dualstack=dualstack)
            found = hardened(region, **{f"endpoint_url_{option}": url.replace("https", "HTTPS")})
            assert found.endpoints[service] == url
    link = "https://vpce-0a1b-2c3d-us-east-1a.lambda.us-east-1.vpce.amazonaws.com"
    assert hardened(endpoint_url_lambda=f"{link}:443/").endpoints["lambda"] == link


def test_what_the_operator_lists_passes() -> None:
    """By name, and with its port where that is not 443; nothing else on that host."""
    hosts = ["Proxy.Example:8443", "localhost:4566", "own.example:0443"]
    for url in ("https://proxy.example:8443", "https://localhost:4566", "https://own.example"):
        settings = hardened(endpoint_url=url, allowed_hosts=hosts)
        assert set(settings.endpoints.values()) == {url}
    for url in ("https://proxy.example", "https://localhost", "http://localhost:4566"):
        with pytest.raises(ConfigError, match="'endpoint_url' in"):
            hardened(endpoint_url=url, allowed_hosts=hosts)


NO_NAMES: list[object] = [
    *(host for host in tricks.HOSTS if not host[-1].isalpha()),
    "", "*", "*.example", ".example", "a..b", "https://a.example", "a.example/", "u@a.example",
    "a.example:", "a.example:0", "a.example:65536", "a.example:x", "a b", "a\n",
    "caf\u00e9.example", "\u212aelvin.example", "-a.example", "a_b.example",
    1, None, True, ["a.example"],
]  # fmt: skip


def test_the_list_holds_names_of_hosts(subtests: pytest.Subtests) -> None:
    """No address in any notation, no pattern, no URL; also if no endpoint is configured."""
    for entry in NO_NAMES:
        with (
            subtests.test(ascii(entry)),
            pytest.raises(ConfigError, match=r"^'allowed_hosts' in .* must hold names of hosts"),
        ):
            hardened(allowed_hosts=["fine.example", entry])


@pytest.mark.parametrize("options", [{"allowed_hosts": "a.example"}, {"allow_private": "yes"}])
def test_the_hardening_options_have_types(options: dict[str, Any]) -> None:
    """A string in place of a list would be read letter by letter."""
    with pytest.raises(ConfigError, match="must be a"):
        hardened(**options)


@pytest.mark.parametrize("options", [{"allowed_hosts": []}, {"allow_private": False}])
def test_an_option_without_effect_is_refused(options: dict[str, Any]) -> None:
    """While the environment is trusted nothing is narrowed, and nobody shall believe so."""
    with pytest.raises(ConfigError, match="has no effect while trust_env is true"):
        settings_from(TargetConfig("aws:us-east-1", "aws", "us-east-1", options, {}))


def test_the_transport_is_told() -> None:
    """Only public addresses in the hardened mode, unless a private network is allowed."""
    assert hardened().http.public_only
    assert not hardened(allow_private=True).http.public_only
    assert not settings_from(
        TargetConfig("aws:us-east-1", "aws", "us-east-1", {}, {})
    ).http.public_only
