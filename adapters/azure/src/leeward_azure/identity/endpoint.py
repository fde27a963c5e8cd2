"""Tokens of the platform's managed identity, asked for at the endpoint that it offers.

On App Service, Azure Functions and Container Apps two variables say where and with which word;
on virtual machines it is one address for all.

Sources: "How to use managed identities for App Service and Azure Functions", section "REST
endpoint reference"; "How to use managed identities on an Azure VM to acquire an access token".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from leeward.adapter.resolver import Credential, NoCredential, Source
from leeward.errors import ConfigError, LeewardError, Outcome
from leeward.http.messages import Failure, Request, Response
from leeward.http.transport import Transport
from leeward.json_text import Undecodable, decode
from leeward.text import percent_encode
from leeward_azure.identity.credentials import Bearer

ENDPOINT: Final = "IDENTITY_ENDPOINT"
HEADER: Final = "IDENTITY_HEADER"
THUMBPRINT: Final = "IDENTITY_SERVER_THUMBPRINT"
"""Of Service Fabric, whose endpoint has a certificate of its own: left to azure-identity."""

VIRTUAL_MACHINE: Final = "http://169.254.169.254"
"""The instance metadata service."""

LARGEST: Final = 64 * 1024
"""Bytes of an answer; real ones have about 2 KiB."""

_STARTING: Final = frozenset({404, 410})
"""How the metadata service answers while it starts or is renewed; its guide says to ask again."""

_WHERE: Final = "the endpoint of the managed identity"


class Place(NamedTuple):
    """Where to ask.

    Attributes:
        origin: scheme, host and port.
        target: the path, and the query up to the resource.
        header: the word that proves the request comes from here.
        starting: statuses by which it asks for patience, besides 429 and 5xx.
    """

    origin: str
    target: str
    header: tuple[str, str]
    starting: frozenset[int] = frozenset()

    def __repr__(self) -> str:
        """Leave the header out."""
        return f"Place(origin={self.origin!r})"


def place_of(env: Mapping[str, str]) -> Place | None:
    """Return the endpoint that `env` names; None where it names none that is understood here.

    Raises:
        ConfigError: it is no address, or one that must not be asked. It may hold a secret, so the
            message names the variable alone.
    """
    url, header = env.get(ENDPOINT), env.get(HEADER)
    if not url or not header or env.get(THUMBPRINT):
        return None
    parts = re.fullmatch(
        r"(https?)://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?(/[!\"$-\[\]-~]*)?", url
    )
    if parts is None or (parts[3] and not 0 < int(parts[3]) < 65536) or "?" in url:
        raise ConfigError(
            f"{ENDPOINT} must be a scheme, a host, perhaps a port, and a path, without user and "
            "query; the platform sets it"
        )
    if parts[1] == "http" and not _is_near(parts[2].strip("[]").lower()):
        raise ConfigError(
            f"{ENDPOINT} must lead to https or to this machine: the answer holds a token"
        )
    if re.fullmatch(r"[!-~]+", header) is None:
        raise ConfigError(f"{HEADER} holds white space or a character outside ASCII")
    port = f":{parts[3]}" if parts[3] else ""
    target = f"{parts[4] or '/'}?api-version=2019-08-01"
    return Place(f"{parts[1]}://{parts[2]}{port}", target, ("X-IDENTITY-HEADER", header))


def place_on_machine() -> Place:
    """Return the endpoint of virtual machines."""
    target = "/metadata/identity/oauth2/token?api-version=2018-02-01"
    return Place(VIRTUAL_MACHINE, target, ("Metadata", "true"), _STARTING)


def identity_source(
    find: Callable[[], Place], client_id: str | None, transport: Transport, now: Callable[[], float]
) -> Source:
    """Make a source of tokens: a scope of Entra in, a `Bearer` out, one request for each fetch.

    Args:
        find: says where to ask, anew at each fetch: platforms change the word.
        client_id: of a user-assigned identity; None for the platform's own.
        transport: carries the request. Asking has no effect, so a kept connection is fine.
        now: gives Unix seconds.
    """

    def fetch(scope: str, timeout: float) -> Credential:
        try:
            place = find()
            answer = transport.send(_request(place, scope, client_id), timeout)
        except LeewardError as error:
            raise NoCredential(Outcome.AUTH, "misconfigured", str(error)) from error
        if isinstance(answer, Failure):
            raise NoCredential(
                Outcome.NOT_SENT, answer.code, f"{_WHERE} cannot be reached ({answer.code})"
            ) from answer.cause
        return _token(answer, place, now())

    return fetch


def _is_near(host: str) -> bool:
    """Return whether a host is this machine, or on its own link: platforms use 169.254.0.0/16."""
    if host == "localhost":
        return True
    from ipaddress import ip_address

    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_link_local


def _request(place: Place, scope: str, client_id: str | None) -> Request:
    resource = scope.removesuffix("/.default")
    target = f"{place.target}&resource={percent_encode(resource)}"
    if client_id is not None:
        target += f"&client_id={percent_encode(client_id)}"
    return Request("GET", place.origin, target, (("Accept", "application/json"), place.header))


def _token(answer: Response, place: Place, now: float) -> Credential:
    status = answer.status
    if status != 200:
        busy = status == 429 or status >= 500 or status in place.starting
        raise NoCredential(
            Outcome.NOT_SENT if busy else Outcome.AUTH,
            f"http.{status}",
            f"{_WHERE} answered with status {status}",
        )
    document = _document(answer.body)
    token, end = document.get("access_token"), _moment(document, now)
    if not isinstance(token, str) or re.fullmatch(r"[!-~]+", token) is None:
        raise _undecodable("has no access_token that a header can carry")
    if end <= now:
        raise NoCredential(Outcome.AUTH, "expired_token", f"the token of {_WHERE} has expired")
    return Credential(Bearer(token), now, end)


def _document(body: bytes) -> dict[str, Any]:
    document: Any = None
    if len(body) <= LARGEST:
        try:
            document = decode(body)
        except Undecodable:
            document = None
    if isinstance(document, dict):
        return document
    raise _undecodable("is no JSON object of an acceptable size")


def _moment(document: dict[str, Any], now: float) -> float:
    """Return the token's end in Unix seconds; it stands there as text, or as a number."""
    end = str(document.get("expires_on", ""))
    if re.fullmatch(r"[0-9]{1,12}", end):
        return float(end)
    lasting = str(document.get("expires_in", ""))
    if re.fullmatch(r"[0-9]{1,9}", lasting):
        return now + float(lasting)
    raise _undecodable("has no expires_on in Unix seconds")


def _undecodable(what: str) -> NoCredential:
    return NoCredential(Outcome.AUTH, "undecodable", f"what {_WHERE} answered {what}")
