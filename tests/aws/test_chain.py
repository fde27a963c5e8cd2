from __future__ import annotations

import stat
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from leeward.errors import Outcome
from leeward_aws.identity import session as vendor
from leeward_aws.identity.vendor import VendorChain
from tests.aws.sources import (
    GIVEN,
    KEYS,
    NOW,
    empty_home,
    fetched,
    http,
    refused,
    target,
    write_profiles,
)
from tests.http.wire import Wire, answer

DEV = "[dev]\naws_access_key_id = AKDEV\naws_secret_access_key = canary-dev\n"

ROLE = """[profile role]
role_arn = arn:aws:iam::123456789012:role/x
source_profile = dev
endpoint_url = {url}
"""

END = 4_102_444_800.0
"""2100-01-01T00:00:00Z."""


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give a home without AWS's files, and take AWS's variables away."""
    return empty_home(monkeypatch, tmp_path)


def chain(env: dict[str, str] | None = None, **options: Any) -> VendorChain:
    return VendorChain(*target(env, **options), lambda: NOW)


def hardened(home: Path, profile: str) -> VendorChain:
    return VendorChain(*target(trust_env=False, profile=profile), lambda: NOW, str(home))


def program(home: Path, prints: str, status: int = 0) -> str:
    """Give a program that leaves a mark when it runs, for ``credential_process``."""
    path = home / "program"
    path.write_text(
        f"#!{sys.executable}\nopen({str(home / 'mark')!r}, 'a').write('x')\n"
        f"print({prints!r})\nraise SystemExit({status})\n"
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (403, "AccessDenied", Outcome.AUTH),
        (400, "ExpiredToken", Outcome.AUTH),
        (400, "IDPCommunicationError", Outcome.NOT_SENT),
        (400, "Throttling", Outcome.NOT_SENT),
        (429, "Other", Outcome.NOT_SENT),
        (500, "InternalFailure", Outcome.NOT_SENT),
        (503, "ServiceUnavailable", Outcome.NOT_SENT),
    ],
)
def test_a_refusal_of_sts(home: Path, status: int, code: str, outcome: Outcome) -> None:
    """A busy STS could not be asked; any other answer is a refusal. It is asked once."""
    body = f"<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
    with Wire(answer(http(status, body.encode()))) as wire:
        write_profiles(home, DEV, ROLE.format(url=wire.origin()))
        found = refused(chain(profile="role"))
        assert (found.outcome, found.code) == (outcome, code)
        assert code in str(found.__cause__)
        assert len(wire.requests) == 1


def test_a_process_of_a_trusted_profile(home: Path) -> None:
    """By default ``credential_process`` runs, once for each fetch."""
    said = (
        '{"Version": 1, "AccessKeyId": "AKPROC", "SecretAccessKey": "canary-p", '
        '"SessionToken": "canary-t", "Expiration": "2100-01-01T00:00:00Z"}'
    )
    write_profiles(home, config=f"[profile p]\ncredential_process = {program(home, said)}\n")
    source = chain(profile="p")
    for _ in range(2):
        assert fetched(source) == ("AKPROC", "canary-p", "canary-t", END)
    assert (home / "mark").read_text() == "xx"


@pytest.mark.parametrize(
    ("prints", "status"),
    [
        ("canary", 0),
        ('{"Version": 2, "SecretAccessKey": "canary"}', 0),
        ('{"Version": 1, "SecretAccessKey": "canary"}', 0),
        ('{"Version": 1, "AccessKeyId": "A K", "SecretAccessKey": "canary"}', 0),
        ('{"Version": 1, "AccessKeyId": "AK", "SecretAccessKey": "canary\\n"}', 0),
        ('{"AccessKeyId": "canary"}', 1),
    ],
)
def test_a_process_that_gives_garbage(home: Path, prints: str, status: int) -> None:
    """Nothing of what it printed is repeated, whatever was wrong with it."""
    path = program(home, prints, status)
    write_profiles(home, config=f"[profile p]\ncredential_process = {path}\n")
    assert refused(chain(profile="p")).outcome is Outcome.AUTH


def test_nothing_anywhere_names_the_remedy() -> None:
    """Without any source, the message says which variables or which option to set."""
    found = refused(chain())
    assert (found.outcome, found.code) == (Outcome.AUTH, "no_credentials")
    assert "AWS_ACCESS_KEY_ID" in str(found)
    assert '[targets."aws:us-east-1"]' in str(found)


def test_a_source_that_has_vanished_is_out_of_reach(home: Path) -> None:
    """What gave credentials once and gives none now could not be asked."""
    write_profiles(home, DEV)
    source = chain({"AWS_PROFILE": "dev"})
    fetched(source)
    write_profiles(home, "[dev]\nregion = us-east-1\n")
    assert refused(source).outcome is Outcome.NOT_SENT


def test_boto3_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install, and how to do without."""
    monkeypatch.setitem(sys.modules, "botocore.config", None)
    found = refused(chain())
    assert (found.outcome, found.code) == (Outcome.AUTH, "boto3_missing")
    assert 'pip install "leeward-aws[boto3]"' in str(found)
    assert isinstance(found.__cause__, ImportError)


