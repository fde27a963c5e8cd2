"""Tokens of the platform's own service account, asked for at Google's metadata server.

It is there on Cloud Run, Cloud Functions, App Engine, Kubernetes Engine and virtual machines, over
http and on the machine's own link. Only an answer that says it is Google's is believed.

Source: "About VM metadata" and "Service identity" in the documentation of Compute Engine and Cloud
Run; the variables are those of google-auth (`google.auth.environment_vars`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from leeward.adapter.resolver import Credential, NoCredential, Source
from leeward.errors import ConfigError, LeewardError, Outcome
from leeward.http.messages import Failure, Request, Response
from leeward.http.transport import Transport
from leeward.text import percent_encode
from leeward_google.exchange import SCOPE
from leeward_google.identity.tokens import (
    AUDIENCE,
    LARGEST,
    PROJECT,
    access_token,
    id_token,
    object_in,
    refused_by,
    undecodable,
)

ADDRESS: Final = "http://169.254.169.254"
"""The same everywhere. The name, ``metadata.google.internal``, would have to be looked up."""

FLAVOR: Final = ("Metadata-Flavor", "Google")
"""A header of each request, so that no page can make a browser ask, and of each answer."""

_HOSTS: Final = ("GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP")
"""Variables that name another place, as ``host`` or ``host:port``."""

_PLATFORM: Final = ("K_SERVICE", "FUNCTION_TARGET", "CLOUD_RUN_JOB", "GAE_SERVICE", *_HOSTS)
"""Variables that are set where the metadata server is."""

_ACCOUNT: Final = "/computeMetadata/v1/instance/service-accounts/default"

_WHERE: Final = "the metadata server"

_REMEDY: Final = (
    "give the machine a service account, or, if it is none of Google's, set credentials_file or "
    "GOOGLE_APPLICATION_CREDENTIALS"
)


def place_of(env: Mapping[str, str]) -> str:
    """Return the origin of the metadata server.

    Raises:
        ConfigError: a variable names something else than a host.
    """
    name = next((name for name in _HOSTS if env.get(name)), None)
    if name is None:
        return ADDRESS
    parts = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?", env[name])
    if parts is None or (parts[2] and not 0 < int(parts[2]) < 65536):
        raise ConfigError(f"{name} must be a host, perhaps with a port")
    return f"http://{env[name]}"


def is_announced(env: Mapping[str, str]) -> bool:
    """Return whether variables of the platform tell that there is a metadata server."""
    return any(env.get(name) for name in _PLATFORM)


def is_forbidden(env: Mapping[str, str]) -> bool:
    """Return whether the environment tells not to look for a metadata server."""
    return env.get("NO_GCE_CHECK", "").lower() == "true"


def metadata_source(origin: str, transport: Transport, now: Callable[[], float]) -> Source:
    """Make a source of tokens and of the project's id, one request for each fetch.

    Args:
        origin: of the metadata server.
        transport: carries the request. Asking has no effect, so a kept connection is fine.
        now: gives Unix seconds.
    """

    def fetch(scope: str, timeout: float) -> Credential:
        try:
            answer = transport.send(_request(origin, scope), timeout)
        except LeewardError as error:
            raise NoCredential(Outcome.AUTH, "misconfigured", str(error)) from error
        if isinstance(answer, Failure):
            raise NoCredential(
                Outcome.NOT_SENT, answer.code, f"{_WHERE} cannot be reached ({answer.code})"
            ) from answer.cause
        return _read(_checked(answer), scope, now())

    return fetch


def _request(origin: str, scope: str) -> Request:
    if scope == PROJECT:
        target = "/computeMetadata/v1/project/project-id"
    elif scope.startswith(AUDIENCE):
        audience = percent_encode(scope.removeprefix(AUDIENCE))
        target = f"{_ACCOUNT}/identity?audience={audience}&format=full"
    else:
        target = f"{_ACCOUNT}/token?scopes={percent_encode(SCOPE)}"
    return Request("GET", origin, target, (FLAVOR,))


def _checked(answer: Response) -> Response:
    if answer.status != 200:
        raise _refused_by(answer.status)
    name, value = FLAVOR
    if answer.headers.get(name.lower()) != value:
        told = f"somebody who is not Google answers in place of {_WHERE}"
        raise NoCredential(Outcome.AUTH, "not_google", told)
    if len(answer.body) > LARGEST:
        raise undecodable(_WHERE, "is too large")
    return answer


def _refused_by(status: int) -> NoCredential:
    refused = refused_by(status, _WHERE)
    if refused.outcome is not Outcome.AUTH:
        return refused
    return NoCredential(refused.outcome, refused.code, f"{refused.message}: {_REMEDY}")


def _read(answer: Response, scope: str, now: float) -> Credential:
    if scope == SCOPE:
        document = object_in(answer, _WHERE)
        lasting = document.get("expires_in")
        if not isinstance(lasting, int | float):
            raise undecodable(_WHERE, "has no expires_in in seconds")
        return access_token(document.get("access_token"), now, now + float(lasting), _WHERE)
    text = str(answer.body, "ascii", "replace").strip()
    if scope.startswith(AUDIENCE):
        return id_token(text, now, _WHERE)
    if re.fullmatch(r"[a-z0-9.:-]+", text) is None:
        raise undecodable(_WHERE, "is no id of a project")
    return Credential(text, now)
