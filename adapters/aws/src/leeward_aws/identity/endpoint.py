"""Credentials from the endpoint that a container platform offers (ECS, EKS, Greengrass).

Source: "Container credential provider" in the AWS SDKs and Tools Reference Guide, and botocore's
`ContainerMetadataFetcher` for which hosts may be asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from leeward.adapter.hosts import is_this_machine
from leeward.adapter.resolver import Resolved, Source, Unresolved
from leeward.adapter.tokens import LARGEST, Address, TokenEndpoint, address_in, time_in
from leeward.adapter.wire import Request, Transport
from leeward.errors import Outcome
from leeward_aws.identity.credentials import make_credentials

RELATIVE: Final = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
FULL: Final = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
TOKEN: Final = "AWS_CONTAINER_AUTHORIZATION_TOKEN"  # noqa: S105 - the name of a variable
TOKEN_FILE: Final = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"  # noqa: S105 - the same

ECS: Final = "http://169.254.170.2"
"""Where a relative address begins."""

PLAIN_HOSTS: Final = frozenset({"169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"})
"""Hosts that may be asked without TLS, besides this machine."""

_WHERE: Final = "the container endpoint"


def address_of(env: Mapping[str, str]) -> Address | None:
    """Return the endpoint that `env` names; None where it names none.

    The relative address goes before the full one, and an empty variable counts as absent.

    Raises:
        ConfigError: it is not an address, or one that must not be asked.
    """
    for variable, start in (RELATIVE, ECS), (FULL, ""):
        if value := env.get(variable):
            hosts = f"this machine, or one of {', '.join(sorted(PLAIN_HOSTS))}"
            return address_in(start + value, variable, _may_be_plain, hosts)
    return None


def container_source(
    env: Mapping[str, str], transport: Transport, now: Callable[[], float]
) -> Source:
    """Make a source that asks the endpoint which `env` names, once for each fetch.

    Address and token are read again each time: platforms rotate the token's file.

    Args:
        env: the environment, as it is at each fetch.
        transport: carries the request.
        now: gives Unix seconds.
    """
    endpoint = TokenEndpoint(_WHERE, transport)

    def fetch(what: Any, timeout: float) -> Resolved:
        found = endpoint.document(lambda: _request(env), timeout)
        # All four members must be there, as for botocore.
        keys = found.get("AccessKeyId"), found.get("SecretAccessKey"), found.get("Token") or ""
        return make_credentials(keys, time_in(found, "Expiration", _WHERE), now(), _WHERE)

    return fetch


def _may_be_plain(host: str) -> bool:
    return host in PLAIN_HOSTS or is_this_machine(host)


def _request(env: Mapping[str, str]) -> Request:
    address = address_of(env)
    if address is None:
        raise Unresolved(
            Outcome.AUTH, "no_credentials", f"neither {RELATIVE} nor {FULL} is set any longer"
        )
    token = _token(env)
    shown = () if token is None else (("Authorization", token),)
    return Request("GET", *address, (("Accept", "application/json"), *shown))


def _token(env: Mapping[str, str]) -> str | None:
    """Return the token to show, the file's before the variable's own; None for none."""
    token, where = env.get(TOKEN) or None, TOKEN
    if path := env.get(TOKEN_FILE):
        where = f"the file that {TOKEN_FILE} names"
        try:
            with open(path, "rb") as file:  # noqa: PTH123 - a Path would say no more
                token = file.read(LARGEST).decode("latin-1")
        except (OSError, ValueError) as error:  # ValueError: no text that can name a file
            raise Unresolved(Outcome.AUTH, "misconfigured", f"{where} cannot be read") from error
    if token is None or re.fullmatch(r"[ -~]+", token):
        return token
    raise Unresolved(
        Outcome.AUTH,
        "misconfigured",
        f"{where} holds no token that a header can carry: write it in one line of ASCII, without "
        f"a line break at the end",
    )