def test_the_hardened_mode_reads_one_profile(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes from the given home; no variable and no HOME leads elsewhere."""
    other = home / "other"
    other.mkdir()
    write_profiles(other, DEV.replace("AKDEV", "AKEVIL"), "[profile x]\n")
    write_profiles(home, DEV)
    monkeypatch.setenv("HOME", str(other))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(other / ".aws/credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(other / ".aws/config"))
    monkeypatch.setenv("AWS_PROFILE", "x")
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    assert fetched(hardened(home, "dev")) == ("AKDEV", "canary-dev", None, None)


@pytest.mark.parametrize(
    "config",
    [
        "[profile p]\ncredential_process = {path}\n",
        "[profile p]\nrole_arn = a\nsource_profile = q\n[profile q]\ncredential_process = {path}\n",
        """[profile p]
role_arn = a
source_profile = q
[profile q]
role_arn = b
source_profile = r
[profile r]
credential_process = {path}
""",
    ],
    ids=["itself", "its source", "the source of its source"],
)
@pytest.mark.threat("S5")
def test_the_hardened_mode_starts_no_process(home: Path, config: str) -> None:
    """A profile that would run a program is refused by name, however deep; nothing runs."""
    said = '{"Version": 1, "AccessKeyId": "AK", "SecretAccessKey": "canary"}'
    write_profiles(home, config=config.format(path=program(home, said)))
    found = refused(hardened(home, "p"))
    assert (found.outcome, found.code) == (Outcome.AUTH, "credential_process_refused")
    assert not (home / "mark").exists()


@pytest.mark.parametrize("source", ["Environment", "EcsContainer", "Ec2InstanceMetadata"])
def test_the_hardened_mode_leaves_the_machine_alone(
    home: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    """A profile cannot bring the environment, a container or the instance back in."""
    write_profiles(home, config=f"[profile p]\nrole_arn = a\ncredential_source = {source}\n")
    with Wire(answer(http(200, GIVEN))) as wire:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{wire.origin()}/x")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", wire.origin())
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
        for name, value in KEYS.items():
            monkeypatch.setenv(name, value)
        assert refused(hardened(home, "p")).code == "InvalidConfigError"
        write_profiles(home, config="[profile p]\nregion = us-east-1\n")
        assert refused(hardened(home, "p")).code == "no_credentials"
        assert wire.requests == []


def test_the_hardened_mode_asks_no_second_factor(home: Path) -> None:
    """Nobody is there to type a code, so none is waited for."""
    write_profiles(home, DEV, ROLE.format(url="http://127.0.0.1:1") + "mfa_serial = m\n")
    assert refused(hardened(home, "role")).code == "mfa_refused"


@pytest.mark.row(1, 14)
@pytest.mark.threat("S4")
def test_no_variable_moves_a_hardened_client(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Endpoints, proxies, certificates, service models and plugins of the environment are out."""
    evil = "http://127.0.0.1:9"
    models = home / "models"
    models.mkdir()
    plugin = home / "evil_plugin.py"
    plugin.write_text(f"open({str(home / 'mark')!r}, 'w')\n")
    monkeypatch.syspath_prepend(str(home))
    hostile = {
        "AWS_ENDPOINT_URL": evil,
        "AWS_ENDPOINT_URL_STS": evil,
        "HTTPS_PROXY": evil,
        "AWS_CA_BUNDLE": str(plugin),
        "REQUESTS_CA_BUNDLE": str(plugin),
        "AWS_DATA_PATH": str(models),
        "AWS_DEFAULT_REGION": "eu-west-1",
        "BOTOCORE_EXPERIMENTAL__PLUGINS": "evil=evil_plugin",
    }
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    write_profiles(home, DEV, ROLE.format(url=evil))
    settings, config = target(trust_env=False, profile="role")
    made: list[Any] = []
    session = vendor.session_of(settings, config.env, str(home))
    options = import_module("botocore.config").Config(**vendor.client_options(trust_env=False))
    with vendor.plugins(allowed=False):
        made.append(session.create_client("sts", config=options))
    wire = made[0]._endpoint.http_session
    assert made[0].meta.endpoint_url == "https://sts.us-east-1.amazonaws.com"
    assert wire._verify is True
    assert wire._proxy_config._proxies == {}
    assert str(models) not in session.get_component("data_loader").search_paths
    assert not (home / "mark").exists()
    made[0].close()


def test_home_is_where_the_system_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """HOME does not lead the hardened mode elsewhere."""
    before = vendor.home_of_user()
    monkeypatch.setenv("HOME", "/nowhere")
    assert vendor.home_of_user() == before != "/nowhere"
