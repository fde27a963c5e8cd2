"""What the environment says about proxies and certificates."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from leeward._http import options
from leeward._http.options import options_from_env
from leeward_contract_tests.rows import each_row


@pytest.fixture
def bare_system(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Take away the system's certificates and certifi's."""
    monkeypatch.setattr(options, "CA_FILES", ("/nowhere/ca.pem",))
    monkeypatch.setitem(sys.modules, "certifi", None)
    return monkeypatch


@each_row(
    "env, proxy",
    [
        ({}, None),
        (
            {"HTTPS_PROXY": "http://a", "https_proxy": "http://b", "ALL_PROXY": "http://c"},
            "http://a",
        ),
        ({"HTTPS_PROXY": "", "https_proxy": "http://b", "ALL_PROXY": "http://c"}, "http://b"),
        ({"ALL_PROXY": "http://c"}, "http://c"),
        ({"all_proxy": "http://d"}, "http://d"),
        ({"HTTP_PROXY": "http://e", "http_proxy": "http://f"}, None),
    ],
)
def test_the_proxy_is_that_for_https(env: dict[str, str], proxy: str | None) -> None:
    """The first variable that is set and not empty counts."""
    assert options_from_env(env).proxy == proxy


def test_certificates_are_looked_for_in_order(
    bare_system: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The configuration, SSL_CERT_FILE, the system, certifi; each only without the one before."""
    assert options_from_env({}).ca_file is None
    certifi = ModuleType("certifi")
    certifi.where = lambda: "/certifi.pem"  # type: ignore[attr-defined]
    bare_system.setitem(sys.modules, "certifi", certifi)
    assert options_from_env({}).ca_file == "/certifi.pem"
    system = tmp_path / "system.pem"
    system.touch()
    bare_system.setattr(options, "CA_FILES", ("/nowhere/ca.pem", str(system)))
    assert options_from_env({}).ca_file == str(system)
    assert options_from_env({"SSL_CERT_FILE": "/env.pem"}).ca_file == "/env.pem"
    assert options_from_env({"SSL_CERT_FILE": "/env.pem"}, "/conf.pem").ca_file == "/conf.pem"
