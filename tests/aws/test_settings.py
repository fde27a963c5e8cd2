from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.adapter import TargetConfig
from leeward.errors import ConfigError
from leeward_aws.settings.options import Settings, settings_from
from leeward_contract_tests.rows import each_row
from tests.aws import oracle


def read(
    qualifier: str | None = "us-east-1",
    options: dict[str, Any] | None = None,
    env: dict[str, str] | None = None,
    *,
    trust_env: bool = True,
) -> Settings:
    name = f"aws:{qualifier}" if qualifier else "aws"
    return settings_from(TargetConfig(name, "aws", qualifier, options or {}, env or {}, trust_env))


def test_nothing_but_a_region_gives_aws_itself() -> None:
    """A target by its region alone uses AWS's own endpoints and no profile."""
    assert read() == Settings(
        "us-east-1",
        {
            "lambda": "https://lambda.us-east-1.amazonaws.com",
            "events": "https://events.us-east-1.amazonaws.com",
            "dynamodb": "https://dynamodb.us-east-1.amazonaws.com",
            "s3": "https://s3.us-east-1.amazonaws.com",
            "sqs": "https://sqs.us-east-1.amazonaws.com",
            "states": "https://states.us-east-1.amazonaws.com",
            "scheduler": "https://scheduler.us-east-1.amazonaws.com",
            "logs": "https://logs.us-east-1.amazonaws.com",
        },
    )


def test_no_region_names_the_remedy() -> None:
    """The message says where a region can be given, and of the environment only if it counts."""
    with pytest.raises(ConfigError, match=r'"aws:us-east-1".*\[targets\."aws"\].*AWS_REGION'):
        read(None)
    with pytest.raises(ConfigError, match=r'\[targets\."aws"\]$'):
        read(None, trust_env=False)


@pytest.mark.parametrize(
    ("qualifier", "options", "env", "where"),
    [
        ("evil.example/", {}, {}, "second part of 'aws:evil.example/'"),
        (None, {"region": "evil.example/"}, {}, r"'region' in \[targets.\"aws\"\]"),
        (None, {}, {"AWS_REGION": "evil.example/"}, "^AWS_REGION"),
        (None, {}, {"AWS_DEFAULT_REGION": "evil.example/"}, "^AWS_DEFAULT_REGION"),
    ],
    ids=["name", "option", "variable", "older variable"],
)
def test_a_bad_region_names_where_it_came_from(
    qualifier: str | None, options: dict[str, Any], env: dict[str, str], where: str
) -> None:
    """A region that cannot be one is refused where it was written."""
    with pytest.raises(ConfigError, match=where):
        read(qualifier, options, env)


def test_endpoints_by_option_and_variable() -> None:
    """One service's option, then that of all, then one service's variable, then that of all."""
    everywhere = {"AWS_ENDPOINT_URL": "http://all-env:1"}
    one = {"AWS_ENDPOINT_URL_EVENTBRIDGE": "http://one-env:2"}
    options = {"endpoint_url": "http://all:3"}
    single = {"endpoint_url_dynamodb": "http://one:4"}
    assert list(read(env=everywhere).endpoints.values()) == ["http://all-env:1"] * 8
    assert read(env=everywhere | one).endpoints == {
        "lambda": "http://all-env:1",
        "events": "http://one-env:2",
        "dynamodb": "http://all-env:1",
        "s3": "http://all-env:1",
        "sqs": "http://all-env:1",
        "states": "http://all-env:1",
        "scheduler": "http://all-env:1",
        "logs": "http://all-env:1",
    }
    assert read(options=options | single, env=everywhere | one).endpoints == {
        "lambda": "http://all:3",
        "events": "http://all:3",
        "dynamodb": "http://one:4",
        "s3": "http://all:3",
        "sqs": "http://all:3",
        "states": "http://all:3",
        "scheduler": "http://all:3",
        "logs": "http://all:3",
    }


_VARIABLES = ["AWS_ENDPOINT_URL"] + [
    f"AWS_ENDPOINT_URL_{name}" for name in ("LAMBDA", "EVENTBRIDGE", "DYNAMODB", "EVENTS", "S3")
]


