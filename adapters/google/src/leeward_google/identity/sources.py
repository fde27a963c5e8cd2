"""Where a target's credentials come from.

A token that is configured goes first. Then, in the order of google-auth's `default`, come the
credentials file that the configuration or a variable names, the one that gcloud has written, and
the metadata server. leeward asks the metadata server itself, and IAM credentials, where it acts as
a service account; what files hold is google-auth's.

The option ``identity = "metadata"`` takes the metadata server and nothing else. In the hardened
mode, ``trust_env = false``, no file is looked for that the configuration does not name, and the
metadata server is asked at its own address alone.

The metadata server gives tokens of the platform's own service account. It is there on Cloud Run,
Cloud Functions, App Engine, Kubernetes Engine and virtual machines, over http and on the machine's
own link. Only an answer that says it is Google's is believed.

Sources: "About VM metadata" and "Service identity" in the documentation of Compute Engine and Cloud
Run; the variables are those of google-auth (`google.auth.environment_vars`).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial
from math import inf
from typing import Any, Final

from leeward.adapter import TargetConfig
from leeward.adapter.hosts import url_of
from leeward.adapter.http_functions import Address
from leeward.adapter.resolver import (
    ConfiguredFirst,
    FunctionAddress,
    Resolved,
    Source,
    Token,
    Unresolved,
)
from leeward.adapter.tokens import OneShotTransport, TokenEndpoint, end_in, json_object, undecodable
from leeward.adapter.wire import Failure, Request, Response, Transport
from leeward.errors import ConfigError, LeewardError, Outcome
from leeward.text import percent_encode
from leeward_google.identity.credential_files import usual_file
from leeward_google.identity.credentials import (
    ACCESS_TOKEN,
    Bearer,
    IdToken,
    Project,
    access_token,
    id_token,
    with_project,
)
from leeward_google.identity.impersonation import Principal, acting_as
from leeward_google.settings.options import Settings
from leeward_google.settings.services import (
    Functions,
    FunctionUrl,
    Identity,
    audience_of,
    find_address,
)

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

_ACCOUNT_REMEDY: Final = (
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
    endpoint = TokenEndpoint(_WHERE, transport, remedy=_ACCOUNT_REMEDY)

    def fetch(what: Any, timeout: float) -> Resolved:
        answer = endpoint.ask(lambda: Request("GET", origin, _target(what), (FLAVOR,)), timeout)
        if not _is_googles(answer):
            problem = f"somebody who is not Google answers in place of {_WHERE}"
            raise Unresolved(Outcome.AUTH, "not_google", problem)
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


_CREDENTIALS_REMEDY: Final = (
    "set credentials_file or GOOGLE_APPLICATION_CREDENTIALS, or sign in by "
    "'gcloud auth application-default login'"
)

_LEFT_ALONE: Final = 60.0
"""Seconds for which a metadata server that did not answer is taken to be missing. A choice:
elsewhere one call in a minute waits for it, and a machine that starts may need it later."""

_LONG_ENOUGH: Final = 1.0
"""Seconds within which a server on the machine's own link would have answered."""


class _Origin(Enum):
    GIVEN = "configured"
    FILE = "credentials file"
    METADATA = "metadata server"
    PERHAPS = "metadata server, if there is one"
    NOWHERE = "none"


def source_of(
    settings: Settings,
    config: TargetConfig,
    transport: Transport,
    *,
    now: Callable[[], float] = time.time,
) -> Source:
    """Return the source of credentials of a target, for its resolver.

    Nothing is sent, no file is read and no vendor package is imported before the first fetch that
    needs it.

    Args:
        settings: of the target.
        config: of the same.
        transport: carries requests to the metadata server and to IAM credentials; stays the
            caller's to close.
        now: gives Unix seconds.

    Raises:
        ConfigError: a variable names something else than a host as the metadata server.
    """
    tokens = _tokens(settings, config, transport, now)
    functions = settings.functions or Functions()
    given = _origin(settings.identity, config)[0] is _Origin.GIVEN
    given = given and settings.identity.impersonate is None

    def place_of_function(what: FunctionUrl | FunctionAddress, timeout: float) -> Resolved:
        address = find_address(what.function, functions)
        if address is not None:
            return Resolved(address, now())
        from leeward_google.functions.discovery import lookup_source

        return lookup_source(settings, config, tokens, now)(what, timeout)

    def ask(what: Any, timeout: float) -> Resolved:
        if not isinstance(what, FunctionUrl | FunctionAddress):
            return tokens(what, timeout)
        place = place_of_function(what, timeout)
        if isinstance(what, FunctionUrl) or not functions.authenticate:
            return place
        address: Address = place.value
        token = tokens(IdToken(audience_of(address, functions)), timeout)
        return token._replace(value=address._replace(token=token.value.token))

    def read_settings(what: Any) -> Resolved | None:
        is_token = not isinstance(what, FunctionUrl | FunctionAddress)
        if not is_token and find_address(what.function, functions) is None:
            return None
        asks = is_token or (isinstance(what, FunctionAddress) and functions.authenticate)
        return ask(what, 0.0) if given or not asks else None

    return ConfiguredFirst(read_settings, ask)


