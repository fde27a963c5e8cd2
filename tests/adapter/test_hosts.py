"""Where a credential may go."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.adapter import TargetConfig
from leeward.adapter.hosts import origin_below
from leeward.adapter.opening import http_options
from leeward.adapter.options import Option, read_options
from leeward.errors import ConfigError
from leeward_contract_tests.rows import each_row

ROWS = (Option("url", "where", check=origin_below("stratus.example")), *http_options("CA"))


def read(url: str, *, trust_env: bool = True, **options: Any) -> str:
    config = TargetConfig("stratus", "stratus", None, {"url": url, **options}, {}, trust_env)
    origin: str = read_options(config, ROWS)["url"]
    return origin


@each_row(
    "url, origin",
    [
        ("https://stratus.example", "https://stratus.example"),
        ("https://EU.Stratus.example/", "https://eu.stratus.example"),
        ("https://eu.stratus.example:443", "https://eu.stratus.example"),
    ],
)
@pytest.mark.parametrize("trust_env", [True, False])
def test_a_domain_and_all_below_it_get_a_credential(url: str, origin: str, trust_env: bool) -> None:
    """In the hardened mode as well."""
    assert read(url, trust_env=trust_env) == origin


@each_row(
    "url",
    [
        "https://stratus.example.evil",
        "https://notstratus.example",
        "https://eu.stratus.example:8443",
        "http://eu.stratus.example",
        "http://127.0.0.1:8080",
        "https://192.0.2.1",
    ],
)
def test_in_the_hardened_mode_nobody_else_does(url: str) -> None:
    """Another name, another port and clear text are refused."""
    with pytest.raises(ConfigError, match="'url' in .*(below stratus.example|https URL)"):
        read(url, trust_env=False)


def test_the_operator_may_vouch_for_another_host() -> None:
    """By name, with its port."""
    own = "https://proxy.example:8443"
    assert read(own, trust_env=False, allowed_hosts=["proxy.example:8443"]) == own


def test_without_it_any_host_does_that_nobody_can_listen_to() -> None:
    """Over https, or on this machine."""
    assert read("https://elsewhere.example") == "https://elsewhere.example"
    assert read("http://127.0.0.1:8080") == "http://127.0.0.1:8080"
    with pytest.raises(ConfigError, match="in clear text"):
        read("http://elsewhere.example")


@pytest.mark.parametrize("url", ["stratus.example", "https://a.stratus.example/path", "ftp://a"])
def test_an_origin_is_no_more_and_no_less(url: str) -> None:
    """The message shows one, and not what was set."""
    with pytest.raises(ConfigError, match="such as https://stratus.example, without"):
        read(url)