@given(
    st.dictionaries(
        st.sampled_from(_VARIABLES), st.sampled_from(["", "http://a:1", "http://b:2"]), max_size=5
    )
)
def test_endpoint_variables_count_as_in_botocore(env: dict[str, str]) -> None:
    """Whatever endpoint variables are set, each service goes where boto3 would go."""
    for service, ours in read(env=env).endpoints.items():
        theirs = oracle.configured_endpoint(service, env)
        assert ours == (theirs or f"https://{service}.us-east-1.amazonaws.com")


def test_endpoint_variables_can_be_ignored() -> None:
    """AWS_IGNORE_CONFIGURED_ENDPOINT_URLS stops the variables and leaves the options."""
    env = {
        "AWS_ENDPOINT_URL": "http://a:1",
        "AWS_ENDPOINT_URL_LAMBDA": "http://b:2",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "True",
    }
    assert read(env=env).endpoints == read().endpoints
    assert read(options={"endpoint_url_lambda": "http://c:3"}, env=env).endpoints["lambda"] == (
        "http://c:3"
    )


@each_row(
    "url, origin",
    [
        ("http://localhost:4566/", "http://localhost:4566"),
        ("HTTPS://VPCE-1.Lambda.us-east-1.vpce.amazonaws.com:443",
         "https://vpce-1.lambda.us-east-1.vpce.amazonaws.com"),
        ("http://my_moto:80", "http://my_moto"),
        ("http://[::1]:08000", "http://[::1]:8000"),
        ("http://x", "http://x"),
    ],
)  # fmt: skip
def test_an_endpoint_becomes_an_origin(url: str, origin: str) -> None:
    """Lower case, without the scheme's own port and the last slash: as `Host` is signed."""
    assert read(env={"AWS_ENDPOINT_URL": url}).endpoints["lambda"] == origin


@each_row(
    "url",
    [
        "localhost:4566", "ftp://canary", "http://", "http://user:canary@host", "http://a/canary",
        "http://a?canary", "http://a#canary", "http://a:0", "http://a:65536", "http://a:1:2",
        "http://a\\@canary", "http://a b", "http://a\n", "http://\tcanary", "http://canäry",
        "http://[::1", "http://-canary", "file:///canary", " http://canary", "http://a:\u0661",
    ],
)  # fmt: skip
def test_what_is_no_origin_is_refused(url: str) -> None:
    """The message names the variable, and does not repeat what may hold a password."""
    with pytest.raises(ConfigError, match=r"^AWS_ENDPOINT_URL must be") as caught:
        read(env={"AWS_ENDPOINT_URL": url})
    assert "canary" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"^'endpoint_url_lambda' in \[targets\."):
        read(options={"endpoint_url_lambda": url})


def test_fips_and_dual_stack() -> None:
    """Both can be switched on by an option or a variable; the option has the last word."""
    on = {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "TRUE"}
    settings = read(env=on)
    assert settings.fips
    assert settings.dualstack
    assert settings.endpoints["lambda"] == "https://lambda-fips.us-east-1.api.aws"
    off = {"use_fips_endpoint": False, "use_dualstack_endpoint": False}
    assert read(options=off, env=on) == read()
    assert read(options=dict.fromkeys(off, True)) == settings


@pytest.mark.parametrize("switch", ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"])
def test_a_switch_and_an_own_endpoint_exclude_each_other(switch: str) -> None:
    """As in botocore: nobody who asked for validated hosts is sent to another one in silence."""
    with pytest.raises(ConfigError, match=f"AWS_ENDPOINT_URL_LAMBDA and {switch}"):
        read(env={switch: "true", "AWS_ENDPOINT_URL_LAMBDA": "http://a:1"})


def test_a_profile_by_variable_comes_after_keys_in_botocore(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What `profile_first` says is what botocore does."""
    config = tmp_path / "config"
    config.write_text("[profile work]\nregion = eu-west-1\n", encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert oracle.first_credential_source(None) == "env"
    assert oracle.first_credential_source("work") != "env"
