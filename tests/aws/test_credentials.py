from __future__ import annotations

import pytest

from leeward.errors import ConfigError
from leeward_aws.identity.credentials import Credentials, from_environment
from leeward_contract_tests.rows import each_row
from tests.aws import oracle

KEY = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "the-secret"}


def test_a_key_without_a_token() -> None:
    """Both halves of a key are enough, and do not expire."""
    assert from_environment(KEY) == Credentials("AKIDEXAMPLE", "the-secret")


@pytest.mark.parametrize(
    "until", ["2015-08-30T12:36:00Z", "2015-08-30T14:36:00+02:00", "2015-08-30T12:36:00"]
)
def test_temporary_credentials(until: str) -> None:
    """The token and the expiry are read too; a time without a zone is UTC."""
    env = KEY | {"AWS_SESSION_TOKEN": "the-token", "AWS_CREDENTIAL_EXPIRATION": until}
    assert from_environment(env) == Credentials(
        "AKIDEXAMPLE", "the-secret", "the-token", 1440938160.0
    )


@each_row(
    "tokens",
    [
        {"AWS_SECURITY_TOKEN": "older", "AWS_SESSION_TOKEN": "newer"},
        {"AWS_SECURITY_TOKEN": "older"},
        {"AWS_SECURITY_TOKEN": "", "AWS_SESSION_TOKEN": "newer"},
        {"AWS_SESSION_TOKEN": "newer"},
        {},
    ],
)
def test_the_token_is_the_one_that_botocore_takes(tokens: dict[str, str]) -> None:
    """Of two variables with different tokens, both take the same."""
    ours = from_environment(KEY | tokens)
    assert ours is not None
    assert ours.token == oracle.session_token(KEY | tokens)


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
        {"AWS_SESSION_TOKEN": "left over"},
    ],
)
def test_no_key_is_no_error(env: dict[str, str]) -> None:
    """Without a key in the environment, credentials may come from elsewhere."""
    assert from_environment(env) is None


@pytest.mark.parametrize("missing", KEY)
@pytest.mark.parametrize("empty", [False, True])
def test_half_a_key_is_refused(missing: str, empty: bool) -> None:
    """The message names the half that is missing, and holds no secret."""
    env = {name: value for name, value in KEY.items() if name != missing}
    with pytest.raises(ConfigError, match=f"{missing} is not") as caught:
        from_environment(env | ({missing: ""} if empty else {}))
    assert "the-secret" not in str(caught.value)


@each_row("name", [*KEY, "AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN"])
@pytest.mark.parametrize("value", ["canary\n", "can ary", "canäry", "canary\r\nX-Evil: 1"])
def test_what_no_header_can_hold_is_refused(name: str, value: str) -> None:
    """A line break at the end of a secret is found here, not as a bad signature."""
    with pytest.raises(ConfigError, match=name) as caught:
        from_environment(KEY | {name: value})
    assert "can" not in str(caught.value)


def test_a_broken_expiry_is_refused() -> None:
    """An expiry that cannot be read would make expired credentials look good."""
    with pytest.raises(ConfigError, match="AWS_CREDENTIAL_EXPIRATION"):
        from_environment(KEY | {"AWS_CREDENTIAL_EXPIRATION": "tomorrow"})


def test_no_text_form_shows_a_secret() -> None:
    """Neither the secret nor the token is in any text form, alone or inside a container."""
    credentials = Credentials("AKIDEXAMPLE", "the-secret", "the-token", 1.0)
    texts = [repr(credentials), str(credentials), f"{credentials}", f"{[credentials]}"]
    for text in texts:
        assert "the-secret" not in text
        assert "the-token" not in text
        assert "AKIDEXAMPLE" in text
