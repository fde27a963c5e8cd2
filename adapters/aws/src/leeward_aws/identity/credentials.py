"""AWS credentials as a value, of the environment, and of what a source was given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from leeward.adapter.resolver import Resolved
from leeward.adapter.tokens import good_until, sound
from leeward.errors import ConfigError
from leeward.records import NamedTuple
from leeward.text import is_token


class AccessKey(NamedTuple):
    """Ask for the `Credentials` that sign for all services."""

    kind: str = "access key"


ACCESS_KEY: Final = AccessKey()


class Credentials(NamedTuple):
    """An access key with its secret.

    Attributes:
        access_key: names the key; goes out with every request.
        secret_key: signs, and never leaves this process.
        token: the session token of temporary credentials, else None.
        expires_at: Unix seconds; None for never.
    """

    access_key: str
    secret_key: str
    token: str | None = None
    expires_at: float | None = None

    def __repr__(self) -> str:
        """Leave the secret and the token out."""
        token = None if self.token is None else "***"
        return (
            f"Credentials(access_key={self.access_key!r}, secret_key='***', "
            f"token={token!r}, expires_at={self.expires_at!r})"
        )


def from_environment(env: Mapping[str, str]) -> Credentials | None:
    """Return the credentials that `env` holds; None where it holds neither half of a key.

    An empty variable counts as absent. A session token without a key is left alone, because the
    vendor's own tools do so; of its two variables the older one goes first, as in botocore's
    `EnvProvider`.

    Raises:
        ConfigError: one half of the key is missing, or a variable cannot be what it should be. The
            message names the variable and never its value.
    """
    access_key = _read(env, "AWS_ACCESS_KEY_ID")
    secret_key = _read(env, "AWS_SECRET_ACCESS_KEY")
    if access_key is None and secret_key is None:
        return None
    if access_key is None:
        raise _incomplete("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    if secret_key is None:
        raise _incomplete("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID")
    token = _read(env, "AWS_SECURITY_TOKEN") or _read(env, "AWS_SESSION_TOKEN")
    return Credentials(access_key, secret_key, token, _expiry(env))


def make_credentials(
    keys: tuple[object, object, object], end: float | None, now: float, where: str
) -> Resolved:
    """Return the credentials that `where` gave.

    Args:
        keys: access key, secret key and session token as they came; for a user's keys, no token
            but None.
        end: Unix seconds; None for never.
        now: Unix seconds.
        where: who gave them, for the message.

    Raises:
        Unresolved: AUTH; a part is not there or cannot be what it should be, or they have expired.
    """
    access_key, secret_key, token = keys
    credentials = Credentials(
        sound(access_key, "access key", where),
        sound(secret_key, "secret key", where),
        None if token is None else sound(token, "session token", where),
        end,
    )
    return good_until(end, credentials, now, where)


def _incomplete(missing: str, present: str) -> ConfigError:
    return ConfigError(f"{present} is set and {missing} is not: set both, or neither")


def _read(env: Mapping[str, str], name: str) -> str | None:
    value = env.get(name)
    if not value:
        return None
    # A line break at the end of a mounted secret is the usual case. In a header it would do harm.
    if not is_token(value):
        raise ConfigError(f"{name} holds white space or a character outside ASCII: set it again")
    return value


def _expiry(env: Mapping[str, str]) -> float | None:
    """Read the variable that ``aws configure export-credentials --format env`` sets."""
    name = "AWS_CREDENTIAL_EXPIRATION"
    text = env.get(name)
    if not text:
        return None
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{name} is not an ISO 8601 time, such as 2026-01-31T12:00:00Z") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
