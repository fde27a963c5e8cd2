"""What a source was given, checked, as a credential for the cache."""

from __future__ import annotations

import re

from leeward.adapter.resolver import Credential, NoCredential
from leeward.errors import Outcome
from leeward_aws.identity.credentials import Credentials


def received(
    access_key: object, secret_key: object, token: object, expires_at: float | None, where: str
) -> Credentials:
    """Make credentials of what `where` gave.

    Args:
        access_key: text that can stand in a header.
        secret_key: the same.
        token: the same, or None for the keys of a user.
        expires_at: Unix seconds; None for never.
        where: who gave it, for the message.

    Raises:
        NoCredential: a part is missing, or is nothing that a header can hold. The message names
            the part and never its value.
    """
    return Credentials(
        _sound(access_key, "access key", where),
        _sound(secret_key, "secret key", where),
        None if token is None else _sound(token, "session token", where),
        expires_at,
    )


def still_good(credentials: Credentials, now: float, where: str) -> Credential:
    """Return `credentials` with the time they came; refuse those that are over.

    Raises:
        NoCredential: they have expired.
    """
    if credentials.expires_at is not None and credentials.expires_at <= now:
        raise NoCredential(
            Outcome.AUTH,
            "expired_credentials",
            f"the AWS credentials from {where} have expired: renew them there",
        )
    return Credential(credentials, now, credentials.expires_at)


def _sound(value: object, part: str, where: str) -> str:
    if isinstance(value, str) and re.fullmatch(r"[!-~]+", value):
        return value
    raise NoCredential(
        Outcome.AUTH,
        "malformed_credentials",
        f"the {part} from {where} is missing, or holds white space or a character outside ASCII",
    )
