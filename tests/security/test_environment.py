"""In the hardened mode a hostile environment changes neither where traffic goes nor who is trusted.

Whoever can set LD_PRELOAD, PYTHONPATH or an OPENSSL_CONF that loads a library runs code in the
process; against that no library helps.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trustme

from leeward._http.options import refuse_key_log
from leeward.adapter import TargetConfig
from leeward.errors import ConfigError
from leeward.registry import open_target
from tests.house.workspace import ROOT
from tests.http.certificates import tls_context
from tests.http.wire import LIMIT, OK, Wire, answer

pytestmark = pytest.mark.threat("S4")

TO_A_LISTENER = """
    AWS_ENDPOINT_URL AWS_ENDPOINT_URL_LAMBDA AWS_ENDPOINT_URL_EVENTBRIDGE AWS_ENDPOINT_URL_DYNAMODB
    AWS_ENDPOINT_URL_S3 AWS_ENDPOINT_URL_SCHEDULER AWS_ENDPOINT_URL_SFN AWS_ENDPOINT_URL_SQS
    AWS_ENDPOINT_URL_STS HTTP_PROXY HTTPS_PROXY ALL_PROXY http_proxy https_proxy all_proxy
    AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_EC2_METADATA_SERVICE_ENDPOINT
""".split()
TO_A_CA = "SSL_CERT_FILE AWS_CA_BUNDLE CURL_CA_BUNDLE REQUESTS_CA_BUNDLE GIT_SSL_CAINFO".split()


def _environment(listener: str, ca_file: Path) -> dict[str, str]:
    """Give an environment that points everything at `listener`, which `ca_file` vouches for."""
    return {
        "PATH": os.environ["PATH"],
        **dict.fromkeys(TO_A_LISTENER, listener),
        **dict.fromkeys(TO_A_CA, str(ca_file)),
        "SSL_CERT_DIR": str(ca_file.parent),
        "OPENSSL_CONF": str(_lax_openssl(ca_file.with_name("openssl.cnf"))),
        "AWS_REGION": "evil-west-1",
        "AWS_PROFILE": "evil",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "NO_PROXY": "",
        "PYTHONHTTPSVERIFY": "0",
        "NODE_TLS_REJECT_UNAUTHORIZED": "0",
        "CURL_HOME": str(ca_file.parent),
        "HOME": str(_home(ca_file.parent, listener)),
    }


def _lax_openssl(path: Path) -> Path:
    path.write_text(
        "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = lax\n"
        "[lax]\nMinProtocol = TLSv1\nCipherString = ALL:@SECLEVEL=0\n"
    )
    return path


def _home(folder: Path, listener: str) -> Path:
    """Make a home with the files that the command-line tools and SDKs read."""
    (folder / ".curlrc").write_text(f"insecure\nproxy = {listener}\n")
    (folder / ".aws").mkdir()
    (folder / ".aws/config").write_text(f"[default]\nendpoint_url = {listener}\n")
    return folder


def _program(port: int, ca_file: str, environment: dict[str, str]) -> list[str]:
    """Run the hardened program; give what became of its requests."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.security.hostile", str(port), ca_file],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=3 * LIMIT,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.fixture
def ca() -> trustme.CA:
    """Give the authority that the program is configured to trust."""
    return trustme.CA()


@pytest.fixture
def stranger() -> trustme.CA:
    """Give the authority that the environment would have it trust."""
    return trustme.CA()


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> str:
    """Give the file of the program's own authority."""
    ca.cert_pem.write_to_path(str(tmp_path / "own.pem"))
    return str(tmp_path / "own.pem")


@pytest.fixture
def evil(stranger: trustme.CA, tmp_path: Path) -> Path:
    """Give the file of the environment's authority."""
    (tmp_path / "evil").mkdir()
    stranger.cert_pem.write_to_path(str(tmp_path / "evil/ca.pem"))
    return tmp_path / "evil/ca.pem"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_traffic_goes_where_it_was_configured(
    ca: trustme.CA, ca_file: str, evil: Path, scheme: str
) -> None:
    """The server of the configuration gets every request, the environment's none."""
    with (
        Wire(answer(OK)) as listener,
        Wire(answer(OK), tls=tls_context(ca.issue_cert("localhost"))) as wire,
    ):
        environment = _environment(listener.origin(scheme), evil)
        assert _program(wire.port, ca_file, environment) == ["200"] * 8
    assert (len(wire.requests), listener.connections) == (8, 0)


def test_nobody_is_trusted_because_the_environment_says_so(
    stranger: trustme.CA, ca_file: str, evil: Path
) -> None:
    """A server that only the environment's authority vouches for gets no request."""
    with Wire(answer(OK), tls=tls_context(stranger.issue_cert("localhost"))) as wire:
        assert _program(wire.port, ca_file, _environment(wire.origin(), evil)) == ["curl.60"] * 8
    assert wire.requests == []


def test_a_log_of_keys_is_refused(ca: trustme.CA, ca_file: str, tmp_path: Path) -> None:
    """libcurl would write one, as the first half shows; so a hardened target is not opened."""
    log = tmp_path / "keys"
    with Wire(answer(OK), tls=tls_context(ca.issue_cert("localhost"))) as wire:
        _program(wire.port, ca_file, {"PATH": os.environ["PATH"], "SSLKEYLOGFILE": str(log)})
    assert "TRAFFIC_SECRET" in log.read_text()
    with pytest.raises(ConfigError, match="^SSLKEYLOGFILE is set.*; unset it"):
        refuse_key_log({"SSLKEYLOGFILE": str(log)})
    refuse_key_log({"SSLKEYLOGFILE": ""})
    refuse_key_log({})


HARDENED: dict[str, dict[str, Any]] = {
    "aws": {"region": "us-east-1", "profile": "dev"},
    "azure": {"function_app": "shop", "function_key": "key"},
    "google": {"project": "shop-1", "identity": "metadata"},
}


@pytest.mark.parametrize("provider", HARDENED)
def test_every_adapter_refuses_to_write_keys_down(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the hardened mode, a process whose environment asks libcurl to is refused."""
    config = TargetConfig(provider, provider, None, HARDENED[provider], {}, trust_env=False)
    monkeypatch.delenv("SSLKEYLOGFILE", raising=False)
    open_target(config).close()
    monkeypatch.setenv("SSLKEYLOGFILE", "/nowhere/keys")
    with pytest.raises(ConfigError, match="SSLKEYLOGFILE"):
        open_target(config)