def describe_source(settings: Settings, config: TargetConfig) -> str:
    """Return in a few words where credentials come from, such as ``metadata server``."""
    origin = _origin(settings.identity, config)[0].value
    account = settings.identity.impersonate
    return origin if account is None else f"{origin}, acting as {account}"


def _origin(identity: Identity, config: TargetConfig) -> tuple[_Origin, str]:
    """Return where credentials come from, and the path of a file."""
    env = config.env
    if identity.access_token or identity.id_token:
        return _Origin.GIVEN, ""
    if identity.metadata:
        return _Origin.METADATA, ""
    file = identity.file or (usual_file(env) if config.trust_env else None)
    if file is not None:
        return _Origin.FILE, file
    if not config.trust_env or is_forbidden(env):
        return _Origin.NOWHERE, ""
    return (_Origin.METADATA if is_announced(env) else _Origin.PERHAPS), ""


def _tokens(
    settings: Settings, config: TargetConfig, transport: Transport, now: Callable[[], float]
) -> Source:
    """Return the source of access tokens, ID tokens and the project's id."""
    identity = settings.identity
    origin, path = _origin(identity, config)

    def wrap(principal: Principal, source: Source) -> Source:
        return acting_as(principal, source, identity.iam, transport, now)

    if origin is _Origin.GIVEN:
        source = _make_source(identity, now, config.section)
    elif origin is _Origin.FILE:
        from leeward_google.identity.vendor import VendorFile

        source = VendorFile(path, settings, config, wrap, now)
    elif origin is _Origin.NOWHERE:
        source = _none
    else:
        place = metadata_address(config.env) if config.trust_env else ADDRESS
        carrier = OneShotTransport() if settings.http.public_only else transport
        source = metadata_source(place, carrier, now)
        if origin is _Origin.PERHAPS:
            source = _Perhaps(source, partial(is_there, place, carrier), now)
    source = with_project(source, identity.quota_project)
    if identity.impersonate is None:
        return source
    return with_project(wrap(Principal(identity.impersonate), source), identity.quota_project)


def _make_source(identity: Identity, now: Callable[[], float], section: str) -> Source:
    def fetch(what: Any, timeout: float) -> Resolved:
        if isinstance(what, Project):
            raise Unresolved(Outcome.AUTH, "no_project", "a token tells no project: set project")
        access = what == ACCESS_TOKEN
        token = identity.access_token if access else identity.id_token
        if token is None:
            name = "access_token" if access else "id_token"
            problem = f"this needs {name} as well: set it in {section}"
            raise Unresolved(Outcome.AUTH, "no_credentials", problem)
        return Resolved(Bearer(token), now())

    return fetch


def _none(what: Any, timeout: float) -> Resolved:
    raise Unresolved(
        Outcome.AUTH, "no_credentials", f"no Google credentials: {_CREDENTIALS_REMEDY}"
    )


class _Perhaps:
    """The metadata server where nothing says that there is one, such as on a virtual machine.

    Somewhere else its address leads nowhere, and a request may hang. So it is asked for nothing
    first, for a short while, and if it does not answer, it is left alone for a minute. Once it has
    answered, it is out of reach if it does not.

    Args:
        source: the metadata server.
        is_there: asks whether it is one, within so many seconds.
        now: gives Unix seconds.
    """

    def __init__(
        self, source: Source, is_there: Callable[[float], bool], now: Callable[[], float]
    ) -> None:
        self._source = source
        self._is_there = is_there
        self._now = now
        self._seen = False
        self._missing_since = -inf

    def __call__(self, what: Any, timeout: float) -> Resolved:
        if not self._seen and not 0 <= self._now() - self._missing_since < _LEFT_ALONE:
            self._seen = self._is_there(timeout)
            if timeout >= _LONG_ENOUGH:
                self._missing_since = self._now()
        if not self._seen:
            problem = f"no Google credentials, and no metadata server: {_CREDENTIALS_REMEDY}"
            raise Unresolved(Outcome.AUTH, "no_credentials", problem)
        return self._source(what, timeout)
