"""Tokens of the platform's own service account, asked for at Google's metadata server.

It is there on Cloud Run, Cloud Functions, App Engine, Kubernetes Engine and virtual machines, over
http and on the machine's own link. Only an answer that says it is Google's is believed.

Source: "About VM metadata" and "Service identity" in the documentation of Compute Engine and Cloud
Run; the variables are those of google-auth (`google.auth.environment_vars`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from leeward.adapter.hosts import url_of
from leeward.adapter.resolver import Resolved, Source, Token, Unresolved
from leeward.adapter.tokens import TokenEndpoint, end_in, json_object, undecodable
from leeward.adapter.wire import Failure, Request, Response, Transport
from leeward.errors import ConfigError, LeewardError, Outcome
from leeward.text import percent_encode
from leeward_google.identity.credentials import IdToken, access_token, id_token

ADDRESS: Final = "http://169.254.169.254"
"""The same everywhere. The name, ``metadata.google.internal``, would have to be looked up."""

FLAVOR: Final = ("Metadata-Flavor", "Google")
"""A header of each request, so that no page can make a browser ask, and of each answer."""

_HOSTS: Final = ("GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP")
"""Variables that name another place, as ``host`` or ``host:port``."""

_PLATFORM: Final = ("K_SERVICE", "FUNCTION_TARGET", "CLOUD_RUN_JOB", "GAE_SERVICE", *_HOSTS)
"""Variables that are set where the metadata server is."""

PROBE_SECONDS: Final = 3.0
"""Seconds for a metadata server of which nothing tells to answer, as google-auth waits for it."""

_ACCOUNT: Final = "/computeMetadata/v1/instance/service-accounts/default"

_WHERE: Final = "the metadata server"

_REMEDY: Final = (
    "give the machine a service account, or, if it is not one of Google's, set credentials_file or "
    "GOOGLE_APPLICATION_CREDENTIALS"
)


def metadata_address(env: Mapping[str, str]) -> str:
    """Return the origin of the metadata server.

    Raises:
        ConfigError: a variable names something else than a host.
    """
    name = next((name for name in _HOSTS if env.get(name)), None)
    if name is None:
        return ADDRESS
    url = url_of(f"http://{env[name]}")
    if url is None or url.path or url.query:
        raise ConfigError(f"{name} must be a host, perhaps with a port")
    return url.origin


def is_announced(env: Mapping[str, str]) -> bool:
    """Return whether variables of the platform tell that there is a metadata server."""
    return any(env.get(name) for name in _PLATFORM)


def is_forbidden(env: Mapping[str, str]) -> bool:
    """Return whether the environment tells not to look for a metadata server."""
    return env.get("NO_GCE_CHECK", "").lower() == "true"


def is_there(origin: str, transport: Transport, timeout: float) -> bool:
    """Ask for nothing at `origin`; return whether Google's metadata server answers.

    Args:
        origin: of the metadata server.
        transport: carries the request.
        timeout: seconds, of which it takes at most `PROBE_SECONDS`.
    """
    probe = Request("GET", origin, "/", (FLAVOR,))
    try:
        answer = transport.send(probe, min(timeout, PROBE_SECONDS))
    except LeewardError:  # a setting of the transport is wrong: the request for a token tells it
        return True
    return not isinstance(answer, Failure) and _is_googles(answer)


def metadata_source(origin: str, transport: Transport, now: Callable[[], float]) -> Source:
    """Make a source of tokens and of the project's id, one request for each fetch.

    Args:
        origin: of the metadata server.
        transport: carries the request.
        now: gives Unix seconds.
    """
    endpoint = TokenEndpoint(_WHERE, transport, remedy=_REMEDY)

    def fetch(what: Any, timeout: float) -> Resolved:
        answer = endpoint.ask(lambda: Request("GET", origin, _target(what), (FLAVOR,)), timeout)
        if not _is_googles(answer):
            told = f"somebody who is not Google answers in place of {_WHERE}"
            raise Unresolved(Outcome.AUTH, "not_google", told)
        moment = now()
        if isinstance(what, Token):
            document = json_object(answer.body, _WHERE)
            end = end_in(document, moment, _WHERE)
            return access_token(document.get("access_token"), moment, end, _WHERE)
        text = str(answer.body, "ascii", "replace").strip()
        if isinstance(what, IdToken):
            return id_token(text, moment, _WHERE)
        if re.fullmatch(r"[a-z0-9.:-]+", text) is None:
            raise undecodable(_WHERE, "is not the id of a project")
        return Resolved(text, moment)

    return fetch


def _is_googles(answer: Response) -> bool:
    name, value = FLAVOR
    return answer.headers.get(name.lower()) == value


def _target(what: Any) -> str:
    if isinstance(what, Token):
        return f"{_ACCOUNT}/token?scopes={percent_encode(what.scope)}"
    if isinstance(what, IdToken):
        return f"{_ACCOUNT}/identity?audience={percent_encode(what.audience)}&format=full"
    return "/computeMetadata/v1/project/project-id"
