"""Tokens through google-auth: from a credentials file, of whatever kind.

google-auth is imported at the first fetch, with requests, by which it asks. It keeps nothing here:
each fetch is a new token, which the target's resolver keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from datetime import UTC
from importlib import import_module
from typing import Any, Final, Self, TypeAlias
from urllib.parse import urlsplit

from leeward.adapter import TargetConfig
from leeward.adapter.resolver import Resolved, Source, Token, Unresolved
from leeward.adapter.tokens import is_busy
from leeward.adapter.vendor import (
    CONNECT_TIMEOUT,
    READ_TIMEOUT,
    out_of_reach,
    refusal,
    refuse_private,
    vendor_errors,
)
from leeward.errors import Outcome
from leeward.forking import ForkLock
from leeward_google.identity import credential_files as files
from leeward_google.identity.credentials import (
    SCOPE,
    IdToken,
    Project,
    access_token,
    id_token,
    with_project,
)
from leeward_google.identity.impersonation import Principal
from leeward_google.settings.options import Settings

INSTALL: Final = 'pip install "leeward-google[auth]"'

_WHERE: Final = "google-auth"

_NO_IDENTITY: Final = (
    "Google gives these credentials no ID token, which a function asks for: set impersonate to a "
    "service account that may call the function, and that you may act as; or authenticate = false "
    "for functions that everybody may call"
)

Wrap: TypeAlias = Callable[[Principal, Source], Source]
"""Makes a source of a service account's tokens, of a source of somebody's who may act as it."""


class VendorFile:
    """A source of what a credentials file is good for, read once.

    Args:
        path: of the file.
        settings: of the target.
        config: of the same; says whether the environment may be trusted.
        wrap: for a file that says to act as a service account.
        now: gives Unix seconds.
    """

    def __init__(
        self,
        path: str,
        settings: Settings,
        config: TargetConfig,
        wrap: Wrap,
        now: Callable[[], float],
    ) -> None:
        self._path = path
        self._settings = settings
        self._config = config
        self._wrap = wrap
        self._now = now
        self._lock = ForkLock(whole=False)
        self._source: Source | None = None

    def __call__(self, what: Any, timeout: float) -> Resolved:
        """Fetch a token, or the project's id.

        Raises:
            Unresolved: NOT_SENT if nobody could be asked, else AUTH.
        """
        missing = f"google-auth, which reads credentials files, is not installed: {INSTALL}"
        with vendor_errors("google_auth_missing", missing, _refusal):
            with self._lock:
                if self._source is None:
                    self._source = self._make_source()
            return self._source(what, timeout)

    def _make_source(self) -> Source:
        info = files.read(self._path)
        hardened = not self._config.trust_env
        files.check(info, hardened=hardened, external=self._settings.identity.external)
        principal, quota = files.principal_in(info), info.get("quota_project_id")
        if principal is None:
            return with_project(self._identity(info), quota)
        inner = info.get("source_credentials") if info.get("type") == files.IMPERSONATED else info
        inner = {
            name: value
            for name, value in (inner or {}).items()
            if not name.startswith("service_account_impersonation")
        }
        source = with_project(self._identity(inner), inner.get("quota_project_id"))
        return with_project(self._wrap(principal, source), quota)

    def _identity(self, info: Mapping[str, Any]) -> Source:
        """Return the source of the tokens of one identity."""
        try:
            credentials = _credentials(info)
        except ValueError as error:  # so are all that google-auth raises of a file
            raise files.unusable(f"lacks what its type needs ({type(error).__name__})") from error
        lock = ForkLock(whole=False)  # `credentials` are for one thread at a time

        def fetch(what: Any, timeout: float) -> Resolved:
            if isinstance(what, Project):
                now = self._now()
                project = info.get("project_id")
                if not isinstance(project, str) or not project:
                    why = "these credentials have no project: set project, or GOOGLE_CLOUD_PROJECT"
                    raise Unresolved(Outcome.AUTH, "no_project", why)
                return Resolved(project, now)
            if isinstance(what, Token):
                credentials_ = credentials
            elif info.get("type") == files.SERVICE_ACCOUNT:
                kind = import_module("google.oauth2.service_account").IDTokenCredentials
                credentials_ = kind.from_service_account_info(info, target_audience=what.audience)
            else:
                raise Unresolved(Outcome.AUTH, "no_id_token", _NO_IDENTITY)
            alone = lock if credentials_ is credentials else nullcontext()
            with alone, _Asker(self._settings, self._config) as asker:
                credentials_.refresh(asker)
                token, expiry = credentials_.token, credentials_.expiry
            if isinstance(what, IdToken):
                return id_token(token, self._now(), _WHERE)
            # google-auth keeps the time in UTC without a zone.
            end = None if expiry is None else expiry.replace(tzinfo=UTC).timestamp()
            return access_token(token, self._now(), end, _WHERE)

        return fetch


def _refusal(error: Exception) -> Unresolved:
    """Return what an exception means, by class alone: its text may repeat anything."""
    from google.auth.exceptions import TransportError

    make_refusal = out_of_reach if isinstance(error, TransportError) else refusal
    return make_refusal(_WHERE, type(error).__name__)


class _Asker:
    """What google-auth sends its requests by: with time-outs, and without redirects.

    An error while the last status was one of a busy server says that nobody could be asked.
    """

    def __init__(self, settings: Settings, config: TargetConfig) -> None:
        from google.auth.transport.requests import Request
        from requests import Session

        self._session = Session()
        self._session.trust_env = config.trust_env
        self._request = Request(self._session)
        self._options: dict[str, Any] = {"allow_redirects": False}
        if settings.http.ca_bundle is not None:
            self._options["verify"] = settings.http.ca_bundle
        self._public_only = settings.http.public_only
        self._status = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._session.close()
        if error is not None and is_busy(self._status):
            raise out_of_reach(_WHERE, type(error).__name__) from error

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: Any = None,
        headers: Any = None,
        timeout: Any = None,
        **options: Any,
    ) -> Any:
        """Send one request."""
        self._status = 0
        if self._public_only:
            refuse_private(urlsplit(url).hostname or "", _WHERE)
        times = (CONNECT_TIMEOUT, READ_TIMEOUT)
        response = self._request(url, method, body, headers, times, **options | self._options)
        self._status = response.status
        return response


def _credentials(info: Mapping[str, Any]) -> Any:
    """Make google-auth's object of a file's content.

    Raises:
        ValueError: something is missing.
        Unresolved: AUTH; the type is unknown.
    """
    options: dict[str, Any] = {"scopes": [SCOPE]}
    match info.get("type"):
        case files.SERVICE_ACCOUNT:
            home, make = "google.oauth2.service_account", "from_service_account_info"
            # A JWT that the key itself signs: no token endpoint is asked.
            options["always_use_jwt_access"] = True
        case files.USER:
            home, make, options = "google.oauth2.credentials", "from_authorized_user_info", {}
        case files.EXTERNAL_USER:
            home, make = "google.auth.external_account_authorized_user", "from_info"
        case files.EXTERNAL:
            home, make = f"google.auth.{_external(info)}", "from_info"
        case _:
            raise files.unusable("has a type that is not known here")
    return getattr(import_module(home).Credentials, make)(info, **options)


def _external(info: Mapping[str, Any]) -> str:
    """Return the module for an external account, as google-auth itself chooses it."""
    if info.get("subject_token_type") == "urn:ietf:params:aws:token-type:aws4_request":
        return "aws"
    source = info.get("credential_source")
    return "pluggable" if isinstance(source, dict) and "executable" in source else "identity_pool"
