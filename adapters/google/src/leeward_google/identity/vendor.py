"""Tokens through google-auth: from a credentials file, of whatever kind.

google-auth is imported at the first fetch, with requests, by which it asks. It keeps nothing here:
each fetch is a new token, which the cache of the target holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final, NamedTuple, Self

from leeward.adapter.resolver import Credential, NoCredential, Source
from leeward.errors import Outcome
from leeward.forking import ForkLock
from leeward_google.exchange import SCOPE
from leeward_google.identity import credential_files as files
from leeward_google.identity.credential_files import (
    EXTERNAL,
    EXTERNAL_USER,
    IMPERSONATED,
    SERVICE_ACCOUNT,
    USER,
    Rules,
)
from leeward_google.identity.impersonation import Principal
from leeward_google.identity.tokens import AUDIENCE, PROJECT, access_token, charged, id_token

INSTALL: Final = 'pip install "leeward-google[auth]"'

CONNECT_TIMEOUT: Final = 3.0
READ_TIMEOUT: Final = 5.0
"""Seconds for a request to a token endpoint. The vendor's own 120 would hold up every renewal."""

_WHERE: Final = "google-auth"

_NO_IDENTITY: Final = (
    "Google gives these credentials no ID token, which a function asks for: set impersonate to a "
    "service account that may call the function, and that you may act as; or authenticate = false "
    "for functions that everybody may call"
)

Wrap = Callable[[Principal, Source], Source]
"""Makes a source of a service account's tokens, of a source of somebody's who may act as it."""


class Means(NamedTuple):
    """How google-auth asks.

    Attributes:
        rules: what a file may ask for.
        trust_env: whether variables name proxies and certificates.
        ca_bundle: path of a file of CA certificates, or None.
    """

    rules: Rules = Rules()
    trust_env: bool = True
    ca_bundle: str | None = None


class VendorFile:
    """A source of what a credentials file is good for, read once.

    Args:
        path: of the file.
        means: how google-auth asks.
        wrap: for a file that says to act as a service account.
        now: gives Unix seconds.
    """

    def __init__(self, path: str, means: Means, wrap: Wrap, now: Callable[[], float]) -> None:
        self._path = path
        self._means = means
        self._wrap = wrap
        self._now = now
        self._lock = ForkLock(whole=False)
        self._source: Source | None = None

    def __call__(self, scope: str, timeout: float) -> Credential:
        """Fetch a token, or the project's id.

        Raises:
            NoCredential: NOT_SENT if nobody could be asked, else AUTH.
        """
        try:
            with self._lock:
                if self._source is None:
                    self._source = self._made()
            return self._source(scope, timeout)
        except ImportError as error:
            told = f"google-auth, which reads credentials files, is not installed: {INSTALL}"
            raise NoCredential(Outcome.AUTH, "google_auth_missing", told) from error

    def _made(self) -> Source:
        info = files.read(self._path)
        files.check(info, self._means.rules)
        principal, quota = files.principal_in(info), info.get("quota_project_id")
        if principal is None:
            return charged(_OfFile(info, self._means, self._now), quota)
        inner = info.get("source_credentials") if info.get("type") == IMPERSONATED else info
        inner = {name: each for name, each in (inner or {}).items() if not _impersonates(name)}
        own = charged(_OfFile(inner, self._means, self._now), inner.get("quota_project_id"))
        return charged(self._wrap(principal, own), quota)


def _impersonates(name: str) -> bool:
    return name.startswith("service_account_impersonation")


