"""Credentials from the endpoint that a container platform offers (ECS, EKS, Greengrass).

Source: "Container credential provider" in the AWS SDKs and Tools Reference Guide, and botocore's
`ContainerMetadataFetcher` for which hosts may be asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from leeward.adapter.resolver import Credential, NoCredential, Source
from leeward.errors import ConfigError, LeewardError, Outcome
from leeward.http.messages import Failure, Request, Response
from leeward.http.transport import Transport
from leeward_aws.identity.credentials import Credentials
from leeward_aws.identity.received import received, still_good

RELATIVE: Final = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
FULL: Final = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
TOKEN: Final = "AWS_CONTAINER_AUTHORIZATION_TOKEN"  # noqa: S105 - the name of a variable
TOKEN_FILE: Final = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"  # noqa: S105 - the same

ECS: Final = "http://169.254.170.2"
"""Where a relative address begins."""

PLAIN_HOSTS: Final = frozenset({"169.254.170.2", "169.254.170.23", "fd00:ec2::23", "localhost"})
"""Hosts that may be asked without TLS, besides loopback addresses."""

LARGEST: Final = 64 * 1024
"""Bytes of an answer or a token file; real ones have about 2 KiB."""

_WHERE: Final = "the container endpoint"


class Address(NamedTuple):
    """Where to ask: an origin, and the path with its query."""

    origin: str
    target: str


def address_of(env: Mapping[str, str]) -> Address | None:
    """Return the endpoint that `env` names; None where it names none.

    The relative address goes before the full one, and an empty variable counts as absent.

    Raises:
        ConfigError: it is no address, or one that must not be asked. The address may hold a
            secret, so the message names the variable alone.
    """
    if relative := env.get(RELATIVE):
        return _checked(ECS + relative, RELATIVE)
    if full := env.get(FULL):
        return _checked(full, FULL)
    return None


def container_source(
    env: Mapping[str, str], transport: Transport, now: Callable[[], float]
) -> Source:
    """Make a source that asks the endpoint which `env` names, once for each fetch.

    Address and token are read again each time: platforms rotate the token's file.

    Args:
        env: the environment, as it is at each fetch.
        transport: carries the request. Asking has no effect, so a kept connection is fine.
        now: gives Unix seconds.
    """

    def fetch(scope: str, timeout: float) -> Credential:
        try:
            answer = transport.send(_request(env), timeout)
        except LeewardError as error:
            raise NoCredential(Outcome.AUTH, "misconfigured", str(error)) from error
        if isinstance(answer, Failure):
            raise NoCredential(
                Outcome.NOT_SENT, answer.code, f"{_WHERE} cannot be reached ({answer.code})"
            ) from answer.cause
        return still_good(_credentials(answer), now(), _WHERE)

    return fetch


def _checked(url: str, variable: str) -> Address:
    pattern = (
        r"(https?)://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?"
        r"(/[!\"$-\[\]-~]*|)(\?[!\"$-~]*)?"
    )
    parts = re.fullmatch(pattern, url)
    if parts is None or (parts[3] and not 0 < int(parts[3]) < 65536):
        raise ConfigError(
            f"{variable} must lead to a scheme, a host, perhaps a port, and a path, such as "
            f"http://169.254.170.23/v1/credentials, without user and fragment"
        )
    if parts[1] == "http" and not _may_be_plain(parts[2].strip("[]").lower()):
        raise ConfigError(
            f"{variable} must lead to https, to this machine, or to one of "
            f"{', '.join(sorted(PLAIN_HOSTS))}: the answer holds keys"
        )
    port = f":{parts[3]}" if parts[3] else ""
    return Address(f"{parts[1]}://{parts[2]}{port}", (parts[4] or "/") + (parts[5] or ""))


def _may_be_plain(host: str) -> bool:
    if host in PLAIN_HOSTS:
        return True
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _request(env: Mapping[str, str]) -> Request:
    address = address_of(env)
    if address is None:
        raise NoCredential(
            Outcome.AUTH, "no_credentials", f"neither {RELATIVE} nor {FULL} is set any longer"
        )
    token = _token(env)
    headers = [("Accept", "application/json")]
    if token is not None:
        headers.append(("Authorization", token))
    return Request("GET", address.origin, address.target, tuple(headers))


def _token(env: Mapping[str, str]) -> str | None:
    """Return the token to show, the file's before the variable's own; None for none."""
    if path := env.get(TOKEN_FILE):
        return _sound_token(_read(path), f"the file that {TOKEN_FILE} names")
    if token := env.get(TOKEN):
        return _sound_token(token, TOKEN)
    return None


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a Path would say no more
            return file.read(LARGEST).decode("latin-1")
    except (OSError, ValueError) as error:  # ValueError: no text that can name a file
        raise NoCredential(
            Outcome.AUTH, "misconfigured", f"the file that {TOKEN_FILE} names cannot be read"
        ) from error


def _sound_token(token: str, where: str) -> str:
    if re.fullmatch(r"[ -~]+", token):
        return token
    raise NoCredential(
        Outcome.AUTH,
        "misconfigured",
        f"{where} holds no token that a header can carry: write it in one line of ASCII, without "
        f"a line break at the end",
    )


def _credentials(answer: Response) -> Credentials:
    """Read the answer; every one of its four fields must be there, as for botocore."""
    if answer.status != 200:
        busy = answer.status == 429 or answer.status >= 500
        raise NoCredential(
            Outcome.NOT_SENT if busy else Outcome.AUTH,
            f"http.{answer.status}",
            f"{_WHERE} answered with status {answer.status}",
        )
    document = _document(answer.body)
    expiry = _moment(document.get("Expiration"))
    token = document.get("Token") or ""
    return received(
        document.get("AccessKeyId"), document.get("SecretAccessKey"), token, expiry, _WHERE
    )


def _document(body: bytes) -> dict[str, Any]:
    from json import loads

    try:
        found = loads(body, object_pairs_hook=_unique) if len(body) <= LARGEST else None
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        return found
    # Without the parser's error as cause: that one keeps the text, and the text may hold a key.
    raise _undecodable("is no JSON object of an acceptable size") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name appears twice")
    return found


def _moment(text: object) -> float:
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(text if isinstance(text, str) else "")
    except ValueError:
        raise _undecodable("has no Expiration in ISO 8601") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _undecodable(what: str) -> NoCredential:
    return NoCredential(Outcome.AUTH, "undecodable", f"what {_WHERE} answered {what}")
