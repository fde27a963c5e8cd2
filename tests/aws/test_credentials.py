from __future__ import annotations

import pytest

from leeward.errors import ConfigError
from leeward_aws.identity.credentials import Credentials, from_environment
from leeward_contract_tests.rows import each_row
from tests.aws import oracle

KEY = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "the-secret"}


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


@each_row("name", [*KEY, "AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN"])
@pytest.mark.parametrize("value", ["canary\n", "can ary", "canäry", "canary\r\nX-Evil: 1"])
def test_what_no_header_can_hold_is_refused(name: str, value: str) -> None:
    """A line break at the end of a secret is found here, not as a bad signature."""
    with pytest.raises(ConfigError, match=name) as caught:
        from_environment(KEY | {name: value})
    assert "can" not in str(caught.value)


def test_no_text_form_shows_a_secret() -> None:
    """Neither the secret nor the token is in any text form, alone or inside a container."""
    credentials = Credentials("AKIDEXAMPLE", "the-secret", "the-token", 1.0)
    texts = [repr(credentials), str(credentials), f"{credentials}", f"{[credentials]}"]
    for text in texts:
        assert "the-secret" not in text
        assert "the-token" not in text
        assert "AKIDEXAMPLE" in text