class _OfFile:
    """A source of the tokens of one identity."""

    def __init__(self, info: Mapping[str, Any], means: Means, now: Callable[[], float]) -> None:
        self._info = info
        self._means = means
        self._now = now
        self._lock = ForkLock(whole=False)
        try:
            self._credentials = _credentials(info)
        except ValueError as error:  # so are all that google-auth raises of a file
            raise files.unusable(f"lacks what its type needs ({type(error).__name__})") from error

    def __call__(self, scope: str, timeout: float) -> Credential:
        if scope == PROJECT:
            return self._project()
        with _Asker(self._means) as asker:
            try:
                if scope == SCOPE:
                    return self._access_token(asker)
                return self._id_token(scope.removeprefix(AUDIENCE), asker)
            except NoCredential:
                raise
            except Exception as error:  # whatever google-auth raises
                raise _refusal(error, asker.status) from error

    def _access_token(self, asker: _Asker) -> Credential:
        found = self._credentials
        with self._lock:  # it is for one thread at a time
            found.refresh(asker)
            token, expiry = found.token, found.expiry
        end = None if expiry is None else _unix(expiry)
        return access_token(token, self._now(), end, _WHERE)

    def _id_token(self, audience: str, asker: _Asker) -> Credential:
        if self._info.get("type") != SERVICE_ACCOUNT:
            raise NoCredential(Outcome.AUTH, "no_id_token", _NO_IDENTITY)
        kind = import_module("google.oauth2.service_account").IDTokenCredentials
        found = kind.from_service_account_info(self._info, target_audience=audience)
        found.refresh(asker)
        return id_token(found.token, self._now(), _WHERE)

    def _project(self) -> Credential:
        project = self._info.get("project_id")
        if not isinstance(project, str) or not project:
            told = "these credentials belong to no project: set project, or GOOGLE_CLOUD_PROJECT"
            raise NoCredential(Outcome.AUTH, "no_project", told)
        return Credential(project, self._now())


def _refusal(error: Exception, status: int | None) -> NoCredential:
    """Return what an exception means, by class and last status: its text may repeat anything.

    Args:
        error: of google-auth.
        status: of the last answer; None for none.
    """
    from google.auth.exceptions import TransportError

    name = type(error).__name__
    busy = status is not None and (status in (408, 429) or status >= 500)
    if isinstance(error, TransportError) or busy:
        told = f"{_WHERE} could not reach its source ({name})"
        return NoCredential(Outcome.NOT_SENT, name, told)
    return NoCredential(Outcome.AUTH, name, f"{_WHERE} was refused ({name})")


class _Asker:
    """What google-auth sends its requests by: with time-outs, no redirects, and a last status.

    Args:
        means: how it asks.
    """

    def __init__(self, means: Means) -> None:
        from google.auth.transport.requests import Request
        from requests import Session

        self._session = Session()
        self._session.trust_env = means.trust_env
        self._request = Request(self._session)
        self._options: dict[str, Any] = {"allow_redirects": False}
        if means.ca_bundle is not None:
            self._options["verify"] = means.ca_bundle
        self.status: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

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
        self.status = None
        times = (CONNECT_TIMEOUT, READ_TIMEOUT)
        found = self._request(url, method, body, headers, times, **options | self._options)
        self.status = found.status
        return found


def _credentials(info: Mapping[str, Any]) -> Any:
    """Make google-auth's object of a file's content.

    Raises:
        ValueError: something is missing.
        NoCredential: AUTH; the type is unknown.
    """
    home, make, options = _maker(info)
    return getattr(import_module(home).Credentials, make)(info, **options)


def _maker(info: Mapping[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """Return the module whose class `Credentials` is meant, its constructor, and options for it."""
    kind = info.get("type")
    if kind == SERVICE_ACCOUNT:
        # A JWT that the key itself signs: no token endpoint is asked.
        options = {"scopes": [SCOPE], "always_use_jwt_access": True}
        return "google.oauth2.service_account", "from_service_account_info", options
    if kind == USER:
        return "google.oauth2.credentials", "from_authorized_user_info", {}
    if kind == EXTERNAL_USER:
        home = "external_account_authorized_user"
        return f"google.auth.{home}", "from_info", {"scopes": [SCOPE]}
    if kind == EXTERNAL:
        return f"google.auth.{_home_of(info)}", "from_info", {"scopes": [SCOPE]}
    raise files.unusable("has a type that is not known here")


def _home_of(info: Mapping[str, Any]) -> str:
    if info.get("subject_token_type") == "urn:ietf:params:aws:token-type:aws4_request":
        return "aws"
    source = info.get("credential_source")
    return "pluggable" if isinstance(source, dict) and "executable" in source else "identity_pool"


def _unix(moment: Any) -> float:
    from datetime import UTC

    return float(moment.replace(tzinfo=UTC).timestamp())
